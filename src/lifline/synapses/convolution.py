"""Convolution: one kernel of weights, shared by all positions of a map."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from lifline.errors import NetworkError
from lifline.fields import array, integer, pair

from .synapses import MAX_DELAY, Synapses, highest_weight, lowest_weight

_KERNEL = ("ky", "kx", "channels in / groups", "channels out")
_MOST = 2**15 - 1


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Convolution(Synapses):
    """I[t, Y, X, o] = Σ_ky Σ_kx Σ_c w[ky, kx, c, o] · s[t − d[ky, kx, c, o], y, x, g · C + c].

    With y = Y · stride + ky · dilation − padding, likewise x, where (y, x) lies on the map; g is the
    group of o, o // (channels out / groups), and C = channels in / groups.  It is what
    ``torch.nn.functional.conv2d`` computes, with channels last.  Of a source of the shape
    (height, width, channels) the target has, in each direction,

        out = floor((in + 2 · padding − dilation · (k − 1) − 1) / stride) + 1

    and a 1-D convolution has height and ky = 1.  The delay is one for all, one for each of the kernel's
    positions (ky, kx), or one for each weight; it is kept with the shape of the weights.
    """

    weights: Any = array(
        "two's complement", per="weight", axes=_KERNEL,
        low=lowest_weight, high=highest_weight, storage="int16",
    )  # fmt: skip
    stride: Any = pair(
        "steps between the kernel's places: one, or (y, x)", low=1, high=_MOST, default=1
    )
    padding: Any = pair("zeros around the map: one, or (y, x)", low=0, high=_MOST, default=0)
    dilation: Any = pair("steps between a kernel's rows, and columns", low=1, high=_MOST, default=1)
    groups: int = integer("parts of the channels that are apart", low=1, high=2**31 - 1, default=1)
    delays: Any = array(
        "ticks that a spike takes; (ky, kx): of each position", per="weight", axes=_KERNEL,
        or_axes=_KERNEL[:2], low=0, high=MAX_DELAY, default=0, unit="ticks", storage="uint8",
    )  # fmt: skip
    weight_bits: int = integer("width of the weights", low=2, high=16, default=8)

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = self.weights.shape
        if shape[3] % self.groups:
            raise NetworkError(
                f"{self.label}: groups must divide the channels out, {shape[3]}, not {self.groups}"
            )
        delays = self.delays
        if delays.shape not in ((), shape[:2], shape):
            raise NetworkError(
                f"{self.label}: delays must be one integer or have the shape {shape[:2]} or {shape}, "
                f"not {delays.shape}"
            )
        if delays.ndim == 2:
            delays = delays[:, :, None, None]
        object.__setattr__(self, "delays", np.broadcast_to(delays, shape))

    def output_shape(self, source_shape: tuple[int, ...]) -> tuple[int, int, int]:
        """The target's (height, width, channels), of a source's.

        Raises
        ------
        NetworkError
            If the source has no such shape, other channels, or is smaller than the kernel.
        """
        if len(source_shape) != 3:
            raise NetworkError(
                f"{self.label}: its source must have a shape (height, width, channels), not {source_shape}: "
                "give it in place of the size"
            )
        channels = self.weights.shape[2] * self.groups
        if source_shape[2] != channels:
            raise NetworkError(
                f"{self.label}: weights are for {channels} channels (axis 2, {self.weights.shape[2]}, times "
                f"groups, {self.groups}), the source has the shape {source_shape}"
            )
        out = []
        for axis, name in enumerate(("height", "width")):
            padded = source_shape[axis] + 2 * self.padding[axis]
            extent = self.dilation[axis] * (self.weights.shape[axis] - 1) + 1
            if extent > padded:
                raise NetworkError(
                    f"{self.label}: the kernel's {name}, {extent} with its dilation, is more than the "
                    f"padded map's, {padded}: its source has the shape {source_shape}"
                )
            out.append((padded - extent) // self.stride[axis] + 1)
        return out[0], out[1], self.weights.shape[3]

    def check_fit(self) -> None:
        wanted = self.output_shape(self.source_shape)
        if self.target_shape not in (wanted, (math.prod(wanted),)):
            raise NetworkError(
                f"{self.label}: of the shape {self.source_shape} it makes {wanted}, the target has "
                f"{self.target_shape}"
            )

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """The target's (height, width, channels), also where the target is said to be of a size."""
        return self.output_shape(self._source)

    @property
    def _source(self) -> tuple[int, int, int]:
        self.shape  # noqa: B018 -- refuses what is not bound
        height, width, channels = self.source_shape
        return height, width, channels

    def places(self, axis: int, k: int) -> tuple[slice, slice]:
        """Where position k of the kernel lies on the map, along y (0) or x (1): (of the source, of the target).

        Of the target it is all places for which the source's place is on the map; the two slices
        are of the same length, which may be 0.
        """
        size, stride = self._source[axis], self.stride[axis]
        offset = k * self.dilation[axis] - self.padding[axis]
        first = max(0, -(offset // stride))  # ⌈−offset / stride⌉
        last = min(self.map_shape[axis], (size - 1 - offset) // stride + 1)
        if last <= first:
            return slice(0, 0), slice(0, 0)
        start = first * stride + offset
        return slice(start, start + (last - first - 1) * stride + 1, stride), slice(first, last)

    def dense(self) -> tuple[np.ndarray, np.ndarray]:
        matrices = self.empty_matrices()
        ins, outs = self.weights.shape[2], self.weights.shape[3] // self.groups
        for matrix, values in zip(matrices, (self.weights, self.delays), strict=True):
            of_maps = matrix.reshape(self._source + self.map_shape)
            for ky, kx in np.ndindex(*self.weights.shape[:2]):
                (ys, to_ys), (xs, to_xs) = self.places(0, ky), self.places(1, kx)
                y = np.arange(ys.start, ys.stop, ys.step)[:, None]
                x = np.arange(xs.start, xs.stop, xs.step)
                to_y = np.arange(to_ys.start, to_ys.stop)[:, None]
                to_x = np.arange(to_xs.start, to_xs.stop)
                for group in range(self.groups):
                    c = slice(group * ins, (group + 1) * ins)
                    o = slice(group * outs, (group + 1) * outs)
                    of_maps[y, x, c, to_y, to_x, o] = values[ky, kx, :, o]
        return matrices

    def synapse(self, j: int, i: int) -> tuple[int, int]:
        _, width, channels = self._source
        _, to_width, to_channels = self.map_shape
        y, x, c = j // channels // width, j // channels % width, j % channels
        to_y, to_x, o = i // to_channels // to_width, i // to_channels % to_width, i % to_channels
        ins, outs = self.weights.shape[2], to_channels // self.groups
        ky, y_rest = divmod(y + self.padding[0] - to_y * self.stride[0], self.dilation[0])
        kx, x_rest = divmod(x + self.padding[1] - to_x * self.stride[1], self.dilation[1])
        rows, columns = self.weights.shape[:2]
        if y_rest or x_rest or not (0 <= ky < rows and 0 <= kx < columns) or c // ins != o // outs:
            return 0, 0
        return int(self.weights[ky, kx, c % ins, o]), int(self.delays[ky, kx, c % ins, o])

    def into(self, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        height, width, channels = self._source
        _, to_width, to_channels = self.map_shape
        to_y, to_x, o = i // to_channels // to_width, i // to_channels % to_width, i % to_channels
        rows, columns, ins, outs = self.weights.shape
        y = to_y * self.stride[0] - self.padding[0] + np.arange(rows) * self.dilation[0]
        x = to_x * self.stride[1] - self.padding[1] + np.arange(columns) * self.dilation[1]
        c = o // (outs // self.groups) * ins + np.arange(ins)
        on_map = ((y >= 0) & (y < height))[:, None] & (x >= 0) & (x < width)
        sources = ((y[:, None] * width + x) * channels)[..., None] + c
        return sources[on_map].reshape(-1), *(
            values[on_map, :, o].reshape(-1) for values in (self.weights, self.delays)
        )

    def stored(self) -> tuple[np.ndarray, np.ndarray]:
        return self.weights, self.delays

    def per_source(self, values: np.ndarray) -> np.ndarray:
        rows, columns, ins, _ = self.weights.shape
        grouped = values.reshape(rows, columns, ins, self.groups, -1)
        sums = grouped.sum(axis=4, dtype=np.int64).swapaxes(2, 3).reshape(rows, columns, -1)
        return self._spread(sums, self._source, 0)

    def per_target(self, values: np.ndarray) -> np.ndarray:
        return self._spread(values.sum(axis=2, dtype=np.int64), self.map_shape, 1)

    def _spread(self, sums: np.ndarray, shape: tuple[int, int, int], end: int) -> np.ndarray:
        """For each neuron of the source (`end` 0) or target (1) the total of sums[ky, kx, channel] that reach it."""
        height, width, channels = shape
        rows = np.zeros((height, sums.shape[1], channels), np.int64)
        for ky, of_row in enumerate(sums):
            rows[self.places(0, ky)[end]] += of_row
        total = np.zeros((height, width, channels), np.int64)
        for kx in range(sums.shape[1]):
            total[:, self.places(1, kx)[end]] += rows[:, kx, None]
        return total.reshape(-1)

    @property
    def delay_range(self) -> tuple[int, int]:
        return int(self.delays.min()), int(self.delays.max())

    @property
    def delay_per_position(self) -> bool:
        """Whether all weights of one position (ky, kx) have the same delay."""
        return bool((self.delays == self.delays[:, :, :1, :1]).all())

    @property
    def count(self) -> int:
        """Number of synapses: of each place of the kernel those that lie on the map."""
        rows, columns, ins, outs = self.weights.shape
        ys, xs = (
            sum(to.stop - to.start for _, to in (self.places(axis, k) for k in range(size)))
            for axis, size in enumerate((rows, columns))
        )
        return ys * xs * ins * outs

    @property
    def memory_bits(self) -> int:
        """Of the kernel alone, which all places share."""
        least, most = self.delay_range
        positions = math.prod(self.weights.shape[:2])
        delays = positions if self.delay_per_position else self.weights.size
        return int(self.weights.size) * self.weight_bits + delays * (most - least).bit_length()
