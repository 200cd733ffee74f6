"""Event binning against examples worked by hand and a plain loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lifline import InputError
from lifline.encoders import bin_events

DTYPE = [("x", "u1"), ("y", "u1"), ("p", "u1"), ("t", "<u4")]

#: On a sensor of 4 × 2 pixels.
EVENTS = np.array([(0, 0, 1, 5), (3, 1, 0, 9), (3, 0, 0, 10), (1, 1, 1, 39), (2, 1, 0, 40)], DTYPE)


def where(spikes: np.ndarray) -> list[tuple[int, ...]]:
    assert spikes.dtype == np.uint8
    return [tuple(int(i) for i in index) for index in np.argwhere(spikes)]


def test_ticks_of_a_length() -> None:
    # input (p · 2 + y) · 4 + x; the event at 40 µs is in the fifth tick, which is left out
    spikes = bin_events(EVENTS, (4, 2), 4, tick_us=10)
    assert spikes.shape == (4, 16)
    assert where(spikes) == [(0, 7), (0, 8), (1, 3), (3, 13)]


def test_a_duration_split_evenly() -> None:
    # 5 … 40 µs are 36 µs: 3 ticks of 12 µs, from 5, 17 and 29 on
    assert where(bin_events(EVENTS, (4, 2), 3)) == [(0, 3), (0, 7), (0, 8), (2, 6), (2, 13)]


def test_pool_merge_and_minimum() -> None:
    # cells of 2 × 2 pixels: (p · 1 + 0) · 2 + x // 2
    assert where(bin_events(EVENTS, (4, 2), 1, pool=2)) == [(0, 1), (0, 2)]
    assert bin_events(EVENTS, (4, 2), 1, pool=2).shape == (1, 4)
    # events at each: 3 of polarity 0 at cell 1, 2 of polarity 1 at cell 0
    assert where(bin_events(EVENTS, (4, 2), 1, pool=2, minimum=3)) == [(0, 1)]
    assert where(bin_events(EVENTS, (4, 2), 1, pool=2, merge=True, minimum=2)) == [(0, 0), (0, 1)]
    assert where(bin_events(EVENTS, (4, 2), 1, merge=True)) == [(0, 0), (0, 3), (0, 5), (0, 6), (0, 7)]
    # 4 columns in cells of 3: two, the second cut off
    assert where(bin_events(EVENTS, (4, 2), 1, pool=3)) == [(0, 0), (0, 1), (0, 2)]


def test_crop() -> None:
    # columns 1 … 3 of row 1: input p · 3 + x − 1
    assert where(bin_events(EVENTS, (4, 2), 4, 10, crop=(1, 1, 3, 1))) == [(0, 2), (3, 3)]


def test_four_arrays_and_an_empty_recording() -> None:
    arrays = tuple(EVENTS[name].astype(np.int64) for name in "xypt")
    assert np.array_equal(bin_events(arrays, (4, 2), 4, 10), bin_events(EVENTS, (4, 2), 4, 10))
    assert not bin_events(EVENTS[:0], (4, 2), 3).any()
    assert bin_events(EVENTS[:0], (4, 2), 3, 10).shape == (3, 16)


@pytest.mark.parametrize("seed", range(4))
def test_random_recordings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    events = np.zeros(3000, DTYPE)
    for name, end in zip("xypt", (34, 34, 2, 100_000), strict=True):
        events[name] = rng.integers(0, end, len(events))
    counts = np.zeros((20, 2, 7, 8), int)  # crop to 30 × 27, from (2, 1) on, cells of 4
    for x, y, p, t in events.tolist():
        if 2 <= x < 32 and 1 <= y < 28 and t < 20 * 3000:
            counts[t // 3000, p, (y - 1) // 4, (x - 2) // 4] += 1
    for minimum in (1, 2):
        spikes = bin_events(events, (34, 34), 20, 3000, crop=(2, 1, 30, 27), pool=4, minimum=minimum)
        assert np.array_equal(spikes.reshape(counts.shape), counts >= minimum)
    # the order of the events does not matter
    assert np.array_equal(
        bin_events(events, (34, 34), 9), bin_events(rng.permutation(events), (34, 34), 9)
    )


def test_late_times_do_not_overflow() -> None:
    events = np.array([(0, 0, 0, 2**32 - 2), (0, 0, 0, 2**32 - 1)], DTYPE)
    assert where(bin_events(events, (1, 1), 2)) == [(0, 0), (1, 0)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"events": EVENTS[["x", "y", "t"]]}, "events: field 'p' is missing"),
        ({"events": (EVENTS["x"], EVENTS["y"], EVENTS["p"])}, "events: 3 arrays, must be four: x, y, p and t"),
        ({"events": [[1], [1], [1], [1, 2]]}, r"events: t is int64 \(2,\), must be \(1,\) integers"),
        ({"events": [[1], [1], [1], [0.5]]}, "events: t is float64"),
        ({"events": [1, 1, 1, 1]}, r"events: x is int64 \(\), must be \(1,\) integers"),
        ({"size": (3, 2)}, "events: x is in 0 … 3, must be in 0 … 2"),
        ({"events": [[1], [1], [2], [0]]}, "events: p is in 2 … 2, must be in 0 … 1"),
        ({"events": [[1], [1], [1], [-7]]}, "events: t is in -7 … -7, must be 0 or more"),
        ({"ticks": 0}, "ticks must be 1 or more, not 0"),
        ({"tick_us": 0}, "tick_us must be 1 or more, not 0"),
        ({"pool": 0}, "pool must be 1 or more, not 0"),
        ({"minimum": 0}, "minimum must be 1 or more, not 0"),
        ({"crop": (2, 0, 3, 2)}, r"crop: \(2, 0, 3, 2\) is not .* within the sensor's \(4, 2\)"),
    ],
)  # fmt: skip
def test_unfit_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    call: Callable[..., np.ndarray] = bin_events
    with pytest.raises(InputError, match=message) as raised:
        call(**{"events": EVENTS, "size": (4, 2), "ticks": 3} | arguments)
    assert "\n" not in str(raised.value)
