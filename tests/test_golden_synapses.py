"""The golden engine's products of spikes with convolutions and lists of synapses: each way gives the same sums."""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from lifline import Convolution, Network, Population, Projection, Sparse, average_pool, golden
from lifline.golden import product
from lifline.golden.product import Spikes
from lifline.golden.synapses import Kernel, List, Matrix, operators
from lifline.golden.synapses import convolution as ways
from lifline.neurons import LIF
from lifline.synapses import Synapses

from .test_synapses import drawn


def spikes_of(
    rng: np.random.Generator, shape: tuple[int, int, int], density: float, most: int
) -> list[Spikes]:
    """Spikes (ticks, samples, sources), contiguous and swapped, graded where `most` > 1."""
    spikes = rng.random(shape) < density
    if most > 1:
        spikes = (spikes * rng.integers(1, most + 1, shape)).astype(np.uint8)
    return [Spikes(spikes), Spikes(np.ascontiguousarray(spikes.swapaxes(0, 1)).swapaxes(0, 1))]


def by_matrices(synapses: Synapses, spikes: Spikes) -> dict[int, np.ndarray]:
    weights, delays = synapses.dense()
    return {
        int(delay): spikes.spikes.astype(int) @ (weights * (delays == delay))
        for delay in np.unique(delays)
    }


@pytest.mark.parametrize("most", [1, 7, 255])
@pytest.mark.parametrize("seed", range(20))
def test_convolutions_by_every_way(seed: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "AT_ONCE", 300)  # a few rows at once
    rng = np.random.default_rng(seed)
    kernel, source = drawn(rng)
    if seed % 2 and kernel.weights.shape[2] > 1:
        kernel = dataclasses.replace(kernel, groups=1)
    source = (*source[:2], kernel.weights.shape[2] * kernel.groups)
    synapses = kernel.bound(source, kernel.output_shape(source))
    for density in (0.0, 0.03, 0.4, 1.0):
        for spikes in spikes_of(rng, (3, 5, int(np.prod(source))), density, most):
            expected = by_matrices(synapses, spikes)
            for delay, operator in operators(synapses):
                zeros = np.zeros((3, 5, synapses.shape[1]), int)
                sums = expected.pop(delay, zeros)
                for dtype in (np.float32, np.float64):
                    assert np.array_equal(operator.times(spikes, dtype), sums)
                    if not isinstance(operator, Kernel):
                        continue
                    width = operator.target[1]
                    tiles = {width, *range(1, min(4, width))}
                    products = [operator._of_events(spikes, dtype, tile) for tile in tiles]
                    for found in [operator._of_patches(spikes, dtype), *products]:
                        assert np.array_equal(spikes.of_rows(found, sums.shape[2]), sums)
            assert not any(rest.any() for rest in expected.values())


@pytest.mark.parametrize("most", [1, 255])
@pytest.mark.parametrize("seed", range(10))
def test_lists_by_every_way(seed: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lifline.golden.synapses.sparse.ENTRIES", 40)
    rng = np.random.default_rng(seed)
    there = rng.random((23, 17)) < 0.2
    j, i = np.nonzero(there)
    w = rng.integers(-128, 128, len(j))
    synapses = Sparse(j, i, w, rng.integers(0, 3, len(j))).bound((23,), (17,))
    for spikes in spikes_of(rng, (4, 6, 23), rng.choice([0.02, 0.5]), most):
        expected = by_matrices(synapses, spikes)
        found = operators(synapses)
        assert [delay for delay, _ in found] == list(expected)
        for delay, operator in found:
            assert isinstance(operator, List)
            sums = expected[delay]
            assert np.array_equal(operator.times(spikes, np.float32), sums)
            weights = np.zeros((23, 17), np.int32)
            weights[operator.j, operator.i] = operator.w
            matrix = product.scipy_sparse().csr_array(weights)  # type: ignore[union-attr]
            for way in (operator._of_events, operator._of_synapses):
                assert np.array_equal(spikes.of_rows(way(spikes, matrix, np.dtype(np.int32)), 17), sums)
            assert np.array_equal(spikes.of_rows(operator._by_columns(spikes, np.float32), 17), sums)


def test_a_small_list_is_a_matrix() -> None:
    (found,) = operators(Sparse([0, 1], [1, 0], [2, 3], 4).bound((2,), (2,)))
    assert found[0] == 4
    assert isinstance(found[1], Matrix)
    assert found[1].weights.tolist() == [[0, 2], [3, 0]]


@pytest.mark.parametrize("weight", [-128, 127, -(2**15), 2**15 - 1])
@pytest.mark.parametrize("events", [1, 2, 255, 256, 257, 259])
def test_convolutions_at_the_edge_of_sixteen_bits(weight: int, events: int) -> None:
    kernel = Convolution(np.full((1, 300, 1, 2), weight), weight_bits=16).bound((1, 300, 1), (1, 1, 2))
    spikes = Spikes((np.arange(300) < events)[None, None])
    ((_, operator),) = operators(kernel)
    assert isinstance(operator, Kernel)
    assert operator._of_events(spikes, np.float32, 1).reshape(-1).tolist() == [events * weight] * 2


@pytest.mark.parametrize("make", [lambda: layers(3), lambda: layers(2, 4)])
def test_without_scipy(make: Callable[[], Network], monkeypatch: pytest.MonkeyPatch) -> None:
    network = make()
    spikes = (np.random.default_rng(1).random((3, 6, network.inputs)) < 0.1).astype(np.uint8)
    spikes *= network.largest_value("input")
    expected = golden.simulate(network, spikes)
    for module in (product, ways):
        monkeypatch.setattr(module, "scipy_sparse", lambda: None)
    monkeypatch.setattr("lifline.golden.synapses.sparse.scipy_sparse", lambda: None)
    assert expected.compare(golden.simulate(network, spikes)) is None


def layers(size: int, input_bits: int = 1, side: int = 12) -> Network:
    """A convolution, a pool, and a list of synapses."""
    rng = np.random.default_rng(7)
    kernel = Convolution(rng.integers(-40, 60, (size, size, 1, 6)), padding=1)
    of = kernel.output_shape((side, side, 1))
    pool = average_pool(2, channels=6)
    pooled = pool.output_shape(of)
    count = int(np.prod(pooled))
    return Network(
        (side, side, 1),
        [
            Population("a", of, LIF(200, 60)),
            Population("b", pooled, LIF(200, 1)),
            Population("c", 40, LIF(200, 30)),
        ],
        [
            Projection("input", "a", kernel),
            Projection("a", "b", pool),
            Projection("b", "c", Sparse(np.arange(count), np.arange(count) % 40, [9] * count)),
        ],
        "c",
        input_bits=input_bits,
    )


def test_memory_is_bounded() -> None:
    """A map of 240 × 240, whose matrix would have 33·10⁹ entries."""
    network = layers(5, side=240)
    rng = np.random.default_rng(2)
    for density in (0.01, 0.5):
        spikes = (rng.random((1, 4, network.inputs)) < density).astype(np.uint8)
        tracemalloc.start()
        golden.simulate(network, spikes)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 400e6, f"{most / 1e6:.0f} MB"
