"""Sparse synapses: any list of them, as pruning leaves."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from lifline.errors import NetworkError
from lifline.fields import array, integer

from .synapses import MAX_DELAY, Synapses, highest_weight, lowest_weight

_MOST = 2**31 - 2


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Sparse(Synapses):
    """I[t, i] = Σ_n w[n] · s[t − d[n], j[n]] over the synapses n that end at i: a list of synapses.

    It is kept in the order of source, then target, whatever the order in which it is given; no two
    synapses may have the same of both.
    """

    sources: Any = array(
        "index of the neuron that drives", per="synapse", axes=("synapses",), low=0, high=_MOST
    )
    targets: Any = array(
        "index of the neuron that is driven", per="synapse", axes=("synapses",), low=0, high=_MOST
    )
    weights: Any = array(
        "two's complement", per="synapse", axes=("synapses",),
        low=lowest_weight, high=highest_weight, storage="int16",
    )  # fmt: skip
    delays: Any = array(
        "ticks that a spike takes", per="synapse", axes=("synapses",),
        low=0, high=MAX_DELAY, default=0, unit="ticks", storage="uint8",
    )  # fmt: skip
    weight_bits: int = integer("width of the weights", low=2, high=16, default=8)

    def __post_init__(self) -> None:
        super().__post_init__()
        count = self.sources.shape
        for name in ("targets", "weights", "delays"):
            shape = getattr(self, name).shape
            if shape != count and not (name == "delays" and shape == ()):
                raise NetworkError(
                    f"{self.label}: {name} must have the shape of sources, {count}, not {shape}"
                )
        order = np.lexsort((self.targets, self.sources))
        sources, targets = self.sources[order], self.targets[order]
        twice = np.flatnonzero((np.diff(sources) == 0) & (np.diff(targets) == 0))
        if twice.size:
            raise NetworkError(
                f"{self.label}: there are two synapses from {sources[twice[0]]} to {targets[twice[0]]}: "
                "give one, or two projections"
            )
        ordered = {
            "sources": sources,
            "targets": targets,
            "weights": self.weights[order],
            "delays": self.delays[order] if self.delays.shape else self.delays,
        }
        for name, values in ordered.items():
            values.setflags(write=False)
            object.__setattr__(self, name, np.broadcast_to(values, count))

    def check_fit(self) -> None:
        for name, size in zip(("sources", "targets"), self.shape, strict=True):
            most = int(getattr(self, name).max())
            if most >= size:
                raise NetworkError(f"{self.label}: {name} must be in 0 … {size - 1}, not {most}")

    def dense(self) -> tuple[np.ndarray, np.ndarray]:
        weights, delays = self.empty_matrices()
        weights[self.sources, self.targets] = self.weights
        delays[self.sources, self.targets] = self.delays
        return weights, delays

    def synapse(self, j: int, i: int) -> tuple[int, int]:
        first, last = np.searchsorted(self.sources, (j, j + 1))
        n = first + np.searchsorted(self.targets[first:last], i)
        if n == last or self.targets[n] != i:
            return 0, 0
        return int(self.weights[n]), int(self.delays[n])

    def into(self, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        here = self.targets == i
        return self.sources[here], self.weights[here], self.delays[here]

    def stored(self) -> tuple[np.ndarray, np.ndarray]:
        return self.weights, self.delays

    def per_source(self, values: np.ndarray) -> np.ndarray:
        sums = np.zeros(self.shape[0], np.int64)
        np.add.at(sums, self.sources, values)
        return sums

    def per_target(self, values: np.ndarray) -> np.ndarray:
        sums = np.zeros(self.shape[1], np.int64)
        np.add.at(sums, self.targets, values)
        return sums

    @property
    def delay_range(self) -> tuple[int, int]:
        return int(self.delays.min()), int(self.delays.max())

    @property
    def count(self) -> int:
        return int(self.weights.size)

    @property
    def memory_bits(self) -> int:
        """Of each synapse its weight, target and delay, and of each source where its synapses begin."""
        least, most = self.delay_range
        sources, targets = self.shape
        each = self.weight_bits + (targets - 1).bit_length() + (most - least).bit_length()
        return self.count * each + (sources + 1) * self.count.bit_length()
