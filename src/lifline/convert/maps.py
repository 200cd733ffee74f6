"""Affine maps between neurons, in the producer's shapes: each is one matrix and one vector.

Shapes are channels first: ``(channels, height, width)``, ``(channels, length)`` or ``(size,)``; elements are counted in
C order.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from scipy import sparse

from lifline.errors import InputError

Shape = tuple[int, ...]

#: Elements of a shape, or of a kernel: more than any FPGA has neurons.
MOST_ELEMENTS = 1 << 24


class ConversionError(InputError):
    """A producer's network has something that the contract cannot hold exactly; it says what, and the remedy."""


class Map:
    """An affine map between two neurons: y = matrix · x + constant, after `ticks` ticks."""

    kind = "map"

    def out_shape(self, shape: Shape) -> Shape:
        """The shape of y for an x of `shape`; raises ConversionError where they do not fit."""
        raise NotImplementedError

    def matrix(self, shape: Shape) -> sparse.csr_array:
        """float64 (outputs, inputs), both counted in C order."""
        raise NotImplementedError

    def constant(self, shape: Shape) -> np.ndarray | None:
        """float64 (outputs,), or None where it is 0."""
        return None


@dataclasses.dataclass(eq=False)
class Affine(Map):
    """y = W x + b.

    Parameters
    ----------
    weight : float64 (outputs, inputs)
    bias : float64 (outputs,), optional
    """

    weight: np.ndarray
    bias: np.ndarray | None = None
    kind = "affine map"

    def out_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1 or shape[0] != self.weight.shape[1]:
            raise ConversionError(
                f"takes {self.weight.shape[1]} values in one axis, but gets the shape {shape}: "
                "put a Flatten before it"
            )
        return (self.weight.shape[0],)

    def matrix(self, shape: Shape) -> sparse.csr_array:
        return sparse.csr_array(self.weight)

    def constant(self, shape: Shape) -> np.ndarray | None:
        return self.bias


