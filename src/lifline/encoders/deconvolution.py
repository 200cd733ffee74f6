"""Series (samples, ticks, channels) of values ≥ 0 as spikes that a filter turns back into the series.

Both encoders take the filter's response off the series wherever they spike, so a spike stands for the series
from its tick on, ``taps`` ticks far: they look ahead, and the last taps − 1 ticks are silent (append
zeros to a series that matters to its end).  They differ in when they spike.  A filter whose taps sum to 1
(:func:`lowpass`) fits values up to about 1, which is a spike in every tick.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lifline.errors import InputError

from .checks import check_output, check_positive, check_series


def hsa(values: np.ndarray, fir: np.ndarray) -> np.ndarray:
    """Hough spiker algorithm (HSA): a spike where the whole response of the filter fits under the series.

    So the series that :func:`decode_fir` gives is nowhere greater than the original.  Source: M. Hough,
    H. de Garis, M. Korkin, F. Gers and N. E. Nawa, "SPIKER: analog waveform to digital spiketrain conversion
    in ATR's artificial brain (CAM-Brain) project", International Conference on Robotics and Artificial
    Life, 1999.

    Parameters
    ----------
    values : (samples, ticks, channels), 0 or more
    fir : (taps,)
        The filter that decodes.

    Returns
    -------
    uint8 (samples, ticks, channels)

    Raises
    ------
    InputError
        If `values` or `fir` has another shape or is not finite, or a value is negative.
    """
    return _subtract(values, fir, lambda rest, response: np.min(rest - response, axis=1) >= 0)


def bsa(values: np.ndarray, fir: np.ndarray, threshold: float) -> np.ndarray:
    """Ben's spiker algorithm (BSA): a spike where it brings the decoded series nearer by `threshold`.

    That is where Σ |rest| − Σ |rest − response| ≥ threshold, over the taps.  So the sum of the errors of
    :func:`decode_fir` is at most the sum of the values less `threshold` for each spike.  Source: B. Schrauwen
    and J. Van Campenhout, "BSA, a fast and accurate spike train encoding scheme", International Joint
    Conference on Neural Networks, 2003.

    Parameters
    ----------
    values : (samples, ticks, channels), 0 or more
    fir : (taps,)
        The filter that decodes.
    threshold : float
        0 or more, in the units of the values.  No spike can gain more than Σ |fir|.

    Returns
    -------
    uint8 (samples, ticks, channels)

    Raises
    ------
    InputError
        If `values` or `fir` has another shape or is not finite, a value is negative, or `threshold` is
        negative or beyond what a spike can gain.
    """
    most = np.abs(_checked(fir)).sum()
    if not 0 <= threshold <= most:
        raise InputError(f"threshold must be in 0 … {most:g}, the sum of the filter, not {threshold}")
    return _subtract(
        values,
        fir,
        lambda rest, response: (np.abs(rest) - np.abs(rest - response)).sum(axis=1) >= threshold,
    )


def decode_fir(spikes: np.ndarray, fir: np.ndarray) -> np.ndarray:
    """The series that :func:`hsa` or :func:`bsa` encoded: the spikes, filtered.

    Parameters
    ----------
    spikes : uint8 (samples, ticks, channels)
    fir : (taps,)

    Returns
    -------
    float64 (samples, ticks, channels)

    Raises
    ------
    InputError
        If `spikes` has another shape or other values than 0 and 1, or `fir` another shape.
    """
    spikes, fir = check_output(spikes), _checked(fir)
    ticks = spikes.shape[1]
    decoded = np.zeros(spikes.shape)
    for delay, tap in enumerate(fir[:ticks]):
        decoded[:, delay:] += tap * spikes[:, : ticks - delay]
    return decoded


def lowpass(taps: int, cutoff: float) -> np.ndarray:
    """A low-pass filter whose taps sum to 1: a Hamming window on the ideal one.

    Source: A. V. Oppenheim and R. W. Schafer, "Discrete-Time Signal Processing", the window method.

    Parameters
    ----------
    taps : int
    cutoff : float
        In cycles per tick, above 0 and up to 0.5.

    Returns
    -------
    float64 (taps,)

    Raises
    ------
    InputError
        If `taps` or `cutoff` is out of range.
    """
    check_positive("taps", taps)
    if not 0 < cutoff <= 0.5:
        raise InputError(f"cutoff must be above 0 and up to 0.5 cycles per tick, not {cutoff}")
    fir = np.sinc(2 * cutoff * (np.arange(taps) - (taps - 1) / 2)) * np.hamming(taps)
    return fir / fir.sum()


def _subtract(
    values: np.ndarray, fir: np.ndarray, spike: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Tick by tick: where `spike` says so of the rest (samples, taps, channels), take the response off."""
    values, fir = check_series(values, 0), _checked(fir)
    rest, response = values.copy(), fir[:, None]
    spikes = np.zeros(values.shape, np.uint8)
    for tick in range(values.shape[1] - len(fir) + 1):
        ahead = rest[:, tick : tick + len(fir)]
        spikes[:, tick] = spike(ahead, response)
        ahead -= response * spikes[:, tick, None]
    return spikes


def _checked(fir: np.ndarray) -> np.ndarray:
    fir = np.asarray(fir, dtype=np.float64)
    if fir.ndim != 1 or not fir.size or not np.isfinite(fir).all():
        raise InputError(f"fir: shape is {fir.shape}, must be (taps,) finite numbers; see lowpass")
    return fir
