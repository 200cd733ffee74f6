"""Encoders of changes, and their decoders, against examples worked by hand and bounds of theory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lifline import InputError
from lifline.encoders import (
    change_threshold,
    decode_level_crossing,
    decode_steps,
    level_crossing,
    moving_window,
    send_on_delta,
    step_forward,
    threshold_based,
)


def one_channel(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[None, :, None]


def steps(spikes: np.ndarray) -> list[int]:
    """On as 1 and off as −1, of the one channel of one sample."""
    assert spikes.dtype == np.uint8
    assert spikes.shape[::2] == (1, 2)
    return (spikes[0, :, 0].astype(int) - spikes[0, :, 1]).tolist()


def walk(seed: int, largest: int, samples: int = 6, ticks: int = 200, channels: int = 5) -> np.ndarray:
    """Random walks that change by at most `largest` / 64 a tick: sums of them are exact in floats."""
    changes = np.random.default_rng(seed).integers(-largest, largest + 1, (samples, ticks, channels))
    return np.cumsum(changes, axis=1) / 64


RISE_AND_FALL = one_channel(0, 0.5, 1.5, 4, 4, 4, 1.5, 1.5, 1.5, 3)


def test_send_on_delta() -> None:
    # last sent:  0    0    1.5  4  4  4  1.5  1.5  1.5  3
    # difference:      0.5  1.5  2.5 0  0 −2.5  0    0   1.5
    assert steps(send_on_delta(RISE_AND_FALL, 1)) == [0, 0, 1, 1, 0, 0, -1, 0, 0, 1]
    # reached is not exceeded
    assert steps(send_on_delta(one_channel(0, 1, 1.25, 0.25), 1)) == [0, 0, 1, 0]


def test_step_forward() -> None:
    # reference:  0    0    1    2  3  3  2    2    2    2
    # difference:      0.5  1.5  3  2  1 −1.5 −0.5 −0.5  1
    assert steps(step_forward(RISE_AND_FALL, 1)) == [0, 0, 1, 1, 1, 0, -1, 0, 0, 0]
    assert decode_steps(step_forward(RISE_AND_FALL, 1), 1).tolist() == [
        [[0], [0], [1], [2], [3], [3], [2], [2], [2], [2]]
    ]


def test_threshold_based() -> None:
    # changes: 0.5, 1, 2.5, 0, 0, −2.5, 0, 0, 1.5
    assert steps(threshold_based(RISE_AND_FALL, 1)) == [0, 0, 0, 1, 0, 0, -1, 0, 0, 1]
    # changes 2, −1, 2, 1: mean 1, standard deviation √((1 + 4 + 1 + 0) / 4); and mirrored
    values = np.concatenate([one_channel(0, 2, 1, 3, 4), one_channel(0, -2, -1, -3, -4)], axis=2)
    assert change_threshold(values, factor=2).tolist() == [[1 + 2 * np.sqrt(1.5)] * 2]
    assert change_threshold(values, factor=0).tolist() == [[1, 1]]
    mirrored = threshold_based(values, change_threshold(values, 0))
    assert mirrored[0].T.tolist() == [[0, 1, 0, 1, 0], [0] * 5, [0] * 5, [0, 1, 0, 1, 0]]


def test_moving_window() -> None:
    # mean of the 2 before:  0  0.25  1    2.75  4  4    2.75   1.5  1.5
    # difference:           0.5 1.25  3    1.25  0 −2.5 −1.25   0    1.5
    assert steps(moving_window(RISE_AND_FALL, 1, window=2)) == [0, 0, 1, 1, 1, 0, -1, -1, 0, 1]
    # a window of 1 is the tick before
    values = walk(0, 40)
    assert np.array_equal(moving_window(values, 0.25, 1), threshold_based(values, 0.25))
    # a window of all: 0, 1/2, 4/3, 2, … and 2.4 is no more than 1 above 6/4
    assert steps(moving_window(one_channel(0, 1, 3, 2, 2.4), 1, window=99)) == [0, 0, 1, 0, 0]


def test_decode_steps() -> None:
    # two channels, on 0, on 1, off 0, off 1; steps of 0.5 and 2 from 1 and −1
    spikes = np.array([[[0, 0, 0, 0], [1, 1, 0, 0], [1, 0, 0, 1], [0, 0, 1, 1]]], np.uint8)
    assert decode_steps(spikes, np.array([0.5, 2]), np.array([[1, -1]])).tolist() == [
        [[1, -1], [1.5, 1], [2, -1], [1.5, -3]]
    ]


@pytest.mark.parametrize("seed", range(3))
def test_step_forward_is_decoded_within_the_threshold(seed: int) -> None:
    values = walk(seed, largest=16)
    spikes = step_forward(values, 16 / 64)
    assert spikes.any()
    decoded = decode_steps(spikes, 16 / 64, values[:, 0])
    assert np.abs(decoded - values).max() <= 16 / 64
    # beyond a threshold in a tick the slope is overloaded; at rest the decoded series catches up
    leap = np.concatenate([np.zeros((1, 5, 1)), np.full((1, 20, 1), 2.5)], axis=1)
    error = np.abs(decode_steps(step_forward(leap, 0.25), 0.25) - leap)[0, :, 0]
    assert error[4:].tolist() == [0, *np.arange(9, 0, -1) * 0.25, *[0.25] * 11]


@pytest.mark.parametrize("seed", range(3))
def test_send_on_delta_sends_what_differs_by_more_than_the_threshold(seed: int) -> None:
    values, threshold = walk(seed, largest=40), 32 / 64
    spikes = send_on_delta(values, threshold)
    on, off = np.split(spikes.astype(int), 2, axis=2)
    assert (on & off).max() == 0
    for sample, channel in np.ndindex(6, 5):
        sent = values[sample, 0, channel]
        for tick, value in enumerate(values[sample, :, channel]):
            assert on[sample, tick, channel] == (value - sent > threshold)
            assert off[sample, tick, channel] == (sent - value > threshold)
            if abs(value - sent) > threshold:
                sent = value
    # A spike says "more than a threshold", and is up to the largest change in a tick more.
    error = np.abs(decode_steps(spikes, threshold, values[:, 0]) - values)
    assert (error <= threshold + np.cumsum(on + off, axis=1) * 40 / 64).all()


@pytest.mark.parametrize(
    "encode",
    [
        send_on_delta,
        step_forward,
        threshold_based,
        lambda values, threshold: moving_window(values, threshold, 8),
    ],
)
def test_every_encoder_of_changes(encode: Callable[..., np.ndarray]) -> None:
    values = walk(5, largest=40)
    spikes = encode(values, 0.25)
    assert spikes.any(axis=(0, 1)).all()
    assert not spikes[:, 0].any()
    # the mirror image exchanges on and off; a shift changes nothing
    assert np.array_equal(encode(-values, 0.25), np.roll(spikes, 5, axis=2))
    assert np.array_equal(encode(values + 3, 0.25), spikes)
    # samples and channels know nothing of each other, and may have thresholds of their own
    thresholds = np.arange(1, 31).reshape(6, 5) / 64
    together = encode(values, thresholds)
    for sample, channel in np.ndindex(6, 5):
        alone = encode(
            values[sample : sample + 1, :, channel : channel + 1], thresholds[sample, channel]
        )
        assert np.array_equal(together[sample][:, [channel, 5 + channel]], alone[0])
    # no tick depends on a later one
    assert np.array_equal(encode(values[:, :50], 0.25), spikes[:, :50])
    # what does not change does not spike
    assert not encode(np.ones((1, 9, 2)), 0).any()


def test_level_crossing() -> None:
    # 2 levels: 0.25 and 0.75.  Channel 0 crosses both, then falls below the upper one, then below both;
    # channel 1 starts above the lower one: at once a spike
    values = np.array([[[0, 0.5], [1, 0.75], [0.5, 0.75], [0, 0.25]]])
    up = [[0, 0, 1, 0], [1, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    down = [[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 1]]
    assert level_crossing(values, 2, off=False).tolist() == [up]
    both = level_crossing(values, 2)
    assert both.tolist() == [[on + off for on, off in zip(up, down, strict=True)]]
    assert both.dtype == np.uint8
    # levels below the value: 0, 2, 1, 0 and 1, 2, 2, 1, of 2
    assert decode_level_crossing(both, 2).tolist() == [[[0, 0.5], [1, 1], [0.5, 1], [0, 0.5]]]


@pytest.mark.parametrize("levels", [1, 4, 7, 32])
def test_level_crossing_is_decoded_within_half_a_level(levels: int) -> None:
    values = np.random.default_rng(levels).random((4, 100, 6))
    values[0, :2] = [[0.0], [1.0]]
    decoded = decode_level_crossing(level_crossing(values, levels), levels)
    assert np.abs(decoded - values).max() <= 0.5 / levels + 1e-12
    assert decoded[0, 0].tolist() == [0] * 6
    assert decoded[0, 1].tolist() == [1] * 6


SERIES, SPIKES = np.zeros((1, 4, 2)), np.zeros((1, 4, 4), np.uint8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: send_on_delta(np.zeros((4, 2)), 1), r"shape is \(4, 2\), must be \(samples, ticks, channels\)"),
        (lambda: step_forward(np.zeros((1, 0, 2)), 1), "with 1 tick or more"),
        (lambda: step_forward(np.full((1, 2, 1), np.nan), 1), r"values: nan at \(0, 0, 0\), must be finite"),
        (lambda: send_on_delta(SERIES, -1), "threshold must be 0 or more, not -1"),
        (lambda: send_on_delta(SERIES, np.inf), "threshold must be 0 or more, not inf"),
        (lambda: threshold_based(SERIES, np.ones(3)), r"threshold: shape is \(3,\), must be a number or fit \(1, 2\)"),
        (lambda: moving_window(SERIES, 1, 0), "window must be 1 or more, not 0"),
        (lambda: change_threshold(SERIES, -0.5), "factor must be 0 or more, not -0.5"),
        (lambda: change_threshold(SERIES[:, :1], 1), "1 tick has no change"),
        (lambda: decode_steps(SPIKES[:, :, :3], 1), "3 inputs are not as many on as off channels"),
        (lambda: decode_steps(SPIKES, 1, np.zeros(3)), r"start: shape is \(3,\), must be a number or fit"),
        (lambda: level_crossing(SERIES + 2, 4), "values are in 2 … 2, must be in 0 … 1; shift or scale"),
        (lambda: level_crossing(SERIES, 0), "levels must be 1 or more, not 0"),
        (lambda: decode_level_crossing(SPIKES, 3), "4 inputs are not whole channels of 3 on and 3 off levels"),
        (lambda: decode_level_crossing(SPIKES[0], 2), r"spikes: shape is \(4, 4\)"),
    ],
)  # fmt: skip
def test_unfit_arguments_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        call()
    assert "\n" not in str(raised.value)
