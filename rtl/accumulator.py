"""Accumulators without delays: a tick is summed while the one before is swept.

::

    row ──► group ──► words ──┬─► before ──► + weights ──► write back
                              └──────────────────────────────────────► current (a sweep)

One memory with one read port is enough for both.  A sweep reads each group once, and so does each event, except
that the first event of a tick overwrites what it finds: it needs no read.  The rows of a tick are let in when
the sweep of the tick before starts, so the sweep has read the last group before the second event comes.

The memory is as small as it can be: a register for one group, a register file for a few, else block RAM.
It is never cleared: a tick without events counts as zeros.
"""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .arithmetic import delay
from .events import current_layout, row_layout
from .layout import address_bits
from .memory import Ram, RegisterFile
from .plan import REGISTER_GROUPS, ArrayPlan


def sums_members(array: ArrayPlan) -> dict[str, wiring.Member]:
    """The members of what sums an array's rows, with delays or without; each says what else is true of its own.

    i : In(stream of row_layout(array))
        The rows of a tick, then a marker.
    waiting : Out(1)
        A whole tick waits to be swept.
    start : In(1)
        Sweep it; only when `waiting`.
    coming : Out(stream of group, always ready)
        The groups of `o`, `AHEAD` cycles before.
    o : Out(stream of current_layout(array), always ready)
        The sums of group 0, 1, … in successive cycles.
    busy : Out(1)
        What is left of before a reset is being cleared.
    """
    return {
        "i": In(stream.Signature(row_layout(array))),
        "waiting": Out(1),
        "start": In(1),
        "coming": Out(stream.Signature(unsigned(address_bits(array.groups)), always_ready=True)),
        "o": Out(stream.Signature(current_layout(array), always_ready=True)),
        "busy": Out(1),
    }


def product_shape(array: ArrayPlan) -> data.ArrayLayout:
    """The weights of a row, times their event's value."""
    bits = array.weight_bits + (array.value_bits if array.value_bits > 1 else 0)
    return data.ArrayLayout(signed(bits), array.lanes)


def products(m: Module, array: ArrayPlan, row: Any, weights: Any) -> Any:
    """The `weights` of the `row` of the cycle before, times its value where the array has graded inputs."""
    if array.value_bits == 1:
        return weights
    value = delay(m, row.value, 1, "value")
    return Cat(
        (weights[lane] * value)[: product_shape(array).elem_shape.width] for lane in range(array.lanes)
    )


class Accumulator(wiring.Component):
    """Sums the rows of each tick.

    Parameters
    ----------
    array : ArrayPlan

    Members
    -------
    Those of :func:`sums_members`: `i` takes each event's groups in order, and is not ready while a whole tick waits,
    except in the cycle in which its sweep starts; `start` comes at least `groups` cycles after the last; `busy` is
    always 0: ready from the first cycle.

    Latency: the sums of group g come `LATENCY` + g cycles after `start`.  `waiting` rises one cycle after a
    marker.
    Throughput: one row a cycle, while a sweep goes on as well.
    """

    LATENCY = 2
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
        """Least cycles from the start of one sweep to the next."""
        return array.groups

    def elaborate(self, platform):
        """All of one pipeline, in the order of its stages: long, so that one sees what feeds which."""
        m = Module()
        array, row = self.array, self.i.payload
        bits = array.lanes * array.accumulator_bits
        last_group = array.groups - 1
        accept = Signal()
        sweep = Signal()
        running = Signal()
        group = Signal.like(row.group)  # of the sweep
        fresh = Signal(init=1)  # no event of the tick that comes in has reached all groups yet
        empty = Signal(reset_less=True)  # no event came in the tick that waits
        void = Signal(reset_less=True)  # nor in the one that is being swept

        m.d.comb += [
            self.i.ready.eq(~self.waiting | self.start),
            accept.eq(self.i.valid & self.i.ready),
            sweep.eq(self.start | running),
            self.coming.valid.eq(sweep),
            self.coming.payload.eq(group),
        ]
        with m.If(accept & row.marker):
            m.d.sync += [self.waiting.eq(1), fresh.eq(1), empty.eq(fresh)]
        with m.Else():
            with m.If(self.start):
                m.d.sync += self.waiting.eq(0)
            with m.If(accept & (row.group == last_group)):
                m.d.sync += fresh.eq(0)
        with m.If(self.start):
            m.d.sync += void.eq(empty)
        with m.If(sweep):
            m.d.sync += [
                running.eq(group != last_group),
                group.eq(Mux(group == last_group, 0, group + 1)),
            ]

        # Stage 1: a word is read, for the row or for the sweep.
        add_1 = Signal()
        fresh_1 = Signal(reset_less=True)
        group_1 = Signal.like(group, reset_less=True)
        weights_1 = Signal(row.weights.shape(), reset_less=True)
        sweep_1 = Signal()
        sweep_group_1 = Signal.like(group, reset_less=True)
        m.d.sync += [
            add_1.eq(accept & ~row.marker),
            fresh_1.eq(fresh),
            group_1.eq(row.group),
            weights_1.eq(row.weights),
            sweep_1.eq(sweep),
            sweep_group_1.eq(group),
        ]

        # Stage 2: the row's weights are added to it, or it goes out.
        add_2 = Signal()
        group_2 = Signal.like(group, reset_less=True)
        weights_2 = Signal(product_shape(array), reset_less=True)
        total = Signal(bits)
        o = Signal(self.o.payload.shape(), reset_less=True)
        swept = Signal(bits)
        m.d.sync += [
            add_2.eq(add_1),
            group_2.eq(group_1),
            weights_2.eq(products(m, array, row, weights_1)),
            self.o.valid.eq(sweep_1),
            o.eq(Cat(sweep_group_1, swept)),
        ]
        m.d.comb += self.o.payload.eq(o)

        if array.groups == 1:
            # No reset reaches the sums: the first cycle after one clears them, as every sweep does.  Then no row is
            # added: in the cycle before a sweep the marker has just come, or waits, and holds the rows back.
            sums = Signal(bits, reset_less=True)
            clear = Signal(init=1)
            m.d.sync += clear.eq(sweep)
            with m.If(clear):
                m.d.sync += sums.eq(0)
            with m.Elif(add_2):
                m.d.sync += sums.eq(total)
            m.d.comb += [total.eq(self._sums(sums, weights_2)), swept.eq(sums)]
            return m

        word = Signal(bits)
        before = Signal(bits, reset_less=True)
        address = Mux(sweep, group, row.group)
        m.d.sync += before.eq(Mux(fresh_1, 0, word))
        m.d.comb += [total.eq(self._sums(before, weights_2)), swept.eq(Mux(void, 0, word))]
        if array.groups <= REGISTER_GROUPS:
            words = RegisterFile(width=bits, depth=array.groups)
            m.d.sync += words.address.eq(address)
        else:
            words = Ram(width=bits, depth=array.groups, zeros=False)
            m.d.comb += [words.en.eq(1), words.address.eq(address)]
        m.submodules.words = words
        m.d.comb += [
            word.eq(words.data),
            words.write.eq(add_2),
            words.write_address.eq(group_2),
            words.write_data.eq(total),
        ]
        return m

    def _sums(self, before, weights):
        """A group's sums `before`, plus `weights`."""
        bits = self.array.accumulator_bits
        return Cat(
            (before.word_select(lane, bits).as_signed() + weights[lane])[:bits]
            for lane in range(self.array.lanes)
        )
