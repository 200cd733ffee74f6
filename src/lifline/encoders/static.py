"""Static values (samples, inputs): rate, latency and rank order codes, and receptive fields."""

from __future__ import annotations

import numpy as np

from lifline.errors import InputError

from .checks import broadcast, check_output, check_positive, check_static, of_samples

#: The least by which a value exceeds the threshold of a logarithmic latency, as in snnTorch.
_LEAST = 1e-7


def rate(
    values: np.ndarray, ticks: int | None, rng: np.random.Generator | int, max_rate: float = 1.0
) -> np.ndarray:
    """Rate code: in each tick an input spikes with the probability ``value · max_rate``.

    The tick-wise (Bernoulli) form of a Poisson spike train.  Source: E. D. Adrian and Y. Zotterman, "The
    impulses produced by sensory nerve-endings: Part 2", Journal of Physiology 61(2), 1926; D. Heeger,
    "Poisson Model of Spike Generation", 2000.

    Parameters
    ----------
    values : (samples, inputs), 0 … 1
        Or images, or one sample; without `ticks` (samples, ticks, inputs): rates that vary in time.
    ticks : int, optional
    rng : numpy.random.Generator or int
        The same state, or seed, gives the same spikes.
    max_rate : float
        Spikes per tick of an input whose value is 1; 0 … 1.

    Returns
    -------
    uint8 (samples, ticks, inputs)
        Of one sample (ticks, inputs).

    Raises
    ------
    InputError
        If `values` has another shape or range, or `ticks` or `max_rate` is out of range.
    """
    rng = np.random.default_rng(rng)
    if ticks is not None:
        return _rate(values, ticks, rng, max_rate)
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 3 or 0 in values.shape:
        raise InputError(
            f"values: shape is {values.shape}, must be (samples, ticks, inputs), or ticks must be given"
        )
    check_static(values.reshape(len(values), -1), values.shape[1], max_rate)
    return (rng.random(values.shape) < values * max_rate).astype(np.uint8)


@of_samples
def _rate(values: np.ndarray, ticks: int, rng: np.random.Generator, max_rate: float) -> np.ndarray:
    values = check_static(values, ticks, max_rate)
    samples, inputs = values.shape
    return (rng.random((samples, ticks, inputs)) < (values * max_rate)[:, None]).astype(np.uint8)


