"""Log-mel frames against the formulas, written out slowly."""

from __future__ import annotations

import cmath
import math
import time

import numpy as np
import pytest

from lifline import InputError
from lifline.train import datasets
from lifline.train.audio import FLOOR, log_mel, log_mels, mel_filters


def slow_log_mel(
    samples: list[float], rate: int, channels: int, window: int, hop: int, length: int
) -> list[list[float]]:
    """The definition, sum by sum: no padding, Hann, |DFT|², triangles in mel from 20 Hz, ln."""

    def mel(hz: float) -> float:
        return 2595 * math.log10(1 + hz / 700)

    low = mel(20)
    step = (mel(rate / 2) - low) / (channels + 1)
    frames = []
    for start in range(0, len(samples) - window + 1, hop):
        hann = [
            samples[start + n] * (0.5 - 0.5 * math.cos(2 * math.pi * n / window)) for n in range(window)
        ]
        power = [
            abs(sum(x * cmath.exp(-2j * math.pi * k * n / length) for n, x in enumerate(hann))) ** 2
            for k in range(length // 2 + 1)
        ]
        frames.append(
            [
                math.log(
                    max(
                        FLOOR,
                        sum(
                            p
                            * max(
                                0.0, 1 - abs(mel(k * rate / length) - low - (channel + 1) * step) / step
                            )
                            for k, p in enumerate(power)
                        ),
                    )
                )
                for channel in range(channels)
            ]
        )
    return frames


def test_the_definition() -> None:
    samples = np.random.default_rng(3).integers(-2000, 2000, 460).astype(np.int16)
    expected = slow_log_mel((samples / 32768).tolist(), 8000, 12, 200, 80, 256)
    result = log_mel(samples, channels=12)
    assert result.dtype == np.float32
    assert result.shape == (4, 12)  # 1 + (460 − 200) // 80
    np.testing.assert_allclose(result, expected, rtol=1e-6)


@pytest.mark.parametrize("hz", [100, 440, 1000, 3000])
def test_a_tone_peaks_in_the_channel_that_is_centred_next_to_it(hz: float) -> None:
    tone = np.sin(2 * np.pi * hz * np.arange(8000) / 8000)
    frames = log_mel(tone)
    assert frames.shape == (98, 40)  # 1 + (8000 − 200) // 80
    mels = 2595 * np.log10(1 + np.array([20, 4000, hz]) / 700)
    centres = np.linspace(mels[0], mels[1], 42)[1:-1]
    assert set(frames.argmax(axis=1).tolist()) == {np.abs(centres - mels[2]).argmin()}


def test_int16_and_floating_point_mean_the_same() -> None:
    samples = np.random.default_rng(4).integers(-32768, 32768, 1000).astype(np.int16)
    assert (log_mel(samples) == log_mel(samples / 32768)).all()
    assert (log_mel(samples) == log_mel((samples / 32768).astype(np.float32))).all()


def test_a_batch_is_cut_and_filled_up() -> None:
    rng = np.random.default_rng(5)
    clips = [rng.normal(size=n) for n in (1000, 199, 200, 279, 280, 5000)]
    counts = [11, 1, 1, 1, 2, 61]  # 1 + (n − 200) // 80, at least 1
    batch = log_mels(clips, 11)
    assert batch.shape == (6, 11, 40)
    assert batch.dtype == np.float32
    for clip, count, frames in zip(clips, counts, batch, strict=True):
        alone = log_mel(clip)
        assert alone.shape == (count, 40)
        kept = min(count, 11)
        np.testing.assert_allclose(frames[:kept], alone[:kept], rtol=1e-6)
        assert (frames[kept:] == np.float32(np.log(FLOOR))).all()
    assert log_mels(clips, None).shape == (6, 61, 40)
    assert log_mels([], 7).shape == (0, 7, 40)


def test_silence_is_the_floor() -> None:
    assert (log_mel(np.zeros(400, np.int16)) == np.float32(np.log(FLOOR))).all()
    assert (log_mel(np.zeros(400), floor=1e-3) == np.float32(np.log(1e-3))).all()


@pytest.mark.parametrize(
    ("rate", "window", "channels"), [(8000, 200, 40), (8000, 200, 140), (16000, 400, 80)]
)
def test_each_filter_meets_the_spectrum(rate: int, window: int, channels: int) -> None:
    filters = mel_filters(rate, window, channels, 20, rate / 2)
    length = 2 * (len(filters) - 1)
    assert length >= window
    assert length & (length - 1) == 0
    assert (filters.max(axis=0) > 0).all()
    assert filters.min() >= 0
    assert filters.max() <= 1


@pytest.mark.parametrize(
    ("clip", "options", "message"),
    [
        (np.zeros(0, np.int16), {}, r"clip 0: int16\(0,\), must be int16 or floating point"),
        (np.zeros((9, 2), np.int16), {}, r"clip 0: int16\(9, 2\), must be"),
        (np.zeros(9, np.int32), {}, r"clip 0: int32\(9,\), must be"),
        (np.array([0, np.nan]), {}, "clip 0: holds a sample that is not a finite number"),
        (
            np.zeros(9),
            {"window_ms": 0.1},
            "window_ms 0.1 and hop_ms 10 are 1 and 80 samples at 8000 Hz",
        ),
        (np.zeros(9), {"hop_ms": 0}, "window_ms 25 and hop_ms 0 are 200 and 0 samples"),
        (np.zeros(9), {"channels": 0}, "channels must be 1 or more, not 0"),
        (np.zeros(9), {"high_hz": 5000}, r"low_hz 20 and high_hz 5000 must be in 0 … 4000 Hz"),
        (np.zeros(9), {"low_hz": 4000}, r"low_hz 4000 and high_hz 4000 must be in 0 … 4000 Hz"),
        (np.zeros(9), {"floor": 0}, "floor must be more than 0, not 0"),
    ],
)
def test_refused(clip: np.ndarray, options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        log_mel(clip, **options)  # type: ignore[arg-type]


def test_no_frames_are_refused() -> None:
    with pytest.raises(InputError, match="frames must be 1 or more, not 0"):
        log_mels([np.zeros(9)], 0)


@pytest.mark.data
def test_all_training_clips_in_three_seconds() -> None:
    clips = datasets.fsdd()
    train, _ = clips.split()
    samples = [clips.samples[i] for i in np.flatnonzero(train)]
    start = time.process_time()
    frames = log_mels(samples, 100)
    assert time.process_time() - start < 3
    assert frames.shape == (2700, 100, 40)
    assert np.isfinite(frames).all()
