"""Which frames of the host count, in gateware: those of the session, whole, in order, and each once."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .protocol import HOST_HEADER, QUESTIONS, Command


class Sequence(wiring.Component):
    """Looks at the header of each frame, and at its end decides what becomes of it.

    Members
    -------
    i : In(stream, always ready)
        Bytes of a frame, its CRC among them.
    end, good : In(1)
        It has ended; it is whole.
    fits : In(1)
        The buffer has all of it.
    forget : In(1)
        No session is begun any more.
    o : Out(stream, always ready)
        The bytes from the command on, for the buffer.
    keep, drop : Out(1)
        For one cycle at the end: what the buffer is to do with them.
    reset, poll, bad : Out(1)
        For one cycle: a session has begun; somebody asks; a frame was dropped that should not have come.
    session, expected : Out(8)
        0: no session.  The number of the next frame to be kept.
    asked : Out(5)
        The number of the last frame that asked or began a session.
    frames, damaged, dropped : Out(16)
        How many were kept; were not whole; were whole, but of another session, out of order or too many.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "end": In(1),
                "good": In(1),
                "fits": In(1),
                "forget": In(1),
                "o": Out(stream.Signature(8, always_ready=True)),
                "keep": Out(1),
                "drop": Out(1),
                "reset": Out(1),
                "poll": Out(1),
                "bad": Out(1),
                "session": Out(8),
                "expected": Out(8),
                "asked": Out(range(QUESTIONS)),
                "frames": Out(16),
                "damaged": Out(16),
                "dropped": Out(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        index = Signal(range(HOST_HEADER + 1))
        session = Signal(8)  # of this frame
        number = Signal.like(self.asked)
        in_order = Signal()
        is_poll = Signal()
        is_reset = Signal()
        wanted = Signal()
        m.d.comb += [
            self.o.payload.eq(self.i.payload),
            self.o.valid.eq(self.i.valid & (index >= HOST_HEADER - 1)),
            wanted.eq(in_order & (session == self.session) & (self.session != 0) & self.fits),
        ]
        with m.If(self.i.valid):
            with m.If(index != HOST_HEADER):
                m.d.sync += index.eq(index + 1)
            with m.Switch(index):
                with m.Case(0):
                    m.d.sync += session.eq(self.i.payload)
                with m.Case(1):
                    m.d.sync += in_order.eq(self.i.payload == self.expected)
                    m.d.sync += number.eq(self.i.payload)
                with m.Case(2):
                    m.d.sync += is_poll.eq(self.i.payload == Command.POLL)
                    m.d.sync += is_reset.eq(self.i.payload == Command.RESET)
        with m.If(self.end):
            m.d.sync += index.eq(0)
            m.d.comb += self.drop.eq(1)
            with m.If(~self.good | (index != HOST_HEADER)):
                m.d.comb += self.bad.eq(1)
                m.d.sync += self.damaged.eq(self.damaged + 1)
            with m.Elif(is_reset):
                m.d.comb += self.reset.eq(1)
                m.d.sync += [self.session.eq(session), self.expected.eq(0), self.asked.eq(number)]
            with m.Elif(is_poll):
                m.d.comb += self.poll.eq(1)
                m.d.sync += self.asked.eq(number)
            with m.Elif(wanted):
                m.d.comb += [self.keep.eq(1), self.drop.eq(0)]
                m.d.sync += [self.expected.eq(self.expected + 1), self.frames.eq(self.frames + 1)]
            with m.Else():
                m.d.comb += self.bad.eq(1)
                m.d.sync += self.dropped.eq(self.dropped + 1)
        with m.If(self.forget):
            m.d.sync += self.session.eq(0)
        return m
