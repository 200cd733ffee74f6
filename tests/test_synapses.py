# ruff: noqa: E501 -- a table of mistakes and messages
"""Synapse structures: convolutions, pools and lists of synapses are what their docstrings say."""

from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import (
    LIF,
    Convolution,
    Dense,
    InputError,
    Network,
    NetworkError,
    Population,
    Projection,
    Sparse,
    average_pool,
    fuse,
    golden,
    sum_pool,
)
from lifline.files import check_spikes
from lifline.synapses import Synapses

from .toy_synapses import Diagonal

Shape = tuple[int, int, int]


def by_the_equation(kernel: Convolution, source: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Weights, delays (source size, target size) of a convolution, loop by loop from its docstring; −1: no synapse."""
    height, width, _ = source
    rows, columns, ins, outs = kernel.weights.shape
    out = [
        (source[a] + 2 * kernel.padding[a] - kernel.dilation[a] * (kernel.weights.shape[a] - 1) - 1)
        // kernel.stride[a]
        + 1
        for a in range(2)
    ]
    weights = np.zeros((*source, *out, outs), int)
    delays = np.full(weights.shape, -1)
    for to_y, to_x, ky, kx, c, o in np.ndindex(*out, rows, columns, ins, outs):
        y = to_y * kernel.stride[0] + ky * kernel.dilation[0] - kernel.padding[0]
        x = to_x * kernel.stride[1] + kx * kernel.dilation[1] - kernel.padding[1]
        if 0 <= y < height and 0 <= x < width:
            g = o // (outs // kernel.groups)
            weights[y, x, g * ins + c, to_y, to_x, o] = kernel.weights[ky, kx, c, o]
            delays[y, x, g * ins + c, to_y, to_x, o] = kernel.delays[ky, kx, c, o]
    return (
        weights.reshape(np.prod(source), -1),
        delays.reshape(np.prod(source), -1),
    )


def drawn(rng: np.random.Generator) -> tuple[Convolution, Shape]:
    """A convolution with any of its options, and the shape of a source for it."""
    groups = int(rng.integers(1, 4))
    ins, outs = int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    one_d = rng.random() < 0.3
    size = np.array([1 if one_d else rng.integers(1, 4), rng.integers(1, 4)])
    dilation = rng.integers(1, 3, size=2)
    padding = rng.integers(0, 3, size=2) * [not one_d, 1]
    extent = dilation * (size - 1) + 1
    source = np.maximum(extent - 2 * padding, 1) + rng.integers(0, 5, size=2) * [not one_d, 1]
    shape = (*size, ins, outs)
    delays = [3, rng.integers(0, 5, size=size), rng.integers(0, 5, size=shape)][int(rng.integers(3))]
    kernel = Convolution(
        rng.integers(-8, 8, size=shape),
        stride=tuple(int(s) for s in rng.integers(1, 4, size=2)),
        padding=tuple(int(p) for p in padding),
        dilation=tuple(int(d) for d in dilation),
        groups=groups,
        delays=delays,
        weight_bits=4,
    )
    return kernel, (int(source[0]), int(source[1]), ins * groups)


@pytest.mark.parametrize("seed", range(60))
def test_a_convolution_is_its_equation(seed: int) -> None:
    kernel, source = drawn(np.random.default_rng(seed))
    synapses = kernel.bound(source, kernel.output_shape(source))
    weights, delays = by_the_equation(kernel, source)
    assert synapses.shape == weights.shape
    there = delays >= 0
    assert synapses.count == there.sum()
    is_the_same(synapses, weights, np.where(there, delays, 0))


def is_the_same(synapses: Synapses, weights: np.ndarray, delays: np.ndarray) -> None:
    for found, expected in zip(synapses.dense(), (weights, delays), strict=True):
        assert found.dtype == np.int64
        assert np.array_equal(found, expected)
    one_by_one = [[synapses.synapse(j, i) for i in range(len(weights[0]))] for j in range(len(weights))]
    assert np.array_equal(one_by_one, np.stack([weights, delays], axis=-1))
    lowest, highest = synapses.current_range()
    assert np.array_equal(lowest, np.minimum(weights, 0).sum(axis=0))
    assert np.array_equal(highest, np.maximum(weights, 0).sum(axis=0))
    for stored, matrix in zip(synapses.stored(), (weights, delays), strict=True):
        assert np.array_equal(synapses.per_source(stored), matrix.sum(axis=1))
        assert np.array_equal(synapses.per_target(stored), matrix.sum(axis=0))
    for i in range(len(weights[0])):
        sources, *of_each = synapses.into(i)
        assert len(set(sources.tolist())) == len(sources)
        for matrix, values in zip((weights, delays), of_each, strict=True):
            assert np.array_equal(matrix[sources, i], values)
            assert not np.delete(matrix[:, i], sources).any()


@pytest.mark.parametrize("seed", range(30))
def test_sparse_is_its_list(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 9, size=2)
    places = rng.permutation(sizes.prod())[: int(rng.integers(1, sizes.prod() + 1))]
    sources, targets = places // sizes[1], places % sizes[1]
    weights, delays = rng.integers(-8, 8, len(places)), rng.integers(0, 9, len(places))
    synapses = Sparse(sources, targets, weights, delays, 4).bound((sizes[0],), (sizes[1],))
    matrices = np.zeros((2, *sizes), int)
    matrices[:, sources, targets] = weights, delays
    assert synapses.count == len(places)
    assert synapses.delay_range == (delays.min(), delays.max())
    is_the_same(synapses, *matrices)
    again = rng.permutation(len(places))
    assert synapses == Sparse(sources[again], targets[again], weights[again], delays[again], 4)


def test_what_a_kind_need_not_say() -> None:
    """Dense, and a kind from outside that has no more than a matrix."""
    rng = np.random.default_rng(1)
    weights, delays = rng.integers(-9, 9, (4, 3)), rng.integers(0, 5, (4, 3))
    is_the_same(Dense(weights, delays).bound((4,), (3,)), weights, delays)
    diagonal = Diagonal([3, -4]).bound((2,), (2,))
    is_the_same(diagonal, np.diag([3, -4]), np.zeros((2, 2), int))


def test_memory_is_the_kernels() -> None:
    kernel = Convolution(np.ones((3, 3, 2, 4), int), delays=np.arange(9).reshape(3, 3), weight_bits=5)
    assert kernel.delay_per_position
    assert kernel.memory_bits == 72 * 5 + 9 * 4
    per_weight = Convolution(kernel.weights, delays=np.arange(72).reshape(3, 3, 2, 4))
    assert not per_weight.delay_per_position
    assert per_weight.memory_bits == 72 * (8 + 7)
    listed = Sparse([0, 1], [4, 2], [1, 1], [0, 3], 6).bound((10,), (5,))
    assert listed.memory_bits == 2 * (6 + 3 + 2) + 11 * 2


def composed(first: Convolution, second: Convolution, source: Shape) -> dict[int, np.ndarray]:
    """For each delay the matrix of weights of two structures in a row."""
    middle = first.output_shape(source)
    pool = first.bound(source, middle)
    after = second.bound(middle, second.output_shape(middle))
    return by_delay(pool, after)


def by_delay(*chain: Synapses) -> dict[int, np.ndarray]:
    total: dict[int, np.ndarray] = {0: np.eye(chain[0].shape[0])}
    for synapses in chain:
        weights, delays = synapses.dense()
        after: dict[int, np.ndarray] = {}
        for delay, matrix in total.items():
            for d in np.unique(delays):
                product = matrix @ (weights * (delays == d))
                after[delay + d] = after.get(delay + d, 0) + product
        total = after
    return {delay: matrix for delay, matrix in total.items() if matrix.any()}


def pool_and_convolution(rng: np.random.Generator) -> tuple[Convolution, Convolution, Shape]:
    channels, window = 2 * int(rng.integers(1, 3)), rng.integers(1, 4, size=2)
    pool = sum_pool(
        tuple(window.tolist()),
        None if rng.random() < 0.7 else int(rng.integers(1, 4)),
        channels=channels,
        delays=int(rng.integers(3)),
        weight=int(rng.integers(1, 4)),
    )
    size, groups = rng.integers(1, 4, size=2), int(rng.integers(1, 3))
    kernel = Convolution(
        rng.integers(-8, 8, size=(*size, channels // groups, 2 * groups)),
        stride=int(rng.integers(1, 3)),
        padding=int(rng.integers(0, 2)),
        dilation=int(rng.integers(1, 3)),
        groups=groups,
        delays=[2, rng.integers(3, size=size)][int(rng.integers(2))],
    )
    return pool, kernel, (int(rng.integers(15, 19)), int(rng.integers(15, 19)), channels)


def test_a_pool_and_a_convolution_fuse() -> None:
    print("seed 1")
    rng = np.random.default_rng(1)
    fused_ones, reasons = 0, set[str]()
    for _ in range(30):
        pool, kernel, source = pool_and_convolution(rng)
        try:
            fused = fuse(pool, kernel, source)
        except NetworkError as error:
            reasons.add(str(error).split(":")[1][:10])
            continue
        assert fused.output_shape(source) == kernel.output_shape(pool.output_shape(source))
        expected = composed(pool, kernel, source)
        found = by_delay(fused.bound(source, fused.output_shape(source)))
        assert expected.keys() == found.keys()
        assert all(np.array_equal(expected[delay], found[delay]) for delay in expected)
        fused_ones += 1
    assert fused_ones >= 12
    assert reasons == {" along x t", " along y t"}


def test_most_pools_fuse_into_the_kernel_that_one_expects() -> None:
    fused = fuse(sum_pool(2, channels=3), Convolution(np.ones((3, 3, 3, 5), int), padding=1), (8, 8, 3))
    assert fused.weights.shape == (6, 6, 3, 5)
    assert (fused.stride, fused.padding, fused.dilation) == ((2, 2), (2, 2), (1, 1))


def test_an_average_is_exact() -> None:
    pool = average_pool((2, 3), channels=1, one=12)
    assert pool.weights.reshape(-1).tolist() == [2] * 6
    assert (pool.stride, pool.weight_bits) == ((2, 3), 3)
    assert average_pool(2, channels=4).weights.max() == 1
    spikes = np.array([[[1, 1, 0], [0, 1, 0]]])
    network = Network(
        (2, 3, 1),
        [Population("p", (1, 1, 1), LIF(0, 5, membrane_bits=8, reset="none"))],
        [Projection("input", "p", pool)],
        "p",
    )
    assert golden.simulate(network, spikes.reshape(1, 6)).membrane["p"] == 12 * spikes.mean()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Convolution(np.ones((3, 3, 2), int)), "Convolution: weights must have the shape (ky, kx, channels in / groups, channels out), not (3, 3, 2)"),
        (lambda: Convolution(np.ones((1, 1, 1, 1), int), stride=0), "Convolution: stride must be in 1 … 32767, not 0"),
        (lambda: Convolution(np.ones((1, 1, 1, 1), int), stride=(1, 2, 3)), "Convolution: stride must be one integer or (y, x), not (1, 2, 3)"),
        (lambda: Convolution(np.ones((1, 1, 1, 1), int), padding=-1), "Convolution: padding must be in 0 … 32767, not -1"),
        (lambda: Convolution(np.ones((1, 1, 1, 1), int), padding="same"), "Convolution: padding must be an integer, not 'same'"),
        (lambda: Convolution(np.ones((1, 1, 1, 1), int), dilation=1.5), "Convolution: dilation must be an integer, not 1.5"),
        (lambda: Convolution(np.ones((1, 1, 1, 3), int), groups=2), "Convolution: groups must divide the channels out, 3, not 2"),
        (lambda: Convolution(np.ones((2, 3, 1, 4), int), delays=[[1, 2]]), "Convolution: delays must be one integer or have the shape (2, 3) or (2, 3, 1, 4), not (1, 2)"),
        (lambda: Convolution(np.ones((2, 3, 1, 4), int), delays=[1, 2]), "Convolution: delays must be one integer or have the shape (ky, kx) or (ky, kx, channels in / groups, channels out), not (2,)"),
        (lambda: Convolution(np.full((1, 1, 1, 1), 128)), "Convolution: weights must be in -128 … 127, not 128 at (0, 0, 0, 0)"),
        (lambda: between(Convolution(np.ones((1, 1, 1, 1), int)), 9, (3, 3, 1)), "projection 'input -> p': Convolution: its source must have a shape (height, width, channels), not (9,): give it in place of the size"),
        (lambda: between(Convolution(np.ones((1, 1, 2, 2), int), groups=2), (3, 3, 3), (3, 3, 2)), "projection 'input -> p': Convolution: weights are for 4 channels (axis 2, 2, times groups, 2), the source has the shape (3, 3, 3)"),
        (lambda: between(Convolution(np.ones((3, 2, 1, 1), int), dilation=(2, 1), padding=(0, 1)), (4, 4, 1), 9), "projection 'input -> p': Convolution: the kernel's height, 5 with its dilation, is more than the padded map's, 4: its source has the shape (4, 4, 1)"),
        (lambda: between(Convolution(np.ones((2, 2, 1, 1), int)), (4, 4, 1), (4, 4, 1)), "projection 'input -> p': Convolution: of the shape (4, 4, 1) it makes (3, 3, 1), the target has (4, 4, 1)"),
        (lambda: Convolution(np.ones((2, 2, 1, 1), int)).dense(), "Convolution: the shapes of its source and target are not known"),
        (lambda: Sparse([0, 1], [0], [1, 2]), "Sparse: targets must have the shape of sources, (2,), not (1,)"),
        (lambda: Sparse([0, 1, 0], [2, 1, 2], [1, 2, 1]), "Sparse: there are two synapses from 0 to 2: give one, or two projections"),
        (lambda: Sparse([-1], [2], [1]), "Sparse: sources must be in 0 … 2147483646, not -1 at (0,)"),
        (lambda: Sparse([], [], []), "Sparse: sources must be integers, not float64; round and cast them first"),
        (lambda: Sparse(np.array([], int), np.array([], int), np.array([], int)), "Sparse: sources must not be empty: its shape is (0,)"),
        (lambda: between(Sparse([3], [0], [1]), 3, 1), "projection 'input -> p': Sparse: sources must be in 0 … 2, not 3"),
        (lambda: between(Sparse([2], [4], [1]), 3, 4), "projection 'input -> p': Sparse: targets must be in 0 … 3, not 4"),
        (lambda: average_pool(3, channels=1, one=10), "average_pool: one must be a multiple of the window's size, 9, not 10: else no integer weight is the quotient"),
        (lambda: sum_pool((2, 0), channels=1), "pool: size must be in 1 … 32767, not 0"),
        (lambda: sum_pool(2, channels=0), "sum_pool: channels must be in 1 … 2147483647, not 0"),
        (lambda: fuse(Convolution(np.ones((2, 2, 2, 2), int)), Convolution(np.ones((1, 1, 2, 1), int))), "fuse: the pool must have groups = channels in = channels out, not groups 1 and weights of the shape (2, 2, 2, 2)"),
        (lambda: fuse(sum_pool(2, channels=2), Convolution(np.ones((1, 1, 3, 1), int))), "fuse: the pool has 2 channels, the convolution takes 3"),
        (lambda: fuse(sum_pool(2, channels=1), Convolution(np.ones((3, 3, 1, 1), int), padding=1)), "fuse: the convolution pads: give the pool's source_shape"),
        (lambda: fuse(sum_pool(2, channels=1), Convolution(np.ones((3, 3, 1, 1), int), padding=1), (9, 8, 1)), "fuse: along y the convolution pads with zeros where a window of the pool would still touch the map"),
        (lambda: fuse(sum_pool(2, 1, channels=1), Convolution(np.ones((2, 1, 1, 1), int), delays=[[0], [1]])), "fuse: two delays meet in position (1, 0) of the fused kernel"),
        (lambda: fuse(sum_pool(1, channels=1, weight=300), Convolution(np.full((1, 1, 1, 1), 127))), "Convolution: weight_bits must be in 2 … 16, not 17"),
    ],
)  # fmt: skip
def test_what_is_refused(make: Any, message: str) -> None:
    with pytest.raises(NetworkError) as caught:
        make()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def between(synapses: Synapses, inputs: Any, size: Any, **options: Any) -> Network:
    return Network(
        inputs,
        [Population("p", size, LIF(200, 9))],
        [Projection("input", "p", synapses)],
        "p",
        **options,
    )


def test_files_hold_every_structure(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        kernel, source = drawn(rng)
        target = kernel.output_shape(source)
        network = dataclasses.replace(
            between(kernel, source, target, input_bits=int(rng.integers(1, 9))),
            populations=[Population("p", target, LIF(200, 9)), Population("q", 7, LIF(200, 9))],
            projections=[
                Projection("input", "p", kernel),
                Projection("input", "q", Sparse([0, 0], [6, 3], [-8, 7], [3, 0], 4)),
                Projection("q", "p", Dense(np.ones((7, np.prod(target)), int))),
            ],
        )
        network.save(tmp_path / "one.npz")
        loaded = Network.load(tmp_path / "one.npz")
        assert loaded == network
        assert loaded.input_bits == network.input_bits
        assert loaded.projections[0].synapses.shape == (np.prod(source), np.prod(target))
        loaded.save(tmp_path / "two.npz")
        assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_the_engine_is_the_reference_for_every_structure() -> None:
    print("seed 4")
    rng = np.random.default_rng(4)
    for _ in range(20):
        kernel, source = drawn(rng)
        target = kernel.output_shape(source)
        size = int(np.prod(target))
        network = dataclasses.replace(
            between(kernel, source, target, input_bits=int(rng.choice([1, 3, 8]))),
            populations=[Population("p", target, LIF(200, 30)), Population("q", 7, LIF(200, 9))],
            projections=[
                Projection("input", "p", kernel),
                Projection("input", "q", Sparse([0, 0], [6, 3], [-8, 7], [3, 0], 4)),
                Projection("q", "p", Dense(rng.integers(-3, 9, (7, size)))),
                Projection(
                    "p", "q", Sparse(rng.permutation(size), rng.integers(0, 7, size), [5] * size, 2)
                ),
            ],
        )
        spikes = (rng.random((2, 9, network.inputs)) < 0.3) * rng.integers(
            1, 2**network.input_bits, (2, 9, network.inputs)
        )
        expected = golden.reference.simulate(network, spikes)
        assert expected.compare(golden.simulate(network, spikes), network) is None


def test_a_target_may_be_of_a_size() -> None:
    kernel = Convolution(np.ones((2, 2, 1, 3), int))
    assert between(kernel, (3, 3, 1), 12).projections[0].synapses.map_shape == (2, 2, 3)


def test_a_huge_map_takes_little_memory(tmp_path: Path) -> None:
    shape = (300, 300, 8)
    kernel = Convolution(np.ones((5, 5, 8, 8), int), padding=2)
    listed = Sparse([0, 719_999], [719_999, 0], [1, 2])
    tracemalloc.start()
    network = Network(
        shape,
        [Population("p", shape, LIF(200, 9)), Population("q", 720_000, LIF(200, 9))],
        [Projection("input", "p", kernel), Projection("p", "q", listed)],
        "q",
    )
    assert "1,440,000 neurons" in network.summary()
    assert network.projections[0].synapses.count == 64 * (5 * 300 - 6) ** 2
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 200e6, f"{most / 1e6:.0f} MB"
    for projection in network.projections:
        with pytest.raises(NetworkError, match="GiB, more than the limit of 2 GiB"):
            projection.synapses.dense()


def test_graded_inputs_are_checked() -> None:
    for bits in range(1, 9):
        most = 2**bits - 1
        assert check_spikes(np.array([[0, most]]), 2, bits).tolist() == [[0, most]]
        with pytest.raises(InputError, match=f"value {most + 1} at \\(0, 1\\), must be 0 "):
            check_spikes(np.array([[0, most + 1]]), 2, bits)


def test_a_graded_input_counts_its_value() -> None:
    network = between(Dense([[3], [-1]]), 2, 1, input_bits=8)
    assert "2 inputs of 8 bits" in repr(network)
    assert "2 inputs of 8 bits" in network.summary()
    spikes = np.array([[200, 0], [0, 255], [255, 255]])
    expected = [[600 - 9], [(591 * 200 >> 8) - 255 - 9], [765 - 255 + (197 * 200 >> 8) - 9]]
    for simulate in (golden.simulate, golden.reference.simulate):
        assert simulate(network, spikes).membrane["p"].tolist() == expected
