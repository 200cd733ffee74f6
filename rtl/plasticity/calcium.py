"""Calcium: what the spikes of targets leave behind, and by which their weights rise or fall.

::

    c ← floor(alpha · c / 256);   rises, falls by c and the membrane that the tick found;   c ← c + amplitude · spike
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.plasticity import SDSP

from ..arithmetic import delay, exceeds
from ..events import found_layout
from ..layout import address_bits
from ..memory import Ram
from ..plan import ArrayPlan
from .learner import spikes_layout
from .traces import decayed


class TargetCalcium(wiring.Component):
    """The calcium of an array's neurons: a group a word.

    Parameters
    ----------
    rule : SDSP
    array : ArrayPlan
    bits : int
        Of a calcium.

    Members
    -------
    found : In(stream of found_layout(array), always ready)
        The membranes that a group has found, at least a cycle before its `spikes`.
    spikes : In(stream of spikes_layout(array), always ready)
    group : In
        A group to read, when no spikes come.
    data : Out(layout(array, bits))
        Its word, a cycle later.

    Latency: a group is written 3 cycles after its spikes have come.
    """

    def __init__(self, rule: SDSP, array: ArrayPlan, bits: int) -> None:
        self.rule = rule
        self.array = array
        self.bits = bits
        super().__init__(
            {
                "found": In(stream.Signature(found_layout(array), always_ready=True)),
                "spikes": In(stream.Signature(spikes_layout(array), always_ready=True)),
                "group": In(unsigned(address_bits(array.groups))),
                "data": Out(self.layout(array, bits)),
            }
        )

    @staticmethod
    def layout(array: ArrayPlan, bits: int) -> data.StructLayout:
        """Members: ``rises``, ``falls``, a bit a lane: what a source's spike does; ``calcium`` after it, one a lane."""
        calcium = data.ArrayLayout(unsigned(bits), array.lanes)
        lanes = unsigned(array.lanes)
        return data.StructLayout({"rises": lanes, "falls": lanes, "calcium": calcium})

    def elaborate(self, platform):
        m = Module()
        rule, array, lanes = self.rule, self.array, self.array.lanes
        shape = self.data.shape()
        valid, come, found = self.spikes.valid, self.spikes.payload, self.found.payload
        m.submodules.ram = ram = Ram(width=shape.size, depth=array.groups, zeros=False)
        m.d.comb += [
            ram.en.eq(1),
            ram.address.eq(Mux(valid, come.group, self.group)),
            self.data.eq(ram.data),
        ]

        # v[t − 1] > threshold, from the one to the other stream
        threshold = Const(rule.threshold, signed(rule.threshold.bit_length() + 1))
        m.submodules.above = above = Ram(width=lanes, depth=array.groups, zeros=False)
        m.d.comb += [
            above.write.eq(self.found.valid),
            above.write_address.eq(found.group),
            above.write_data.eq(Cat(exceeds(v, threshold) for v in found.membranes)),
            above.en.eq(1),
            above.address.eq(come.group),
        ]
        high = delay(m, above.data, 2, "high")

        started = Signal()  # the sample has had a tick: what is read is from it
        first = delay(m, ~started, 1, "first")
        read_valid = Signal()
        raw_valid = Signal()
        raw = Signal(shape, reset_less=True)
        fallen_valid = Signal()
        fallen = Signal(data.ArrayLayout(unsigned(self.bits), lanes), reset_less=True)
        spikes = delay(m, come.spikes, 3, "spikes")
        group = delay(m, come.group, 3, "group")
        with m.If(valid & (come.group == array.groups - 1)):
            m.d.sync += started.eq(1)
        m.d.sync += [
            read_valid.eq(valid),
            raw_valid.eq(read_valid),
            raw.eq(Mux(first, 0, ram.data)),
            fallen_valid.eq(raw_valid),
            *(fallen[lane].eq(decayed(raw.calcium[lane], rule.alpha)) for lane in range(lanes)),
        ]
        written = Signal(shape)
        rises, falls = (
            Cat((c >= low) & (c < end) for c in fallen)
            for low, end in ((rule.up_low, rule.up_high), (rule.down_low, rule.down_high))
        )
        m.d.comb += [
            ram.write.eq(fallen_valid),
            ram.write_address.eq(group),
            ram.write_data.eq(written),
            written.rises.eq(high & rises),
            written.falls.eq(~high & falls),
            *(
                written.calcium[lane].eq(fallen[lane] + Mux(spikes[lane], rule.amplitude, 0))
                for lane in range(lanes)
            ),
        ]
        return m
