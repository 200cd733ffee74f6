"""Memories over the line, in gateware: the bytes of LOAD and READ as requests to the core's load port.

After the command come a bank, the parts of its words less one, and a word (three bytes, the lowest first).  Then LOAD
has parts of 16 bits, the lower byte first, for that word and those after it; READ has how many parts are wanted.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.rtl.port import PART_BITS

from .framing import FRAME

#: Bytes before the parts, or their number.
HEADER = 5
#: Most parts that a READ asks for, so that its answer is a frame like others.
MOST_PARTS = 100


class LoadCommands(wiring.Component):
    """Takes the bytes of a frame, from a reset on.

    Parameters
    ----------
    layout : StructLayout
        Of the core's load port.

    Members
    -------
    reads : In(1)
        The frame is a READ.
    i : In(stream)
        What follows the command.
    load : Out(stream of layout), loaded : In(stream of 16)
        The core's load port.
    o : Out(stream of FRAME)
        The bytes of what was read; the last of them is marked.
    """

    def __init__(self, layout: data.StructLayout) -> None:
        super().__init__(
            {
                "reads": In(1),
                "i": In(stream.Signature(8)),
                "load": Out(stream.Signature(layout)),
                "loaded": In(stream.Signature(unsigned(PART_BITS))),
                "o": Out(stream.Signature(FRAME)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        request = self.load.payload
        header = Signal(8 * HEADER)  # bank, parts less one, word: the first byte lowest
        place = Signal(range(HEADER + 1))
        low = Signal(8)
        second = Signal()  # the upper byte of a part comes
        part = Signal(8)
        left = Signal(8)  # parts to be read
        bank = header[:8]
        most = header[8:16]
        word = header[16:]
        done = Signal()  # with a part

        m.d.comb += [
            request.bank.eq(bank),
            request.word.eq(word),
            request.part.eq(part),
            request.data.eq(Cat(low, self.i.payload)),
            request.write.eq(~self.reads),
            self.o.payload.byte.eq(Mux(second, self.loaded.payload[8:], self.loaded.payload[:8])),
            self.o.payload.last.eq(second & (left == 1)),
        ]
        with m.If(done):
            m.d.sync += part.eq(Mux(part == most, 0, part + 1))
            with m.If(part == most):
                m.d.sync += word.eq(word + 1)
        with m.FSM():
            with m.State("header"):
                # Answers to a host that has left go nowhere, here and below.
                m.d.comb += [self.i.ready.eq(1), self.loaded.ready.eq(1)]
                with m.If(self.i.valid):
                    m.d.sync += [place.eq(place + 1), left.eq(self.i.payload)]
                    with m.If(place != HEADER):
                        m.d.sync += header.eq(Cat(header[8:], self.i.payload))
                    with m.If((place == HEADER - 1) & ~self.reads):
                        m.next = "write"
                    with m.If(place == HEADER):
                        m.next = "request"
            with m.State("write"):
                m.d.comb += [
                    self.load.valid.eq(self.i.valid & second),
                    self.i.ready.eq(~second | self.load.ready),
                    done.eq(self.load.valid & self.load.ready),
                ]
                with m.If(self.i.valid & self.i.ready):
                    m.d.sync += [low.eq(self.i.payload), second.eq(~second)]
            with m.State("request"):
                m.d.comb += [self.load.valid.eq(1), self.loaded.ready.eq(1)]
                with m.If(self.load.ready):
                    m.next = "answer"
            with m.State("answer"):
                m.d.comb += [
                    self.o.valid.eq(self.loaded.valid),
                    self.loaded.ready.eq(self.o.ready & second),
                ]
                with m.If(self.o.valid & self.o.ready):
                    m.d.sync += second.eq(~second)
                    with m.If(second):
                        m.d.comb += done.eq(1)
                        m.d.sync += left.eq(left - 1)
                        m.next = "request"
                        with m.If(self.o.payload.last):
                            m.next = "header"
        return m
