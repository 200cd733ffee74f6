"""From static data to spikes, uint8 (samples, ticks, inputs)."""

from __future__ import annotations

import numpy as np

from lifline.errors import InputError


def rate(values: np.ndarray, ticks: int, rng: np.random.Generator, max_rate: float = 1.0) -> np.ndarray:
    """Rate code: in each tick an input spikes with the probability ``value · max_rate``.

    The tick-wise (Bernoulli) form of a Poisson spike train.  Source: E. D. Adrian and Y. Zotterman, "The
    impulses produced by sensory nerve-endings: Part 2", Journal of Physiology 61(2), 1926; D. Heeger,
    "Poisson Model of Spike Generation", 2000.

    Parameters
    ----------
    values : (samples, inputs), 0 … 1
    ticks : int
    rng : numpy.random.Generator
        The same state gives the same spikes.
    max_rate : float
        Spikes per tick of an input whose value is 1; 0 … 1.

    Returns
    -------
    uint8 (samples, ticks, inputs)

    Raises
    ------
    InputError
        If `values` has another shape or range, or `ticks` or `max_rate` is out of range.
    """
    values = _checked(values, ticks, max_rate)
    samples, inputs = values.shape
    return (rng.random((samples, ticks, inputs)) < (values * max_rate)[:, None]).astype(np.uint8)


def regular(values: np.ndarray, ticks: int, max_rate: float = 1.0) -> np.ndarray:
    """Rate code without chance: an input spikes ``value · max_rate`` times a tick, evenly spread.

    After t ticks it has spiked ``value · max_rate · t`` times, rounded (a half up).  So does an
    integrate-and-fire neuron that starts half charged.  Source: Y. C. Yoon, "LIF and Simplified SRM Neurons
    Encode Signals Into Spikes via a Form of Asynchronous Pulse Sigma-Delta Modulation", IEEE Transactions
    on Neural Networks and Learning Systems 28(5), 2017.

    Parameters
    ----------
    values : (samples, inputs), 0 … 1
    ticks : int
    max_rate : float
        Spikes per tick of an input whose value is 1; 0 … 1.

    Returns
    -------
    uint8 (samples, ticks, inputs)

    Raises
    ------
    InputError
        If `values` has another shape or range, or `ticks` or `max_rate` is out of range.
    """
    values = _checked(values, ticks, max_rate)
    counts = np.floor(values[:, None] * (max_rate * np.arange(ticks + 1)[:, None]) + 0.5)
    return (np.diff(counts, axis=1) > 0).astype(np.uint8)


def latency(values: np.ndarray, ticks: int, threshold: float = 0.0) -> np.ndarray:
    """Latency code: an input spikes once, the sooner the greater its value.

    The tick is ``(1 − value) · (ticks − 1)``, rounded (a half up): 1 spikes at once and 0 would at the
    last tick; but values that do not exceed `threshold` never spike.  Source: S. Thorpe, A. Delorme and
    R. Van Rullen, "Spike-based strategies for rapid processing", Neural Networks 14(6–7), 2001.

    Parameters
    ----------
    values : (samples, inputs), 0 … 1
    ticks : int
    threshold : float

    Returns
    -------
    uint8 (samples, ticks, inputs)

    Raises
    ------
    InputError
        If `values` has another shape or range, or `ticks` is less than 1.
    """
    values = _checked(values, ticks)
    when = np.floor((1 - values) * (ticks - 1) + 0.5).astype(np.int64)
    spikes = np.arange(ticks)[None, :, None] == when[:, None, :]
    return (spikes & (values > threshold)[:, None, :]).astype(np.uint8)


def _checked(values: np.ndarray, ticks: int, max_rate: float = 1.0) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2:
        raise InputError(f"values: shape is {values.shape}, must be (samples, inputs)")
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise InputError(
            f"values are in {values.min():g} … {values.max():g}, must be in 0 … 1; scale them first"
        )
    if ticks < 1:
        raise InputError(f"ticks must be 1 or more, not {ticks}")
    if not 0 <= max_rate <= 1:
        raise InputError(f"max_rate must be in 0 … 1 spikes per tick, not {max_rate}")
    return values
