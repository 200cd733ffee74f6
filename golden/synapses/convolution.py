"""Convolutions, without the matrix that they would be.

Of one group, in whichever of two ways is less work:

*Events.*  The targets of a row (r, Y) get what the sources of the rows y = Y · stride + ky · dilation −
padding send.  Events lie sorted in memory, so those of a source's row are a run of them: gathering the runs
of all ky gives a sparse matrix (rows r, Y; columns ky, x, c), which multiplies the kernel, unrolled along x
only: a table (columns ky, x, c; columns X, o).  A wide map is cut into tiles of X, since the table is
mostly zeros where it is much wider than the kernel.

*Patches.*  What each target sees, as one row of a matrix, a part of the samples at a time, and BLAS.

Where every group has one channel in (a pool, say), the kernel's positions are added up map by map.
"""

from __future__ import annotations

import math

import numpy as np

from lifline.golden.product import Spikes, scipy_sparse
from lifline.synapses import Convolution

from .operator import Operator, operators, split_by_delay

# Work in nanoseconds, measured on one core.

#: Of events: a call, a run of them, an event in a run, and a byte of its row of the table.
CALL, RUN, ENTRY, BYTE = 3e5, 16, 6, 0.022
#: Of patches: an entry, and a multiplication of a byte.
COPIED, PRODUCT = 1.0, 0.003

#: Widths of tiles to choose from, beside the map's.
TILES = (4, 8, 16, 32)

#: So many entries, of patches or events in runs, are in memory at once.
AT_ONCE = 1 << 22


