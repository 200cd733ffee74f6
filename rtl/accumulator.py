"""Accumulators without delays: a tick is summed while the one before is swept.

::

    small arrays, in registers:   row ──► + ──► sums ── at a marker ──► held ──────────► current
    large ones, in block RAM:     row ──► + ──► bank being filled ─┐ swap at each marker
                                                bank being swept ──┴───────────────────► current

A bank is never cleared: the first event of a tick overwrites it, and a bank into which no event came
counts as zeros.
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .events import current_layout, row_layout
from .memory import Ram
from .plan import REGISTER_GROUPS, ArrayPlan


def sums_members(array: ArrayPlan) -> dict[str, wiring.Member]:
    """The members of what sums an array's rows, with delays or without."""
    return {
        "i": In(stream.Signature(row_layout(array))),
        "waiting": Out(1),
        "start": In(1),
        "o": Out(stream.Signature(current_layout(array), always_ready=True)),
        "busy": Out(1),
    }


class Accumulator(wiring.Component):
    """Sums the rows of each tick.

    Parameters
    ----------
    array : ArrayPlan

    Members
    -------
    i : In(stream of row_layout(array))
        The rows of a tick, each event's groups in order, then a marker.  Not ready while two whole ticks wait.
    waiting : Out(1)
        A whole tick waits to be swept.
    start : In(1)
        Sweep the oldest one; only when `waiting`, and at least `groups` cycles after the last start.
    o : Out(stream of current_layout(array), always ready)
        The sums of group 0, 1, … in successive cycles.
    busy : Out(1)
        Always 0: ready from the first cycle.

    Latency: the sums of group g come `LATENCY` + g cycles after `start`.  `waiting` rises one cycle after a
    marker; where two ticks waited, rows are taken again `groups` cycles after `start`.
    Throughput: one row a cycle, while a sweep goes on as well.
    """

    LATENCY = 2
    #: The rows of a tick wait for the sweep to begin of so many ticks before (two ticks have room).
    TICKS = 2

    def __init__(self, array: ArrayPlan) -> None:
        self.array = array
        super().__init__(sums_members(array))

    def elaborate(self, platform):
        m = Module()
        array, row = self.array, self.i.payload
        last_group = array.groups - 1
        accept = Signal()
        closed = Signal(range(3))  # whole ticks that have not been read to the end
        read, running, done = Signal(), Signal(), Signal()
        group = Signal.like(row.group)  # being read

        m.d.comb += [
            self.i.ready.eq(closed != 2),
            accept.eq(self.i.valid & self.i.ready),
            self.waiting.eq(closed != 0),
            read.eq(self.start | running),
            done.eq(read & (group == last_group)),
        ]
        m.d.sync += closed.eq(closed + (accept & row.marker) - done)
        with m.If(read):
            m.d.sync += [running.eq(~done), group.eq(Mux(done, 0, group + 1))]

        store = self._in_registers if array.groups <= REGISTER_GROUPS else self._in_memory
        swept = store(m, accept, closed, read, group, done)
        o = Signal(self.o.payload.shape())
        read_group = Signal.like(group)
        read_valid = Signal()
        m.d.sync += [
            read_valid.eq(read),
            read_group.eq(group),
            self.o.valid.eq(read_valid),
            o.eq(Cat(read_group, swept)),
        ]
        m.d.comb += self.o.payload.eq(o)
        return m

    def _in_registers(self, m, accept, closed, read, group, done):
        """The sums of `group`, a cycle after it is read."""
        array, row = self.array, self.i.payload
        bits = array.lanes * array.accumulator_bits
        # No reset reaches the sums: the first cycle after one hands them over, and zeros take their place.
        sums = Array([Signal(bits, name=f"sums_{g}", reset_less=True) for g in range(array.groups)])
        held = Array([Signal(bits, name=f"held_{g}", reset_less=True) for g in range(array.groups)])
        adds = Signal(array.groups)  # a bit for each group, straight from a register
        weights = Signal(row.weights.shape(), reset_less=True)
        add_group, read_group = Signal.like(group), Signal.like(group)
        hand_over = Signal(init=1)  # a whole tick is in `sums`, and `held` has been read to the end
        m.d.sync += [
            *(adds[g].eq(accept & ~row.marker & (row.group == g)) for g in range(array.groups)),
            add_group.eq(row.group),
            weights.eq(row.weights),
            read_group.eq(group),
            hand_over.eq((accept & row.marker & (closed == done)) | (done & (closed == 2))),
        ]
        total = self._sums(sums[add_group], weights)
        for g, (tick_sums, tick_held) in enumerate(zip(sums, held, strict=True)):
            with m.If(hand_over):
                m.d.sync += [tick_held.eq(tick_sums), tick_sums.eq(0)]
            with m.Elif(adds[g]):
                m.d.sync += tick_sums.eq(total)
        return held[read_group]

    def _in_memory(self, m, accept, closed, read, group, done):
        """The sums of `group`, a cycle after it is read."""
        array, row = self.array, self.i.payload
        bits = array.lanes * array.accumulator_bits

        # The bank being filled; a row is written two cycles after it has come.
        filling = Signal()  # its index
        fresh = Signal(init=1)  # no event of this tick has reached all groups yet
        empty = Signal(2)  # for each bank: no event came into it
        with m.If(accept):
            with m.If(row.marker):
                m.d.sync += [filling.eq(~filling), fresh.eq(1)]
                m.d.sync += empty.eq(Mux(filling, Cat(empty[0], fresh), Cat(fresh, empty[1])))
            with m.Elif(row.group == array.groups - 1):
                m.d.sync += fresh.eq(0)
        layout = data.StructLayout(
            {
                "add": 1,
                "bank": 1,
                "fresh": 1,
                "group": group.shape(),
                "weights": row.weights.shape(),
            }
        )
        one, two = Signal(layout), Signal(layout)
        m.d.sync += [
            one.add.eq(accept & ~row.marker),
            one.bank.eq(filling),
            one.fresh.eq(fresh),
            one.group.eq(row.group),
            one.weights.eq(row.weights),
            two.eq(one),
        ]

        # The bank being swept.
        sweeping = Signal()  # its index
        read_bank, read_empty = Signal(), Signal()
        with m.If(done):
            m.d.sync += sweeping.eq(~sweeping)
        m.d.sync += [read_bank.eq(sweeping), read_empty.eq(Mux(sweeping, empty[1], empty[0]))]

        rams = [Ram(width=bits, depth=array.groups) for _ in range(2)]
        before, total = Signal(bits), Signal(bits)
        m.d.comb += total.eq(self._sums(Mux(two.fresh, 0, before), two.weights))
        m.d.sync += before.eq(Mux(one.bank, rams[1].data, rams[0].data))
        for bank, ram in enumerate(rams):
            m.submodules[f"bank_{bank}"] = ram
            m.d.comb += [
                ram.en.eq(1),
                ram.address.eq(Mux(read & (sweeping == bank), group, row.group)),
                ram.write.eq(two.add & (two.bank == bank)),
                ram.write_address.eq(two.group),
                ram.write_data.eq(total),
            ]
        return Mux(read_empty, 0, Mux(read_bank, rams[1].data, rams[0].data))

    def _sums(self, before, weights):
        """A group's sums `before`, plus `weights`."""
        bits = self.array.accumulator_bits
        return Cat(
            (before.word_select(lane, bits).as_signed() + weights[lane])[:bits]
            for lane in range(self.array.lanes)
        )
