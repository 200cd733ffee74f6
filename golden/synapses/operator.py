"""What the engine asks of a synapse structure, and what serves where a kind does not have it: matrices."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from lifline.golden.product import Spikes
from lifline.synapses import Synapses


class Operator(Protocol):
    """The synapses of one projection that have one delay."""

    def times(self, spikes: Spikes, dtype: type[np.floating]) -> np.ndarray:
        """Σ_j w[j, i] · s[j] for each target neuron i.

        Parameters
        ----------
        spikes : Spikes
            Of the source.
        dtype : float32 or float64
            Holds every sum of weights exactly.

        Returns
        -------
        (ticks, samples, targets) of `dtype` or int16
        """
        ...


@functools.singledispatch
def operators(synapses: Synapses) -> list[tuple[int, Operator]]:
    """For each delay that these synapses hold, those that have it."""
    weights, delays = synapses.dense()
    return [(delay, Matrix(part)) for delay, part in split_by_delay(weights, delays)]


def split_by_delay(weights: np.ndarray, delays: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """For each delay the weights that have it, int16, and 0 elsewhere."""
    weights = weights.astype(np.int16)
    for delay in np.unique(delays):
        yield int(delay), weights * (delays == delay)


class Matrix:
    """A matrix of weights, int16 (sources, targets)."""

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = weights

    def times(self, spikes: Spikes, dtype: type[np.floating]) -> np.ndarray:
        return spikes.times(self.weights, dtype)
