"""The encoders in integers: by hand, against those of floats, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from lifline import encoders
from lifline.encoders import Latency, Rate, SendOnDelta, Threshold, parse
from lifline.errors import InputError, NetworkError


def xorshift16(r: int) -> int:
    r ^= r << 7 & 0xFFFF
    r ^= r >> 9
    return r ^ (r << 8 & 0xFFFF)


def test_rate_by_hand() -> None:
    values = np.array([[200, 100, 0], [255, 1, 128]], np.uint8)
    spikes = Rate(6, seed=25033).encode(values)  # 25033 + 40503 = 2^16: channel 1 starts from 40503
    for channel, r in enumerate((25033, 40503, (25033 + 2 * 40503) % 2**16)):
        for tick in range(6):
            r = xorshift16(r)
            assert list(spikes[:, tick, channel]) == [int(v > r >> 8) for v in values[:, channel]]


def test_rate_of_every_value_over_the_whole_period() -> None:
    """A channel's generator goes through all numbers but 0: so often each value spikes in 65,535 ticks."""
    r, counts = 1, np.zeros(256, int)
    for _ in range(2**16 - 1):
        r = xorshift16(r)
        counts[r >> 8] += 1
    assert r == 1
    assert list(counts) == [255] + [256] * 255


def test_rate_is_as_wide_as_chance() -> None:
    """784 channels of one value: their rates scatter as a binomial does, and neighbours are not correlated."""
    spikes = Rate(100, seed=7).encode(np.full((1, 784), 128))[0].astype(float)
    assert abs(spikes.mean() - 0.5) < 0.01
    assert 0.8 < spikes.mean(axis=0).std() / np.sqrt(0.25 / 100) < 1.2
    assert 0.8 < spikes.mean(axis=1).std() / np.sqrt(0.25 / 784) < 1.2
    centred = spikes - spikes.mean(axis=0)
    for distance in (1, 2, 28):
        correlation = (centred[:, :-distance] * centred[:, distance:]).mean() / 0.25
        assert abs(correlation) < 0.02


def test_rates_that_vary_in_time() -> None:
    values = np.random.default_rng(1).integers(0, 256, (2, 30, 4))
    still = np.broadcast_to(values[:, :1], values.shape)
    assert np.array_equal(Rate(0).encode(still), Rate(30).encode(values[:, 0]))
    assert np.array_equal(Rate(0).encode(values)[:, 0], Rate(30).encode(values[:, 0])[:, 0])


def test_latency_by_hand() -> None:
    # (255 − value) · 3 + 128 reaches 256 at a value of 212, 512 at 127, 768 at 41
    spikes = Latency(4, threshold=10).encode(np.array([[255, 213, 212, 128, 127, 42, 41, 11, 10, 0]]))
    when = np.where(spikes.any(axis=1), spikes.argmax(axis=1), -1)
    assert when.tolist() == [[0, 0, 1, 1, 2, 2, 3, 3, -1, -1]]
    assert spikes.sum() == 8


@pytest.mark.parametrize(("ticks", "earlier"), [(6, 2), (16, 7)])
def test_latency_is_nearly_that_of_floats(ticks: int, earlier: int) -> None:
    values = np.arange(256)[None]
    theirs = encoders.latency(values / 255, ticks).argmax(axis=1)
    ours = Latency(ticks).encode(values).argmax(axis=1)
    assert set((theirs - ours).ravel().tolist()) == {0, 1}
    assert (theirs != ours).sum() == earlier


def test_send_on_delta_is_that_of_floats() -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 256, (20, 30, 5))
    threshold = np.array([0, 5, 60, 200, 255])
    assert np.array_equal(
        SendOnDelta(threshold).encode(values), encoders.send_on_delta(values, threshold)
    )


def test_threshold() -> None:
    values = np.random.default_rng(4).integers(0, 256, (3, 4, 2))
    assert np.array_equal(Threshold(np.array([3, 250])).encode(values), values > [3, 250])


def test_images_are_flattened_channels_last() -> None:
    image = np.random.default_rng(5).integers(0, 256, (2, 4, 3, 2), np.uint8)
    assert np.array_equal(Latency(5).encode(image), Latency(5).encode(image.reshape(2, -1)))


@pytest.mark.parametrize(
    ("text", "encoder"),
    [
        ("rate:ticks=20,seed=7", Rate(20, seed=7)),
        ("latency:ticks=8", Latency(8)),
        ("send-on-delta:threshold=9", SendOnDelta(9)),
        ("Threshold", Threshold()),
    ],
)
def test_parse(text: str, encoder: encoders.Encoder) -> None:
    assert parse(text) == encoder


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("poisson", "encoder 'poisson' is unknown; there are latency, rate, sendondelta, threshold"),
        ("rate", "encoder 'rate': give ticks, as in rate:ticks=20"),
        ("rate:ticks=x", "ticks must be an integer, not 'x'"),
        ("rate:ticks=5000", "encoder 'rate:ticks=5000': Rate: ticks must be in 0 … 4095, not 5000"),
        ("latency:ticks=5,tau=3", "Latency has no 'tau', only ticks, threshold, value_bits"),
    ],
)
def test_parse_refuses(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("encoder", "values", "message"),
    [
        (Rate(3), np.zeros((2, 3)), "dtype is float64, must be integers of 8 bits; scale to 0 … 255"),
        (Rate(3), np.array([[256]]), "values are in 256 … 256, must be in 0 … 255"),
        (Rate(3), np.array([[-1]]), "values are in -1 … -1, must be in 0 … 255"),
        (Rate(3), np.zeros(4, int), r"shape is (4,), must be (samples, channels)"),
        (Threshold(3), np.zeros((4, 2), int), "shape is (4, 2), must be (samples, ticks, channels)"),
        (
            Threshold([1, 2]),
            np.zeros((1, 1, 3), int),
            "threshold must be one integer or have the shape (3,)",
        ),
    ],
)
def test_encode_refuses(encoder: encoders.Encoder, values: np.ndarray, message: str) -> None:
    with pytest.raises(InputError) as caught:
        encoder.encode(values)
    assert message in str(caught.value)


def test_fields_are_checked() -> None:
    with pytest.raises(NetworkError, match="SendOnDelta: threshold must be in 0 … 15, not 16"):
        SendOnDelta(16, value_bits=4)
    with pytest.raises(NetworkError, match="Latency: ticks must be in 1 … 4095, not 0"):
        Latency(0)
