"""The board's buffer: whole frames of the host, each once and in order, and behind them what the board is.

::

    ┌──────┬───────┬───────┬─┬──────┬───────┬───────┬─┬─────────┬──────────┐
    │length│command│ bytes │C│length│command│ bytes │C│         │ identity │      C: the CRC, which is skipped
    └──────┴───────┴───────┴─┴──────┴───────┴───────┴─┴─────────┴──────────┘
     ▲ read                                            ▲ written, and kept when `keep` says so
"""

import operator

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .framing import FRAME
from .protocol import CRC_BYTES, DIGEST_BYTES


class FrameBuffer(wiring.Component):
    """A ring of frames in block RAM.

    Parameters
    ----------
    size : int
        Bytes of the memory.
    identity : bytes
        Its last bytes; the digest comes first in them.
    writable : bool
        Whether the digest can be written.

    Members
    -------
    i : In(stream, always ready)
        The bytes of a frame from its command on, its CRC among them.
    keep, drop : In(1)
        The frame has ended: it is to be read, or is forgotten.
    fits : Out(1)
        All its bytes had room.
    o : Out(stream of FRAME)
        The bytes of the frames that were kept, without CRCs; or the identity.
    tell : In(1)
        While high, and between two frames: `o` is the identity.
    name : In(stream)
        With `writable`: bytes of the digest, the first after `renamed`.
    rename : In(1)
        The next byte of `name` is the first.

    Throughput: a byte in 3 cycles.

    Raises
    ------
    ValueError
        If the identity leaves no room for a frame.
    """

    def __init__(self, *, size: int, identity: bytes, writable: bool = False) -> None:
        self.size = operator.index(size)
        self.identity = identity
        self.writable = bool(writable)
        #: Bytes of frames that the driver may have under way.
        self.room = self.size - len(identity) - 3
        if self.room < 253:
            raise ValueError(f"size must be at least {len(identity) + 256}, not {size!r}")
        members = {
            "i": In(stream.Signature(8, always_ready=True)),
            "keep": In(1),
            "drop": In(1),
            "fits": Out(1),
            "o": Out(stream.Signature(FRAME)),
            "tell": In(1),
        }
        if writable:
            members |= {"name": In(stream.Signature(8)), "rename": In(1)}
        super().__init__(members)

    def _after(self, index):
        """The place behind one in the ring."""
        return Mux(index == self.size - len(self.identity) - 1, 0, index + 1)

    def elaborate(self, platform):
        m = Module()
        end = self.size - len(self.identity)  # of the ring
        m.submodules.memory = ram = memory.Memory(
            shape=8, depth=self.size, init=[0] * end + list(self.identity)
        )
        write, read = ram.write_port(), ram.read_port()
        start = Signal(range(end))  # where the frame that comes in keeps its length
        head = Signal(range(end), init=1)  # its next byte
        tail = Signal(range(end))  # of what is read
        self._write(m, write, start=start, head=head, tail=tail)
        if self.writable:
            self._rename(m, write, end)
        self._read(m, read, end, start=start, tail=tail)
        return m

    def _write(self, m, write, *, start, head, tail):
        """Frames into the ring: the bytes as they come, and the length when it is kept."""
        after = self._after
        length = Signal(8)
        full = Signal()  # a byte found no room, or the length none
        m.d.comb += [
            self.fits.eq(~full),
            write.addr.eq(Mux(self.keep, start, head)),
            write.data.eq(Mux(self.keep, length, self.i.payload)),
            write.en.eq(self.keep | (self.i.valid & ~full)),
        ]
        with m.If(self.keep):
            m.d.sync += [
                start.eq(head),
                head.eq(after(head)),
                length.eq(0),
                full.eq(after(head) == tail),
            ]
        with m.Elif(self.drop):
            m.d.sync += [head.eq(after(start)), length.eq(0), full.eq(after(start) == tail)]
        with m.Elif(self.i.valid & ~full):
            m.d.sync += [
                head.eq(after(head)),
                length.eq(length + 1),
                full.eq((after(head) == tail) | (length == 0xFF)),
            ]

    def _rename(self, m, write, end):
        """The digest into the identity, while nothing comes in."""
        place = Signal(range(DIGEST_BYTES))
        with m.If(self.rename):
            m.d.sync += place.eq(0)
        with m.Elif(self.name.valid & ~self.keep & ~self.i.valid):
            m.d.comb += [
                write.addr.eq(place + end),
                write.data.eq(self.name.payload),
                write.en.eq(1),
                self.name.ready.eq(1),
            ]
            m.d.sync += place.eq(place + 1)

    def _read(self, m, read, end, *, start, tail):
        """Frames out of the ring, or the identity behind it."""
        left = Signal(8)  # bytes of the frame that is read, its CRC among them
        byte = Signal(
            8, reset_less=True
        )  # a block RAM's clock-to-out is long: what is read goes into a register
        index = Signal(range(len(self.identity) + 1))
        step = Signal()
        m.d.comb += [
            read.addr.eq(Mux(self.tell, index + end, tail)),
            read.en.eq(1),
            self.o.payload.byte.eq(byte),
        ]
        m.d.sync += byte.eq(read.data)
        with m.If(step):
            m.d.sync += [tail.eq(self._after(tail)), left.eq(left - 1)]
        with m.FSM():
            with m.State("idle"):  # the memory reads what may be a length
                m.d.sync += index.eq(0)
                with m.If(self.tell):
                    m.next = "told"
                with m.Elif(tail != start):
                    m.next = "length"
            with m.State("length"):
                m.d.comb += step.eq(1)
                m.d.sync += left.eq(read.data)
                m.next = "fetch"
            with m.State("fetch"):
                m.next = "keep"
            with m.State("keep"):
                m.next = "byte"
            with m.State("byte"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.last.eq(left == CRC_BYTES + 1)]
                with m.If(self.o.ready):
                    m.d.comb += step.eq(1)
                    m.next = "skip"
                    with m.If(~self.o.payload.last):
                        m.next = "fetch"
            with m.State("skip"):  # the CRC
                with m.If(left == 0):
                    m.next = "idle"
                with m.Else():
                    m.d.comb += step.eq(1)
            with m.State("told"):
                m.next = "say"
            with m.State("say"):
                m.next = "tell"
            with m.State("tell"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.payload.last.eq(index == len(self.identity) - 1),
                ]
                with m.If(self.o.ready):
                    m.d.sync += index.eq(index + 1)
                    m.next = "told"
                    with m.If(self.o.payload.last):
                        m.next = "rest"
            with m.State("rest"), m.If(~self.tell):
                m.next = "idle"
