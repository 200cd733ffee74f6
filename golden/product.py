"""Exact products of spikes and weights, in whichever of three ways is the least work.

All add the same integers, so all give the same sums; only the time depends on which one it is.  One of
them needs SciPy, and is left out where that is not installed.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import numpy as np

# The work of each way, in the multiplications that BLAS does meanwhile.  Measured on one core.

#: Of events: a call, an entry of the spikes, an event, and one of its weights.
CALL, ENTRY, EVENT, WEIGHT = 4e6, 10, 400, 4
#: Of used sources: a sample, an entry of the spikes, and a weight that is copied.
SAMPLE, SEEN, COPIED = 7e5, 3, 4


class Spikes:
    """The spikes of a source, to be multiplied by any number of matrices.

    Parameters
    ----------
    spikes : bool or, where they are graded, uint8 (ticks, samples, sources)
        Contiguous, or swapped from (samples, ticks, sources).
    """

    def __init__(self, spikes: np.ndarray) -> None:
        self.spikes = spikes
        self.swapped = not spikes.flags.c_contiguous
        self.batch = spikes.swapaxes(0, 1) if self.swapped else spikes
        self.rows = self.batch.reshape(-1, spikes.shape[2])

    def times(self, weights: np.ndarray, dtype: type[np.floating]) -> np.ndarray:
        """``spikes @ weights``.

        Parameters
        ----------
        weights : int16 (sources, targets)
        dtype : float32 or float64
            Holds every sum of weights exactly.

        Returns
        -------
        (ticks, samples, targets) of `dtype` or int16
        """
        size, targets = self.rows.size, weights.shape[1]
        ticks, samples, _ = self.spikes.shape
        work = {self._of_matrices: size * targets}
        sparse = scipy_sparse() is not None
        if sparse:
            work[self._of_events] = CALL + size * ENTRY + self.count * (EVENT + WEIGHT * targets)
        few = sparse and self.count * 20 <= size  # they take the least, whatever sources are used
        if ticks > 1 and not few:
            copied = np.count_nonzero(self.used) * targets
            work[self._of_used] = samples * SAMPLE + size * SEEN + copied * (ticks + COPIED)
        return self.of_rows(min(work, key=work.__getitem__)(weights, dtype), targets)

    def of_rows(self, product: np.ndarray, targets: int) -> np.ndarray:
        """A product of `rows` as (ticks, samples, targets)."""
        product = product.reshape(*self.batch.shape[:2], targets)
        return product.swapaxes(0, 1) if self.swapped else product

    def _of_matrices(self, weights: np.ndarray, dtype: type[np.floating]) -> np.ndarray:
        return self.rows.astype(dtype) @ weights.astype(dtype)

    def _of_used(self, weights: np.ndarray, dtype: type[np.floating]) -> np.ndarray:
        """Many a sample uses few sources in all its ticks: those of a picture's bright pixels, say."""
        product = np.empty((*self.batch.shape[:2], weights.shape[1]), dtype)
        of_sample = product if self.swapped else product.swapaxes(0, 1)
        weights = weights.astype(dtype)
        for sample, used in enumerate(self.used):
            some = np.flatnonzero(used)
            of_sample[sample] = self.spikes[:, sample, some].astype(dtype) @ weights[some]
        return product

    def _of_events(self, weights: np.ndarray, dtype: type[np.floating]) -> np.ndarray:
        # Sums of 16 bits take half the time, where they cannot overflow.
        largest = max(-int(weights.min()), int(weights.max()))
        most = self.most_in_a_row * largest * self.peak
        exact = np.dtype(np.int16 if most < 2**15 else dtype)
        return self.events.astype(exact, copy=False) @ weights.astype(exact, copy=False)

    @functools.cached_property
    def count(self) -> int:
        """How many there are, about: of many samples, every fourth is counted."""
        step = 4 if self.spikes.shape[1] >= 64 else 1
        return step * int(np.count_nonzero(self.spikes[:, ::step]))

    @functools.cached_property
    def used(self) -> np.ndarray:
        """Whether a source spikes in a sample, bool (samples, sources)."""
        used: np.ndarray = np.any(self.spikes, axis=0)
        return used

    @functools.cached_property
    def peak(self) -> int:
        """The largest value, or 1 where there is none."""
        return 1 if self.values is None else int(self.values.max(initial=1))

    @functools.cached_property
    def flat(self) -> np.ndarray:
        """Where in `rows` the events are, counted from its start, in order: int32 or int64."""
        index = np.int32 if self.rows.size < 2**31 else np.int64
        return _flatnonzero(self.rows).astype(index)

    @functools.cached_property
    def values(self) -> np.ndarray | None:
        """The value of each event, int16; None if all are 1."""
        if self.rows.dtype == bool:
            return None
        return self.rows.reshape(-1)[self.flat].astype(np.int16)

    @functools.cached_property
    def events(self) -> Any:
        """The spikes as a sparse matrix of SciPy's, int16, of the shape of `rows`."""
        sparse = scipy_sparse()
        assert sparse is not None
        sources = self.rows.shape[1]
        events = self.flat
        index = events.dtype
        starts = np.searchsorted(events, np.arange(0, self.rows.size + 1, sources, dtype=index))
        senders = events - events // sources * sources  # twice as fast as %
        values = np.ones(len(events), np.int16) if self.values is None else self.values
        return sparse.csr_array((values, senders, starts.astype(index)), self.rows.shape)

    @functools.cached_property
    def most_in_a_row(self) -> int:
        """The most events of one row of `rows`."""
        return int(np.diff(self.events.indptr).max(initial=0))


@functools.cache
def scipy_sparse() -> ModuleType | None:
    try:
        from scipy import sparse
    except ModuleNotFoundError:
        return None
    return sparse


def _flatnonzero(spikes: np.ndarray) -> np.ndarray:
    """As NumPy's, in half the time where few are set: looks at eight at once, then at those of them."""
    if spikes.size % 8:
        return np.flatnonzero(spikes)
    eights = spikes.reshape(-1).view(np.uint64)
    some = np.flatnonzero(eights != 0)
    events = np.flatnonzero(eights[some].view(spikes.dtype))
    return (some[events >> 3] << 3) + (events & 7)
