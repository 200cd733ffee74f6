"""Exact products of spikes and weights, in whichever of two ways is the least work.

Both add the same integers, so both give the same sums; only the time depends on which one it is.
"""

from __future__ import annotations

import functools

import numpy as np
from scipy.sparse import csr_array

#: What a call, an entry of the spikes, an event and one of its weights take of a product of events, in the
#: multiplications that BLAS does meanwhile.  Measured on one core.
CALL, ENTRY, EVENT, WEIGHT = 4e6, 10, 400, 4


class Spikes:
    """The spikes of a source, to be multiplied by any number of matrices.

    Parameters
    ----------
    spikes : bool (ticks, samples, sources)
        Contiguous, or swapped from (samples, ticks, sources).
    """

    def __init__(self, spikes: np.ndarray) -> None:
        self.shape = spikes.shape
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
        targets = weights.shape[1]
        work = CALL + self.rows.size * ENTRY + self.count * (EVENT + WEIGHT * targets)
        way = self._of_events if work < self.rows.size * targets else self._of_matrices
        product = way(weights, dtype).reshape(*self.batch.shape[:2], targets)
        return product.swapaxes(0, 1) if self.swapped else product

    def _of_matrices(self, weights: np.ndarray, dtype: type[np.floating]) -> np.ndarray:
        return self.rows.astype(dtype) @ weights.astype(dtype)

    def _of_events(self, weights: np.ndarray, dtype: type[np.floating]) -> np.ndarray:
        # Sums of 16 bits take half the time, where they cannot overflow.
        most = np.diff(self.events.indptr).max() * max(-int(weights.min()), int(weights.max()))
        exact = np.dtype(np.int16 if most < 2**15 else dtype)
        return self.events.astype(exact, copy=False) @ weights.astype(exact, copy=False)

    @functools.cached_property
    def count(self) -> int:
        """How many there are."""
        return int(np.count_nonzero(self.rows))

    @functools.cached_property
    def events(self) -> csr_array:
        """The spikes as a sparse matrix, int16, of the shape of `rows`."""
        rows, sources = self.rows.shape
        events = _flatnonzero(self.rows)
        starts = np.searchsorted(events, np.arange(rows + 1) * sources)
        senders = events - events // sources * sources  # twice as fast as %
        index = np.int32 if len(events) < 2**31 else np.int64  # SciPy would look through them for this
        parts = np.ones(len(events), np.int16), senders.astype(index), starts.astype(index)
        return csr_array(parts, self.rows.shape)


def _flatnonzero(spikes: np.ndarray) -> np.ndarray:
    """As NumPy's, in half the time where few are set: looks at eight at once, then at those of them."""
    if spikes.size % 8:
        return np.flatnonzero(spikes)
    eights = spikes.reshape(-1).view(np.uint64)
    some = np.flatnonzero(eights != 0)
    events = np.flatnonzero(eights[some].view(bool))
    return (some[events >> 3] << 3) + (events & 7)
