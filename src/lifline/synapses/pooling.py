"""Pooling, which is linear here and so a :class:`Convolution`, and its fusion with the convolution that follows.

A sum over a window is a convolution of equal weights whose groups are the channels.  An average is that
sum, divided by the window's size; since weights are integers, the divisor goes into the scale of the
weights (:func:`average_pool`), where it is exact.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lifline.errors import NetworkError
from lifline.values import check_integer

from .convolution import Convolution

Pair = int | tuple[int, int]


def sum_pool(
    size: Pair,
    stride: Pair | None = None,
    *,
    channels: int,
    padding: Pair = 0,
    delays: Any = 0,
    weight: int = 1,
) -> Convolution:
    """I[t, Y, X, c] = weight · Σ of s over the window of `size` at (Y, X) · stride − padding.

    Parameters
    ----------
    size : int or (y, x)
        Of the window.
    stride : int or (y, x), optional
        Steps between windows; by default the window's size, so that they do not overlap.
    channels : int
        Of the source, and the target.
    padding, delays
        As of a :class:`Convolution`.
    weight : int
        What each spike counts.

    Raises
    ------
    NetworkError
        If a value is outside of its range.
    """
    rows, columns = _window(size)
    channels = check_integer("sum_pool: channels", channels, 1, 2**31 - 1)
    weight = check_integer("sum_pool: weight", weight, -(2**15), 2**15 - 1)
    return Convolution(
        np.full((rows, columns, 1, channels), weight, np.int64),
        stride=(rows, columns) if stride is None else stride,
        padding=padding,
        groups=channels,
        delays=delays,
        weight_bits=_bits(weight, weight),
    )


def average_pool(
    size: Pair,
    stride: Pair | None = None,
    *,
    channels: int,
    one: int | None = None,
    padding: Pair = 0,
    delays: Any = 0,
) -> Convolution:
    """I[t, Y, X, c] = one · (the mean of s over the window): exactly, since the window's size divides `one`.

    The divisor is in the unit: `one` is the integer that stands for 1 at the target, so a threshold (or
    bias) of θ is the integer one · θ there, and each spike counts one / (window's size).  By default
    `one` is the window's size, and each spike counts 1: thresholds are then those of the average times
    the window's size.  Zeros of the padding count as in PyTorch's ``count_include_pad=True``.

    Parameters
    ----------
    size, stride, channels, padding, delays
        As of :func:`sum_pool`.
    one : int, optional
        A multiple of the window's size.

    Raises
    ------
    NetworkError
        If a value is outside of its range, or the window's size does not divide `one`.
    """
    rows, columns = _window(size)
    window = rows * columns
    one = check_integer("average_pool: one", window if one is None else one, 1, 2**31 - 1)
    if one % window:
        raise NetworkError(
            f"average_pool: one must be a multiple of the window's size, {window}, not {one}: "
            "else no integer weight is the quotient"
        )
    return sum_pool(
        (rows, columns), stride, channels=channels, padding=padding, delays=delays, weight=one // window
    )


def fuse(
    pool: Convolution, convolution: Convolution, source_shape: tuple[int, int, int] | None = None
) -> Convolution:
    """One convolution that does exactly what `convolution` does with what `pool` gives, no neurons between.

    Its kernel is the sum of the pool's, moved to each of the convolution's positions; its stride is the
    product of both, and its delays are the sums.

    Parameters
    ----------
    pool : Convolution
        One group for each channel, as of :func:`sum_pool`; any weights.
    convolution : Convolution
    source_shape : (height, width, channels), optional
        The pool's source.  Needed where the convolution pads: only the map's edge shows whether a zero
        there is also a zero of the fused one.

    Raises
    ------
    NetworkError
        If no one convolution does the same: the convolution pads with zeros where a pool's window would
        still touch the map, two delays meet in one position, or a weight or delay exceeds its range.
    """
    channels = pool.weights.shape[3]
    if pool.groups != channels or pool.weights.shape[2] != 1:
        raise NetworkError(
            f"fuse: the pool must have groups = channels in = channels out, not groups {pool.groups} and "
            f"weights of the shape {pool.weights.shape}"
        )
    if convolution.weights.shape[2] * convolution.groups != channels:
        raise NetworkError(
            f"fuse: the pool has {channels} channels, the convolution takes "
            f"{convolution.weights.shape[2] * convolution.groups}"
        )
    _check_edges(pool, convolution, source_shape)
    steps = [
        _step(
            pool.dilation[a],
            pool.weights.shape[a],
            inner * pool.stride[a],
            convolution.weights.shape[a],
        )
        for a, inner in enumerate(convolution.dilation)
    ]
    weights, delays = _kernel(pool, convolution, steps)
    return Convolution(
        weights,
        stride=tuple(p * c for p, c in zip(pool.stride, convolution.stride, strict=True)),
        padding=tuple(
            p + c * stride
            for p, c, stride in zip(pool.padding, convolution.padding, pool.stride, strict=True)
        ),
        dilation=tuple(steps),
        groups=convolution.groups,
        delays=delays,
        weight_bits=_bits(int(weights.min()), int(weights.max())),
    )


def _kernel(
    pool: Convolution, convolution: Convolution, steps: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and delays of the fused kernel, whose rows and columns are `steps` apart."""
    inner = [d * s for d, s in zip(convolution.dilation, pool.stride, strict=True)]
    _, _, ins, outs = convolution.weights.shape
    size = [
        ((convolution.weights.shape[a] - 1) * inner[a] + (pool.weights.shape[a] - 1) * pool.dilation[a])
        // steps[a]
        + 1
        for a in range(2)
    ]
    weights = np.zeros((*size, ins, outs), np.int64)
    delays = np.full(weights.shape, -1)
    # the pool's channel of each weight of the convolution
    channel = np.arange(ins)[:, None] + np.arange(outs) // (outs // convolution.groups) * ins
    for ky, kx in np.ndindex(*convolution.weights.shape[:2]):
        for py, px in np.ndindex(*pool.weights.shape[:2]):
            y = (ky * inner[0] + py * pool.dilation[0]) // steps[0]
            x = (kx * inner[1] + px * pool.dilation[1]) // steps[1]
            product = convolution.weights[ky, kx] * pool.weights[py, px, 0][channel]
            delay = convolution.delays[ky, kx] + pool.delays[py, px, 0][channel]
            there = product != 0
            if (there & (delays[y, x] >= 0) & (delays[y, x] != delay)).any():
                raise NetworkError(
                    f"fuse: two delays meet in position ({y}, {x}) of the fused kernel: give pool and "
                    "convolution one delay each, or windows that do not overlap"
                )
            weights[y, x] += product
            delays[y, x] = np.where(there, delay, delays[y, x])
    common = delays[delays >= 0]  # where there is no weight, a delay that is there anyway
    return weights, np.where(delays < 0, common.min() if common.size else 0, delays)


def _check_edges(pool: Convolution, convolution: Convolution, source_shape: Any) -> None:
    """Refuse a padding of the convolution's beyond which the pool's window would still touch the map."""
    for axis, name in enumerate(("y", "x")):
        if not convolution.padding[axis]:
            continue
        if source_shape is None:
            raise NetworkError("fuse: the convolution pads: give the pool's source_shape")
        pooled = pool.output_shape(tuple(source_shape))[axis]
        stride, padding = pool.stride[axis], pool.padding[axis]
        before = pool.dilation[axis] * (pool.weights.shape[axis] - 1) - stride - padding
        after = pooled * stride - padding
        if before >= 0 or after < source_shape[axis]:
            raise NetworkError(
                f"fuse: along {name} the convolution pads with zeros where a window of the pool would still "
                "touch the map: without padding, or with windows that end at the map's edge, it is exact"
            )


def _step(pool: int, pool_size: int, convolution: int, size: int) -> int:
    """The dilation of the fused kernel: what divides all of its offsets."""
    return math.gcd(pool if pool_size > 1 else 0, convolution if size > 1 else 0) or 1


def _window(size: Pair) -> tuple[int, int]:
    rows, columns = size if isinstance(size, tuple | list) and len(size) == 2 else (size, size)
    return (
        check_integer("pool: size", rows, 1, MAX_SIDE),
        check_integer("pool: size", columns, 1, MAX_SIDE),
    )


#: Of a pool's window.
MAX_SIDE = 2**15 - 1


def _bits(least: int, most: int) -> int:
    """Width of two's complement numbers from `least` to `most`."""
    return max(2, 1 + max(most, ~least, 0).bit_length())
