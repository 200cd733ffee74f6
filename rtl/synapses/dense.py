"""Dense synapses beside others: the groups one after the other, a word of each source apart."""

from amaranth.hdl import Module, Signal

from ..rows.dense import DenseRows
from .generator import Generator, generator


class DenseGenerator(Generator):
    """Counts the groups, and adds the number of sources to the address of a word."""

    @staticmethod
    def stages(rows: DenseRows) -> int:
        return 1

    def elaborate(self, platform):
        m = Module()
        word = Signal.like(self.roms["weights"].address, reset_less=True)
        group = Signal.like(self.group, reset_less=True)
        with m.If(self.move):
            m.d.sync += [word.eq(self.address), group.eq(0)]
        with m.Elif(self.next):
            m.d.sync += [word.eq(word + self.channel.source_size), group.eq(group + 1)]
        m.d.comb += [
            self.last.eq(group == self.array.groups - 1),
            self.group.eq(self.later(m, group, "row_group")),
        ]
        self.add_memories(m, word)
        return m


@generator.register
def _(rows: DenseRows) -> type[Generator]:
    return DenseGenerator