@of_samples
def regular(values: np.ndarray, ticks: int, max_rate: float = 1.0) -> np.ndarray:
    """Rate code without chance: an input spikes ``value · max_rate`` times a tick, evenly spread.

    After t ticks it has spiked ``value · max_rate · t`` times, rounded (a half up).  So does an
    integrate-and-fire neuron that starts half charged.  Source: Y. C. Yoon, "LIF and Simplified SRM Neurons
    Encode Signals Into Spikes via a Form of Asynchronous Pulse Sigma-Delta Modulation", IEEE Transactions
    on Neural Networks and Learning Systems 28(5), 2017.

    Parameters
    ----------
    values : (samples, inputs), 0 … 1
        Or images, or one sample.
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
    values = check_static(values, ticks, max_rate)
    counts = np.floor(values[:, None] * (max_rate * np.arange(ticks + 1)[:, None]) + 0.5)
    return (np.diff(counts, axis=1) > 0).astype(np.uint8)


@of_samples
def latency(
    values: np.ndarray,
    ticks: int,
    threshold: float = 0.0,
    *,
    tau: float | None = None,
    linear: bool = True,
    normalize: bool | None = None,
) -> np.ndarray:
    """Latency code: an input spikes once, the sooner the greater its value.

    The tick is ``(1 − value) · (ticks − 1)``, rounded (a half up): 1 spikes at once and 0 would at the
    last tick; but values that do not exceed `threshold` never spike.  Source: S. Thorpe, A. Delorme and
    R. Van Rullen, "Spike-based strategies for rapid processing", Neural Networks 14(6–7), 2001.

    `tau`, `linear` and `normalize` are those of ``snntorch.spikegen.latency`` with ``clip=True`` (which rounds a
    half to even), but that `linear` and `normalize` are on by default.

    Parameters
    ----------
    values : (samples, inputs), 0 … 1
        Or images, or one sample.
    ticks : int
    threshold : float
    tau : float, optional
        Ticks of a unit of time, above 0; 1 by default, where it counts: with `normalize` it does not.
    linear : bool
        Whether the time is ``tau · (1 − value)``, or that at which an RC circuit that is charged by the value reaches
        `threshold`: ``tau · ln(value / (value − threshold))``, of a threshold above 0.
    normalize : bool, optional
        Whether times are scaled so that a value just above `threshold` (of linear times: 0) would spike in the last
        tick; if not, those that are later never spike.  By default where `tau` is not given.

    Returns
    -------
    uint8 (samples, ticks, inputs)
        Of one sample (ticks, inputs).

    Raises
    ------
    InputError
        If `values` has another shape or range, or `ticks`, `tau` or `threshold` is out of range.
    """
    values = check_static(values, ticks)
    if tau is not None and not 0 < tau < np.inf:
        raise InputError(f"tau must be a number of ticks above 0, not {tau}")
    if not linear and not 0 < threshold < 1:
        raise InputError(f"threshold must be between 0 and 1 where linear is False, not {threshold}")
    normalized = tau is None if normalize is None else normalize
    if linear:
        times, last = 1 - values, 1.0
    else:
        charged = np.maximum(values, threshold + _LEAST)
        times, last = np.log(charged / (charged - threshold)), np.log((threshold + _LEAST) / _LEAST)
    times *= (ticks - 1) / last if normalized else 1.0 if tau is None else tau
    when = np.floor(np.minimum(times, ticks) + 0.5).astype(np.int64)
    spikes = np.arange(ticks)[None, :, None] == when[:, None, :]
    return (spikes & (values > threshold)[:, None, :]).astype(np.uint8)


def decode_rate(spikes: np.ndarray, max_rate: float = 1.0) -> np.ndarray:
    """The values that :func:`rate` or :func:`regular` encoded: spikes per tick, over `max_rate`.

    After `regular` it is off by at most ``0.5 / (max_rate · ticks)``; after `rate`, whose counts are
    binomial, with a standard deviation of ``sqrt(p · (1 − p) / ticks) / max_rate``, p = value · max_rate.

    Parameters
    ----------
    spikes : uint8 (samples, ticks, inputs)
    max_rate : float
        As it was encoded with; not 0.

    Returns
    -------
    float64 (samples, inputs)

    Raises
    ------
    InputError
        If `spikes` has another shape or other values than 0 and 1, or `max_rate` is out of range.
    """
    if not 0 < max_rate <= 1:
        raise InputError(f"max_rate must be above 0 and up to 1 spikes per tick, not {max_rate}")
    return check_output(spikes).mean(axis=1) / max_rate


def decode_latency(spikes: np.ndarray) -> np.ndarray:
    """The values that :func:`latency` encoded: ``1 − tick of the first spike / (ticks − 1)``.

    It is off by at most half a tick, ``0.5 / (ticks − 1)``.  An input that is silent is 0.

    Parameters
    ----------
    spikes : uint8 (samples, ticks, inputs)

    Returns
    -------
    float64 (samples, inputs), 0 … 1

    Raises
    ------
    InputError
        If `spikes` has another shape or other values than 0 and 1.
    """
    spikes = check_output(spikes)
    last = max(spikes.shape[1] - 1, 1)
    return np.where(spikes.any(axis=1), 1 - spikes.argmax(axis=1) / last, 0.0)


@of_samples
def rank_order(
    values: np.ndarray, ticks: int, every: int = 1, group: int = 1, threshold: float = 0.0
) -> np.ndarray:
    """Rank order code: inputs spike once, one after another, the greatest value first.

    Only the order counts, so it does not change when all values are scaled or shifted.  Of equal values
    the one of the lower index comes first.  Ranks that would come after the last tick do not spike.
    Source: S. Thorpe and J. Gautrais, "Rank order coding", Computational Neuroscience: Trends in Research,
    1998.

    Parameters
    ----------
    values : (samples, inputs), 0 … 1
        Or images, or one sample.
    ticks : int
    every : int
        Ticks from one group of spikes to the next.
    group : int
        Inputs that spike in the same tick: rank r spikes in tick ``r // group · every``.
    threshold : float
        Values that do not exceed it never spike.

    Returns
    -------
    uint8 (samples, ticks, inputs)

    Raises
    ------
    InputError
        If `values` has another shape or range, or `ticks`, `every` or `group` is less than 1.
    """
    values = check_static(values, ticks)
    check_positive("every", every)
    check_positive("group", group)
    rank = np.argsort(np.argsort(-values, axis=1, kind="stable"), axis=1)
    spikes = np.arange(ticks)[None, :, None] == (rank // group * every)[:, None, :]
    return (spikes & (values > threshold)[:, None, :]).astype(np.uint8)


def decode_rank_order(spikes: np.ndarray, modulation: float = 0.9) -> np.ndarray:
    """Each input's share in the activation of a neuron that is sensitive to rank order.

    An input before which n others have spiked counts ``modulation ** n``; those that spike in the same
    tick count the same, and a silent one 0.  The product with a neuron's weights is its activation.
    Source: S. Thorpe and J. Gautrais, "Rank order coding", 1998.

    Parameters
    ----------
    spikes : uint8 (samples, ticks, inputs)
        At most one spike of each input; later ones are ignored.
    modulation : float
        What each earlier spike leaves of the neuron's sensitivity, between 0 and 1.

    Returns
    -------
    float64 (samples, inputs), 0 … 1

    Raises
    ------
    InputError
        If `spikes` has another shape or other values than 0 and 1, or `modulation` is out of range.
    """
    if not 0 < modulation < 1:
        raise InputError(f"modulation must be between 0 and 1, not {modulation}")
    spikes = check_output(spikes)
    when = spikes.argmax(axis=1)
    first = spikes & (np.arange(spikes.shape[1])[:, None] == when[:, None])
    count = first.sum(axis=2, dtype=np.int64)
    sensitivity = modulation ** (np.cumsum(count, axis=1) - count)
    return np.take_along_axis(sensitivity, when, axis=1) * spikes.max(axis=1)


def receptive_fields(
    values: np.ndarray,
    fields: int,
    low: np.ndarray | float = 0.0,
    high: np.ndarray | float = 1.0,
    beta: float = 1.5,
) -> np.ndarray:
    """Population code: each value as the answers of neurons with overlapping Gaussian receptive fields.

    Field i = 0, 1, … of an input answers ``exp(−(value − centre)² / (2 · width²))``, where
    ``centre = low + (i − 1/2) · (high − low) / (fields − 2)`` and
    ``width = (high − low) / (beta · (fields − 2))``.  The answers are values 0 … 1 that become spikes by
    :func:`latency`, as in the source, or :func:`rate` or :func:`regular`.  Source: S. M. Bohte,
    J. N. Kok and H. La Poutré, "Error-backpropagation in temporally encoded networks of spiking neurons",
    Neurocomputing 48, 2002.

    Parameters
    ----------
    values : (samples, inputs), low … high
    fields : int
        Neurons per input, 3 or more.
    low, high : float or (inputs,)
        The range of each input.
    beta : float
        How narrow the fields are, above 0; the source takes 1 … 2.

    Returns
    -------
    float64 (samples, inputs · fields), 0 … 1
        Input by input.

    Raises
    ------
    InputError
        If `values` has another shape or range, or `fields`, the range or `beta` cannot be.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2:
        raise InputError(f"values: shape is {values.shape}, must be (samples, inputs)")
    centres, spacing = _fields(values.shape[1], fields, low, high)
    # The range is half a spacing within the outermost centres.
    if not ((values >= low) & (values <= high)).all():
        raise InputError(
            f"values are in {values.min():g} … {values.max():g}, must be in low … high; widen the range"
        )
    if not beta > 0:
        raise InputError(f"beta must be above 0, not {beta}")
    distance = (values[:, :, None] - centres) / (spacing / beta)[:, None]
    return np.exp(-(distance**2) / 2).reshape(len(values), -1)


