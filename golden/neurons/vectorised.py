"""What the engine asks of a kind, and what serves where a kind does not have it: the reference."""

from __future__ import annotations

import functools
from typing import Protocol

import numpy as np

from lifline.golden import reference
from lifline.network import Network, Population
from lifline.neurons import Neuron


class Vectorised(Protocol):
    """A population in many samples.  In here, arrays are (samples, size)."""

    winners: (
        int | None
    )  #: None, or how many may spike in a tick, see :func:`strongest`; set after it is made

    def tick(self, x: np.ndarray, fired: np.ndarray, states: dict[str, np.ndarray]) -> None:
        """Turn Σ w · s, in `x`, into v[t], write s[t] into `fired`, and further states into `states`.

        Parameters
        ----------
        x : (samples, size), of the float that holds the population's numbers exactly
        fired : bool (samples, size)
        states : dict of str to int32 (samples, size)
            All states but the membrane.
        """
        ...


@functools.singledispatch
def vectorised(neuron: Neuron, samples: int, size: int, dtype: type[np.floating]) -> Vectorised:
    """The population of a kind, at rest."""
    return ByReference(neuron, samples, size)


def neurons_of(population: Population, samples: int, dtype: type[np.floating]) -> Vectorised:
    """A population at rest."""
    neurons = vectorised(population.neuron, samples, population.size, dtype)
    neurons.winners = population.winners
    return neurons


def strongest(margin: np.ndarray, winners: int) -> np.ndarray:
    """Which neurons spike: of those whose x − θ is above 0 the `winners` greatest, of equals the first; bool."""
    left = np.array(margin, np.int64)
    fired = np.zeros(margin.shape, bool)
    samples = np.arange(len(left))
    for _ in range(winners):
        first = left.argmax(axis=1)
        fired[samples, first] |= left[samples, first] > 0
        left[samples, first] = 0
    return fired


@functools.singledispatch
def float_for(neuron: Neuron, drive: int) -> type[np.floating]:
    """The float that holds all numbers of a population exactly, in whatever order they are added.

    Parameters
    ----------
    neuron : Neuron
    drive : int
        The largest sum of the magnitudes of the weights that end at one neuron.
    """
    return np.float64


def floats_of(network: Network) -> dict[str, type[np.floating]]:
    """:func:`float_for` each population of a network."""
    floats = {}
    for population in network.populations:
        lowest, highest = network.current_range(population.name)
        floats[population.name] = float_for(population.neuron, int((highest - lowest).max()))
    return floats


class ByReference:
    """Any kind, by the reference's function: slow, and right."""

    winners: int | None = None

    def __init__(self, neuron: Neuron, samples: int, size: int) -> None:
        self.neuron = neuron
        start = [
            reference.Before(
                {s.name: int(np.broadcast_to(s.initial, size)[i]) for s in neuron.states}, 0
            )
            for i in range(size)
        ]
        self.before = [list(start) for _ in range(samples)]

    def tick(self, x: np.ndarray, fired: np.ndarray, states: dict[str, np.ndarray]) -> None:
        for sample, before in enumerate(self.before):
            totals = [int(total) for total in x[sample]]
            ticked = reference.tick_all(self.neuron, totals, before, self.winners)
            for i, after in enumerate(ticked):
                before[i] = reference.Before(after.state, after.spike)
                fired[sample, i] = after.spike
                x[sample, i] = after.state["membrane"]
                for state, values in states.items():
                    values[sample, i] = after.state[state]


def spread(values: np.ndarray, shape: tuple[int, int], dtype: type) -> np.ndarray:
    """One number for all, or an array of their shape: NumPy takes a row twice as long."""
    same = values.min() == values.max()
    return values[0].astype(dtype) if same else np.broadcast_to(values, shape).astype(dtype)
