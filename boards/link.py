"""The board's end of the bytes of :mod:`lifline.boards.protocol`: bytes in, events out, answers back."""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.rtl.events import event_layout

from .protocol import (
    BYTE_BITS,
    CLASS,
    CREDIT,
    CREDIT_BYTES,
    END,
    ERROR,
    MAX_CLASSES,
    MAX_TICKS,
    READY,
    RESET,
    TICK,
    Fault,
    address_bytes,
)


class HostLink(wiring.Component):
    """Takes a host's bytes one by one; one byte is one event, marker or command, in order.

    Parameters
    ----------
    inputs : int
        Number of the network's inputs.
    classes : int
        Size of its output population.
    max_ticks : int
        A sample of more ticks is answered with an error.

    Members
    -------
    i : In(stream)
        Bytes from the host.
    o : Out(stream)
        Bytes to the host.
    lost : In(1)
        A byte from the host was lost before it came to `i`.
    events : Out(stream)
        To the accelerator.
    clear : Out(1)
        For one cycle: the next event is the first of a sample.
    ticks : In
        Ticks that the classifier has seen since `clear`.
    finish : Out(1)
        All ticks of the sample are in the scores: name the class, on `result`.
    result : In(stream)
        The class.

    Throughput: a byte in 2 to 4 cycles, while the accelerator accepts.

    Raises
    ------
    ValueError
        If an answer cannot name so many classes.
    """

    def __init__(self, *, inputs: int, classes: int, max_ticks: int = MAX_TICKS) -> None:
        if not 1 <= classes <= MAX_CLASSES:
            raise ValueError(f"classes must be in 1 … {MAX_CLASSES}, not {classes!r}")
        self.inputs = inputs
        self.max_ticks = max_ticks
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "lost": In(1),
                "events": Out(stream.Signature(event_layout(inputs))),
                "clear": Out(1),
                "ticks": In(range(max_ticks + 1)),
                "finish": Out(1),
                "result": In(stream.Signature(unsigned(max(1, (classes - 1).bit_length())))),
            }
        )

    def elaborate(self, platform):
        """One state machine, in the order in which a byte goes through it: its states are read together."""
        m = Module()
        digits = address_bytes(self.inputs)

        byte = Signal(8)
        address = Signal(BYTE_BITS * digits)
        digit = Signal(range(digits + 1))  # bytes of an address that have come
        taken = Signal(range(CREDIT_BYTES))  # bytes since the last credit
        credit = Signal()  # one is due
        sent = Signal(range(self.max_ticks + 1))  # ticks of this sample
        fault = Signal(4)  # see Fault
        answer = Signal(data.ArrayLayout(8, 3))
        left = Signal(range(4))  # bytes of the answer still to be sent

        def blame(what: Fault):
            return fault.eq(fault | int(what))

        m.d.comb += self.events.payload.address.eq(address)
        m.d.sync += [self.finish.eq(0), self.clear.eq(0)]
        with m.FSM():
            with m.State("take"):
                m.d.comb += self.i.ready.eq(~credit)
                m.d.sync += byte.eq(self.i.payload)
                with m.If(credit):
                    m.d.comb += [self.o.payload.eq(CREDIT), self.o.valid.eq(1)]
                    with m.If(self.o.ready):
                        m.d.sync += credit.eq(0)
                with m.Elif(self.i.valid):
                    m.d.sync += Cat(taken, credit).eq(taken + 1)
                    m.next = "decode"
            with m.State("decode"):
                m.next = "take"
                with m.If(~byte[7]):
                    m.d.sync += address.eq(Cat(byte[:BYTE_BITS], address))
                    with m.If(digit == digits - 1):
                        m.d.sync += digit.eq(0)
                        m.next = "event"
                    with m.Else():
                        m.d.sync += digit.eq(digit + 1)
                with m.Else():
                    m.d.sync += digit.eq(0)
                    with m.If(digit != 0):
                        m.d.sync += blame(Fault.COMMAND)
                    with m.Switch(byte):
                        with m.Case(TICK):
                            with m.If(sent == self.max_ticks):
                                m.d.sync += blame(Fault.TICKS)
                            with m.Else():
                                m.next = "marker"
                        with m.Case(END):
                            m.next = "end"
                        with m.Case(RESET):
                            m.d.sync += [answer[0].eq(READY), left.eq(1), taken.eq(0), credit.eq(0)]
                            m.next = "clear"
                        with m.Default():
                            m.d.sync += blame(Fault.COMMAND)
            with m.State("event"):
                with m.If(address >= self.inputs):
                    m.d.sync += blame(Fault.ADDRESS)
                    m.next = "take"
                with m.Else():
                    m.d.comb += self.events.valid.eq(1)
                    with m.If(self.events.ready):
                        m.next = "take"
            with m.State("marker"):
                m.d.comb += [self.events.payload.marker.eq(1), self.events.valid.eq(1)]
                with m.If(self.events.ready):
                    m.d.sync += sent.eq(sent + 1)
                    m.next = "take"
            with m.State("end"):
                m.d.sync += left.eq(len(answer))
                with m.If(fault != 0):
                    m.d.sync += [answer[0].eq(ERROR), answer[1].eq(fault), answer[2].eq(0)]
                    m.next = "clear"
                with m.Else():
                    m.d.sync += self.finish.eq(self.ticks == sent)
                    m.d.comb += self.result.ready.eq(1)
                    with m.If(self.result.valid):
                        m.d.sync += [
                            answer[0].eq(CLASS),
                            answer[1].eq(self.result.payload[BYTE_BITS:]),
                            answer[2].eq(self.result.payload[:BYTE_BITS]),
                        ]
                        m.next = "clear"
            with m.State("clear"):
                m.d.sync += [self.clear.eq(1), sent.eq(0), fault.eq(0)]
                m.next = "answer"
            with m.State("answer"):
                m.d.comb += [self.o.payload.eq(answer[0]), self.o.valid.eq(left != 0)]
                with m.If(left == 0):
                    m.next = "take"
                with m.Elif(self.o.ready):
                    m.d.sync += left.eq(left - 1)
                    m.d.sync += [answer[i].eq(answer[i + 1]) for i in range(len(answer) - 1)]
        with m.If(self.lost):
            m.d.sync += blame(Fault.LOST)
        return m
