"""Maps folded into one: a convolution where they are convolutions and pools, a matrix elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from .maps import Conv, Elementwise, Map, Pool, Shape


def matrix_of(maps: list[tuple[str, Any]], shapes: dict[str, Shape], source: str) -> sparse.csr_array:
    """The product of the maps, (outputs, inputs) in C order."""
    shape = shapes[source]
    product = sparse.csr_array(sparse.eye_array(int(np.prod(shape, dtype=int))))
    for name, node in maps:
        product = sparse.csr_array(node.matrix(shape) @ product)
        shape = shapes[name]
    return product


def folded(maps: list[Map], shape: Shape) -> Conv | None:
    """One convolution that does what `maps` do, or None."""
    first = shape
    whole: Conv | None = None
    for node in maps:
        if isinstance(node, Pool):
            node = node.conv(shape)
        if isinstance(node, Elementwise):
            channels = node.spread(node.scale, shape).reshape(shape[0], -1)
            if not (channels == channels[:, :1]).all():
                return None
            weight = channels[:, :1][:, :, None, None]
            node = Conv(weight, groups=shape[0])
        if not isinstance(node, Conv):
            return None
        out = node.out_shape(shape)
        whole = node if whole is None else _composed(whole, node, first, shape)
        if whole is None:
            return None
        shape = out
    return whole


def _composed(one: Conv, two: Conv, before: Shape, between: Shape) -> Conv | None:
    """`two` behind `one`; None where the padding of `two` is not what `one` would compute out there."""
    size, stride, padding = [], [], []
    for axis in range(2):
        kernel = one.dilation[axis] * (one.weight.shape[2 + axis] - 1) + 1
        if two.padding[axis] and not (
            # Position −1 ends before the input, and the one after the last begins behind it.
            kernel <= one.stride[axis]
            and one.padding[axis] == 0
            and _image(between)[axis] * one.stride[axis] >= _image(before)[axis]
        ):
            return None
        size.append(kernel + one.stride[axis] * two.dilation[axis] * (two.weight.shape[2 + axis] - 1))
        stride.append(one.stride[axis] * two.stride[axis])
        padding.append(one.padding[axis] + one.stride[axis] * two.padding[axis])
    first, second = _ungrouped(one), _ungrouped(two)
    whole = np.zeros((second.shape[0], first.shape[1], *size))
    for ky, kx in np.ndindex(*second.shape[2:]):
        for ly, lx in np.ndindex(*first.shape[2:]):
            y = ky * two.dilation[0] * one.stride[0] + ly * one.dilation[0]
            x = kx * two.dilation[1] * one.stride[1] + lx * one.dilation[1]
            whole[:, :, y, x] += second[:, :, ky, kx] @ first[:, :, ly, lx]
    groups = one.groups if one.groups == two.groups == whole.shape[0] == whole.shape[1] else 1
    if groups > 1:
        whole = whole[np.arange(groups), np.arange(groups)][:, None]
    return Conv(whole, None, tuple(stride), tuple(padding), (1, 1), groups)  # type: ignore[arg-type]


def _image(shape: Shape) -> tuple[int, int]:
    """Height and width."""
    return (shape[1], shape[2]) if len(shape) == 3 else (1, shape[1])


def _ungrouped(conv: Conv) -> np.ndarray:
    """Its weights as those of one group, (channels out, channels in, height, width)."""
    out, inside = conv.weight.shape[:2]
    whole = np.zeros((out, inside * conv.groups, *conv.weight.shape[2:]))
    step = out // conv.groups
    for group in range(conv.groups):
        rows = slice(group * step, (group + 1) * step)
        whole[rows, group * inside : (group + 1) * inside] = conv.weight[rows]
    return whole
