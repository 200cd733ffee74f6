"""A synapse structure from one file outside of the package: the witnesses in software run it as it is."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import LIF, Network, NetworkError, Population, Projection, golden
from lifline.fields import array, integer
from lifline.synapses import Synapses
from lifline.train import integer_forward

from .networks import random_spikes


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class OneToOne(Synapses):
    """I[t, i] = w[i] · s[t − delay, i]."""

    weights: Any = array(
        "one for each neuron", per="synapse", axes=("size",), low=-128, high=127, storage="int8"
    )
    delay: int = integer("ticks that a spike takes", low=0, high=9, default=0)
    weight_bits = 8

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.weights), len(self.weights)

    def dense(self) -> tuple[np.ndarray, np.ndarray]:
        return np.diag(self.weights), np.diag(np.full(len(self.weights), self.delay))

    def synapse(self, j: int, i: int) -> tuple[int, int]:
        return (int(self.weights[i]), self.delay) if i == j else (0, 0)

    def per_source(self, values: np.ndarray) -> np.ndarray:
        return values

    per_target = per_source

    @property
    def delay_range(self) -> tuple[int, int]:
        return self.delay, self.delay

    @property
    def count(self) -> int:
        return len(self.weights)

    @property
    def memory_bits(self) -> int:
        return 8 * len(self.weights)


def network(rng: np.random.Generator, size: int = 5) -> Network:
    return Network(
        size,
        [Population("a", size, LIF(200, 20)), Population("b", 3, LIF(200, 40))],
        [
            Projection("input", "a", OneToOne(rng.integers(-128, 128, size), 2)),
            Projection("a", "a", OneToOne(rng.integers(-128, 128, size), int(rng.integers(1, 4)))),
            Projection("a", "b", rng.integers(-9, 60, (size, 3))),
        ],
        "b",
        input_bits=2,
    )


def test_it_is_the_same_in_every_witness(tmp_path: Path) -> None:
    print("seed 6")
    rng = np.random.default_rng(6)
    for _ in range(10):
        net = network(rng)
        net.save(tmp_path / "n.npz")
        assert Network.load(tmp_path / "n.npz") == net
        assert "OneToOne" in net.summary()
        spikes = random_spikes(rng, net, 2, 12)
        expected = golden.reference.simulate(net, spikes)
        for actual in (golden.simulate(net, spikes), integer_forward(net, spikes)):
            assert expected.compare(actual, net) is None


def test_its_size_is_checked() -> None:
    with pytest.raises(NetworkError, match=r"'input -> a': weights have the shape \(4, 4\), must have"):
        Network(5, [Population("a", 5, LIF(1, 1))], [Projection("input", "a", OneToOne([1] * 4))], "a")
