"""HSA and BSA against examples worked by hand, their inverse, and bounds of theory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lifline import InputError
from lifline.encoders import bsa, decode_fir, hsa, lowpass

FIR = np.array([1.0, 2.0, 1.0]) / 4


def one_channel(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[None, :, None] / 4


def spikes_of(spikes: np.ndarray) -> list[int]:
    assert spikes.dtype == np.uint8
    return spikes[0, :, 0].tolist()


def test_hsa() -> None:
    # in quarters, response 1 2 1; the rest after each spike:
    #   1 3 3 3 1 0     tick 0: 1 3 3 ≥ 1 2 1, a spike
    #   0 1 2 3 1 0     tick 1: 1 2 3 ≥ 1 2 1, a spike
    #   0 0 0 2 1 0     ticks 2, 3: 0 and 2 1 0 have no room for it
    values = one_channel(1, 3, 3, 3, 1, 0)
    spikes = hsa(values, FIR)
    assert spikes_of(spikes) == [1, 1, 0, 0, 0, 0]
    assert (decode_fir(spikes, FIR)[0, :, 0] * 4).tolist() == [1, 3, 3, 1, 0, 0]


def test_bsa() -> None:
    # in quarters, response 1 2 1; a spike that fits gains 4, one tap that lacks k below its response 2k less
    #   1 3 3 3 1 0     tick 0: fits
    #   0 1 2 3 1 0     tick 1: fits
    #   0 0 0 2 1 0     tick 2: rest 0 2 1 gains −1 + 2 + 1 = 2
    #                   with threshold 2 a spike: −1 0 0 0 is left at ticks 2 …;
    #                   with threshold 3 none; tick 3: rest 2 1 0 gains 1 + 0 − 1 = 0
    values = one_channel(1, 3, 3, 3, 1, 0)
    assert spikes_of(bsa(values, FIR, 2 / 4)) == [1, 1, 1, 0, 0, 0]
    assert spikes_of(bsa(values, FIR, 3 / 4)) == [1, 1, 0, 0, 0, 0]
    # 2 1 0 gains 1 + 0 − 1 = 0: enough for a threshold of 0
    assert spikes_of(bsa(one_channel(2, 1, 0), FIR, 0)) == [1, 0, 0]
    assert spikes_of(bsa(one_channel(2, 1, 0), FIR, 0.01)) == [0, 0, 0]


def test_decode_fir() -> None:
    # two spikes: 1 2 1 at tick 1 and at tick 2, and one at the last tick, of which one tap is left
    spikes = np.array([[[0], [1], [1], [0], [0], [1]]], np.uint8)
    assert (decode_fir(spikes, FIR)[0, :, 0] * 4).tolist() == [0, 1, 3, 3, 1, 1]
    assert decode_fir(spikes[:, :2], FIR).tolist() == [[[0], [0.25]]]


def random_spikes(seed: int, taps: int) -> np.ndarray:
    spikes = (np.random.default_rng(seed).random((5, 120, 4)) < 0.4).astype(np.uint8)
    spikes[:, 120 - taps + 1 :] = 0
    return spikes


@pytest.mark.parametrize("seed", range(3))
def test_hsa_is_the_inverse_of_its_decoder(seed: int) -> None:
    fir = np.random.default_rng(seed).integers(1, 64, 9) / 64  # sums are exact in floats
    spikes = random_spikes(seed, taps=9)
    assert np.array_equal(hsa(decode_fir(spikes, fir), fir), spikes)


@pytest.mark.parametrize("seed", range(3))
def test_hsa_stays_below_and_bsa_gains_its_threshold(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fir = rng.integers(-4, 24, 9) / 64
    values = rng.integers(0, 65, (5, 120, 4)) / 64
    below = decode_fir(hsa(values, fir), fir)
    assert below.any()
    assert (below <= values).all()
    for threshold in (0.125, 0.25, 0.5):
        spikes = bsa(values, fir, threshold)
        error = np.abs(decode_fir(spikes, fir) - values).sum(axis=1)
        assert (error <= values.sum(axis=1) - threshold * spikes.sum(axis=1)).all()
        # samples and channels know nothing of each other
        assert np.array_equal(bsa(values[2:3, :, 3:], fir, threshold), spikes[2:3, :, 3:])
    assert spikes.any()


def test_bsa_follows_a_slow_signal() -> None:
    phase = np.linspace(0, 6 * np.pi, 400)[None, :, None]
    values = 0.5 + 0.35 * np.sin(phase)
    fir = lowpass(20, 0.05)
    error = decode_fir(bsa(values, fir, 0.95), fir) - values
    middle = error[:, 40:-40]
    assert np.sqrt((middle**2).mean()) < 0.05


def test_lowpass() -> None:
    # 3 taps: the window is 0.08, 1, 0.08; the ideal filter sin(π/2) / (π/2) = 2/π at ± 1, cutoff 1/4
    side = 0.08 * 2 / np.pi
    assert np.allclose(lowpass(3, 0.25), np.array([side, 1, side]) / (1 + 2 * side), rtol=1e-14)
    assert lowpass(1, 0.1).tolist() == [1.0]
    fir = lowpass(61, 0.1)
    assert np.array_equal(fir, fir[::-1])
    gain = np.abs(np.fft.rfft(fir, 1000))  # in thousandths of a cycle per tick
    assert abs(gain[0] - 1) < 1e-12
    assert np.abs(gain[:70] - 1).max() < 0.01
    assert abs(gain[100] - 0.5) < 0.01
    assert gain[130:].max() < 0.01


SERIES = np.ones((1, 8, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: hsa(-SERIES, FIR),
            "values are in -1 … -1, must be in 0 … inf; shift or scale them first",
        ),
        (lambda: bsa(SERIES[0], FIR, 0.5), r"values: shape is \(8, 2\)"),
        (lambda: hsa(SERIES, FIR[None]), r"fir: shape is \(1, 3\), must be \(taps,\) finite numbers"),
        (lambda: hsa(SERIES, np.array([np.nan])), "must be .* finite numbers"),
        (lambda: hsa(SERIES, np.zeros(0)), r"fir: shape is \(0,\)"),
        (lambda: bsa(SERIES, FIR, -0.1), "threshold must be in 0 … 1, the sum of the filter, not -0.1"),
        (lambda: bsa(SERIES, FIR, 1.5), "threshold must be in 0 … 1, the sum of the filter, not 1.5"),
        (lambda: decode_fir(SERIES, FIR), "spikes: dtype is float64"),
        (lambda: lowpass(0, 0.1), "taps must be 1 or more, not 0"),
        (lambda: lowpass(8, 0.6), "cutoff must be above 0 and up to 0.5 cycles per tick, not 0.6"),
    ],
)
def test_unfit_arguments_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        call()
    assert "\n" not in str(raised.value)


def test_a_series_shorter_than_the_filter_is_silent() -> None:
    assert not hsa(SERIES[:, :2], FIR).any()
