"""Encoders of static values, and their decoders, against examples worked by hand and bounds of theory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lifline import InputError
from lifline.encoders import (
    decode_latency,
    decode_rank_order,
    decode_rate,
    decode_receptive_fields,
    latency,
    rank_order,
    rate,
    receptive_fields,
    regular,
)


def test_latency() -> None:
    # 4 ticks: (1 − value) · 3 is 0, 0.75, 1.5, 2.25, 3; rounded, a half up: 0, 1, 2, 2, 3
    values = np.array([[1.0, 0.75, 0.5, 0.25, 0.0]])
    assert latency(values, 4).tolist() == [
        [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 0]]
    ]
    assert latency(values, 4, threshold=0.25).sum(axis=(0, 1)).tolist() == [1, 1, 1, 0, 0]
    assert latency(values, 1).tolist() == [[[1, 1, 1, 1, 0]]]
    assert latency(values, 4).dtype == np.uint8


def test_regular() -> None:
    # counts after 0, 1, … ticks: floor(value · t / 2 + 0.5)
    values = np.array([[1.0, 0.5, 0.25, 0.0]])
    by_input = regular(values, 8, max_rate=0.5)[0].T.tolist()
    assert by_input == [
        [1, 0, 1, 0, 1, 0, 1, 0],  # 0 1 1 2 2 3 3 4 4
        [0, 1, 0, 0, 0, 1, 0, 0],  # 0 0 1 1 1 1 2 2 2
        [0, 0, 0, 1, 0, 0, 0, 0],  # 0 0 0 0 1 1 1 1 1
        [0, 0, 0, 0, 0, 0, 0, 0],
    ]
    assert regular(values, 3).tolist() == [[[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]]]
    assert regular(values, 3).dtype == np.uint8


def test_rate_is_the_comparison_of_uniform_numbers() -> None:
    values = np.array([[0.0, 0.3, 1.0], [0.9, 0.5, 0.1]])
    spikes = rate(values, 4, np.random.default_rng(5))
    uniform = np.random.default_rng(5).random((2, 4, 3))
    for sample, tick, neuron in np.ndindex(2, 4, 3):
        assert spikes[sample, tick, neuron] == (uniform[sample, tick, neuron] < values[sample, neuron])
    assert spikes.dtype == np.uint8
    assert spikes[0, :, 0].sum() == 0  # never
    assert spikes[0, :, 2].sum() == 4  # always


def test_rate_of_spikes() -> None:
    values = np.array([[0.0, 0.25, 0.5, 1.0]])
    counts = rate(values, 20_000, np.random.default_rng(0), max_rate=0.4).sum(axis=(0, 1))
    expected = 20_000 * 0.4 * values[0]
    spread = np.sqrt(expected * (1 - 0.4 * values[0]))
    assert (np.abs(counts - expected) <= 4 * spread).all()


@pytest.mark.parametrize(
    ("values", "ticks", "message"),
    [
        (np.array(0.5), 4, r"shape is \(\), must be \(samples, inputs\)"),
        (np.array([[16.0]]), 4, "values are in 16 … 16, must be in 0 … 1; scale them first"),
        (np.array([[np.nan]]), 4, "must be in 0 … 1"),
        (np.zeros((1, 3)), 0, "ticks must be 1 or more, not 0"),
    ],
)
def test_unfit_values_are_refused(values: np.ndarray, ticks: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        latency(values, ticks)
    with pytest.raises(InputError, match=message):
        regular(values, ticks)
    with pytest.raises(InputError, match=message):
        rate(values, ticks, np.random.default_rng(0))
    with pytest.raises(InputError, match=message):
        rank_order(values, ticks)


def test_unfit_rate_is_refused() -> None:
    with pytest.raises(InputError, match="max_rate must be in 0 … 1"):
        rate(np.zeros((1, 1)), 4, np.random.default_rng(0), max_rate=1.5)
    with pytest.raises(InputError, match="max_rate must be in 0 … 1"):
        regular(np.zeros((1, 1)), 4, max_rate=-0.1)


def test_rate_is_reproducible() -> None:
    values = np.random.default_rng(0).random((3, 5))
    one, same, other = (rate(values, 50, np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_decode_rate() -> None:
    # 3, 1 and 0 spikes in 4 ticks; at half a spike a tick for 1
    spikes = np.array([[[1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 0, 0]]], np.uint8)
    assert decode_rate(spikes).tolist() == [[0.75, 0.25, 0.0]]
    assert decode_rate(spikes, max_rate=0.5).tolist() == [[1.5, 0.5, 0.0]]


@pytest.mark.parametrize("max_rate", [1.0, 0.5, 0.125])
@pytest.mark.parametrize("ticks", [1, 8, 100])
def test_regular_is_decoded_within_half_a_spike(ticks: int, max_rate: float) -> None:
    values = np.random.default_rng(ticks).integers(0, 1025, (20, 30)) / 1024  # exact in floats
    error = np.abs(decode_rate(regular(values, ticks, max_rate), max_rate) - values)
    assert error.max() * max_rate * ticks <= 0.5 + 1e-9


def test_rate_is_decoded_within_the_spread_of_a_binomial() -> None:
    values = np.random.default_rng(1).random((4, 250))
    decoded = decode_rate(rate(values, 400, np.random.default_rng(2), max_rate=0.5), 0.5)
    spread = np.sqrt(values * 0.5 * (1 - values * 0.5) / 400) / 0.5
    normal = (decoded - values) / spread
    assert np.abs(normal).max() < 5
    assert 0.9 < normal.std() < 1.1


def test_decode_latency() -> None:
    # 5 ticks, first spikes in ticks 0, 1, 4, none: 1 − tick / 4; the second spike in input 1 does not count
    spikes = np.zeros((1, 5, 4), np.uint8)
    spikes[0, [0, 1, 3, 4], [0, 1, 1, 2]] = 1
    assert decode_latency(spikes).tolist() == [[1.0, 0.75, 0.0, 0.0]]
    assert decode_latency(np.ones((1, 1, 2), np.uint8)).tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize("ticks", [2, 9, 100])
def test_latency_is_decoded_within_half_a_tick(ticks: int) -> None:
    values = np.random.default_rng(ticks).integers(0, 1025, (20, 30)) / 1024
    spikes = latency(values, ticks)
    assert np.array_equal(spikes.sum(axis=1), values > 0)
    assert np.abs(decode_latency(spikes) - values).max() * (ticks - 1) <= 0.5 + 1e-9


def test_rank_order() -> None:
    # from the greatest to the least: inputs 3, 0, 2 (of the equal two the first), 4; input 1 does not spike
    values = np.array([[0.75, 0.0, 0.5, 1.0, 0.5]])
    assert rank_order(values, 5).tolist() == [
        [[0, 0, 0, 1, 0], [1, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]
    ]
    # groups of two, every second tick; and 3 ticks are too few for the ranks 4 and 5
    assert rank_order(values, 3, every=2, group=2).tolist() == [
        [[1, 0, 0, 1, 0], [0, 0, 0, 0, 0], [0, 0, 1, 0, 1]]
    ]
    assert rank_order(values, 2, threshold=0.75).tolist() == [[[0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]]
    assert rank_order(values, 2).dtype == np.uint8
    # equal values, by their index
    assert np.array_equal(rank_order(np.full((1, 500), 0.5), 500)[0], np.eye(500))


def test_decode_rank_order() -> None:
    # input 2 is first: 1; 0 and 3 follow one: 1/2 each; input 1 follows three: 1/8; input 4 is silent
    spikes = np.zeros((1, 4, 5), np.uint8)
    spikes[0, [0, 2, 2, 3, 3], [2, 0, 3, 1, 2]] = 1  # the last is a second spike, which is ignored
    assert decode_rank_order(spikes, 0.5).tolist() == [[0.5, 0.125, 1.0, 0.5, 0.0]]


def test_rank_order_is_decoded_in_order() -> None:
    rng = np.random.default_rng(3)
    values = rng.permuted(np.tile(0.5 ** np.arange(30), (20, 1)), axis=1)
    assert np.array_equal(decode_rank_order(rank_order(values, 30), 0.5), values)
    assert np.array_equal(decode_rank_order(rank_order(values, 90, every=3), 0.5), values)
    # only the order counts
    assert np.array_equal(rank_order(values, 30), rank_order(np.sqrt(values) / 2, 30))


def test_receptive_fields() -> None:
    # 4 fields over 0 … 2: the centres are 1 apart, at −0.5, 0.5, 1.5, 2.5, and 1/1.5 wide; 0.5 is on the second
    # centre, and 1, 2 distances from the others: exp(−(1.5 · d)² / 2)
    one, two = np.exp(-(1.5**2) / 2), np.exp(-(3.0**2) / 2)
    answers = receptive_fields(np.array([[0.5, 1.5]]), 4, high=2)
    assert np.allclose(answers, [[one, 1, one, two, two, one, 1, one]], rtol=1e-15)
    # spikes by latency: 1 − one = 0.675 and 1 − two = 0.989 of 9 ticks are 6.08 and 8.9
    spikes = latency(answers, 10, threshold=0.1)
    assert [np.flatnonzero(row).tolist() for row in spikes[0].T] == [
        [6], [0], [6], [], [], [6], [0], [6],
    ]  # fmt: skip
    # the centre of mass of 1 at −0.5, 2 at 0.5 and 1 at 2.5: (−0.5 + 1 + 2.5) / 4
    answers = np.array([[0.5, 1, 0, 0.5], [0, 0, 0, 0]])
    assert decode_receptive_fields(answers, 4, high=2).tolist() == [[0.75], [1.0]]


@pytest.mark.parametrize("fields", [3, 6, 20])
def test_receptive_fields_are_decoded_by_their_centre_of_mass(fields: int) -> None:
    low, high = np.array([-1.0, 10.0]), np.array([1.0, 40.0])
    spacing = (high - low) / (fields - 2)
    part = np.linspace(0, 1, 301)[:, None]
    values = np.clip(low + (high - low) * part, low, high)
    decoded = decode_receptive_fields(receptive_fields(values, fields, low, high), fields, low, high)
    error = np.abs(decoded - values) / spacing
    # The first field that is missing is 1.5 distances away from an end of the range, and a sum of all fields is
    # √(2π) / 1.5: exp(−(1.5 · 1.5)² / 2) · 1.5 / 1.671 = 0.0715, and the next one adds 0.0013.
    assert 0.07 < error.max() < 0.08
    inner = (values - low >= 2 * spacing) & (high - values >= 2 * spacing)
    assert (error[inner] < 0.001).all()
    assert inner.any() == (fields >= 6)


def test_receptive_fields_through_spikes() -> None:
    values = np.random.default_rng(4).uniform(-3, 5, (50, 4))
    answers = receptive_fields(values, 8, -3, 5)
    spacing = 8 / 6
    for decoded, error in (
        # An answer is off by up to half a tick of 999, or half a spike of 1000: 8 of them, up to 7 distances
        # away, over the answers' sum, which is at least 1.5 at the ends of the range.
        (decode_latency(latency(answers, 1000)), 0.5 / 999),
        (decode_rate(regular(answers, 1000)), 0.5 / 1000),
    ):
        bound = (0.08 + error * sum(range(8)) / 1.5) * spacing
        assert np.abs(decode_receptive_fields(decoded, 8, -3, 5) - values).max() < bound


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: decode_rate(np.zeros((2, 3))),
            r"spikes: shape is \(2, 3\), must be \(samples, ticks, inputs\)",
        ),
        (lambda: decode_rate(np.zeros((1, 2, 3))), "spikes: dtype is float64"),
        (
            lambda: decode_latency(np.full((1, 2, 3), 2)),
            r"spikes: value 2 at \(0, 0, 0\), must be 0 or 1",
        ),
        (lambda: decode_latency(np.zeros((1, 0, 3), np.uint8)), "with 1 tick or more"),
        (lambda: decode_rate(np.zeros((1, 2, 3), np.uint8), 0), "max_rate must be above 0 and up to 1"),
        (lambda: rank_order(np.zeros((1, 3)), 4, every=0), "every must be 1 or more, not 0"),
        (lambda: rank_order(np.zeros((1, 3)), 4, group=-1), "group must be 1 or more, not -1"),
        (
            lambda: decode_rank_order(np.zeros((1, 2, 3), np.uint8), 1),
            "modulation must be between 0 and 1",
        ),
        (
            lambda: receptive_fields(np.zeros(3), 4),
            r"values: shape is \(3,\), must be \(samples, inputs\)",
        ),
        (lambda: receptive_fields(np.zeros((1, 3)), 2), "fields must be 3 or more, not 2"),
        (
            lambda: receptive_fields(np.full((1, 3), 1.5), 4),
            r"in 1.5 … 1.5, must be in low … high; widen",
        ),
        (lambda: receptive_fields(np.full((1, 3), np.nan), 4), "must be in low … high"),
        (lambda: receptive_fields(np.zeros((1, 3)), 4, low=1), "low must be less than high"),
        (
            lambda: receptive_fields(np.zeros((1, 3)), 4, high=np.ones(2)),
            r"high: shape is \(2,\), .* fit \(3,\)",
        ),
        (lambda: receptive_fields(np.zeros((1, 3)), 4, beta=0), "beta must be above 0, not 0"),
        (
            lambda: decode_receptive_fields(np.zeros((1, 9)), 4),
            "9 columns are not whole groups of 4 fields",
        ),
    ],
)
def test_unfit_arguments_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        call()
    assert "\n" not in str(raised.value)
