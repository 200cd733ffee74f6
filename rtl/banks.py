"""Accumulators in two banks: rows of any groups in any order, while the tick before is swept.

::

    rows of tick t + 1 ──► group ──► bank 1 ──► before ──► + weights ──┬──► write back
                                                  ▲ (the same group     │
                                                  │  in the last two cycles)
                                                  └─────────────────────┘
    sweep of tick t ─────► group ──► bank 0 ──► current, and 0 is written back

The banks change their parts at each marker.  A sweep leaves zeros behind, so that a tick begins with zeros and nothing
has to be cleared but what a sample leaves that was broken off amid a tick.
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring

from .accumulator import product_shape, products, sums_members
from .memory import Ram, RegisterFile
from .plan import REGISTER_GROUPS, ArrayPlan


class BankedAccumulator(wiring.Component):
    """Sums the rows of each tick, whatever their groups; it replaces the `Accumulator`.

    Parameters
    ----------
    array : ArrayPlan

    Members
    -------
    Those of :func:`lifline.rtl.accumulator.sums_members`: `i` is not ready while a whole tick waits, except in the
    cycle in which its sweep starts; `start` comes at least `interval(array)` cycles after the last; `busy`: the banks
    are being cleared, after a reset, for `groups` cycles, and only if rows had come that no sweep took.

    Latency: the sums of group g come `LATENCY` + g cycles after `start`.  `waiting` rises one cycle after a
    marker.
    Throughput: one row a cycle, while a sweep goes on as well.
    """

    LATENCY = 3
    AHEAD = 2

    def __init__(self, array: ArrayPlan) -> None:
        self.array = array
        super().__init__(sums_members(array))

    @staticmethod
    def closed(array: ArrayPlan) -> int:
        """Cycles from a sweep's start until rows of the next tick are taken."""
        return 0

    @staticmethod
    def interval(array: ArrayPlan) -> int:
        """Least cycles from the start of one sweep to the next: the last group's zeros have been written by then."""
        return array.groups + 2

    def elaborate(self, platform):
        m = Module()
        row = self.i.payload
        accept = Signal()
        bank = Signal()  # into which rows go
        m.d.comb += [
            self.i.ready.eq(~self.waiting | self.start),
            accept.eq(self.i.valid & self.i.ready),
        ]
        with m.If(accept & row.marker):
            m.d.sync += [self.waiting.eq(1), bank.eq(~bank)]
        with m.Elif(self.start):
            m.d.sync += self.waiting.eq(0)

        sweep, swept, group = self._sweep(m, bank)
        clearing, cleared = self._clearing(m, bank, accept & ~row.marker, sweep, swept, group)
        words = [self._bank(m, index) for index in range(2)]
        write, write_group, write_bank, total = self._add(m, accept, bank, words)

        # The banks' ports, and what the sweep reads of them.
        zero = Signal()
        zero_group = Signal.like(group, reset_less=True)
        zero_bank = Signal(reset_less=True)
        o = Signal(self.o.payload.shape(), reset_less=True)
        m.d.sync += [
            zero.eq(sweep),
            zero_group.eq(group),
            zero_bank.eq(swept),
            self.o.valid.eq(zero),
            o.eq(Cat(zero_group, Array(word.data for word in words)[zero_bank])),
        ]
        m.d.comb += [
            self.coming.valid.eq(sweep),
            self.coming.payload.eq(group),
            self.o.payload.eq(o),
        ]
        for index, word in enumerate(words):
            address = Mux(sweep & (swept == index), group, row.group)
            zeros = zero & (zero_bank == index)
            if isinstance(word, RegisterFile):
                m.d.sync += word.address.eq(address)
            else:
                m.d.comb += [word.en.eq(1), word.address.eq(address)]
            m.d.comb += [
                word.write.eq(clearing | zeros | (write & (write_bank == index))),
                word.write_address.eq(Mux(clearing, cleared, Mux(zeros, zero_group, write_group))),
                word.write_data.eq(Mux(clearing | zeros, 0, total)),
            ]
        return m

    def _sweep(self, m, bank):
        """Whether a group is read for a sweep, of which bank, and which group."""
        sweep = Signal()
        swept = Signal(reset_less=True)
        group = Signal.like(self.i.payload.group)
        last = group == self.array.groups - 1
        with m.If(self.start):
            m.d.sync += [sweep.eq(1), swept.eq(~bank)]
        with m.Elif(last):
            m.d.sync += sweep.eq(0)
        with m.If(sweep):
            m.d.sync += group.eq(Mux(last, 0, group + 1))
        return sweep, swept, group

    def _clearing(self, m, bank, added, sweep, swept, group):
        """Whether zeros are written to a group of both banks, after a reset, and which group.

        What says whether a bank holds anything but zeros knows of no reset, as the banks do not.
        """
        dirty = Signal(2, reset_less=True)
        settled = Signal()  # since the reset both banks have been seen to hold zeros
        cleared = Signal.like(group)
        m.d.comb += self.busy.eq(~settled & dirty.any())
        with m.If(self.busy):
            m.d.sync += cleared.eq(cleared + 1)
            with m.If(cleared == self.array.groups - 1):
                m.d.sync += dirty.eq(0)
        with m.Else():
            m.d.sync += settled.eq(1)
            for index in range(2):
                with m.If(added & (bank == index)):
                    m.d.sync += dirty[index].eq(1)
                with m.Elif(sweep & (swept == index) & (group == self.array.groups - 1)):
                    m.d.sync += dirty[index].eq(0)
        return self.busy, cleared

    def _bank(self, m, index):
        bits, groups = self.array.lanes * self.array.accumulator_bits, self.array.groups
        if groups <= REGISTER_GROUPS:
            words = RegisterFile(width=bits, depth=groups)
        else:  # a row that reads what is written in that cycle is `far`
            words = Ram(width=bits, depth=groups, apart=True)
        m.submodules[f"words_{index}"] = words
        return words

    def _add(self, m, accept, bank, words):
        """The pipeline of a row: a word is read, then the weights are added; what is to be written, where."""
        array, row = self.array, self.i.payload
        bits = array.lanes * array.accumulator_bits
        place = Cat(row.group, bank)
        add = [accept & ~row.marker] + [Signal(name=f"add_{stage}") for stage in (1, 2, 3)]
        at = [place] + [Signal(len(place), name=f"place_{s}", reset_less=True) for s in (1, 2, 3)]
        for stage in (1, 2, 3):
            m.d.sync += [add[stage].eq(add[stage - 1]), at[stage].eq(at[stage - 1])]

        # Stage 1: the word is there, or its sum is that of one of the two rows before.
        weights_1 = Signal(row.weights.shape(), reset_less=True)
        near = Signal(reset_less=True)  # the row before has the same place
        far = Signal(reset_less=True)  # the one before it has
        weights_2 = Signal(product_shape(array), reset_less=True)
        before = Signal(bits, reset_less=True)
        total = Signal(bits)
        written = Signal(bits, reset_less=True)
        m.d.sync += [
            weights_1.eq(row.weights),
            near.eq(add[1] & (at[1] == place)),
            far.eq(add[2] & (at[2] == place)),
            weights_2.eq(products(m, array, row, weights_1)),
            written.eq(total),
        ]
        word = Array(word.data for word in words)[at[1][-1]]
        m.d.sync += before.eq(Mux(near, total, Mux(far, written, word)))

        # Stage 2: the sum is written.
        width = array.accumulator_bits
        m.d.comb += total.eq(
            Cat(
                (before.word_select(lane, width).as_signed() + weights_2[lane])[:width]
                for lane in range(array.lanes)
            )
        )
        return add[2], at[2][:-1], at[2][-1], total
