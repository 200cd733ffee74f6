"""Products of spikes and weights: each of the three ways gives the same sums."""

from __future__ import annotations

import numpy as np
import pytest

from lifline.golden import product
from lifline.golden.product import Spikes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("largest", [1, 128, 8191])
@pytest.mark.parametrize(
    ("shape", "targets"),
    [((1, 1, 1), 1), ((5, 3, 7), 2), ((4, 9, 40), 33), ((25, 16, 300), 150), ((1, 64, 512), 64)],
)
def test_products_of_every_density(
    shape: tuple[int, int, int], targets: int, largest: int, dtype: type
) -> None:
    rng = np.random.default_rng(1)
    weights = rng.integers(-largest, largest + 1, (shape[2], targets)).astype(np.int16)
    pictures = rng.random((1, *shape[1:])) < 0.1  # few sources are used, in many ticks
    crowded = np.arange(shape[1])[:, None] == 0  # one row has all events
    for spikes in (
        np.zeros(shape, bool),
        np.ones(shape, bool),
        np.broadcast_to(crowded, shape),
        pictures & (rng.random(shape) < 0.7),
        *(rng.random(shape) < density for density in (0.001, 0.01, 0.05, 0.3, 0.9)),
    ):
        expected = spikes.astype(np.int64) @ weights.astype(np.int64)
        swapped = np.ascontiguousarray(spikes.swapaxes(0, 1)).swapaxes(0, 1)
        for prepared in (Spikes(np.ascontiguousarray(spikes)), Spikes(swapped)):
            product = prepared.times(weights, dtype)
            assert np.array_equal(product, expected)
            for way in (prepared._of_matrices, prepared._of_used, prepared._of_events):
                product = way(weights, dtype).reshape(*prepared.batch.shape[:2], targets)
                assert np.array_equal(product.swapaxes(0, 1) if prepared.swapped else product, expected)


@pytest.mark.parametrize("weight", [-128, 127, -(2**15), 2**15 - 1])
@pytest.mark.parametrize("events", [1, 2, 255, 256, 257, 259])
def test_products_at_the_edge_of_sixteen_bits(weight: int, events: int) -> None:
    spikes = (np.arange(300) < events)[None, None]
    product = Spikes(spikes)._of_events(np.full((300, 3), weight, np.int16), np.float32)
    assert product.tolist() == [[events * weight] * 3]


@pytest.mark.parametrize("density", [0.01, 0.2])
def test_products_without_scipy(density: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product, "scipy_sparse", lambda: None)
    rng = np.random.default_rng(1)
    weights = rng.integers(-128, 128, (300, 40)).astype(np.int16)
    for samples in (2, 70):
        spikes = rng.random((9, samples, 300)) < density
        assert np.array_equal(
            Spikes(spikes).times(weights, np.float32), spikes.astype(int) @ weights.astype(int)
        )
