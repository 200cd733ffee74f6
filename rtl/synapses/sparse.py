"""Sparse synapses: a pointer to an event's first row, then its rows, each with its group beside it.

::

    address ──► pointers ──► row, rows after it ──► targets, weights, delays
"""

from amaranth.hdl import Module, Signal

from ..rows.sparse import SparseRows
from .generator import Generator, generator


class SparseGenerator(Generator):
    """Reads a pointer, and counts the rows from there."""

    @staticmethod
    def stages(rows: SparseRows) -> int:
        return 2

    def elaborate(self, platform):
        m = Module()
        row_bits = self.rows.row_bits
        row = Signal(row_bits, reset_less=True)
        more = Signal(self.rows.more_bits, reset_less=True)  # rows after this one
        last = Signal(reset_less=True)
        pointers = self.read_memory(m, "pointers", en=self.move[0], address=self.address)
        targets = self.read_memory(m, "targets", en=self.read, address=row)
        m.d.comb += [
            self.last.eq(last),
            self.group.eq(targets.data),
        ]
        pointed = pointers.data[row_bits:]
        with m.If(self.move[1]):
            m.d.sync += [row.eq(pointers.data[:row_bits]), more.eq(pointed), last.eq(pointed == 0)]
        with m.Elif(self.next):
            m.d.sync += [row.eq(row + 1), more.eq(more - 1), last.eq(more == 1)]
        self.add_memories(m, row)
        return m


@generator.register
def _(rows: SparseRows) -> type[Generator]:
    return SparseGenerator
