"""Delay line: accumulators that look ahead, one ring of ticks for each neuron.

::

    row (group, weights, delays) ──► address (group, now + delay) in each lane
                                         │ read        ┌───────────────┐
                                         ▼             ▼ (same address │ in the last two cycles)
                                     ring RAM ──► value ──► + weight ──┴──► write back
                                                    │
    at a marker, slot `now` of every group: ────────┴──► current (group, sums), and 0 is written back

A ring slot is a tick.  A spike's weight is added in the slot of the tick in which it arrives, so that a
delay costs memory but no time.  The slots of a ring are a power of two, and its index wraps by itself.
"""

import itertools

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring

from .accumulator import product_shape, sums_members
from .arithmetic import delay
from .memory import Ram
from .plan import ArrayPlan, ring_slots


class DelayLine(wiring.Component):
    """Sums the rows of each tick, every synapse with a delay of its own; it replaces the `Accumulator`.

    Parameters
    ----------
    array : ArrayPlan

    Members
    -------
    Those of :func:`lifline.rtl.accumulator.sums_members`: `i` is not ready from a marker to the end of the sweep that
    follows; `busy`: the ring is being cleared, after a reset, for `groups` · slots cycles.

    Latency: the sums of group g come `LATENCY` + g cycles after `start`; rows of the next tick are taken
    `groups` cycles after `start`.  Throughput: one row a cycle, but during sweeps.
    """

    LATENCY = 3
    AHEAD = 2

    def __init__(self, array: ArrayPlan) -> None:
        self.array = array
        super().__init__(sums_members(array))

    @staticmethod
    def closed(array: ArrayPlan) -> int:
        """Cycles from a sweep's start until rows of the next tick are taken: the ring has one read port."""
        return array.groups

    @staticmethod
    def interval(array: ArrayPlan) -> int:
        """Least cycles from the start of one sweep to the next."""
        return array.groups

    def elaborate(self, platform):
        """All of one pipeline, in the order of its stages: long, so that one sees what feeds which."""
        m = Module()
        array, row = self.array, self.i.payload
        last_group = array.groups - 1
        slots = ring_slots(array.ring_ticks)
        accept = self.i.valid & self.i.ready
        now = Signal(range(slots))  # the slot of the current tick
        group = Signal.like(row.group)
        running = Signal()
        drain = Signal()

        # Clearing, after a reset.
        clearing = Signal(init=1)
        cleared = Signal(range(slots * array.groups))
        with m.If(clearing):
            m.d.sync += [
                cleared.eq(cleared + 1),
                clearing.eq(cleared != slots * array.groups - 1),
            ]

        # Between a marker and the end of its sweep.
        m.d.comb += [
            self.busy.eq(clearing),
            self.i.ready.eq(~self.waiting & ~clearing),
            drain.eq(self.start | running),
        ]
        with m.If(accept & row.marker):
            m.d.sync += self.waiting.eq(1)
        with m.If(drain):
            m.d.sync += [running.eq(group != last_group), group.eq(group + 1)]
            with m.If(group == last_group):
                m.d.sync += [group.eq(0), now.eq(now + 1), self.waiting.eq(0)]

        # Stages 1 to 3 of the pipeline: address, memory, sum.
        valid = [Signal(name=f"valid_{stage}") for stage in range(4)]
        draining = [Signal(name=f"draining_{stage}", reset_less=True) for stage in range(4)]
        at_group = [Signal.like(group, name=f"group_{stage}", reset_less=True) for stage in range(4)]
        m.d.comb += [
            valid[0].eq((accept & ~row.marker) | drain),
            draining[0].eq(drain),
            at_group[0].eq(Mux(drain, group, row.group)),
        ]
        for chain in (valid, draining, at_group):
            for before, after in itertools.pairwise(chain):
                m.d.sync += after.eq(before)
        # `now` moves on in the cycle after the last group of a drain has entered stage 1: rows and drains
        # carry the slot that they belong to.
        base = Signal.like(now, reset_less=True)
        m.d.sync += base.eq(now)
        m.d.comb += [
            self.coming.valid.eq(valid[1] & draining[1]),
            self.coming.payload.eq(at_group[1]),
            self.o.valid.eq(valid[3] & draining[3]),
            self.o.payload.group.eq(at_group[3]),
        ]

        value = delay(m, row.value, 2, "value") if array.value_bits > 1 else None
        product = product_shape(array).elem_shape
        for lane in range(array.lanes):
            m.submodules[f"ring_{lane}"] = ring = Ram(
                width=array.accumulator_bits, depth=slots * array.groups, zeros=False
            )
            weight = [
                Signal(shape, name=f"weight_{lane}_{s}", reset_less=True)
                for s, shape in enumerate(2 * [signed(array.weight_bits)] + [product], start=1)
            ]
            late = Signal(range(slots), name=f"delay_{lane}", reset_less=True)
            address = [
                Signal.like(ring.address, name=f"address_{lane}_{s}", reset_less=True)
                for s in range(1, 4)
            ]
            sums = Signal(signed(array.accumulator_bits), name=f"value_{lane}", reset_less=True)
            total = Signal.like(sums, name=f"total_{lane}")
            slot = Signal(range(slots), name=f"slot_{lane}")

            # 1: where
            m.d.sync += [weight[0].eq(row.weights[lane]), late.eq(Mux(drain, 0, row.delays[lane]))]
            m.d.comb += [
                slot.eq(base + late),
                address[0].eq(Cat(slot, at_group[1])),
                ring.en.eq(1),
                ring.address.eq(address[0]),
            ]
            # 2: what is there, or is just being written
            m.d.sync += [
                weight[1].eq(weight[0]),
                address[1].eq(address[0]),
                sums.eq(ring.data),
                weight[2].eq(weight[1] if value is None else weight[1] * value),
                address[2].eq(address[1]),
            ]
            if array.groups < 3 or not array.in_order:  # else it comes again only after three cycles
                last_valid = Signal(name=f"last_valid_{lane}")
                last_address = Signal.like(address[2], name=f"last_address_{lane}", reset_less=True)
                last_total = Signal.like(total, name=f"last_total_{lane}", reset_less=True)
                m.d.sync += [
                    last_valid.eq(valid[3]),
                    last_address.eq(address[2]),
                    last_total.eq(total),
                ]
                with m.If(valid[3] & (address[2] == address[1])):
                    m.d.sync += sums.eq(total)
                with m.Elif(last_valid & (last_address == address[1])):
                    m.d.sync += sums.eq(last_total)
            # 3: sum
            m.d.comb += [
                total.eq(Mux(draining[3], 0, sums + weight[2])),
                ring.write.eq(valid[3] | clearing),
                ring.write_address.eq(Mux(clearing, cleared, address[2])),
                ring.write_data.eq(Mux(clearing, 0, total)),
                self.o.payload["values"][lane].eq(sums),
            ]
        return m
