"""Encoders against examples worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lifline import InputError
from lifline.train.encoders import latency, rate, regular


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
        (np.zeros(3), 4, r"shape is \(3,\), must be \(samples, inputs\)"),
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


def test_unfit_rate_is_refused() -> None:
    with pytest.raises(InputError, match="max_rate must be in 0 … 1"):
        rate(np.zeros((1, 1)), 4, np.random.default_rng(0), max_rate=1.5)
    with pytest.raises(InputError, match="max_rate must be in 0 … 1"):
        regular(np.zeros((1, 1)), 4, max_rate=-0.1)
