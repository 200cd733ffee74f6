"""Gateware that learns against the golden model: spikes, states, weights after each sample, kept thresholds, cycles.

Several random networks with the same inputs are one design, which costs one compilation.  Each has lanes of its own for
each population.  In Icarus both ends stall at random; in Verilator nothing does, and the cycles are those of the model.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lifline import (
    LIF,
    STDP,
    Adaptation,
    Dense,
    InputError,
    Network,
    Population,
    Projection,
    Recording,
    RewardSTDP,
    golden,
    rtl,
)
from lifline.app.main import main
from lifline.files import write_npz
from lifline.sim import Simulator, simulate, verify
from lifline.teaching import rewarded

from ..networks import random_spikes, with_winners
from ..plastic import (
    of_gateware,
    random_plastic_network,
    side_by_side,
    with_one_delay,
    with_sdsp,
)
from ..shaped_networks import random_shaped_network

pytestmark = pytest.mark.slow

TOGETHER = 6  #: networks of a design
#: How many, by what learns in them: "every STDP" has rewards and random rounding, too, which take long to compile.
NETWORKS = {
    "STDP": {"verilator": 60, "icarus": 18},
    "every STDP": {"verilator": 12, "icarus": 6},
    "SDSP": {"verilator": 12, "icarus": 6},
}
SAMPLES, TICKS = 3, 20


def designs(simulator: str, first: int) -> list[tuple[str, int]]:
    """What networks a design has, and its seed, from the first one on."""
    return [
        (kind, first + n) for kind, of in NETWORKS.items() for n in range(of[simulator] // TOGETHER)
    ]


def drawn(
    seed: int, kind: str = "STDP", together: int = TOGETHER
) -> tuple[Network, np.ndarray, dict[str, int]]:
    """A design's networks, spikes and lanes."""
    rng = np.random.default_rng([13, seed])
    inputs = int(rng.integers(1, 60 if kind == "SDSP" else 20))
    networks = [
        random_plastic_network(rng, inputs=inputs, most=9, names=f"n{index}_")
        for index in range(together)
    ]
    if kind == "STDP":
        networks = [with_one_delay(network) for network in networks]
    elif kind == "every STDP":
        networks = [of_gateware(rng, network) for network in networks]
    else:  # and with winners, of which what learns knows nothing
        networks = [
            with_winners(rng, with_sdsp(rng, with_one_delay(network)), 0.3) for network in networks
        ]
    network = side_by_side(networks)
    spikes = (rng.random((SAMPLES, TICKS, inputs)) < rng.random()).astype(np.uint8)
    most = 3 if kind == "every STDP" else 9
    lanes = {p.name: int(rng.integers(1, min(p.size, most) + 1)) for p in network.populations}
    return network, spikes, lanes


@pytest.mark.verilator
@pytest.mark.parametrize(("kind", "seed"), designs("verilator", 0))
def test_learns_as_golden_in_verilator(kind: str, seed: int, tmp_path: Path) -> None:
    network, spikes, lanes = drawn(seed, kind)
    reward = None
    if rewarded(network):
        reward = np.random.default_rng([14, seed]).choice(
            [-(2**15), -900, -3, 1, 40, 2**15 - 1], SAMPLES
        )
    expected = golden.simulate(network, spikes, learn=True, reward=reward)
    simulator = Simulator(network, tmp_path, lanes=lanes, compiled=True, learn=True)
    # the last run is not learned from: it has what was learned, and changes nothing
    again = np.concatenate([spikes, spikes[:1]])
    rewards = None if reward is None else [*reward, 5]
    outcome = simulator.run(again, frozen=(SAMPLES,), rewards=rewards)
    assert outcome.problem is None
    learned, frozen = outcome.recording[:SAMPLES], outcome.recording[SAMPLES:]
    assert expected.compare(learned, network) is None
    assert not any(expected.differing(learned).values())
    assert outcome.recording.network == expected.network
    assert expected.network is not None
    after = golden.simulate(expected.network, spikes[:1])
    assert after.compare(frozen, network) is None
    for index, w in frozen.weights.items():
        assert (w[0] == expected.weights[index][-1]).all()

    modelled = rtl.cycles(network, lanes, {"input": spikes, **expected.spikes}, learn=True)
    assert learned.cycles.tolist() == modelled.tolist()
    activity = {"input": spikes[:1], **after.spikes}
    modelled = rtl.cycles(network, lanes, activity, learn=True, frozen=True)
    assert frozen.cycles.tolist() == modelled.tolist()


