"""Events of a sample's bytes, in gateware: the reverse of :func:`lifline.boards.protocol.encode`."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.rtl.events import event_layout

from .protocol import MAP, MAX_TICKS, MORE, SKIP, value_bits


class SampleDecoder(wiring.Component):
    """Lists and maps to events: whatever the bytes are, the events of a tick are in ascending order, each once.

    Parameters
    ----------
    inputs : int
    input_bits : int
        Of an event's value; 1: events have none.
    max_ticks : int

    Members
    -------
    i : In(stream)
        Bytes.
    o : Out(stream of event_layout)
        Events and the markers that end ticks.
    clear : In(1)
        A sample begins.
    between : Out(1)
        All bytes so far have become whole ticks, or are void.
    address_fault, ticks_fault : Out(1)
        An address was beyond the inputs, a tick one too many: from there on all bytes are void.

    Throughput: an event in 2 cycles; a map's input in 1.
    """

    def __init__(self, *, inputs: int, input_bits: int = 1, max_ticks: int = MAX_TICKS) -> None:
        self.inputs = inputs
        self.input_bits = input_bits
        self.max_ticks = max_ticks
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(event_layout(inputs, input_bits))),
                "clear": In(1),
                "between": Out(1),
                "address_fault": Out(1),
                "ticks_fault": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        address = Signal(range(self.inputs + SKIP + 1))
        beyond = Signal()
        byte = Signal(8)  # of a map, what is left of it; else a value
        left = Signal(8)  # gaps of the list, then steps of the byte
        more = Signal()
        ticks = Signal(range(self.max_ticks + 1))
        step = Signal(8)  # of the address
        start = Signal()
        taken = Signal()
        moved = Signal()

        m.d.comb += [
            beyond.eq(address >= self.inputs),
            self.o.payload.address.eq(address),
            taken.eq(self.i.valid & self.i.ready),
            moved.eq(self.o.valid & self.o.ready),
        ]
        if self.input_bits > 1:
            m.d.comb += self.o.payload.value.eq(byte)
        m.d.sync += address.eq(Mux(start, 0, address + step))
        with m.FSM():
            with m.State("head"):
                m.d.comb += [self.i.ready.eq(1), self.between.eq(~more)]
                m.d.sync += left.eq(self.i.payload)
                with m.If(taken):
                    m.d.sync += more.eq(self.i.payload == MORE)
                    with m.Switch(self.i.payload):
                        with m.Case(MAP):
                            m.next = "map"
                        with m.Case(0):
                            m.next = "marker"
                        with m.Default():
                            m.next = "list"
            self._list(m, beyond, byte, left, more, step, taken, moved)
            self._map(m, beyond, byte, left, step, taken, moved)
            with m.State("marker"):
                m.d.comb += [self.o.payload.marker.eq(1), self.o.valid.eq(ticks != self.max_ticks)]
                with m.If(~self.o.valid):
                    m.d.sync += self.ticks_fault.eq(1)
                    m.next = "void"
                with m.Elif(moved):
                    m.d.comb += start.eq(1)
                    m.d.sync += ticks.eq(ticks + 1)
                    m.next = "head"
            with m.State("void"):
                m.d.comb += [self.i.ready.eq(1), self.between.eq(1)]
        return m

    def _list(self, m, beyond, byte, left, more, step, taken, moved):
        """The states of a list: a gap, the inputs that it skips, the event's value, the event."""
        graded = self.input_bits > 1
        with m.State("list"):
            m.d.comb += [self.i.ready.eq(1), step.eq(Mux(taken, self.i.payload, 0))]
            with m.If(taken):
                m.next = "skipped"
                with m.If(self.i.payload != SKIP):
                    m.next = "value" if graded else "event"
        with m.State("skipped"):
            with m.If(beyond):
                m.d.sync += self.address_fault.eq(1)
                m.next = "void"
            with m.Else():
                m.d.sync += left.eq(left - 1)
                m.next = "list"
                with m.If(left == 1):
                    m.next = "head"
                    with m.If(~more):
                        m.next = "marker"
        if graded:
            with m.State("value"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += byte.eq(self.i.payload)
                with m.If(taken):
                    m.next = "event"
        with m.State("event"):
            with m.If(beyond):
                m.d.sync += self.address_fault.eq(1)
                m.next = "void"
            with m.Else():
                m.d.comb += [self.o.valid.eq(byte[: self.input_bits].any() if graded else 1)]
                with m.If(moved | ~self.o.valid):
                    m.d.comb += step.eq(1)
                    m.d.sync += left.eq(left - 1)
                    m.next = "list"
                    with m.If(left == 1):
                        m.next = "head"
                        with m.If(~more):
                            m.next = "marker"

    def _map(self, m, beyond, byte, left, step, taken, moved):
        """The states of a map: a byte, and one input of it after the other."""
        width = value_bits(self.input_bits)
        with m.State("map"):
            m.d.comb += self.i.ready.eq(~beyond)
            m.d.sync += [byte.eq(self.i.payload), left.eq(8 // width)]
            with m.If(beyond):  # the last byte ended with the inputs
                m.next = "marker"
            with m.Elif(taken):
                m.next = "bits"
        with m.State("bits"):
            m.d.comb += self.o.valid.eq(byte[: self.input_bits].any() & ~beyond)
            with m.If(moved | ~self.o.valid):
                m.d.comb += step.eq(~beyond)
                m.d.sync += [byte.eq(byte >> width), left.eq(left - 1)]
                with m.If(left == 1):
                    m.next = "map"


class SampleCounter(wiring.Component):
    """Counts the ticks that are in the core, and its clock cycles.

    Members
    -------
    entered, begun : In(1)
        A tick's marker was handed over; an event or marker has gone into the core.
    left : In(1)
        A tick's marker has come out of the core.
    ended : In(1)
        No more ticks will be handed over.
    empty : Out(1)
        As many have come out.
    cycles : Out(24)
        From the core's first event to its last marker, both counted.
    overflow : Out(1)
        There were more.
    """

    def __init__(self, *, max_ticks: int, bits: int) -> None:
        self.max_ticks = max_ticks
        super().__init__(
            {
                "entered": In(1),
                "begun": In(1),
                "left": In(1),
                "ended": In(1),
                "empty": Out(1),
                "cycles": Out(unsigned(bits)),
                "overflow": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        ticks = Signal(range(self.max_ticks + 1))
        running = Signal()
        m.d.comb += self.empty.eq(ticks == 0)
        m.d.sync += ticks.eq(ticks + self.entered - self.left)
        with m.If(running):
            m.d.sync += self.cycles.eq(self.cycles + 1)
            with m.If(self.cycles.all()):
                m.d.sync += self.overflow.eq(1)
        with m.Elif(self.begun & ~self.cycles.any()):
            m.d.sync += [self.cycles.eq(1), running.eq(1)]
        with m.If(self.left & self.ended & (ticks == 1)):
            m.d.sync += running.eq(0)
        return m
