"""The third witness: torch evaluates random networks exactly as the golden model does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lifline import LIF, InputError, Network, NetworkError, Population, Projection, Reset
from lifline.golden import simulate
from lifline.train import SpikingNetwork, check_exact, integer, integer_forward, to_network

from ..networks import random_network, random_spikes

SEEDS = range(320)
TICKS = 60


def assert_equal(one: object, other: object, network: Network) -> None:
    """Every spike, membrane and class of two recordings, and their types and shapes."""
    for population in network.populations:
        for field in ("spikes", "membrane"):
            a, b = getattr(one, field)[population.name], getattr(other, field)[population.name]
            np.testing.assert_array_equal(a, b, err_msg=f"{field} of {population}", strict=True)
    np.testing.assert_array_equal(one.classes, other.classes, strict=True)  # type: ignore[attr-defined]


@pytest.mark.parametrize("start", SEEDS[::40])
def test_random_networks_equal_the_golden_model(start: int) -> None:
    for seed in SEEDS[start : start + 40]:
        print(f"seed {seed}")
        rng = np.random.default_rng(seed)
        network = random_network(rng)
        spikes = random_spikes(rng, network, samples=3, ticks=TICKS)
        expected = simulate(network, spikes)
        assert_equal(expected, integer_forward(network, spikes), network)
        # a model that is made from a network runs it, and exports it again
        model = SpikingNetwork.from_network(network).eval()
        assert to_network(model, network.name) == network
        activity = model(spikes)
        for name, membrane in expected.membrane.items():
            np.testing.assert_array_equal(activity.spikes[name].numpy(), expected.spikes[name])
            np.testing.assert_array_equal(activity.membrane[name].numpy(), membrane)
        np.testing.assert_array_equal(activity.classes.numpy(), expected.classes)


def test_random_networks_are_not_trivial() -> None:
    """The population of networks above holds what the contract allows, and does something."""
    spiking = saturating = populations = 0
    seen = dict.fromkeys(
        ["loop", "repeated pair", "long delay", "mixed delays", "per neuron", "order", "no threshold"],
        0,
    )
    kinds = set()
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        network = random_network(rng)
        result = simulate(network, random_spikes(rng, network, samples=3, ticks=TICKS))
        rank = [population.name for population in network.order]
        pairs = [(p.source, p.target) for p in network.projections]
        seen["loop"] += any(
            source in rank and rank.index(source) >= rank.index(target) for source, target in pairs
        )
        seen["repeated pair"] += len(set(pairs)) < len(pairs)
        seen["long delay"] += any(p.delays.max() >= 20 for p in network.projections)
        seen["mixed delays"] += any(len(np.unique(p.delays)) > 2 for p in network.projections)
        seen["order"] += rank != [population.name for population in network.populations]
        for p in network.populations:
            populations += 1
            kinds.add((p.reset, p.reset_delay, int(p.beta.min()) if p.beta.min() in (0, 256) else None))
            seen["per neuron"] += len(np.unique(p.beta)) > 1
            seen["no threshold"] += bool((p.threshold == 0).any())
            spiking += 0.01 < result.spikes[p.name].mean() < 0.99
            saturating += bool(np.isin(result.membrane[p.name], p.membrane_range).any())
    assert spiking > 0.6 * populations
    assert saturating > 0.3 * populations
    assert min(seen.values()) > 25, seen
    assert len(kinds) == 18, kinds  # three resets, two times of it, beta at both ends and between


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
            assert max(p.membrane_bits for p in network.populations) > 16
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
