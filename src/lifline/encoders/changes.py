"""Series (samples, ticks, channels) by their changes: spikes upwards and spikes downwards.

Each encoder but :func:`level_crossing` gives uint8 (samples, ticks, 2 · channels): first every channel's *on*
spikes, upwards, then every channel's *off* spikes, downwards.  A channel spikes at most once a tick, and
never in the first.  Their decoder is :func:`decode_steps`.

A threshold is one number, or fits (samples, channels).  It has to be exceeded, not just reached.
"""

from __future__ import annotations

import numpy as np

from lifline.errors import InputError

from .checks import broadcast, check_output, check_positive, check_series, check_threshold


def send_on_delta(values: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    """Send-on-delta, temporal contrast: a spike when the value differs from the one that was last sent.

    The reference follows the signal: with each spike it becomes the present value, as in the pixel of an
    event camera, whose value is the logarithm of the light.  So however far the signal leaps it is one
    spike, and the reference stays within `threshold` of the signal.  (In :func:`step_forward` it follows
    the spikes.)  Sources: M. Miskowicz, "Send-on-delta concept: an event-based data reporting strategy",
    Sensors 6(1), 2006; P. Lichtsteiner, C. Posch and T. Delbruck, "A 128×128 120 dB 15 µs latency
    asynchronous temporal contrast vision sensor", IEEE Journal of Solid-State Circuits 43(2), 2008.

    Parameters
    ----------
    values : (samples, ticks, channels)
    threshold : float, or fits (samples, channels)

    Returns
    -------
    uint8 (samples, ticks, 2 · channels)
        All on channels, then all off channels.

    Raises
    ------
    InputError
        If `values` has another shape or is not finite, or `threshold` does not fit or is negative.
    """
    values, threshold = _checked(values, threshold)
    sent = values[:, 0]
    steps = np.zeros(values.shape, np.int8)
    for tick in range(1, values.shape[1]):
        steps[:, tick] = _compare(values[:, tick] - sent, threshold)
        sent = np.where(steps[:, tick], values[:, tick], sent)
    return _on_off(steps)


def step_forward(values: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    """Step-forward: a spike when the value differs from the sum of the steps that were sent.

    The reference follows the spikes: each moves it by `threshold`.  So it is what :func:`decode_steps`
    decodes, and is off by at most `threshold` while the signal changes by no more than that in a tick; after
    a greater change (slope overload) it catches up by one step a tick.  Source: N. Kasabov et al.,
    "Evolving spatio-temporal data machines based on the NeuCube neuromorphic framework", Neural Networks
    78, 2016; as in B. Petro, N. Kasabov and R. M. Kiss, "Selection and optimization of temporal spike
    encoding methods for spiking neural networks", IEEE Transactions on Neural Networks and Learning Systems
    31(2), 2020.

    Parameters
    ----------
    values : (samples, ticks, channels)
    threshold : float, or fits (samples, channels)

    Returns
    -------
    uint8 (samples, ticks, 2 · channels)
        All on channels, then all off channels.

    Raises
    ------
    InputError
        If `values` has another shape or is not finite, or `threshold` does not fit or is negative.
    """
    values, threshold = _checked(values, threshold)
    start, sent = values[:, 0], np.zeros(threshold.shape, np.int64)
    steps = np.zeros(values.shape, np.int8)
    for tick in range(1, values.shape[1]):
        steps[:, tick] = _compare(values[:, tick] - (start + threshold * sent), threshold)
        sent += steps[:, tick]
    return _on_off(steps)


def threshold_based(values: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    """Threshold-based representation (TBR): a spike when the value differs from the previous tick's.

    Slow changes, below `threshold` in a tick, leave no trace.  :func:`change_threshold` gives the threshold
    of the source: Petro, Kasabov and Kiss, 2020 (see :func:`step_forward`), after Lichtsteiner et al.

    Parameters
    ----------
    values : (samples, ticks, channels)
    threshold : float, or fits (samples, channels)

    Returns
    -------
    uint8 (samples, ticks, 2 · channels)
        All on channels, then all off channels.

    Raises
    ------
    InputError
        If `values` has another shape or is not finite, or `threshold` does not fit or is negative.
    """
    values, threshold = _checked(values, threshold)
    return _on_off(_compare(np.diff(values, axis=1, prepend=values[:, :1]), threshold[:, None]))


def delta(
    values: np.ndarray,
    threshold: np.ndarray | float = 0.1,
    *,
    padding: bool = False,
    off_spike: bool = False,
) -> np.ndarray:
    """Changes from tick to tick, as ``snntorch.spikegen.delta`` counts them: `threshold` has to be reached.

    (In :func:`threshold_based` it has to be exceeded, and no spike comes in the first tick.)

    Parameters
    ----------
    values : (samples, ticks, channels)
    threshold : float, or fits (samples, channels)
    padding : bool
        Whether the value before the first tick is that of the first, or 0.
    off_spike : bool
        Whether falling values spike, too, at inputs of their own (in snnTorch: as −1).

    Returns
    -------
    uint8 (samples, ticks, channels), or with `off_spike` (samples, ticks, 2 · channels)
        All on channels, then all off channels.

    Raises
    ------
    InputError
        If `values` has another shape or is not finite, or `threshold` does not fit or is negative.
    """
    values, threshold = _checked(values, threshold)
    before = values[:, :1] if padding else np.zeros_like(values[:, :1])
    changes = np.diff(values, axis=1, prepend=before)
    spikes = [changes >= threshold[:, None]]
    if off_spike:
        spikes.append(changes <= -threshold[:, None])
    return np.concatenate(spikes, axis=2).astype(np.uint8)


def change_threshold(values: np.ndarray, factor: float) -> np.ndarray:
    """How much each channel changes in a tick: ``|mean| + factor · standard deviation`` of its changes.

    The source (see :func:`threshold_based`) takes the mean with its sign, which would encode a falling
    signal otherwise than a rising one.

    Parameters
    ----------
    values : (samples, ticks, channels)
        2 ticks or more.
    factor : float
        0 or more; the greater, the fewer spikes.

    Returns
    -------
    float64 (samples, channels)

    Raises
    ------
    InputError
        If `values` has another shape or is not finite, or `factor` is negative.
    """
    values = check_series(values)
    if values.shape[1] < 2:
        raise InputError("values: 1 tick has no change; 2 ticks or more are needed")
    if not factor >= 0:
        raise InputError(f"factor must be 0 or more, not {factor}")
    changes = np.diff(values, axis=1)
    return np.abs(changes.mean(axis=1)) + factor * changes.std(axis=1)


def moving_window(values: np.ndarray, threshold: np.ndarray | float, window: int) -> np.ndarray:
    """Moving window: a spike when the value differs from the mean of the `window` values before it.

    In the first ticks the window is shorter: it holds the values that there are.  (The source's looks
    ahead there.)  Source: Kasabov et al., 2016, and Petro, Kasabov and Kiss, 2020 (see
    :func:`step_forward`).

    Parameters
    ----------
    values : (samples, ticks, channels)
    threshold : float, or fits (samples, channels)
    window : int
        Ticks.

    Returns
    -------
    uint8 (samples, ticks, 2 · channels)
        All on channels, then all off channels.

    Raises
    ------
    InputError
        If `values` has another shape or is not finite, `threshold` does not fit or is negative, or `window` is
        less than 1.
    """
    values, threshold = _checked(values, threshold)
    check_positive("window", window)
    steps = np.zeros(values.shape, np.int8)
    for tick in range(1, values.shape[1]):
        mean = values[:, max(0, tick - window) : tick].mean(axis=1)
        steps[:, tick] = _compare(values[:, tick] - mean, threshold)
    return _on_off(steps)


def decode_steps(
    spikes: np.ndarray, threshold: np.ndarray | float, start: np.ndarray | float = 0.0
) -> np.ndarray:
    """The series as the sum of its steps: ``start + threshold · (on spikes − off spikes so far)``.

    A neuron without leak and reset does so, with weights of 1 and −1: its membrane is the series.  After
    :func:`step_forward` the error has a bound; after the other encoders it may grow, as a spike says
    that there was a step, not how high.  Source: Petro, Kasabov and Kiss, 2020 (see
    :func:`step_forward`).

    Parameters
    ----------
    spikes : uint8 (samples, ticks, 2 · channels)
        All on channels, then all off channels.
    threshold : float, or fits (samples, channels)
    start : float, or fits (samples, channels)
        The first tick's values.

    Returns
    -------
    float64 (samples, ticks, channels)

    Raises
    ------
    InputError
        If `spikes` has another shape or other values than 0 and 1, or `threshold` or `start` does not fit.
    """
    spikes = check_output(spikes).astype(np.int64)
    samples, _, inputs = spikes.shape
    if inputs % 2:
        raise InputError(f"spikes: {inputs} inputs are not as many on as off channels")
    threshold = check_threshold(threshold, samples, inputs // 2)
    start = broadcast("start", np.asarray(start, dtype=np.float64), (samples, inputs // 2))
    steps = np.cumsum(spikes[:, :, : inputs // 2] - spikes[:, :, inputs // 2 :], axis=1)
    return start[:, None] + threshold[:, None] * steps


def level_crossing(values: np.ndarray, levels: int, off: bool = True) -> np.ndarray:
    """Level crossing: each level of a channel has an input that spikes when the value rises to it.

    The levels are ``(i + 1/2) / levels``, i = 0, 1, …, and the value before the first tick is 0, so in the
    first tick the inputs of all levels up to the value spike: a thermometer.  A leap crosses several levels in
    the same tick, and nothing is lost: :func:`decode_level_crossing` is off by at most ``0.5 / levels``
    at every tick.  Source: N. Sayiner, H. V. Sorensen and T. R. Viswanathan, "A level-crossing sampling
    scheme for A/D conversion", IEEE Transactions on Circuits and Systems II 43(4), 1996.

    Parameters
    ----------
    values : (samples, ticks, channels), 0 … 1
    levels : int
    off : bool
        Whether falling below a level is encoded too, by inputs of its own.

    Returns
    -------
    uint8 (samples, ticks, channels · levels), or with `off` (samples, ticks, 2 · channels · levels)
        All on inputs, then all off inputs, both channel by channel.

    Raises
    ------
    InputError
        If `values` has another shape or range, or `levels` is less than 1.
    """
    values = check_series(values, 0, 1)
    check_positive("levels", levels)
    samples, ticks, channels = values.shape
    above = values[..., None] >= (np.arange(levels) + 0.5) / levels
    above = above.reshape(samples, ticks, channels * levels)
    steps = np.diff(above.astype(np.int8), axis=1, prepend=0)
    return _on_off(steps) if off else (steps > 0).astype(np.uint8)


def decode_level_crossing(spikes: np.ndarray, levels: int) -> np.ndarray:
    """The series that :func:`level_crossing` encoded, with its off inputs: levels below the value, over `levels`.

    Parameters
    ----------
    spikes : uint8 (samples, ticks, 2 · channels · levels)
    levels : int

    Returns
    -------
    float64 (samples, ticks, channels), 0 … 1

    Raises
    ------
    InputError
        If `spikes` has another shape or other values than 0 and 1.
    """
    check_positive("levels", levels)
    spikes = np.asarray(spikes)
    if spikes.ndim == 3 and spikes.shape[2] % (2 * levels):
        raise InputError(
            f"spikes: {spikes.shape[2]} inputs are not whole channels of {levels} on and {levels} off levels"
        )
    crossed = decode_steps(spikes, threshold=1)
    samples, ticks, _ = crossed.shape
    return crossed.reshape(samples, ticks, -1, levels).sum(axis=3) / levels


def _checked(values: np.ndarray, threshold: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    values = check_series(values)
    return values, check_threshold(threshold, values.shape[0], values.shape[2])


def _compare(change: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """1 for a change upwards, −1 for one downwards, 0 for neither."""
    return (change > threshold).astype(np.int8) - (change < -threshold)


def _on_off(steps: np.ndarray) -> np.ndarray:
    return np.concatenate([steps > 0, steps < 0], axis=2).astype(np.uint8)
