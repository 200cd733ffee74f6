"""What the board tells the host, in gateware: a frame at a time."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.rtl.layout import address_bits

from .framing import FRAME
from .protocol import BOARD_HEADER, CYCLE_BYTES, KIND_BITS, QUESTIONS, Kind, event_bytes

#: Most events of a SPIKES.
_CHUNK = 64


class Answers(wiring.Component):
    """Makes the bodies of the board's frames.

    Parameters
    ----------
    outputs : int
        Size of the output population.
    score : shape-like
        Of a neuron's score.
    depth : int
        Events that wait to be told: at half of them they are.
    loads : bool
        Whether there is WORDS.

    Members
    -------
    o : Out(stream of FRAME)
    session, expected, taken, asked : In
        What every frame tells.
    ack, nak : In(1)
        For one cycle: tell it, and that a frame was dropped.
    ask, kind : In
        Answer a command, with that kind.
    answered : Out(1)
        For one cycle: that is done.
    status, cycles : In
        Of a sample.
    scores : In(1)
        Tell the neurons' scores.
    score, scored, winner : In
        Of the classifier.
    step : Out(1)
        Go on to the next score.
    events : In(stream)
        The output's spikes and ends of ticks, of which `waiting` are there.
    counters : In
        Three counters of frames.
    identity : In(stream of FRAME)
        What the board is.
    tell : Out(1)
        It is wanted.
    words : In(stream of FRAME)
        With `loads`: what was read of a memory.
    """

    def __init__(self, *, outputs: int, score, depth: int, loads: bool = False) -> None:
        self.outputs = outputs
        self.depth = depth
        self.loads = bool(loads)
        super().__init__(
            {
                "o": Out(stream.Signature(FRAME)),
                "session": In(8),
                "expected": In(8),
                "taken": In(8),
                "asked": In(range(QUESTIONS)),
                "ack": In(1),
                "nak": In(1),
                "ask": In(1),
                "kind": In(KIND_BITS),
                "answered": Out(1),
                "status": In(8),
                "cycles": In(8 * CYCLE_BYTES),
                "scores": In(1),
                "score": In(score),
                "scored": In(1),
                "winner": In(address_bits(outputs)),
                "step": Out(1),
                "events": In(stream.Signature(8 * event_bytes(outputs))),
                "waiting": In(range(depth + 2)),
                "counters": In(48),
                "identity": In(stream.Signature(FRAME)),
                "tell": Out(1),
            }
            | ({"words": In(stream.Signature(FRAME))} if loads else {})
        )

    def elaborate(self, platform):
        m = Module()
        kind = Signal(KIND_BITS)  # of this frame
        own = Signal()  # it answers no command
        ack = Signal()
        nak = Signal()
        chunks = Signal(8)  # frames of events of this sample
        begin = Signal()
        sent = Signal()
        last = Signal()

        fields = [
            self.session, self.expected, self.taken, Cat(kind, self.asked),
            self.status, chunks, *_bytes(self.cycles), *_bytes(self.winner, 2), *_bytes(self.counters),
        ]  # fmt: skip
        index = Signal(range(len(fields)))
        many = Signal(range(_CHUNK))

        m.d.comb += [
            sent.eq(self.o.valid & self.o.ready),
            self.answered.eq(sent & last & ~own),
            self.o.payload.last.eq(last),
            self.o.payload.byte.eq(Array(fields)[index]),
        ]
        with m.FSM():
            with m.State("idle"):
                m.d.sync += [index.eq(0), own.eq(1)]
                m.d.comb += begin.eq(1)
                with m.If((self.waiting >= self.depth // 2) | (self.ask & self.events.valid)):
                    m.d.sync += kind.eq(Kind.SPIKES)
                    m.next = "fields"
                with m.Elif(self.ask):
                    m.d.sync += [kind.eq(self.kind), own.eq(0)]
                    m.next = "fields"
                with m.Elif(ack | nak):
                    m.d.sync += [kind.eq(Mux(nak, Kind.NAK, Kind.ACK)), nak.eq(0)]
                    m.next = "fields"
                with m.Else():
                    m.d.comb += begin.eq(0)
                with m.If(begin):
                    m.d.sync += ack.eq(0)
            self._tell_fields(m, fields, index=index, kind=kind, sent=sent, last=last, many=many)
            self._tell_scores(m, chunks=chunks, sent=sent)
            self._tell_events(m, chunks=chunks, many=many, sent=sent, last=last)
            self._pass_on(m, sent=sent, last=last)
        with m.If(self.ack):
            m.d.sync += ack.eq(1)
        with m.If(self.nak):
            m.d.sync += nak.eq(1)
        return m

    def _tell_fields(self, m, fields, *, index, kind, sent, last, many):
        """What every frame tells, and numbers of a kind; then what that kind goes on with."""
        result, winner = BOARD_HEADER, BOARD_HEADER + 2 + CYCLE_BYTES
        counters, end = winner + 2, len(fields)
        with m.State("fields"):
            m.d.comb += self.o.valid.eq(1)
            with m.Switch(index):
                with m.Case(result - 1):
                    m.d.comb += last.eq(
                        (kind == Kind.ACK) | (kind == Kind.NAK) | (kind == Kind.REFUSED)
                    )
                with m.Case(winner + 1, end - 1):
                    m.d.comb += last.eq(1)
            with m.If(sent):
                m.d.sync += index.eq(index + 1)
                with m.If(last):
                    m.next = "idle"
                with m.Elif(index == result - 1), m.Switch(kind):
                    with m.Case(Kind.SPIKES):
                        m.d.sync += [index.eq(result + 1), many.eq(0)]
                        m.next = "chunk"
                    with m.Case(Kind.IDENTITY):
                        m.next = "identity"
                    with m.Case(Kind.COUNTERS):
                        m.d.sync += index.eq(counters)
                    if self.loads:
                        with m.Case(Kind.WORDS):
                            m.next = "words"
                with m.Elif(index == winner - 1):
                    m.next = "scores"

    def _tell_scores(self, m, *, chunks, sent):
        """The scores one after the other, if they are wanted: the classifier's walk is awaited in any case."""
        score_bytes = _bytes(_widened(self.score))
        place = Signal(range(max(2, len(score_bytes))))
        with m.State("scores"):
            m.d.comb += [
                self.o.valid.eq(self.scores & ~self.scored),
                self.o.payload.byte.eq(Array(score_bytes)[place]),
                self.step.eq(~self.scored & (~self.scores | (sent & (place == len(score_bytes) - 1)))),
            ]
            with m.If(sent):
                m.d.sync += place.eq(Mux(self.step, 0, place + 1))
            with m.If(self.scored):
                m.d.sync += chunks.eq(0)
                m.next = "fields"

    def _tell_events(self, m, *, chunks, many, sent, last):
        """A SPIKES: its number, then events."""
        event_parts = _bytes(self.events.payload)
        part = Signal(range(max(2, len(event_parts))))
        with m.State("chunk"):  # its number
            m.d.comb += self.o.valid.eq(1)
            with m.If(sent):
                m.d.sync += chunks.eq(chunks + 1)
                m.next = "events"
        with m.State("events"):
            m.d.comb += [
                self.o.valid.eq(self.events.valid),
                self.o.payload.byte.eq(Array(event_parts)[part]),
                self.events.ready.eq(sent & (part == len(event_parts) - 1)),
                # With the last event that waits, or the last that there is room for, the frame ends.
                last.eq((part == len(event_parts) - 1) & ((self.waiting == 1) | many.all())),
            ]
            with m.If(sent):
                m.d.sync += part.eq(Mux(self.events.ready, 0, part + 1))
            with m.If(self.events.ready):
                m.d.sync += many.eq(many + 1)
                with m.If(last):
                    m.next = "idle"

    def _pass_on(self, m, *, sent, last):
        """What comes as bytes of a frame: the identity, words of a memory."""
        sources = {"identity": self.identity}
        if self.loads:
            sources["words"] = self.words
        for state, source in sources.items():
            with m.State(state):
                m.d.comb += [
                    self.tell.eq(state == "identity"),
                    self.o.valid.eq(source.valid),
                    self.o.payload.byte.eq(source.payload.byte),
                    last.eq(source.payload.last),
                    source.ready.eq(self.o.ready),
                ]
                with m.If(sent & last):
                    m.next = "idle"


def _bytes(value, count=None):
    """The bytes of a value, the lowest first."""
    bits = value if count is None else Cat(value, Const(0, 8 * count - len(value)))
    return [bits[low : low + 8] for low in range(0, len(bits), 8)]


def _widened(value):
    """A number as whole bytes, with its sign."""
    bits = -(-len(value) // 8) * 8
    sign = value[-1] if value.shape().signed else Const(0)
    return Cat(value, sign.replicate(bits - len(value)))
