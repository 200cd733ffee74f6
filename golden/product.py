"""Exact products of spikes and weights, in whichever of three ways is the least work.

Every way adds the same integers, so all give the same sums; which one is the fastest was measured on one
core, and only the time depends on it.
"""

from __future__ import annotations

import numpy as np


def add_product(out: np.ndarray, spikes: np.ndarray, weights: np.ndarray) -> None:
    """``out += spikes @ weights``.

    Parameters
    ----------
    out : (ticks, samples, targets), contiguous, of the dtype of `weights`
    spikes : bool (ticks, samples, sources), contiguous
    weights : (sources, targets)
        Floats that hold integers, and every sum of theirs, exactly.
    """
    ticks, samples, sources = spikes.shape
    targets = weights.shape[1]
    events = np.count_nonzero(spikes)
    if events == 0:
        return
    # What an event, a row and the call take, in the multiplications that BLAS does meanwhile (measured).
    if events * (900 + 6 * targets) + ticks * samples * 120 * targets + 4e6 < spikes.size * targets:
        _add_rows(out.reshape(-1, targets), spikes.reshape(-1, sources), weights)
        return
    if ticks * weights.size > 1 << 20:
        # Many a sample uses few of the sources in all its ticks: those of a picture's bright pixels, say.
        used = np.any(spikes, axis=0)
        if 2 * np.count_nonzero(used) < used.size:
            for sample in range(samples):
                some = np.flatnonzero(used[sample])
                out[:, sample] += spikes[:, sample, some].astype(weights.dtype) @ weights[some]
            return
    out += (spikes.reshape(-1, sources).astype(weights.dtype) @ weights).reshape(out.shape)


def _add_rows(out: np.ndarray, spikes: np.ndarray, weights: np.ndarray) -> None:
    """Add to each row of `out` the weights of its first event, then those of its second, and so on."""
    rows, sources = spikes.shape
    events = _flatnonzero(spikes)
    firsts = np.searchsorted(events, np.arange(rows + 1) * sources)
    sender = events % sources
    counts = np.diff(firsts)
    order = np.argsort(-counts, kind="stable")  # rows with many events come first
    counts, firsts = counts[order], firsts[order]
    if counts[0] * np.abs(weights).max() < 2**15:
        weights = weights.astype(np.int16)  # half as many bytes to move
    sums = np.zeros((rows, weights.shape[1]), weights.dtype)
    added = np.empty_like(sums)
    for k, left in enumerate(np.searchsorted(-counts, -np.arange(counts[0]))):  # rows with more than k
        sums[:left] += weights.take(sender[firsts[:left] + k], axis=0, out=added[:left], mode="clip")
    out[order] += sums


def _flatnonzero(spikes: np.ndarray) -> np.ndarray:
    """As NumPy's, in half the time where few are set: looks at eight at once, then at those of them."""
    if spikes.size % 8:
        return np.flatnonzero(spikes)
    eights = spikes.reshape(-1).view(np.uint64)
    some = np.flatnonzero(eights != 0)
    events = np.flatnonzero(eights[some].view(bool))
    return 8 * some[events // 8] + events % 8
