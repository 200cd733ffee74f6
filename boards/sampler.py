"""A sample through the core, in gateware: its events in, its spikes out, and how long that took.

::

    bytes ──► SampleDecoder ──► queue ──► core ──► queue ──► output events

The core gets no event before all events of the sample are in the queue, or the queue is full: so the line, which is
slow, does not lengthen the core's time, and ``cycles`` is that of :func:`lifline.rtl.cycles`.
"""

from amaranth.hdl import Cat, Const, Module, ResetInserter, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.rtl.encoders import EncoderCircuit
from lifline.rtl.events import event_layout

from .decoder import SampleCounter, SampleDecoder
from .protocol import CYCLE_BYTES, MAX_TICKS, Status, event_bytes
from .raw import RawDecoder
from .register import StreamRegister


class Sampler(wiring.Component):
    """Runs one sample after another.

    Parameters
    ----------
    inputs, input_bits, outputs : int
        The network's.
    events : int
        Input events that are gathered before the core starts; beyond them the core may have to wait for the line.
    answers : int
        Output events that wait for the line; beyond them the core has to wait.
    max_ticks : int
    circuit : EncoderCircuit, optional
        Samples are raw values for it.

    Members
    -------
    i : In(stream)
        Bytes of the sample.
    restart : In(1)
        A sample begins from rest.
    ended : In(1)
        All its bytes have come.
    wanted : In(1)
        Its output events are.
    events : Out(stream of event_layout), spikes : In(stream of event_layout)
        To the core and from it.
    o : Out(stream)
        An output event as bytes: an address, and at the top whether it is the end of a tick.
    waiting : Out
        How many `o` has.
    between, empty : Out(1)
        All bytes so far are whole ticks; all ticks have left the core.
    status : Out(Status), cycles : Out
        Of the sample.
    moved : Out(1)
        An event went into the core, or came out.
    """

    def __init__(
        self,
        *,
        inputs: int,
        outputs: int,
        events: int,
        answers: int,
        input_bits: int = 1,
        max_ticks: int = MAX_TICKS,
        circuit: EncoderCircuit | None = None,
    ) -> None:
        self.circuit = circuit
        self.inputs = inputs
        self.input_bits = input_bits
        self.outputs = outputs
        self.depths = (events, answers)
        self.max_ticks = max_ticks
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "restart": In(1),
                "ended": In(1),
                "wanted": In(1),
                "events": Out(stream.Signature(event_layout(inputs, input_bits))),
                "spikes": In(stream.Signature(event_layout(outputs))),
                "o": Out(stream.Signature(8 * event_bytes(outputs))),
                "waiting": Out(range(answers + 2)),
                "between": Out(1),
                "empty": Out(1),
                "status": Out(Status),
                "cycles": Out(8 * CYCLE_BYTES),
                "moved": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        events, answers = self.depths
        decoder: SampleDecoder | RawDecoder
        if self.circuit is None:
            decoder = SampleDecoder(
                inputs=self.inputs, input_bits=self.input_bits, max_ticks=self.max_ticks
            )
        else:
            decoder = RawDecoder(self.circuit, max_ticks=self.max_ticks)
        counter = SampleCounter(max_ticks=self.max_ticks, bits=8 * CYCLE_BYTES)
        queue = fifo.SyncFIFOBuffered(width=len(self.events.payload.as_value()), depth=events)
        out = fifo.SyncFIFOBuffered(width=8 * event_bytes(self.outputs), depth=answers)
        event = StreamRegister(width=queue.width)
        answer = StreamRegister(width=out.width)
        parts = {
            "decoder": decoder,
            "counter": counter,
            "queue": queue,
            "event": event,
            "out": out,
            "answer": answer,
        }
        for name, part in parts.items():
            m.submodules[name] = ResetInserter(self.restart)(part)

        start = Signal()  # events may go on to the core
        full = Signal()  # the queue was
        stalled = Signal()
        entered = Signal()
        left = Signal()
        spike = self.spikes.payload
        wiring.connect(m, wiring.flipped(self.i), decoder.i)
        wiring.connect(m, queue.r_stream, event.i)
        wiring.connect(m, out.r_stream, answer.i)
        wiring.connect(m, answer.o, wiring.flipped(self.o))
        m.d.comb += [
            queue.w_data.eq(decoder.o.payload),
            queue.w_en.eq(decoder.o.valid),
            decoder.o.ready.eq(queue.w_rdy),
            start.eq(self.ended | full),
            self.events.payload.eq(event.o.payload),
            self.events.valid.eq(event.o.valid & start),
            event.o.ready.eq(self.events.ready & start),
            out.w_data.eq(
                Cat(spike.address, Const(0, len(out.w_data) - 1 - len(spike.address)), spike.marker)
            ),
            out.w_en.eq(self.spikes.valid & self.wanted),
            self.spikes.ready.eq(out.w_rdy | ~self.wanted),
            self.waiting.eq(out.level + answer.o.valid),
            entered.eq(self.events.valid & self.events.ready),
            left.eq(self.spikes.valid & self.spikes.ready),
            counter.entered.eq(decoder.o.valid & decoder.o.ready & decoder.o.payload.marker),
            counter.begun.eq(entered),
            counter.left.eq(left & spike.marker),
            counter.ended.eq(self.ended),
            self.moved.eq(entered | left),
            self.between.eq(decoder.between),
            self.empty.eq(counter.empty),
            self.cycles.eq(counter.cycles),
            self.status.eq(
                Cat(decoder.address_fault, decoder.ticks_fault, 0, stalled | counter.overflow)
            ),
        ]
        with m.If(~queue.w_rdy):
            m.d.sync += full.eq(1)
        # The core waits: for an event that is still to come, or for room in the answer.
        waits = self.events.ready & ~event.o.valid & ~(self.ended & (queue.level == 0))
        with m.If((waits & counter.cycles.any()) | (self.spikes.valid & ~self.spikes.ready)):
            m.d.sync += stalled.eq(1)
        with m.If(self.restart):
            m.d.sync += [full.eq(0), stalled.eq(0)]
        return m
