"""Sparse synapses: an event takes the groups that it has synapses to, after a pointer to the first of its rows."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from lifline.synapses import Sparse

from ..layout import address_bits
from .rows import Content, Rows, rows


class SparseRows(Rows):
    """A word for each source and group that a synapse joins, in this order; a pointer for each source.

    A source without synapses points to a word of zeros, the last one.
    """

    @staticmethod
    def stored(synapses: Sparse) -> int:
        return int(synapses.weights.size)

    @functools.cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(source, group) of each row as source · groups + group; of each synapse its row, and its lane."""
        group, lane = np.divmod(self.layout.slots[self.synapses.targets], self.layout.lanes)
        keys, row = np.unique(
            self.synapses.sources.astype(np.int64) * self.layout.groups + group, return_inverse=True
        )
        return keys, row.reshape(-1), lane

    @functools.cached_property
    def _counts(self) -> np.ndarray:
        """Rows with synapses of each source."""
        keys, _, _ = self._places
        return np.bincount(keys // self.layout.groups, minlength=self.synapses.shape[0])

    @property
    def depth(self) -> int:
        """Rows in memory."""
        return len(self._places[0]) + bool((self._counts == 0).any())

    @functools.cached_property
    def taken(self) -> np.ndarray:
        return np.maximum(self._counts, 1)

    @property
    def row_bits(self) -> int:
        """Bits of the first row in a pointer; the number of rows after it is above them."""
        return address_bits(self.depth)

    @property
    def more_bits(self) -> int:
        """Bits of the number of rows after the first."""
        return address_bits(int(self.taken.max()))

    @property
    def contents(self) -> dict[str, Content]:
        layout, synapses = self.layout, self.synapses
        row = "row: those of a source follow each other"
        result = {
            "pointers": Content(
                synapses.shape[0],
                1,
                self.row_bits + self.more_bits,
                False,
                f"source; its first row in the lower {self.row_bits} bits, the number of rows after it above them",
                self._pointers,
            ),
            "targets": Content(
                self.depth, 1, address_bits(layout.groups), False, f"{row}; its group", self._targets
            ),
            "weights": Content(
                self.depth,
                layout.lanes,
                synapses.weight_bits,
                True,
                row,
                self._words(lambda: synapses.weights),
            ),
        }
        if self.delay_bits:
            result["delays"] = Content(
                self.depth,
                layout.lanes,
                self.delay_bits,
                False,
                row,
                self._words(lambda: synapses.delays - self.lag),
            )
        return result

    def _pointers(self) -> np.ndarray:
        empty = self._counts == 0
        first = np.where(empty, self.depth - 1, np.cumsum(self._counts) - self._counts)
        return (first | (self.taken - 1) << self.row_bits)[:, None]

    def _targets(self) -> np.ndarray:
        targets = np.zeros((self.depth, 1), np.int64)
        keys, _, _ = self._places
        targets[: len(keys), 0] = keys % self.layout.groups
        return targets

    def _words(self, values: Callable[[], np.ndarray]) -> Callable[[], np.ndarray]:
        def words() -> np.ndarray:
            _, row, lane = self._places
            result = np.zeros((self.depth, self.layout.lanes), np.int64)
            result[row, lane] = values()
            return result

        return words


@rows.register
def _(synapses: Sparse) -> type[Rows]:
    return SparseRows
