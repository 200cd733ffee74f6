"""Sparse synapses: as a matrix where that is not much larger than the list, else as SciPy's.

Without SciPy they are some matrices of few columns, one after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lifline.golden.product import Spikes, scipy_sparse
from lifline.synapses import Sparse

from .operator import Matrix, Operator, operators

#: As a matrix they are faster where at least so many of all possible synapses are there …
DENSITY = 0.03
#: … and the matrix has no more entries than this.
ENTRIES = 1 << 25

#: The work of an event at one synapse, in that of a synapse at one row of spikes, both with SciPy.
EVENT = 70


class List:
    """Synapses of one delay: neurons j and i, weights w."""

    def __init__(self, shape: tuple[int, int], j: np.ndarray, i: np.ndarray, w: np.ndarray) -> None:
        self.shape, self.j, self.i, self.w = shape, j, i, w.astype(np.int16)
        self.largest = int(abs(w).max())
        self.fan_in = int(np.bincount(i).max())

    def times(self, spikes: Spikes, dtype: type[np.floating]) -> np.ndarray:
        sparse = scipy_sparse()
        if sparse is None:
            return spikes.of_rows(self._by_columns(spikes, dtype), self.shape[1])
        exact = np.dtype(np.int16 if self.fan_in * self.largest * spikes.peak < 2**15 else dtype)
        weights = sparse.csr_array((self.w.astype(exact), (self.j, self.i)), self.shape)
        way = self._of_events if EVENT * spikes.count < spikes.rows.size else self._of_synapses
        return spikes.of_rows(way(spikes, weights, exact), self.shape[1])

    def _of_events(self, spikes: Spikes, weights: Any, exact: np.dtype) -> np.ndarray:
        product: np.ndarray = (spikes.events.astype(exact, copy=False) @ weights).toarray()
        return product

    def _of_synapses(self, spikes: Spikes, weights: Any, exact: np.dtype) -> np.ndarray:
        product: np.ndarray = (weights.T.tocsr() @ np.ascontiguousarray(spikes.rows.T, exact)).T
        return product

    def _by_columns(self, spikes: Spikes, dtype: type[np.floating]) -> np.ndarray:
        sources, targets = self.shape
        product = np.empty((len(spikes.rows), targets), dtype)
        step = max(1, ENTRIES // sources)
        for first in range(0, targets, step):
            here = (self.i >= first) & (self.i < first + step)
            weights = np.zeros((sources, min(step, targets - first)), dtype)
            weights[self.j[here], self.i[here] - first] = self.w[here]
            product[:, first : first + step] = spikes.rows.astype(dtype) @ weights
        return product


@operators.register
def _(synapses: Sparse) -> list[tuple[int, Operator]]:
    sources, targets = synapses.shape
    delays: Any = np.unique(synapses.delays)
    found: list[tuple[int, Operator]] = []
    for delay in delays:
        some = synapses.delays == delay
        j, i, w = synapses.sources[some], synapses.targets[some], synapses.weights[some]
        size = sources * targets
        if size <= ENTRIES // len(delays) and len(w) >= DENSITY * size:
            weights = np.zeros((sources, targets), np.int16)
            weights[j, i] = w
            found.append((int(delay), Matrix(weights)))
        else:
            found.append((int(delay), List((sources, targets), j, i, w)))
    return found