@pytest.mark.icarus
@pytest.mark.parametrize(("kind", "seed"), designs("icarus", 100))
def test_learns_as_golden_in_icarus(kind: str, seed: int, tmp_path: Path) -> None:
    network, spikes, lanes = drawn(seed, kind)
    report = verify(network, backend="icarus", lanes=lanes, spikes=spikes, seed=seed, workdir=tmp_path)
    assert report.passed, report.text
    assert "weights" in report.text


@pytest.mark.verilator
@pytest.mark.parametrize("seed", [1, 4, 16, 34, 35])
def test_beside_synapses_of_any_structure(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng([3, seed])
    network = random_shaped_network(rng, max_size=16, max_delay=4, weight_bits=(4, 8))
    rule = STDP(200, 200, 64, 90, 80, 4)
    network = with_one_delay(
        dataclasses.replace(
            network,
            projections=[
                dataclasses.replace(p, plasticity=rule)
                if isinstance(p.synapses, Dense) and network.largest_value(p.source) == 1
                else p
                for p in network.projections
            ],
        )
    )
    assert any(p.plasticity for p in network.projections)
    spikes = random_spikes(rng, network, 2, 9)
    expected = golden.simulate(network, spikes, learn=True)
    found = simulate(network, spikes, lanes=2, learn=True, workdir=tmp_path)
    assert expected.compare(found, network) is None
    assert not any(expected.differing(found).values())
    lanes = rtl.lanes_of(network, 2)
    modelled = rtl.cycles(network, lanes, {"input": spikes, **expected.spikes}, learn=True)
    assert found.cycles is not None
    assert found.cycles.tolist() == modelled.tolist()


RULE = STDP(240, 230, 256, 16, 12, 4)


def small(**changes: object) -> Network:
    projection = Projection("input", "out", Dense([[1, 2], [3, 4]]), RULE)
    return Network(
        2, [Population("out", 2, LIF(200, 3))], [dataclasses.replace(projection, **changes)], "out"
    )


@pytest.mark.verilator
def test_thresholds_are_kept_where_no_synapse_learns(tmp_path: Path) -> None:
    adaptation = Adaptation([250, 256], [3, 2], initial=[5, 1], keep=True)
    network = small(plasticity=None)
    network = dataclasses.replace(
        network, populations=[Population("out", 2, LIF(200, 3, adaptation=adaptation))]
    )
    spikes = np.ones((3, 6, 2), np.uint8)
    expected = golden.simulate(network, spikes, learn=True)
    found = simulate(network, spikes, learn=True, workdir=tmp_path)
    assert expected.compare(found, network) is None
    assert found.network == expected.network


@pytest.mark.verilator
def test_rewards_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pairs = dataclasses.replace(RULE, rounding="stochastic", seed=2**32 - 2)
    network = small(plasticity=RewardSTDP(pairs, alpha=250, shift=6))
    network.save("network.npz")
    spikes = (np.random.default_rng(0).random((3, 20, 2)) < 0.6).astype(np.uint8)
    reward = np.array([900, -40, -32768], np.int16)
    write_npz("in.npz", {"spikes": spikes, "reward": reward})
    asked = ["simulate", "network.npz", "--learn", "--input", "in.npz", "--learned", "after.npz"]
    assert main([*asked, "--backend", "verilator", "--output", "out.npz"]) == 0
    expected = golden.simulate(network, spikes, learn=True, reward=reward)
    assert expected.weights is not None
    assert Network.load("after.npz") == expected.network
    found = Recording.load("out.npz").weights
    assert found is not None
    assert (found[0] == expected.weights[0]).all()
    assert len(np.unique(found[0].reshape(3, -1), axis=0)) == 3


def test_what_cannot_learn_in_gateware_is_said() -> None:
    with pytest.raises(
        InputError, match="its delays are 0 … 1, and synapses that learn in gateware share one"
    ):
        rtl.plan(small(synapses=Dense([[1, 2], [3, 4]], [[0, 1], [0, 0]])), learn=True)
    with pytest.raises(InputError, match="nothing in it learns"):
        rtl.Accelerator(small(plasticity=None), learn=True)
    with pytest.raises(InputError, match="give spikes, not their numbers"):
        rtl.cycles(small(), 1, {"input": [1, 2], "out": [0, 1]}, learn=True)

    with pytest.raises(InputError, match="the gateware cannot learn by Anti"):
        rtl.rows.learned_rows.dispatch(object)(type("Anti", (), {})())
