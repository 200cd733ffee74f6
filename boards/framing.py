"""Frames on a line of bytes, in gateware: flags, escapes and CRC-32, as :mod:`lifline.boards.protocol` has them.

::

    bytes ──► FrameReceiver ──► bytes of a frame, CRC and all; then whether it is whole
    bytes of a frame ──► FrameSender ──► flag, bytes and CRC with escapes, flag
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .protocol import CRC_BYTES, ESCAPE, FLAG, FLIP, POLYNOMIAL, RESIDUE

#: A frame's bytes, and which one is the last.
FRAME = data.StructLayout({"byte": 8, "last": 1})


class CRC32(wiring.Component):
    """CRC-32 of IEEE 802.3 and zlib, a bit a cycle: bytes on a UART leave ten times as many.

    Members
    -------
    clear : In(1)
        Begin anew.
    byte, add : In
        For one cycle, while not `busy`: one more byte.
    shift : In(1)
        For one cycle, while not `busy`: let the lowest byte go.
    value : Out(32)
        Before the last inversion.
    busy : Out(1)

    Latency: 8 cycles.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "clear": In(1),
                "byte": In(8),
                "add": In(1),
                "shift": In(1),
                "value": Out(32, init=0xFFFFFFFF),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        left = Signal(3)
        plain = Signal()
        value = self.value
        with m.If(self.busy):
            feedback = Mux(value[0] & ~plain, POLYNOMIAL, 0)
            m.d.sync += [value.eq((value >> 1) ^ feedback), left.eq(left - 1), self.busy.eq(left != 0)]
        with m.Elif(self.add | self.shift):
            m.d.sync += [left.eq(7), self.busy.eq(1), plain.eq(self.shift)]
            with m.If(self.add):
                m.d.sync += value[:8].eq(value[:8] ^ self.byte)
        with m.If(self.clear):
            m.d.sync += [value.eq(0xFFFFFFFF), self.busy.eq(0)]
        return m


class FrameReceiver(wiring.Component):
    """Finds frames among the bytes of a line.

    Members
    -------
    i : In(stream, always ready)
        Bytes of the line; at least 10 cycles from one to the next.
    damaged : In(1)
        A byte came that is none.
    o : Out(stream, always ready)
        Bytes of a frame, CRC and all, without escapes.
    end, good : Out(1)
        For one cycle: a frame has ended, and whether it is whole.  Between two flags in a row there is none.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "damaged": In(1),
                "o": Out(stream.Signature(8, always_ready=True)),
                "end": Out(1),
                "good": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = CRC32()
        escaped = Signal()
        begun = Signal()
        bad = Signal()
        byte = self.i.payload
        m.d.comb += [
            self.o.payload.eq(byte ^ Mux(escaped, FLIP, 0)),
            crc.byte.eq(self.o.payload),
            crc.add.eq(self.o.valid),
            self.good.eq((crc.value == RESIDUE) & ~bad & ~escaped),
        ]
        with m.If(self.damaged):
            m.d.sync += [bad.eq(1), begun.eq(1)]
        with m.If(self.i.valid):
            with m.If(byte == FLAG):
                m.d.comb += [self.end.eq(begun), crc.clear.eq(1)]
                m.d.sync += [begun.eq(0), bad.eq(0), escaped.eq(0)]
            with m.Else():
                m.d.sync += [begun.eq(1), escaped.eq(byte == ESCAPE)]
                m.d.comb += self.o.valid.eq(byte != ESCAPE)
        return m


class FrameSender(wiring.Component):
    """Makes frames of bytes.

    Members
    -------
    i : In(stream of FRAME)
        A frame's bytes without its CRC.
    o : Out(stream)
        Bytes for the line.

    Throughput: a byte in 10 cycles.
    """

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(FRAME)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = CRC32()
        byte = Signal(8)  # a register: what is on its way here goes no further in this cycle
        last = Signal()
        special = Signal()
        escaped = Signal()  # the escape of this byte is sent
        closing = Signal()  # the CRC is sent
        left = Signal(range(CRC_BYTES + 1))  # bytes of the CRC still to be sent
        m.d.comb += [
            special.eq(((byte == FLAG) | (byte == ESCAPE)) & ~escaped),
            self.o.payload.eq(Mux(special, ESCAPE, byte ^ Mux(escaped, FLIP, 0))),
            crc.byte.eq(byte),
        ]
        with m.FSM():
            with m.State("open"):
                m.d.comb += [self.o.payload.eq(FLAG), self.o.valid.eq(self.i.valid), crc.clear.eq(1)]
                m.d.sync += [closing.eq(0), left.eq(CRC_BYTES)]
                with m.If(self.o.valid & self.o.ready):
                    m.next = "fetch"
            with m.State("fetch"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [byte.eq(self.i.payload.byte), last.eq(self.i.payload.last)]
                with m.If(self.i.valid):
                    m.next = "send"
            with m.State("crc"):
                m.d.sync += byte.eq(~crc.value[:8])
                with m.If(~crc.busy):
                    m.next = "send"
            with m.State("send"):
                m.d.comb += self.o.valid.eq(~crc.busy)
                with m.If(self.o.valid & self.o.ready):
                    m.d.sync += escaped.eq(special)
                    with m.If(~special):
                        m.d.comb += [crc.add.eq(~closing), crc.shift.eq(closing)]
                        m.d.sync += closing.eq(last)
                        m.next = "added"
            with m.State("added"):
                with m.If(~closing):
                    m.next = "fetch"
                with m.Elif(left == 0):
                    m.next = "close"
                with m.Else():
                    m.d.sync += left.eq(left - 1)
                    m.next = "crc"
            with m.State("close"):
                m.d.comb += [self.o.payload.eq(FLAG), self.o.valid.eq(1)]
                with m.If(self.o.ready):
                    m.next = "open"
        return m
