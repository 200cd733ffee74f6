"""Rounding weights together, so that what one is off by another makes up for.

A membrane is linear in the weights that end in it as long as nothing resets::

    x[t] = Σ_j w_j · k_j[t] + b · k[t]        k_j: source j's spikes, filtered by alpha and beta; k: ones, filtered

so that integers q in place of the reals r (weights and bias times the scale) put it off by Σ (q − r)_j · k_j[t], whose
square, summed over calibration data, is (q − r)ᵀ H (q − r) with H = Σ k kᵀ.  Rounding each weight to the nearest makes
the weights' error least; this makes the membrane's less: weights are rounded one after the other, the busiest
source's first, and those to come take up the error (as in GPTQ: E. Frantar et al., "GPTQ: Accurate post-training
quantization for generative pre-trained transformers", ICLR 2023, and B. Hassibi and D. G. Stork, "Second order
derivatives for network pruning: optimal brain surgeon", NIPS 1992), then each once more with the others held.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import signal, sparse

from .floats import FloatNetwork, FloatPopulation, FloatProjection

#: Sources of a population, at most: more would need too large a matrix.
MAX_SOURCES = 2048

#: Samples times ticks that are looked at, at most: of more samples every second, third, …
MAX_ROWS = 50_000

#: Numbers that are in memory at once.
_AT_ONCE = 1 << 22

#: Added to the diagonal, relative to its mean: sources that calibration hardly shows stay near their weights.
_DAMPING = 0.01

_SWEEPS = 4


def together(projections: list[FloatProjection]) -> list[FloatProjection]:
    """Those of a population's projections that are rounded together: dense ones of one delay each."""
    dense = [
        p
        for p in projections
        if p.conv is None and not sparse.issparse(p.weights) and np.ndim(p.delays) == 0
    ]
    return dense if 0 < sum(len(p.weights) for p in dense) <= MAX_SOURCES else []


def moment(
    network: FloatNetwork, population: FloatPopulation, heard: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    """H, float64 (sources + 1, sources + 1), the last for the bias; None where nothing is rounded together.

    Parameters
    ----------
    network : FloatNetwork
    population : FloatPopulation
    heard : mapping of str to (samples, ticks, size)
        The spikes of each source.
    """
    projections = together(network.incoming(population.name))
    if not projections:
        return None
    samples, ticks, _ = heard[projections[0].source].shape
    sources = 1 + sum(len(p.weights) for p in projections)
    total = np.zeros((sources, sources))
    chosen = np.arange(0, samples, -(-samples * ticks // MAX_ROWS) or 1)
    for part in np.array_split(chosen, -(-chosen.size * ticks * sources // _AT_ONCE) or 1):
        flat = _traces(population, projections, heard, part).reshape(-1, sources)
        total += flat.T @ flat
    return total


def _traces(
    population: FloatPopulation,
    projections: list[FloatProjection],
    heard: Mapping[str, np.ndarray],
    samples: np.ndarray,
) -> np.ndarray:
    """k of every source, and of the bias: float64 (samples, ticks, sources + 1)."""
    ticks = heard[projections[0].source].shape[1]
    parts = []
    for projection in projections:
        spikes, delay = heard[projection.source][samples], int(projection.delays)
        late = np.zeros(spikes.shape)
        late[:, delay:] = spikes[:, : max(0, ticks - delay)]
        parts.append(late)
    traces = np.concatenate([*parts, np.ones((len(samples), ticks, 1))], axis=2)
    neuron = population.neuron
    for decay in (neuron.beta, neuron.alpha):
        if decay is not None:  # one filter for all, whose decays hardly differ most often
            traces = signal.lfilter([1.0], [1.0, -float(np.median(decay))], traces, axis=1)
    return np.asarray(traces)


def compensated(reals: np.ndarray, limits: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Integers near `reals` with a small (q − r)ᵀ H (q − r) for each target, of the nearest ones at most.

    int64 (sources, targets).

    Parameters
    ----------
    reals : float64 (sources, targets)
    limits : float64 (sources,)
        Integers of a source are −limit − 1 … limit.
    squares : float64 (sources, sources)
        H.
    """
    H = squares + _DAMPING * np.diag(squares).mean() * np.eye(len(squares))
    order = np.argsort(-np.diag(H), kind="stable")
    H, low, high = H[np.ix_(order, order)], -limits[order] - 1, limits[order]
    wanted = reals[order]
    upper = np.linalg.cholesky(np.linalg.inv(H)).T  # inverse(H) = upperᵀ upper
    left = wanted.copy()
    whole = np.empty_like(left)
    for j in range(len(left)):
        whole[j] = np.clip(np.rint(left[j]), low[j], high[j])
        error = (left[j] - whole[j]) / upper[j, j]
        left[j + 1 :] -= np.outer(upper[j, j + 1 :], error)
    for _ in range(_SWEEPS):
        before = whole.copy()
        for j in range(len(whole)):
            pull = H[j] @ (whole - wanted)
            whole[j] = np.clip(np.rint(whole[j] - pull / H[j, j]), low[j], high[j])
        if (whole == before).all():
            break
    result = np.empty(reals.shape, np.int64)
    result[order] = whole
    nearest = np.rint(reals).clip(-limits[:, None] - 1, limits[:, None]).astype(np.int64)
    better = _cost(result - reals, squares) < _cost(nearest - reals, squares)
    return np.where(better, result, nearest)


def _cost(off: np.ndarray, squares: np.ndarray) -> np.ndarray:
    return np.asarray((off * (squares @ off)).sum(axis=0))
