"""Codes in one call, snnTorch's names, and the shapes that every encoder of static values takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from snntorch import spikegen

from lifline import encoders
from lifline.errors import InputError

RNG = np.random.default_rng(11)
VALUES = RNG.random((6, 10))


def test_burst_by_hand() -> None:
    # 1: 5 spikes, every 2 ticks; 0.5: 3 spikes, every ceil(10 − 8 · 0.5) = 6; 0.1: one; 0: none
    spikes = encoders.burst(np.array([1.0, 0.5, 0.1, 0.0]), 10)
    assert [np.flatnonzero(column).tolist() for column in spikes.T] == [
        [0, 2, 4, 6, 8],
        [0, 6],
        [0],
        [],
    ]


def test_phase_by_hand() -> None:
    spikes = encoders.phase(np.array([0.625, 1.0, 0.0]), 5, phases=3)  # 101 10, 111 11, 000 00
    assert spikes.T.tolist() == [[1, 0, 1, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]
    spikes = encoders.phase(VALUES, 16, phases=8)
    error = VALUES - encoders.decode_phase(spikes, phases=8)
    assert error.min() >= 0
    assert error.max() < 2**-8


def test_population_is_fields_and_latency() -> None:
    answers = encoders.receptive_fields(VALUES, 6)
    assert np.array_equal(encoders.population(VALUES, 12, 6), encoders.latency(answers, 12, 0.05))
    assert np.array_equal(
        encoders.population(VALUES, 12, 6, code=encoders.regular), encoders.regular(answers, 12)
    )
    assert np.array_equal(encoders.population(VALUES[0], 12, 6), encoders.population(VALUES, 12, 6)[0])


@pytest.mark.parametrize("name", ["rate", "regular", "latency", "rank_order", "burst", "phase"])
def test_images_and_one_sample(name: str) -> None:
    encode = getattr(encoders, name)
    more = (5,) if name == "rate" else ()
    images = RNG.random((3, 4, 5, 2))
    whole = encode(images, 7, *more)
    assert whole.shape == (3, 7, 40)
    assert np.array_equal(whole, encode(images.reshape(3, -1), 7, *more))
    assert np.array_equal(whole[0], encode(images[0].ravel(), 7, *more))
    assert np.array_equal(whole, encode(torch.from_numpy(images), 7, *more))


def test_an_int_is_a_seed() -> None:
    assert np.array_equal(
        encoders.rate(VALUES, 9, 3), encoders.rate(VALUES, 9, np.random.default_rng(3))
    )


def test_rates_that_vary_in_time() -> None:
    series = RNG.random((4, 9, 3))
    spikes = encoders.rate(series, None, 3, max_rate=0.5)
    assert np.array_equal(spikes, np.random.default_rng(3).random(series.shape) < 0.5 * series)
    with pytest.raises(InputError, match=r"must be \(samples, ticks, inputs\), or ticks must be given"):
        encoders.rate(VALUES, None, 3)


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize(("tau", "normalize"), [(None, True), (3.0, False), (7.5, True)])
def test_latency_is_that_of_snntorch(linear: bool, tau: float | None, normalize: bool) -> None:
    """But for values at the threshold, and times at a half, which are rounded otherwise."""
    values = RNG.random((8, 50))
    values[0, 0] = (
        0.0  # so that snnTorch, which scales by what is there, scales by the latest that can be
    )
    expected = spikegen.latency(
        torch.from_numpy(values), num_steps=20, threshold=0.02, tau=tau or 1, linear=linear,
        normalize=normalize, clip=True, bypass=True,
    )  # fmt: skip
    spikes = encoders.latency(values, 20, 0.02, tau=tau, linear=linear, normalize=normalize)
    if linear and normalize:  # snnTorch's latest is that of the threshold, ours of 0; both are clipped
        assert spikes.sum() == expected.sum()
    assert np.array_equal(spikes, expected.numpy().swapaxes(0, 1))


@pytest.mark.parametrize("padding", [True, False])
@pytest.mark.parametrize("off_spike", [True, False])
def test_delta_is_that_of_snntorch(padding: bool, off_spike: bool) -> None:
    series = RNG.random((5, 20, 3))
    expected = spikegen.delta(
        torch.from_numpy(series).swapaxes(0, 1), threshold=0.1, padding=padding, off_spike=off_spike
    )
    spikes = encoders.delta(series, 0.1, padding=padding, off_spike=off_spike).astype(int)
    if off_spike:
        spikes = spikes[:, :, :3] - spikes[:, :, 3:]
    assert np.array_equal(spikes, expected.numpy().swapaxes(0, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: encoders.latency(VALUES, 9, tau=0), "tau must be a number of ticks above 0, not 0"),
        (
            lambda: encoders.latency(VALUES, 9, linear=False),
            "threshold must be between 0 and 1 where linear",
        ),
        (lambda: encoders.phase(VALUES, 9, phases=0), "phases must be in 1 … 32, not 0"),
        (
            lambda: encoders.burst(VALUES, 9, shortest=10),
            "longest must be shortest, 10, or more, not 9",
        ),
        (lambda: encoders.burst(VALUES, 9, spikes=0), "spikes must be 1 or more, not 0"),
    ],
)
def test_refused(call: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        call()  # type: ignore[operator]
    assert message in str(caught.value)
