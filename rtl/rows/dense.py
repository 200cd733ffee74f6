"""Dense synapses: each event takes all groups of its target, one after the other."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from lifline.synapses import Dense

from .rows import Content, Rows, rows


class DenseRows(Rows):
    """A word for each source and group; those of a group lie together, so that a source is its first address."""

    in_order = True

    @staticmethod
    def stored(synapses: Dense) -> int:
        return int(synapses.weights.size)

    @functools.cached_property
    def taken(self) -> np.ndarray:
        return np.full(self.synapses.shape[0], self.layout.groups, np.int64)

    @property
    def contents(self) -> dict[str, Content]:
        synapses = self.synapses
        matrices = {"weights": (synapses.weight_bits, lambda: synapses.weights)}
        if self.delay_bits:
            matrices["delays"] = (self.delay_bits, lambda: synapses.delays - self.lag)
        return {
            name: Content(
                depth=self.layout.groups * synapses.shape[0],
                entries=self.layout.lanes,
                bits=bits,
                signed=name == "weights",
                word="group * source_size + source",
                values=functools.partial(self._words, matrix),
            )
            for name, (bits, matrix) in matrices.items()
        }

    def _words(self, matrix: Callable[[], np.ndarray]) -> np.ndarray:
        by_group = self.layout.by_group(matrix()).transpose(1, 0, 2)
        return by_group.reshape(-1, self.layout.lanes)


@rows.register
def _(synapses: Dense) -> type[Rows]:
    return DenseRows