def decode_receptive_fields(
    answers: np.ndarray,
    fields: int,
    low: np.ndarray | float = 0.0,
    high: np.ndarray | float = 1.0,
) -> np.ndarray:
    """The values that :func:`receptive_fields` encoded: the centre of mass of the fields' answers.

    With beta = 1.5 it is off by less than 0.08 of the distance between two centres at the ends of the
    range, where the fields beyond are missing, and by less than 0.001 of it two distances further in.
    An input whose fields are all silent is in the middle of its range.  Source: A. P. Georgopoulos,
    A. B. Schwartz and R. E. Kettner, "Neuronal population coding of movement direction", Science 233, 1986.

    Parameters
    ----------
    answers : (samples, inputs · fields), 0 … 1
        Decoded from spikes by :func:`decode_latency` or :func:`decode_rate`.
    fields : int
    low, high : float or (inputs,)
        As they were encoded with.

    Returns
    -------
    float64 (samples, inputs)

    Raises
    ------
    InputError
        If `answers` has another shape or range, or `fields` or the range cannot be.
    """
    answers = check_static(answers, ticks=1)
    if fields < 3 or answers.shape[1] % fields:
        raise InputError(f"answers: {answers.shape[1]} columns are not whole groups of {fields} fields")
    answers = answers.reshape(len(answers), -1, fields)
    centres, _ = _fields(answers.shape[1], fields, low, high)
    mass = answers.sum(axis=2)
    moment = (answers * (centres - centres.mean(axis=1, keepdims=True))).sum(axis=2)
    return centres.mean(axis=1) + moment / np.where(mass > 0, mass, 1.0)


def _fields(
    inputs: int, fields: int, low: np.ndarray | float, high: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """The centres (inputs, fields) of all fields and the distance (inputs,) between two of an input."""
    if fields < 3:
        raise InputError(f"fields must be 3 or more, not {fields}")
    low = broadcast("low", np.asarray(low, dtype=np.float64), (inputs,))
    high = broadcast("high", np.asarray(high, dtype=np.float64), (inputs,))
    if not (np.isfinite(low) & np.isfinite(high) & (low < high)).all():
        raise InputError("low and high must be finite, and low must be less than high, for every input")
    spacing = (high - low) / (fields - 2)
    return low[:, None] + (np.arange(fields) - 0.5) * spacing[:, None], spacing
