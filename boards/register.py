"""A register in a stream's way."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class StreamRegister(wiring.Component):
    """A stream through a register: behind a block RAM, whose clock-to-out is long.

    Parameters
    ----------
    width : int

    Members
    -------
    i : In(stream)
    o : Out(stream)
        What has come, a cycle later.

    Latency: 1 cycle.  Throughput: one a cycle.
    """

    def __init__(self, *, width: int) -> None:
        self.width = width
        super().__init__({"i": In(stream.Signature(width)), "o": Out(stream.Signature(width))})

    def elaborate(self, platform):
        m = Module()
        payload = Signal(self.width, reset_less=True)
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            self.o.payload.eq(payload),
        ]
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), payload.eq(self.i.payload)]
        return m
