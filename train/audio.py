"""Sound to log-mel frames: what a spoken word looks like before it becomes spikes.

    samples ── windows ── |rfft|² ── mel filters ── ln ── (frames, channels)

A clip of n samples gives ``1 + (n − window) // hop`` frames, with window and hop in samples: the first
window starts at the first sample, nothing is padded, and last samples that fill no window are left out.
Only a clip shorter than a window is filled up, with zeros, to one frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lifline.errors import InputError

#: Least energy of a channel. The rounding to 16 bits alone leaves about as much: a variance of
#: 2⁻³⁰ / 12 in each sample, times 75, the energy of a Hann window of 200 samples, times the sum of a
#: narrow filter.
FLOOR = 1e-8

_BLOCK = 4096  # windows transformed at once: their spectra stay in the cache


def log_mel(
    samples: np.ndarray,
    rate: int = 8000,
    channels: int = 40,
    window_ms: float = 25,
    hop_ms: float = 10,
    low_hz: float = 20,
    high_hz: float | None = None,
    floor: float = FLOOR,
) -> np.ndarray:
    """All log-mel frames of one clip: :func:`log_mels` without cutting or filling up.

    Parameters
    ----------
    samples : int16 or floating point (n,)
    rate, channels, window_ms, hop_ms, low_hz, high_hz, floor
        As in :func:`log_mels`.

    Returns
    -------
    float32 (frames, channels)

    Raises
    ------
    InputError
        As :func:`log_mels` does.
    """
    return log_mels([samples], None, rate, channels, window_ms, hop_ms, low_hz, high_hz, floor)[0]


def log_mels(
    clips: Sequence[np.ndarray],
    frames: int | None,
    rate: int = 8000,
    channels: int = 40,
    window_ms: float = 25,
    hop_ms: float = 10,
    low_hz: float = 20,
    high_hz: float | None = None,
    floor: float = FLOOR,
) -> np.ndarray:
    """Natural logarithms of the mel filters' energies in the windows of each clip.

    Each window is multiplied by a periodic Hann window and filled up with zeros to the length that
    :func:`mel_filters` asks for; an energy is a filter's sum over the spectrum's squared magnitudes.

    Parameters
    ----------
    clips : sequence of int16 or floating point (n,)
        16-bit samples are divided by 2¹⁵, so that floating-point samples in −1 … 1 mean the same.
    frames : int or None
        Clips that have more are cut at the end, others filled up with ln(floor); None: as many as the
        longest clip has.
    rate : int
        Samples per second.
    channels : int
    window_ms, hop_ms : float
        Length of a window, and from the start of one to the start of the next, in milliseconds; rounded
        to whole samples.
    low_hz, high_hz : float
        The band that the filters cover; None: up to half the rate.
    floor : float
        Least energy: what is below becomes it.

    Returns
    -------
    float32 (clips, frames, channels)

    Raises
    ------
    InputError
        If a clip is empty, or of another shape or type, or holds a sample that is no number, or if a
        parameter is out of range.
    """
    window, hop = round(rate * window_ms / 1000), round(rate * hop_ms / 1000)
    if window < 2 or hop < 1:
        raise InputError(
            f"window_ms {window_ms} and hop_ms {hop_ms} are {window} and {hop} samples at {rate} Hz, "
            "must be at least 2 and 1"
        )
    if frames is not None and frames < 1:
        raise InputError(f"frames must be 1 or more, not {frames}")
    if not floor > 0:
        raise InputError(f"floor must be more than 0, not {floor}")
    filters = mel_filters(rate, window, channels, low_hz, rate / 2 if high_hz is None else high_hz)
    spectrum = 2 * (len(filters) - 1)

    sound = [_filled(clip, index, window) for index, clip in enumerate(clips)]
    counts = np.array([1 + (len(clip) - window) // hop for clip in sound], dtype=np.int64)
    frames = int(counts.max(initial=0)) if frames is None else frames
    result = np.full((len(sound), frames, channels), np.log(floor), dtype=np.float32)
    if not sound:
        return result

    first = np.cumsum([0, *(len(clip) for clip in sound[:-1])])
    clip, frame = np.nonzero(np.arange(frames) < counts[:, None])
    windows = sliding_window_view(np.concatenate(sound), window)
    starts = first[clip] + frame * hop
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    for block in range(0, len(starts), _BLOCK):
        here = slice(block, block + _BLOCK)
        lines = np.fft.rfft(windows[starts[here]] * hann, spectrum)
        energy = (lines.real**2 + lines.imag**2) @ filters
        result[clip[here], frame[here]] = np.log(np.maximum(energy, floor))
    return result


def mel_filters(rate: int, window: int, channels: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Triangular filters, evenly spaced in mel, each between the centres of its neighbours.

    mel(f) = 2595 · log₁₀(1 + f / 700): D. O'Shaughnessy, "Speech Communication: Human and Machine",
    1987.  A filter rises and falls linearly in mel and is 1 at its centre, as in S. Young et al., "The
    HTK Book", version 3.4, 2006, section 5.4.

    Parameters
    ----------
    rate : int
        Samples per second.
    window : int
        Samples of a window.
    channels : int
    low_hz, high_hz : float
        Where the first filter starts and the last one ends.

    Returns
    -------
    float64 (lines, channels)
        For a spectrum of ``length / 2 + 1`` lines, where `length` is the least power of two that is not
        less than `window` and puts a line into each filter.

    Raises
    ------
    InputError
        If there is no channel, or not 0 ≤ low_hz < high_hz ≤ rate / 2.
    """
    if channels < 1:
        raise InputError(f"channels must be 1 or more, not {channels}")
    if not 0 <= low_hz < high_hz <= rate / 2:
        raise InputError(
            f"low_hz {low_hz:g} and high_hz {high_hz:g} must be in 0 … {rate / 2:g} Hz, half the rate, "
            "the lower first"
        )
    edges = np.linspace(_mel(low_hz), _mel(high_hz), channels + 2)
    narrowest = np.diff(700 * (10 ** (edges[:2] / 2595) - 1)).item()
    length = 1 << (max(window, int(np.ceil(rate / narrowest))) - 1).bit_length()
    lines = _mel(np.arange(length // 2 + 1) * rate / length)
    distance = np.abs(lines[:, None] - edges[1:-1]) / (edges[1] - edges[0])
    return np.maximum(1 - distance, 0)


def _mel(hz: np.ndarray | float) -> np.ndarray:
    return 2595 * np.log10(1 + np.asarray(hz) / 700)


def _filled(clip: np.ndarray, index: int, window: int) -> np.ndarray:
    """The clip as floating-point numbers of at least one window, after checking it."""
    clip = np.asarray(clip)
    if clip.ndim != 1 or not clip.size or not (clip.dtype == np.int16 or clip.dtype.kind == "f"):
        raise InputError(
            f"clip {index}: {clip.dtype}{clip.shape}, must be int16 or floating point of shape "
            "(samples,), not empty"
        )
    if clip.dtype == np.int16:
        clip = clip / 2**15
    elif not np.isfinite(clip).all():
        raise InputError(f"clip {index}: holds a sample that is not a finite number")
    return np.pad(clip, (0, max(window - len(clip), 0)))
