"""The third witness: torch evaluates random networks of all kinds exactly as the specification says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lifline import (
    LIF,
    Adaptation,
    InputError,
    Izhikevich,
    Network,
    NetworkError,
    Noise,
    Population,
    Projection,
    Recording,
    Reset,
)
from lifline.golden import reference, simulate
from lifline.neurons import Neuron, State
from lifline.train import SpikingNetwork, check_exact, integer, integer_forward, to_network
from lifline.train.neurons import integer_cell, largest_integer

from ..networks import random_network, random_spikes

SEEDS = range(600)
TICKS = 24


def drawn(seed: int) -> tuple[Network, np.ndarray]:
    """A small network of a seed, and spikes for it."""
    print("seed", seed)
    rng = np.random.default_rng(seed)
    network = random_network(rng, max_size=6, max_delay=20)
    return network, random_spikes(rng, network, samples=2, ticks=TICKS)


def assert_equal(one: Recording, other: Recording, network: Network) -> None:
    """Every spike, state and class of two recordings, and their types and shapes."""
    divergence = one.compare(other, network) if one.spikes[network.output].ndim == 3 else None
    assert divergence is None, str(divergence)
    for name, states in one.states.items():
        np.testing.assert_array_equal(one.spikes[name], other.spikes[name], strict=True)
        assert list(states) == list(other.states[name])
        for state, values in states.items():
            np.testing.assert_array_equal(values, other.states[name][state], strict=True)
    np.testing.assert_array_equal(one.classes, other.classes, strict=True)


@pytest.mark.parametrize("start", SEEDS[::25])
def test_random_networks_equal_the_specification(start: int) -> None:
    for seed in SEEDS[start : start + 25]:
        network, spikes = drawn(seed)
        expected = reference.simulate(network, spikes)
        assert_equal(expected, integer_forward(network, spikes), network)
        # a model that is made from a network runs it, and exports it again
        model = SpikingNetwork.from_network(network)
        assert to_network(model, network.name) == network
        for activity in (model.eval()(spikes), model.double().train()(spikes)):
            for name, states in expected.states.items():
                fired = activity.spikes[name].detach().numpy()
                np.testing.assert_array_equal(fired, expected.spikes[name])
                for state, values in states.items():
                    actual = activity.states[name][state].detach().numpy()
                    np.testing.assert_array_equal(actual, values, f"{name}, {state}")
            np.testing.assert_array_equal(activity.classes.numpy(), expected.classes)


def test_random_networks_are_not_trivial() -> None:
    """The networks above hold what the contract allows, and do something."""
    spiking = populations = 0
    seen = dict.fromkeys(
        ["loop", "repeated pair", "long delay", "mixed delays", "per neuron", "order", "no threshold"],
        0,
    )
    saturated: dict[str, int] = {}
    kinds = set()
    parts: set[tuple[bool, ...]] = set()
    for seed in SEEDS:
        network, spikes = drawn(seed)
        result = simulate(network, spikes)
        rank = [population.name for population in network.order]
        pairs = [(p.source, p.target) for p in network.projections]
        delays = [p.synapses.dense()[1] for p in network.projections]
        seen["loop"] += any(
            source in rank and rank.index(source) >= rank.index(target) for source, target in pairs
        )
        seen["repeated pair"] += len(set(pairs)) < len(pairs)
        seen["long delay"] += any(d.max() >= 10 for d in delays)
        seen["mixed delays"] += any(len(np.unique(d)) > 2 for d in delays)
        seen["order"] += rank != [population.name for population in network.populations]
        for p in network.populations:
            populations += 1
            spiking += 0.01 < result.spikes[p.name].mean() < 0.99
            for state in p.neuron.states:
                bounds = np.isin(result.states[p.name][state.name], state.range).any()
                saturated[state.name] = saturated.get(state.name, 0) + bool(bounds)
            neuron = p.neuron
            if isinstance(neuron, LIF):
                end = int(neuron.beta.min()) if neuron.beta.min() in (0, 256) else None
                kinds.add((neuron.reset, neuron.reset_delay, end))
                parts.add(
                    tuple(part is not None for part in (neuron.alpha, neuron.adaptation, neuron.noise))
                )
                seen["per neuron"] += len(np.unique(neuron.beta)) > 1
                seen["no threshold"] += bool((neuron.threshold == 0).any())
    assert spiking > 0.5 * populations
    assert min(seen.values()) > 25, seen
    assert len(kinds) == 18, kinds  # three resets, two times of it, beta at both ends and between
    assert len(parts) == 8, parts  # each part is there or is not
    del saturated["noise"]
    assert min(saturated.values()) > 15, saturated


def test_one_sample_has_no_samples_axis() -> None:
    rng = np.random.default_rng(1)
    network = random_network(rng)
    spikes = random_spikes(rng, network, samples=1, ticks=TICKS)[0]
    assert_equal(simulate(network, spikes), integer_forward(network, spikes), network)


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (50, 4)])
def test_any_number_of_samples_and_ticks(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integer, "_AT_ONCE", 100)  # a few samples at a time
    rng = np.random.default_rng(2)
    network = random_network(rng, max_populations=2, max_size=4)
    spikes = random_spikes(rng, network, *shape)
    assert_equal(simulate(network, spikes), integer_forward(network, spikes), network)


def test_float32_is_exact_where_it_is_admitted() -> None:
    admitted = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        network = random_network(rng)
        spikes = random_spikes(rng, network, samples=2, ticks=TICKS)
        try:
            result = integer_forward(network, spikes, dtype=torch.float32)
        except NetworkError:
            assert max(s.bits for p in network.populations for s in p.neuron.states) > 14
            continue
        admitted += 1
        assert_equal(simulate(network, spikes), result, network)
    assert 20 < admitted < 60


def neuron(beta: int, bias: int, membrane_bits: int = 8) -> Network:
    population = Population("p", 1, LIF(beta, 1, Reset.NONE, bias=bias, membrane_bits=membrane_bits))
    return Network(1, [population], [Projection("input", "p", [[-100]])], output="p")


def test_the_bound_is_sharp() -> None:
    """|bias| + |weight| + membrane + threshold of exactly 2^24 is admitted, one more is not."""
    largest = 2**24 - 100 - 128 - 1
    check_exact(neuron(255, largest), torch.float32)
    with pytest.raises(
        NetworkError, match=r"population 'p': its integers can reach 16777217, above 2\^24"
    ):
        check_exact(neuron(255, largest + 1), torch.float32)
    check_exact(neuron(255, largest + 1))


def test_the_leak_is_part_of_the_bound() -> None:
    check_exact(neuron(256, 0, membrane_bits=17), torch.float32)  # 256 · 2^16 = 2^24
    with pytest.raises(NetworkError, match="'p'"):
        check_exact(neuron(129, 0, membrane_bits=18), torch.float32)
    check_exact(neuron(256, 2**31 - 1, membrane_bits=24))


@pytest.mark.parametrize(
    ("values", "largest"),
    [
        # alpha · c: 255 · 2^17;  c + I: 2^16 + 300 + 100;  x − θ: 2^7 + 2^16 + 1
        ({"alpha": 255, "current_bits": 18}, 255 * 2**17),
        ({"alpha": 0, "current_bits": 17, "bias": 300}, 2**16 + 400),
        ({"alpha": 1, "current_bits": 8, "bias": 2**20}, 2**20 + 100 + 128),
        # rho · a: 256 · 2^18;  jump + a: 2^23 + 2;  x − θ: 2^7 + 100 + 1 + 2^9
        ({"adaptation": Adaptation(256, 1, bits=19)}, 256 * 2**18),
        ({"adaptation": Adaptation(3, -(2**23), bits=2)}, 2**23 + 2),
        ({"beta": 0, "adaptation": Adaptation(0, 1, bits=10)}, 128 + 100 + 1 + 2**9),
        ({"noise": Noise([5, -(2**23)], 1)}, 128 + 100 + 1 + 2**23),
    ],
)
def test_each_part_is_in_the_bound(values: dict[str, Any], largest: int) -> None:
    """float32 is refused with just the number that is the largest, where that is above 2^24."""
    lif = LIF(**{"beta": 0, "threshold": 1, "reset": Reset.NONE, "membrane_bits": 8, **values})
    assert largest_integer(lif.sized(1, ""), np.array([100])) == largest
    network = Network(1, [Population("p", 1, lif)], [Projection("input", "p", [[-100]])], output="p")
    check_exact(network)
    if largest > 2**24:
        with pytest.raises(NetworkError, match=f"'p': its integers can reach {largest}, above"):
            check_exact(network, torch.float32)
    else:
        check_exact(network, torch.float32)


def test_other_kinds_have_their_own_bounds() -> None:
    izhikevich = Izhikevich.of(weight=1 / 4)
    assert izhikevich.gain == 10
    assert largest_integer(izhikevich.sized(1, ""), np.array([7])) == 7 * 2**10
    with pytest.raises(NetworkError, match="torch has no Unknown: register a cell for it"):
        integer_cell(Unknown(), 1, torch.zeros(()))
    assert largest_integer(Unknown(), np.array([7, 9])) == 9 + 2**15 + 255


class Unknown(Neuron):
    """A kind without a file in torch."""

    @property
    def states(self) -> tuple[State, ...]:
        return State("membrane", 16), State("pause", 8, signed=False)


def test_float32_is_refused_while_products_are_less_precise() -> None:
    torch.set_float32_matmul_precision("medium")
    try:
        with pytest.raises(InputError, match="lower precision"):
            check_exact(neuron(0, 0), torch.float32)
    finally:
        torch.set_float32_matmul_precision("highest")


def test_unfit_arguments_are_refused() -> None:
    network = neuron(0, 0)
    with pytest.raises(
        InputError, match=r"dtype must be torch.float64 or torch.float32, not torch.int64"
    ):
        integer_forward(network, np.zeros((5, 1), np.uint8), dtype=torch.int64)
    with pytest.raises(InputError, match="must be 0 or 1"):
        integer_forward(network, np.full((5, 1), 2))
    with pytest.raises(InputError, match="shape"):
        integer_forward(network, np.zeros((5, 2), np.uint8))
