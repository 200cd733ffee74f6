"""Networks that learn: reference and golden model agree on every weight after every sample."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lifline import (
    LIF,
    STDP,
    Dense,
    Network,
    NetworkError,
    Pairing,
    Population,
    Projection,
    Recording,
    Sparse,
    golden,
)
from lifline.golden import plasticity

from .networks import random_spikes
from .plastic import random_learning_network
from .shaped_networks import random_shaped_network


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_reference_and_golden_learn_the_same(first: int, tmp_path: Path) -> None:
    changed: Counter[str] = Counter()
    for seed in range(first, first + 50):
        rng = np.random.default_rng([2, seed])
        network, reward = random_learning_network(rng)
        spikes = rng.random((3, int(rng.integers(1, 16)), network.inputs)) < rng.random()
        expected = golden.reference.simulate(network, spikes, True, reward, traces=True)
        found = golden.simulate(network, spikes, True, reward, traces=True)
        assert expected.compare(found, network) is None, f"seed {seed}"
        assert not any(expected.differing(found).values()), f"seed {seed}"
        assert expected.network == found.network, f"seed {seed}"
        assert expected.weights is not None
        for index, w in expected.weights.items():
            label = network.projections[index].plasticity.label
            changed[label] += int((np.diff(w, axis=0) != 0).sum())
        # what has been learned is a network, and goes on learning where it stopped
        found.network.save(tmp_path / "network.npz")
        assert Network.load(tmp_path / "network.npz") == found.network
        first_one, others = (None, None) if reward is None else (reward[:1], reward[1:])
        start = golden.simulate(network, spikes[:1], True, first_one).network
        assert start is not None
        assert golden.simulate(start, spikes[1:], True, others).network == found.network
        frozen = golden.simulate(found.network, spikes)
        assert golden.reference.simulate(found.network, spikes).compare(frozen) is None
    assert changed.keys() == {"STDP", "RewardSTDP", "SDSP"}
    assert min(changed.values()) > 10


def test_beside_synapses_of_any_structure() -> None:
    """Convolutions and sparse synapses, of graded inputs too, do not learn, and bring what they always do."""
    learned = 0
    for seed in range(40):
        rng = np.random.default_rng([3, seed])
        network = random_shaped_network(rng, max_size=16, max_delay=4, weight_bits=(4, 8))
        rule = STDP(200, 200, 64, 90, 80, 4)
        projections = [
            dataclasses.replace(p, plasticity=rule)
            if isinstance(p.synapses, Dense) and network.largest_value(p.source) == 1
            else p
            for p in network.projections
        ]
        learned += projections != list(network.projections)
        network = dataclasses.replace(network, projections=projections)
        spikes = random_spikes(rng, network, 2, 9)
        expected = golden.reference.simulate(network, spikes, learn=True)
        found = golden.simulate(network, spikes, learn=True)
        assert expected.compare(found, network) is None, f"seed {seed}"
        assert expected.network == found.network, f"seed {seed}"
    assert learned >= 8


def one_synapse(rule: STDP, weight: int = 0, delay: int = 0) -> Network:
    """A synapse whose target spikes where a second input says so."""
    return Network(
        2,
        [Population("out", 1, LIF(0, 2**14, reset="zero", membrane_bits=17))],
        [
            Projection("input", "out", Dense([[weight], [0]], delay, 8), rule),
            Projection("input", "out", Dense([[0], [2**15 - 1]], 0, 16)),
        ],
        "out",
    )


def pair(first: int, second: int, ticks: int = 50) -> np.ndarray:
    """A spike of the source at tick `first`, one of the target at tick `second`."""
    spikes = np.zeros((ticks, 2), np.uint8)
    spikes[first, 0] = spikes[second, 1] = 1
    return spikes


RULE = STDP(240, 230, 256, 16, 12, 4)


def window(rule: STDP, difference: int, delay: int = 0) -> int:
    """Δw where the target spikes so many ticks after the source."""
    recording = golden.simulate(one_synapse(rule, 0, delay), pair(25, 25 + difference), learn=True)
    assert recording.weights is not None
    return int(recording.weights[0][0, 0])


def decayed(alpha: int, ticks: int, amplitude: int = 256) -> int:
    for _ in range(ticks):
        amplitude = alpha * amplitude >> 8
    return amplitude


@pytest.mark.parametrize("difference", [1, 2, 7, 20])
def test_the_window_is_that_of_the_traces(difference: int) -> None:
    assert window(RULE, difference) == 16 * decayed(240, difference) >> 4
    assert window(RULE, -difference) == -(12 * decayed(230, difference) >> 4)


def test_spikes_of_one_tick_are_a_pair_where_they_are_coincident() -> None:
    assert window(RULE, 0) == 0
    assert window(dataclasses.replace(RULE, coincident=True), 0) == (16 * 256 >> 4) - (12 * 256 >> 4)


def test_a_delay_moves_the_window() -> None:
    assert window(RULE, 5, delay=3) == window(RULE, 2)
    assert window(RULE, 1, delay=3) == window(RULE, -2)


def test_all_spikes_are_paired_or_the_nearest() -> None:
    spikes = pair(3, 9)
    spikes[6, 0] = 1
    results = {}
    for pairing in Pairing:
        network = one_synapse(dataclasses.replace(RULE, pairing=pairing))
        recording = golden.simulate(network, spikes, learn=True)
        assert recording.weights is not None
        results[pairing] = int(recording.weights[0][0, 0])
    assert results[Pairing.NEAREST] == 16 * decayed(240, 3) >> 4
    assert results[Pairing.ALL] == 16 * decayed(240, 3, 256 + decayed(240, 3)) >> 4


def test_weights_are_normalised_after_each_sample() -> None:
    rule = STDP(240, 230, 256, 0, 0, 4, total=100, low=0)
    network = Network(
        3,
        [Population("out", 2, LIF(0, 100))],
        [Projection("input", "out", Dense([[10, 0], [20, 0], [30, 0]]), rule)],
        "out",
    )
    recording = golden.simulate(network, np.zeros((1, 3), np.uint8), learn=True)
    assert recording.weights is not None
    factor = (100 << 24) // (60 << 8)
    assert recording.weights[0].tolist() == [[(w << 8) * factor >> 16, 0] for w in (10, 20, 30)]


def test_a_recording_keeps_its_weights_and_traces(tmp_path: Path) -> None:
    spikes = np.stack([pair(3, 5), pair(5, 3)])
    recording = golden.simulate(one_synapse(RULE), spikes, learn=True, traces=True)
    recording.save(tmp_path / "out.npz")
    loaded = Recording.load(tmp_path / "out.npz")
    assert recording.weights is not None
    assert loaded.weights is not None
    assert loaded.weights.keys() == {0}
    assert (loaded.weights[0] == recording.weights[0]).all()
    assert (recording[1].weights[0] == recording.weights[0][1]).all()  # type: ignore[index]
    assert loaded.traces is not None
    assert recording.traces is not None
    assert loaded.traces[0].keys() == {"p", "q"}
    assert (loaded.traces[0]["q"] == recording.traces[0]["q"]).all()
    assert (recording[1].traces[0]["p"] == recording.traces[0]["p"][1]).all()  # type: ignore[index]


def test_without_learn_nothing_changes() -> None:
    network = one_synapse(RULE)
    recording = golden.simulate(network, pair(3, 5))
    assert recording.weights is None
    assert recording.network is None


def test_the_largest_trace_is_reached_by_a_spike_in_each_tick() -> None:
    rule = dataclasses.replace(RULE, alpha_pre=255, alpha_post=100)
    p = 0
    for _ in range(5000):
        p = (255 * p >> 8) + 256
    assert rule.largest_trace == p
    assert dataclasses.replace(rule, pairing=Pairing.NEAREST).largest_trace == 256


def test_a_rule_without_a_vectorised_form_runs_by_the_reference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(golden.learning, "learner", plasticity.learner.dispatch(object))
    for seed in range(20):
        rng = np.random.default_rng([3, seed])
        network, reward = random_learning_network(rng)
        spikes = rng.random((3, 8, network.inputs)) < 0.5
        expected = golden.reference.simulate(network, spikes, True, reward, traces=True)
        found = golden.simulate(network, spikes, True, reward, traces=True)
        assert not any(expected.differing(found).values())


@pytest.mark.parametrize(
    ("projection", "message"),
    [
        (
            lambda: Projection("input", "out", Sparse([0], [0], [1]), RULE),
            "projection 'input -> out': STDP: only dense synapses can learn, not Sparse: give the weights as a matrix",
        ),
        (
            lambda: Projection("input", "out", Dense([[1], [2]]), dataclasses.replace(RULE, high=128)),
            "STDP: high must be in -128 … 127, weights of 8 bits, not 128",
        ),
        (
            lambda: Projection("input", "out", Dense([[1], [2]]), dataclasses.replace(RULE, high=1)),
            "STDP: weights must be within low … high = -128 … 1; they are 1 … 2",
        ),
        (
            lambda: Projection("input", "out", Dense([[1], [2]]), dataclasses.replace(RULE, fraction=[[1, 2]])),
            "STDP: fraction must be one integer or have the shape (2, 1), not (1, 2)",
        ),
    ],
)  # fmt: skip
def test_rules_that_do_not_fit_are_refused(projection, message: str) -> None:
    with pytest.raises(NetworkError) as error:
        Network(2, [Population("out", 1, LIF(0, 100))], [projection()], "out")
    assert message in str(error.value)


def test_graded_inputs_cannot_learn() -> None:
    with pytest.raises(NetworkError, match="graded inputs cannot learn; input_bits must be 1, not 4"):
        Network(
            1, [Population("out", 1, LIF(0, 100))],
            [Projection("input", "out", Dense([[1]]), RULE)], "out", input_bits=4,
        )  # fmt: skip
