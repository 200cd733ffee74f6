"""Random numbers for rounding, of any number of synapses at once."""

from __future__ import annotations

import numpy as np


def random(seed: int, t: int, sources: np.ndarray, targets: np.ndarray, bits: int) -> np.ndarray:
    """Numbers of 0 … 2^bits − 1, int64 (sources, targets), of the synapses between these neurons."""
    h = np.zeros((1, 1), np.uint32)
    for key in (np.uint32(seed), np.uint32(t), sources[:, None], targets[None]):
        h = h + np.asarray(key).astype(np.uint32)
        h = h + (h << np.uint32(10))
        h = h ^ (h >> np.uint32(6))
    for _ in range(2):
        h = h + (h << np.uint32(3))
        h = h ^ (h >> np.uint32(11))
        h = h + (h << np.uint32(15))
    return h.astype(np.int64) >> (32 - bits)
