"""Networks of maps: the specification, the golden engine and torch agree on every spike and state."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from lifline import Convolution, Network, NetworkError
from lifline.golden import reference, simulate
from lifline.network import INPUT
from lifline.train import integer_forward
from lifline.train.maps import Geometry

from ..networks import random_spikes
from ..shaped_networks import random_shaped_network
from .test_integer import assert_equal

SEEDS = range(420)

Shape = tuple[int, int, int]
Pair = tuple[int, int]


def drawn(seed: int) -> tuple[Network, np.ndarray]:
    """A small network of a seed, and spikes for it."""
    print("seed", seed)
    rng = np.random.default_rng(seed)
    network = random_shaped_network(rng)
    return network, random_spikes(rng, network, samples=2, ticks=14)


@pytest.mark.parametrize("start", SEEDS[::30])
def test_three_witnesses_agree(start: int) -> None:
    for seed in SEEDS[start : start + 30]:
        network, spikes = drawn(seed)
        expected = reference.simulate(network, spikes)
        assert_equal(expected, simulate(network, spikes), network)
        assert_equal(expected, integer_forward(network, spikes), network)
        try:
            narrow = integer_forward(network, spikes, dtype=torch.float32)
        except NetworkError as error:
            assert "up to which torch.float32 is exact" in str(error)  # noqa: PT017 -- most are too wide
        else:
            assert_equal(expected, narrow, network)


@pytest.mark.parametrize(
    ("source", "kernel", "stride", "padding", "dilation"),
    [
        ((4, 3, 1), (3, 2), (1, 2), (0, 0), (1, 1)),
        ((6, 3, 1), (2, 3), (1, 3), (0, 1), (2, 1)),
        ((8, 1, 1), (1, 2), (1, 3), (0, 1), (2, 1)),
        ((3, 4, 1), (3, 3), (1, 3), (2, 0), (1, 1)),
    ],
)
def test_maps_of_width_one(
    source: Shape, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> None:
    """Of these, oneDNN's convolution in float32, as of torch 2.13, is wrong by far more than a rounding."""
    rng = np.random.default_rng(1)
    geometry = Geometry(source, 5, kernel, stride, padding, dilation)
    weights = torch.from_numpy(rng.integers(-100, 100, geometry.weights)).float()
    spikes = torch.from_numpy(rng.integers(0, 2, (28, geometry.sizes[0]))).float()
    expected = geometry.convolve(spikes.double(), weights.double())
    assert torch.equal(geometry.convolve(spikes, weights).double(), expected)


def test_these_networks_are_not_trivial() -> None:
    """They hold what the contract allows, and do something."""
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        network, spikes = drawn(seed)
        result = simulate(network, spikes)
        seen["silent"] += not any(fired.any() for fired in result.spikes.values())
        seen[f"inputs of {network.input_bits} bits"] += 1
        rank = [INPUT, *(population.name for population in network.order)]
        structures: dict[str, set[str]] = {}
        for p in network.projections:
            kind = type(p.synapses).__name__
            structures.setdefault(p.target, set()).add(kind)
            seen[kind] += 1
            if not isinstance(p.synapses, Convolution):
                continue
            k = p.synapses
            spread = k.delay_range[0] < k.delay_range[1]
            options = {
                "loop": rank.index(p.source) >= rank.index(p.target),
                "stride": max(k.stride) > 1,
                "padding": max(k.padding) > 0,
                "dilation": max(k.dilation) > 1,
                "groups": k.groups > 1,
                "pool": k.groups > 1 and k.weights.min() == k.weights.max(),
                "one dimension": k.source_shape[0] == 1,
                "delays of positions": spread and k.delay_per_position,
                "delays of weights": not k.delay_per_position,
                "onto a size": len(k.target_shape) == 1,
                "rectangular": k.weights.shape[0] != k.weights.shape[1],
            }
            seen.update(name for name, there in options.items() if there)
        seen["mixed"] += any(len(kinds) > 1 for kinds in structures.values())
    assert seen.pop("silent") < len(SEEDS) / 10
    assert {f"inputs of {bits} bits" for bits in (1, 2, 3, 8)} <= seen.keys()
    assert {"Convolution", "Sparse", "Dense", "mixed", *options} <= seen.keys()
    assert min(seen.values()) >= 20, seen
