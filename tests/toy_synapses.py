"""A kind of synapses from outside the package, in one file: each neuron drives the one of the same number.

Nothing in lifline knows this kind: golden and torch run it by its matrix; plan, cycle model, estimate, export and
gateware find its rows and its address generator by its type.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
from amaranth.hdl import Module, Signal

from lifline.fields import array
from lifline.rtl.arithmetic import quotient
from lifline.rtl.rows import Content, Rows, rows
from lifline.rtl.synapses import Generator, generator
from lifline.synapses import Synapses

# --- the contract: fields, matrix ------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Diagonal(Synapses):
    """I[t, i] = w[i] · s[t, i]."""

    weights: Any = array("of neuron i to neuron i", per="synapse", axes=("size",), low=-128, high=127)

    weight_bits = 8
    delay_range = (0, 0)

    @property
    def count(self) -> int:
        return int(self.weights.size)

    @property
    def memory_bits(self) -> int:
        return self.count * self.weight_bits

    def check_fit(self) -> None:
        """Everything has one size."""
        assert self.shape == 2 * self.weights.shape

    def dense(self) -> tuple[np.ndarray, np.ndarray]:
        matrix, delays = self.empty_matrices()
        np.fill_diagonal(matrix, self.weights)
        return matrix, delays

    def synapse(self, j: int, i: int) -> tuple[int, int]:
        return (int(self.weights[i]) if i == j else 0), 0


# --- the rows: what is in memory, and how many an event takes ------------------------------------------------


class DiagonalRows(Rows):
    """A word for each neuron, with its weight in its lane."""

    @staticmethod
    def stored(synapses: Diagonal) -> int:
        return synapses.count

    @functools.cached_property
    def taken(self) -> np.ndarray:
        return np.ones(self.synapses.count, np.int64)

    @property
    def contents(self) -> dict[str, Content]:
        return {
            "weights": Content(self.synapses.count, self.layout.lanes, 8, True, "neuron", self._words)
        }

    def _words(self) -> np.ndarray:
        words = np.zeros((self.synapses.count, self.layout.lanes), np.int64)
        words[np.arange(len(words)), self.layout.slots % self.layout.lanes] = self.synapses.weights
        return words


@rows.register
def _(synapses: Diagonal) -> type[Rows]:
    return DiagonalRows


# --- the gateware -------------------------------------------------------------------------------------------


class DiagonalGenerator(Generator):
    """One row, in the group of the neuron."""

    @staticmethod
    def stages(rows: DiagonalRows) -> int:
        return 1

    def elaborate(self, platform):
        m = Module()
        neuron = Signal.like(self.address, reset_less=True)
        with m.If(self.move):
            m.d.sync += neuron.eq(self.address)
        group = quotient(neuron, self.array.lanes, self.channel.source_size)
        m.d.comb += [self.last.eq(1), self.group.eq(self.later(m, group, "row_group"))]
        self.add_memories(m, neuron)
        return m


@generator.register
def _(rows: DiagonalRows) -> type[Generator]:
    return DiagonalGenerator
