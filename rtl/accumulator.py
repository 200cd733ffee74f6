"""Accumulators without delays: two banks, one being filled while the other is swept.

::

    row (group, weights) ──► + ──► bank being filled ─┐ swap at each marker
                                   bank being swept ──┴──► current (group, sums)

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
    marker; the bank of the swept tick is ready for rows `groups` cycles after `start`.
    Throughput: one row a cycle, while a sweep goes on as well.
    """

    LATENCY = 2
    #: The rows of a tick wait for the sweep to begin of so many ticks before (two banks).
    TICKS = 2

    def __init__(self, array: ArrayPlan) -> None:
        self.array = array
        super().__init__(sums_members(array))

    def elaborate(self, platform):
        m = Module()
        array = self.array
        last_group = array.groups - 1
        accept, row = self.i.valid & self.i.ready, self.i.payload

        # The bank being filled.
        filling = Signal()  # its index
        fresh = Signal(init=1)  # no event of this tick has reached all groups yet
        empty = Signal(2)  # for each bank: swept as zeros
        with m.If(accept):
            with m.If(row.marker):
                m.d.sync += [filling.eq(~filling), fresh.eq(1)]
                m.d.sync += empty.eq(Mux(filling, Cat(empty[0], fresh), Cat(fresh, empty[1])))
            with m.Elif(row.group == last_group):
                m.d.sync += fresh.eq(0)

        # The bank being swept.
        sweeping = Signal()  # its index
        running = Signal()
        group = Signal.like(row.group)
        read = Signal()
        closed = Signal(range(3))  # whole ticks whose bank has not been read to the end
        done = read & (group == last_group)
        m.d.comb += [
            read.eq(self.start | running),
            self.waiting.eq(closed != 0),
            self.i.ready.eq(closed != 2),
        ]
        m.d.sync += closed.eq(closed + (accept & row.marker) - done)
        with m.If(read):
            m.d.sync += [running.eq(~done), group.eq(Mux(done, 0, group + 1))]
        with m.If(done):
            m.d.sync += sweeping.eq(~sweeping)

        # First stage of both pipelines.
        add_1 = _Add(array, 1)
        m.d.sync += [
            add_1.valid.eq(accept & ~row.marker),
            add_1.bank.eq(filling),
            add_1.group.eq(row.group),
            add_1.fresh.eq(fresh),
            add_1.weights.eq(row.weights),
        ]
        sweep_valid, sweep_bank, sweep_empty = Signal(), Signal(), Signal()
        sweep_group = Signal.like(group)
        m.d.sync += [
            sweep_valid.eq(read),
            sweep_bank.eq(sweeping),
            sweep_group.eq(group),
            sweep_empty.eq(Mux(sweeping, empty[1], empty[0])),
        ]

        # Second stage: the sums leave; what was in the bank is there.
        swept = Signal(array.lanes * array.accumulator_bits)
        o_group = Signal.like(group)
        o_values = Signal.like(swept)
        m.d.sync += [
            self.o.valid.eq(sweep_valid),
            o_group.eq(sweep_group),
            o_values.eq(Mux(sweep_empty, 0, swept)),
        ]
        m.d.comb += [self.o.payload.group.eq(o_group), self.o.payload["values"].eq(o_values)]

        if array.groups <= REGISTER_GROUPS:
            banks = Array(
                [
                    Array([Signal(len(swept), name=f"bank_{b}_{g}") for g in range(array.groups)])
                    for b in range(2)
                ]
            )
            sums = add_1.sums(banks[add_1.bank][add_1.group])
            with m.If(add_1.valid):
                m.d.sync += banks[add_1.bank][add_1.group].eq(sums)
            m.d.comb += swept.eq(banks[sweep_bank][sweep_group])
        else:
            add_2 = _Add(array, 2)
            m.d.sync += add_2.follow(add_1)
            rams = [Ram(width=len(swept), depth=array.groups) for _ in range(2)]
            before = Signal.like(swept)
            m.d.sync += before.eq(Mux(add_1.bank, rams[1].data, rams[0].data))
            for bank, ram in enumerate(rams):
                m.submodules[f"bank_{bank}"] = ram
                m.d.comb += [
                    ram.en.eq(1),
                    ram.address.eq(Mux(read & (sweeping == bank), group, row.group)),
                    ram.write.eq(add_2.valid & (add_2.bank == bank)),
                    ram.write_address.eq(add_2.group),
                    ram.write_data.eq(add_2.sums(before)),
                ]
            m.d.comb += swept.eq(Mux(sweep_bank, rams[1].data, rams[0].data))
        return m


class _Add:
    """A pipeline stage that holds a row on its way into a bank."""

    def __init__(self, array: ArrayPlan, number: int) -> None:
        layout = row_layout(array)
        self.array = array
        self.valid = Signal(name=f"add_{number}_valid")
        self.bank = Signal(name=f"add_{number}_bank")
        self.fresh = Signal(name=f"add_{number}_fresh")
        self.group = Signal(layout["group"].shape, name=f"add_{number}_group")
        self.weights = Signal(layout["weights"].shape, name=f"add_{number}_weights")

    def follow(self, other: "_Add"):
        """Take over what stage `other` holds."""
        return [
            getattr(self, field).eq(getattr(other, field))
            for field in ("valid", "bank", "fresh", "group", "weights")
        ]

    def sums(self, before):
        """The bank's row `before`, plus the weights (or the weights alone if the row is the first)."""
        view = data.View(current_layout(self.array)["values"].shape, before)
        bits = self.array.accumulator_bits
        return Cat(
            (Mux(self.fresh, 0, view[lane]) + self.weights[lane])[:bits]
            for lane in range(self.array.lanes)
        )
