"""Codes of static values in one call: by populations, bursts and phases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lifline.errors import InputError

from .checks import check_output, check_positive, check_static, of_samples
from .static import latency, receptive_fields


def population(
    values: np.ndarray,
    ticks: int,
    fields: int = 8,
    low: np.ndarray | float = 0.0,
    high: np.ndarray | float = 1.0,
    *,
    beta: float = 1.5,
    threshold: float = 0.05,
    code: Callable[[np.ndarray, int], np.ndarray] | None = None,
) -> np.ndarray:
    """Population code: each value by `fields` neurons with overlapping receptive fields, whose answers become spikes.

    :func:`receptive_fields`, then :func:`latency`, as in its source.

    Parameters
    ----------
    values : (samples, inputs), low … high
        Or one sample.
    ticks : int
    fields, low, high, beta
        As of :func:`receptive_fields`.
    threshold : float
        Fields whose answer does not exceed it are silent.
    code : callable, optional
        From answers, 0 … 1, and ticks to spikes, in place of latency: such as :func:`regular`.

    Returns
    -------
    uint8 (samples, ticks, inputs · fields)
        Input by input; of one sample (ticks, inputs · fields).

    Raises
    ------
    InputError
        If `values` has another shape or range, or another argument cannot be.
    """
    values = np.asarray(values)
    answers = receptive_fields(np.atleast_2d(values), fields, low, high, beta)
    spikes = latency(answers, ticks, threshold) if code is None else code(answers, ticks)
    return spikes[0] if values.ndim == 1 else spikes


@of_samples
def burst(
    values: np.ndarray, ticks: int, spikes: int = 5, shortest: int = 2, longest: int | None = None
) -> np.ndarray:
    """Burst code: the greater a value, the more spikes, and the shorter the time between them.

    A value spikes ``n = ceil(spikes · value)`` times, first in tick 0, then every
    ``ceil(longest − (longest − shortest) · value)`` ticks, until the last.  Source: W. Guo, M. E. Fouda, A. M. Eltawil
    and K. N. Salama, "Neural coding in spiking neural networks: a comparative study for robust neuromorphic
    systems", Frontiers in Neuroscience 15, 2021.

    Parameters
    ----------
    values : (samples, inputs), 0 … 1
        Or images, or one sample.
    ticks : int
    spikes : int
        Of the value 1.
    shortest : int
        Ticks from spike to spike of the value 1.
    longest : int, optional
        The same, towards the value 0; by default `ticks`.

    Returns
    -------
    uint8 (samples, ticks, inputs)
        Of one sample (ticks, inputs).

    Raises
    ------
    InputError
        If `values` has another shape or range, or another argument is less than 1, or `longest` less than `shortest`.
    """
    values = check_static(values, ticks)
    longest = ticks if longest is None else longest
    check_positive("spikes", spikes)
    check_positive("shortest", shortest)
    if longest < shortest:
        raise InputError(f"longest must be shortest, {shortest}, or more, not {longest}")
    count = np.ceil(spikes * values).astype(np.int64)[:, None]
    gap = np.ceil(longest - (longest - shortest) * values).astype(np.int64)[:, None]
    tick = np.arange(ticks)[:, None]
    return ((tick % gap == 0) & (tick // gap < count)).astype(np.uint8)


@of_samples
def phase(values: np.ndarray, ticks: int, phases: int = 8) -> np.ndarray:
    """Phase code: a value's binary digits, the most significant first, again and again.

    In tick t an input spikes if digit ``t mod phases`` of ``min(floor(value · 2^phases), 2^phases − 1)`` is 1; a
    spike in that phase counts ``2^−(1 + t mod phases)``.  Source: J. Kim, H. Kim, S. Huh, J. Lee and K. Choi, "Deep
    neural networks with weighted spikes", Neurocomputing 311, 2018.

    Parameters
    ----------
    values : (samples, inputs), 0 … 1
        Or images, or one sample.
    ticks : int
    phases : int
        Ticks of a period, 1 … 32.

    Returns
    -------
    uint8 (samples, ticks, inputs)
        Of one sample (ticks, inputs).

    Raises
    ------
    InputError
        If `values` has another shape or range, or `ticks` or `phases` is out of range.
    """
    values = check_static(values, ticks)
    _check_phases(phases)
    number = np.minimum(np.floor(values * 2**phases), 2**phases - 1).astype(np.int64)
    digit = phases - 1 - np.arange(ticks) % phases
    return (number[:, None] >> digit[:, None] & 1).astype(np.uint8)


def decode_phase(spikes: np.ndarray, phases: int = 8) -> np.ndarray:
    """The values that :func:`phase` encoded, from the first period: off by less than ``2^−phases``, to below.

    Parameters
    ----------
    spikes : uint8 (samples, ticks, inputs)
        `phases` ticks or more.
    phases : int

    Returns
    -------
    float64 (samples, inputs), 0 … 1

    Raises
    ------
    InputError
        If `spikes` has another shape or other values than 0 and 1, or fewer ticks than `phases`.
    """
    spikes = check_output(spikes)
    _check_phases(phases)
    if spikes.shape[1] < phases:
        raise InputError(f"spikes: {spikes.shape[1]} ticks are not a whole period of {phases}")
    weights = 0.5 ** np.arange(1, phases + 1)
    return np.einsum("sti,t->si", spikes[:, :phases], weights)


def _check_phases(phases: int) -> None:
    if not 1 <= phases <= 32:
        raise InputError(f"phases must be in 1 … 32, not {phases}")