class Kernel:
    """A convolution of one group and one delay; weights int16 [ky, kx, c, o]."""

    def __init__(self, synapses: Convolution, weights: np.ndarray) -> None:
        self.weights = weights
        self.stride, self.padding, self.dilation = synapses.stride, synapses.padding, synapses.dilation
        self.source: tuple[int, int, int] = (*synapses.source_shape[:2], weights.shape[2])
        self.target: tuple[int, int, int] = (*synapses.map_shape[:2], weights.shape[3])
        self.largest = int(abs(weights.astype(int)).max())
        self.most = int(abs(weights.astype(int)).sum(axis=(0, 1, 2)).max())
        self.tables: dict[tuple[int, np.dtype], np.ndarray] = {}

    def times(self, spikes: Spikes, dtype: type[np.floating]) -> np.ndarray:
        tile = None if scipy_sparse() is None else self._tile(spikes, np.dtype(dtype))
        product = (
            self._of_patches(spikes, dtype) if tile is None else self._of_events(spikes, dtype, tile)
        )
        return spikes.of_rows(product, math.prod(self.target))

    def _exact(self, spikes: Spikes, dtype: np.dtype) -> np.dtype:
        """Integers of 16 bits where sums cannot overflow, which take half the time."""
        most = min(self.most, spikes.most_in_a_row * self.largest) * spikes.peak
        return np.dtype(np.int16) if most < 2**15 else dtype

    def _tile(self, spikes: Spikes, dtype: np.dtype) -> int | None:
        """The width of the tiles of targets with the least work, or None if patches are less."""
        kernel_rows, kernel_columns = self.weights.shape[:2]
        height, width, channels = self.target
        rows, step = len(spikes.rows), self.stride[1]
        extent = self.dilation[1] * (kernel_columns - 1) + 1
        entries = spikes.count * kernel_rows / self.stride[0]
        size = self._exact(spikes, dtype).itemsize
        work: dict[int | None, float] = {}
        for tile in {width, *(tile for tile in TILES if tile < width)}:
            whole = tile == width
            runs = rows * height * -(-width // tile) * (kernel_rows if self._apart(tile) else 1)
            seen = entries * (1 if whole else max(1.0, (extent - step) / (tile * step) + 1))
            work[tile] = CALL + runs * RUN + seen * (ENTRY + BYTE * size * tile * channels)
        patches = rows * height * width * kernel_rows * kernel_columns * self.source[2]
        work[None] = patches * (COPIED + PRODUCT * dtype.itemsize * channels)
        return min(work, key=work.__getitem__)

    def _apart(self, tile: int) -> bool:
        """Whether the rows of the source that a target's row sees are not one run of events."""
        return tile != self.target[1] or self.dilation[0] > 1

    def _of_events(self, spikes: Spikes, dtype: type[np.floating], tile: int) -> np.ndarray:
        """(rows, height, width, channels) of the targets."""
        rows, size, exact = (
            len(spikes.rows),
            math.prod(self.source),
            self._exact(spikes, np.dtype(dtype)),
        )
        product = np.empty((rows, *self.target), exact)
        step = max(1, AT_ONCE * rows // max(1, len(spikes.flat) * len(self.weights)))
        for first in range(0, rows, step):
            last = min(rows, first + step)
            begin, end = np.searchsorted(spikes.flat, (first * size, last * size))
            events = spikes.flat[begin:end] - spikes.flat.dtype.type(first * size)
            values = None if spikes.values is None else spikes.values[begin:end]
            for x in range(0, self.target[1], tile):
                part = product[first:last, :, x : x + tile]
                part[:] = self._tile_of(events, values, x, part.shape, exact)
        return product

    def _tile_of(
        self,
        events: np.ndarray,
        values: np.ndarray | None,
        x: int,
        shape: tuple[int, ...],
        exact: np.dtype,
    ) -> np.ndarray:
        """Targets (rows, height, tile, channels) from X = x on, of `shape`, from sorted flat events."""
        sparse = scipy_sparse()
        assert sparse is not None
        table = self._table(shape[2], exact)
        columns = len(table) // len(self.weights)
        starts, lengths, origins = self._runs(events, x, shape, columns)
        some = np.flatnonzero(lengths)
        ends = lengths.cumsum(dtype=events.dtype)
        counts = lengths[some]
        gathered = np.arange(ends[-1], dtype=events.dtype)
        gathered += np.repeat(starts[some] - ends[some] + counts, counts)
        column = events[gathered] - np.repeat(origins[some], counts)
        data = np.ones(len(column), exact) if values is None else values[gathered].astype(exact)
        runs = len(lengths) // (shape[0] * shape[1])  # of a target's row
        indptr = np.concatenate([np.zeros(1, events.dtype), ends[runs - 1 :: runs]])
        matrix = sparse.csr_array((data, column, indptr), (shape[0] * shape[1], len(table)))
        product: np.ndarray = (matrix @ table).reshape(shape)
        return product

    def _runs(
        self, events: np.ndarray, x: int, shape: tuple[int, ...], columns: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Start and length of the run of events of each (row, Y), or (row, Y, ky), and what is column 0 there."""
        rows, (height, width, channels) = shape[0], self.source
        line = width * channels
        kernel_rows = len(self.weights)
        # Y, ky -> y, where a source's row is there
        y = np.arange(shape[1])[:, None] * self.stride[0] - self.padding[0]
        if self._apart(shape[2]):
            y = y + np.arange(kernel_rows) * self.dilation[0]
            left = 0 if shape[2] == self.target[1] else x * self.stride[1] - self.padding[1]
            left *= channels
            ends = np.arange(rows * height)[:, None] * line + np.clip([left, left + columns], 0, line)
            of_rows = np.searchsorted(events, ends.astype(events.dtype)).astype(events.dtype)
            there = np.clip(y, 0, height - 1)
            first, last = (of_rows[:, end].reshape(rows, height)[:, there] for end in range(2))
            last = np.where((y >= 0) & (y < height), last, first)
            shift = left - np.arange(kernel_rows) * columns
        else:
            ends = np.arange(rows * height + 1) * line
            of_rows = np.searchsorted(events, ends.astype(events.dtype)).astype(events.dtype)
            base = np.arange(rows)[:, None, None] * height
            first = of_rows[base + np.clip(y, 0, height)]
            last = of_rows[base + np.clip(y + kernel_rows, 0, height)]
            shift = np.zeros(1, int)
        origins = (np.arange(rows)[:, None, None] * height + y) * line + shift
        lengths = (last - first).reshape(-1)
        return first.reshape(-1), lengths, origins.reshape(-1).astype(events.dtype)

    def _table(self, tile: int, exact: np.dtype) -> np.ndarray:
        """The kernel unrolled along x for `tile` targets: (ky · x · c, X · o)."""
        if (tile, exact) not in self.tables:
            kernel_rows, kernel_columns, ins, outs = self.weights.shape
            whole = tile == self.target[1]
            extent = self.dilation[1] * (kernel_columns - 1) + 1
            wide = self.source[1] if whole else (tile - 1) * self.stride[1] + extent
            table = np.zeros((kernel_rows, wide, ins, tile, outs), exact)
            for kx, to_x in np.ndindex(kernel_columns, tile):
                x = to_x * self.stride[1] + kx * self.dilation[1] - (self.padding[1] if whole else 0)
                if 0 <= x < wide:
                    table[:, x, :, to_x] = self.weights[:, kx]
            self.tables[tile, exact] = table.reshape(kernel_rows * wide * ins, tile * outs)
        return self.tables[tile, exact]

    def _of_patches(self, spikes: Spikes, dtype: type[np.floating]) -> np.ndarray:
        """As :meth:`_of_events`."""
        rows, (height, width, channels) = len(spikes.rows), self.source
        product = np.empty((rows, *self.target), dtype)
        kernel = self.weights.astype(dtype)
        flat = kernel.reshape(-1, self.target[2])
        (up, left), (steps_y, steps_x) = self.padding, self.stride
        step = max(1, AT_ONCE // (len(flat) * self.target[0] * self.target[1]))
        for first in range(0, rows, step):
            maps = spikes.rows[first : first + step]
            maps = maps.reshape(len(maps), height, width, channels)
            padded = np.zeros((len(maps), height + 2 * up, width + 2 * left, channels), dtype)
            padded[:, up : up + height, left : left + width] = maps
            r, y, x, c = padded.strides
            patches = np.lib.stride_tricks.as_strided(
                padded,
                (len(maps), *self.target[:2], *kernel.shape[:3]),
                (r, steps_y * y, steps_x * x, self.dilation[0] * y, self.dilation[1] * x, c),
                writeable=False,
            )
            product[first : first + step] = (patches.reshape(-1, len(flat)) @ flat).reshape(
                len(maps), *self.target
            )
        return product


class Grouped:
    """Groups of channels, each a :class:`Kernel`."""

    def __init__(self, synapses: Convolution, weights: np.ndarray) -> None:
        groups = synapses.groups
        parts = np.split(weights, groups, axis=3)
        self.kernels = [Kernel(synapses, np.ascontiguousarray(part)) for part in parts]
        self.source, self.target = synapses.source_shape, synapses.map_shape

    def times(self, spikes: Spikes, dtype: type[np.floating]) -> np.ndarray:
        maps = spikes.spikes.reshape(*spikes.spikes.shape[:2], *self.source)
        products = []
        for kernel, part in zip(self.kernels, np.split(maps, len(self.kernels), axis=-1), strict=True):
            of_group = Spikes(np.ascontiguousarray(part).reshape(*maps.shape[:2], -1))
            product = kernel.times(of_group, dtype)
            products.append(product.reshape(*maps.shape[:2], *kernel.target))
        return np.concatenate(products, axis=-1).reshape(*maps.shape[:2], math.prod(self.target))


class Depthwise:
    """Groups of one channel in: sums of maps, each times a weight for each channel."""

    def __init__(self, synapses: Convolution, weights: np.ndarray) -> None:
        self.synapses, self.weights = synapses, weights
        self.most = int(abs(weights.astype(int)).sum(axis=(0, 1, 2)).max())

    def times(self, spikes: Spikes, dtype: type[np.floating]) -> np.ndarray:
        synapses = self.synapses
        exact = np.dtype(np.int16 if self.most * spikes.peak < 2**15 else dtype)
        maps = spikes.rows.reshape(len(spikes.rows), *synapses.source_shape, 1).view(np.uint8)
        height, width, outs = synapses.map_shape
        product = np.zeros((len(maps), height, width, synapses.groups, outs // synapses.groups), exact)
        weights = self.weights.astype(exact).reshape(*self.weights.shape[:2], *product.shape[3:])
        step = max(1, AT_ONCE // math.prod(synapses.map_shape))
        for first in range(0, len(maps), step):
            some, sums = maps[first : first + step], product[first : first + step]
            for ky, kx in np.ndindex(*weights.shape[:2]):
                (y, to_y), (x, to_x) = synapses.places(0, ky), synapses.places(1, kx)
                if weights[ky, kx].any():
                    sums[:, to_y, to_x] += some[:, y, x] * weights[ky, kx]
        return spikes.of_rows(product, math.prod(synapses.map_shape))


@operators.register
def _(synapses: Convolution) -> list[tuple[int, Operator]]:
    one = Kernel if synapses.groups == 1 else Grouped
    make = Depthwise if synapses.groups > 1 and synapses.weights.shape[2] == 1 else one
    return [
        (delay, make(synapses, part))
        for delay, part in split_by_delay(synapses.weights, synapses.delays)
    ]