@dataclasses.dataclass(eq=False)
class Conv(Map):
    """A cross-correlation, as torch and NIR have it; of one dimension with a height of 1.

    Parameters
    ----------
    weight : float64 (channels out, channels in / groups, height, width)
    bias : float64 (channels out,), optional
    stride, dilation : (y, x)
    padding : (y, x)
        Zeros on both sides.
    groups : int
    """

    weight: np.ndarray
    bias: np.ndarray | None = None
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    kind = "convolution"

    def out_shape(self, shape: Shape) -> Shape:
        if len(shape) not in (2, 3):
            raise ConversionError(f"takes (channels, height, width), but gets the shape {shape}")
        channels = self.weight.shape[1] * self.groups
        if shape[0] != channels:
            raise ConversionError(f"takes {channels} channels, but gets the shape {shape}")
        image = (1, *shape[1:]) if len(shape) == 2 else shape[1:]
        out = tuple(
            (image[i] + 2 * self.padding[i] - self.dilation[i] * (self.weight.shape[2 + i] - 1) - 1)
            // self.stride[i]
            + 1
            for i in range(2)
        )
        if min(out) < 1:
            raise ConversionError(f"its kernel is larger than its input of the shape {shape}")
        whole = (self.weight.shape[0], *out)
        return (whole[0], whole[2]) if len(shape) == 2 else whole

    def matrix(self, shape: Shape) -> sparse.csr_array:
        image = (1, *shape[1:]) if len(shape) == 2 else shape[1:]
        out = self.out_shape(shape)
        _, height, width = out if len(out) == 3 else (out[0], 1, out[1])
        outputs, inside = self.weight.shape[:2]
        target, source, ky, kx = np.nonzero(self.weight)
        base = (target // (outputs // self.groups)) * inside + source  # the input channel
        y, x = (v.ravel() for v in np.mgrid[:height, :width])
        rows = y[:, None] * self.stride[0] - self.padding[0] + ky * self.dilation[0]
        columns = x[:, None] * self.stride[1] - self.padding[1] + kx * self.dilation[1]
        on_map = (rows >= 0) & (rows < image[0]) & (columns >= 0) & (columns < image[1])
        place, tap = np.nonzero(on_map)
        to = (target[tap] * height + y[place]) * width + x[place]
        at = (base[tap] * image[0] + rows[on_map]) * image[1] + columns[on_map]
        values = self.weight[target, source, ky, kx][tap]
        return sparse.csr_array((values, (to, at)), shape=(math.prod(out), math.prod(shape)))

    def constant(self, shape: Shape) -> np.ndarray | None:
        if self.bias is None:
            return None
        out = self.out_shape(shape)
        return np.repeat(self.bias, math.prod(out[1:]))


@dataclasses.dataclass(eq=False)
class Pool(Map):
    """Sums or averages over windows, channel by channel; `padding` counts as zeros, and in the average."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)
    average: bool = False
    kind = "pool"

    def conv(self, shape: Shape) -> Conv:
        """The convolution, one group a channel, that does the same."""
        if len(shape) not in (2, 3):
            raise ConversionError(f"takes (channels, height, width), but gets the shape {shape}")
        if shape[0] * math.prod(self.size) > MOST_ELEMENTS:
            raise ConversionError(f"its window of {self.size} is larger than any map")
        value = 1 / math.prod(self.size) if self.average else 1.0
        weight = np.full((shape[0], 1, *self.size), value)
        return Conv(weight, None, self.stride, self.padding, groups=shape[0])

    def out_shape(self, shape: Shape) -> Shape:
        return self.conv(shape).out_shape(shape)

    def matrix(self, shape: Shape) -> sparse.csr_array:
        return self.conv(shape).matrix(shape)


@dataclasses.dataclass(eq=False)
class Elementwise(Map):
    """y = scale · x + offset, element by element: of all, of a channel, or of each element.

    Parameters
    ----------
    scale, offset : float64 (), (channels,) or the shape of x
    """

    scale: np.ndarray
    offset: np.ndarray | None = None
    kind = "scale"

    def spread(self, values: np.ndarray, shape: Shape) -> np.ndarray:
        """`values` for each element, (elements,)."""
        values = np.asarray(values, np.float64)
        if values.shape != shape:
            if values.size == 1:
                values = values.reshape(())
            elif values.shape == shape[:1]:
                values = values.reshape(-1, *[1] * (len(shape) - 1))
            else:
                raise ConversionError(f"has the shape {values.shape}, but gets the shape {shape}")
        return np.broadcast_to(values, shape).ravel()

    def out_shape(self, shape: Shape) -> Shape:
        self.spread(self.scale, shape)
        return shape

    def matrix(self, shape: Shape) -> sparse.csr_array:
        return sparse.csr_array(sparse.diags_array(self.spread(self.scale, shape)))

    def constant(self, shape: Shape) -> np.ndarray | None:
        return None if self.offset is None else self.spread(self.offset, shape)


@dataclasses.dataclass(eq=False)
class Flatten(Map):
    """Axes `start` … `end` become one; the elements stay in C order."""

    start: int = 0
    end: int = -1
    kind = "flatten"

    def out_shape(self, shape: Shape) -> Shape:
        start, end = (axis % len(shape) for axis in (self.start, self.end))
        return (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])

    def matrix(self, shape: Shape) -> sparse.csr_array:
        return sparse.csr_array(sparse.eye_array(math.prod(shape)))


@dataclasses.dataclass(eq=False)
class Reshape(Map):
    """The same elements in another shape, in C order."""

    shape: Shape
    kind = "reshape"

    def out_shape(self, shape: Shape) -> Shape:
        if math.prod(self.shape) != math.prod(shape):
            raise ConversionError(f"makes the shape {self.shape} of {shape}, which has another size")
        return self.shape

    def matrix(self, shape: Shape) -> sparse.csr_array:
        return sparse.csr_array(sparse.eye_array(math.prod(shape)))


@dataclasses.dataclass(eq=False)
class Identity(Map):
    """y = x: what a producer's node leaves behind that only passes signals on."""

    kind = "identity"

    def out_shape(self, shape: Shape) -> Shape:
        return shape

    def matrix(self, shape: Shape) -> sparse.csr_array:
        return sparse.csr_array(sparse.eye_array(math.prod(shape)))


@dataclasses.dataclass(eq=False)
class Delay(Map):
    """y[t] = x[t − ticks]: one number of ticks for all, or one for each element."""

    ticks: np.ndarray
    kind = "delay"

    def spread(self, shape: Shape) -> np.ndarray:
        """The ticks of each element, int64 (elements,)."""
        return Elementwise(self.ticks).spread(self.ticks, shape).astype(np.int64)

    def out_shape(self, shape: Shape) -> Shape:
        self.spread(shape)
        return shape

    def matrix(self, shape: Shape) -> sparse.csr_array:
        return sparse.csr_array(sparse.eye_array(math.prod(shape)))


def snapped(values: np.ndarray) -> np.ndarray:
    """`values`, those that float32 moved off a multiple of 1/256 put back."""
    near = np.rint(values * 256) / 256
    return np.where(np.abs(values - near) < 2e-6, near, values)
