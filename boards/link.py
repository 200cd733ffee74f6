"""The board's end of the line: the frames of :mod:`lifline.boards.protocol` in and out, events to and from the core.

::

    bytes ──► FrameReceiver ──► Sequence ──► FrameBuffer ──► Executor ──► Sampler ◄──► core
                                                                │            │
    bytes ◄── FrameSender ◄── Answers ◄─────────────────────────┴────────────┘
"""

import dataclasses
from typing import Any

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.encoders import Encoder
from lifline.network import Network
from lifline.rtl.encoders import EncoderCircuit
from lifline.rtl.events import event_layout
from lifline.rtl.layout import address_bits
from lifline.rtl.port import PART_BITS

from .answers import Answers
from .buffer import FrameBuffer
from .classifier import Classifier
from .executor import Executor
from .framing import FrameReceiver, FrameSender
from .loading import LoadCommands
from .protocol import MAX_OUTPUTS, MAX_TICKS, REWARD_BYTES, Status
from .raw import check_encoder
from .sampler import Sampler
from .sequence import Sequence


@dataclasses.dataclass(frozen=True)
class LinkOptions:
    """What a board's link has room for."""

    buffer: int = 2048  #: bytes of frames and of the identity
    events: int = 1024  #: input events of a sample that run without waiting for the line
    answers: int = 1024  #: output events that wait for the line
    max_ticks: int = MAX_TICKS
    watchdog: int = 1 << 24  #: clock cycles without progress after which a sample is given up
    encoder: Encoder | None = None  #: samples are raw values for it

    @classmethod
    def of_blocks(cls, block_bits: int, encoder: Encoder | None = None) -> "LinkOptions":
        """A block RAM for each of the three memories."""
        return cls(
            buffer=block_bits // 8,
            events=block_bits // 16,
            answers=block_bits // 16,
            encoder=encoder,
        )


def load_members(layout: data.StructLayout) -> dict[str, Any]:
    """The load port, as whoever loads has it."""
    return {
        "load": Out(stream.Signature(layout)),
        "loaded": In(stream.Signature(unsigned(PART_BITS))),
    }


class Watchdog(wiring.Component):
    """Barks when nothing has moved for long.

    Members
    -------
    watch : In(1)
        Something should move.
    moved : In(1)
        It does.
    bark : Out(1)
        For one cycle, after so many `cycles`, a power of two.
    """

    def __init__(self, cycles: int) -> None:
        self.cycles = cycles
        super().__init__({"watch": In(1), "moved": In(1), "bark": Out(1)})

    def elaborate(self, platform):
        m = Module()
        count = Signal(range(self.cycles))
        m.d.sync += [
            self.bark.eq(count == self.cycles - 1),
            count.eq(Mux(self.watch & ~self.moved & ~self.bark, count + 1, 0)),
        ]
        return m


class HostLink(wiring.Component):
    """Runs samples for a host, and answers.

    Parameters
    ----------
    network : Network
    classifier : Classifier
        Of the output population; what it must be told and asked, the members say.
    identity : bytes
        What the board is.
    options : LinkOptions
    load : StructLayout, optional
        Of the core's load port, where it has one.
    learns, rewarded : bool
        Whether the core can learn from a sample, and whether it needs a signal then.

    Members
    -------
    i : In(stream, always ready)
        Bytes from the host, at least 40 cycles from one to the next.
    damaged : In(1)
        A byte from the host was no byte.
    o : Out(stream)
        Bytes to the host.
    events : Out(stream of event_layout(inputs)), spikes : In(stream of event_layout(outputs))
        To the core, and from it.
    clear : Out(1)
        For one cycle: the core's next event is the first of a sample.
    score, scored, winner : In
        Of the classifier, which is cleared with the core.
    step : Out(1)
        For the classifier.
    result : Out
        The class of the last sample; 0 before the first.
    busy : Out(1)
        A sample has begun, and is not answered yet.
    load : Out(stream of layout), loaded : In(stream)
        With `load`: for the core's load port.
    learn : Out(1), reward : Out(signed)
        With `learns`, and with `rewarded`: for the core's inputs of these names.

    Raises
    ------
    ValueError
        If an answer cannot name so many outputs.
    """

    def __init__(
        self,
        network: Network,
        classifier: Classifier,
        *,
        identity: bytes,
        options: LinkOptions,
        load: data.StructLayout | None = None,
        learns: bool = False,
        rewarded: bool = False,
    ) -> None:
        self.network = network
        self.options = options
        self.identity = identity
        self.circuit: EncoderCircuit | None = None
        if options.encoder is not None:
            check_encoder(options.encoder, network, options.max_ticks)
            self.circuit = EncoderCircuit(options.encoder, network.inputs)
        self.outputs = classifier.array.population.size
        if self.outputs > MAX_OUTPUTS:
            raise ValueError(f"outputs must be at most {MAX_OUTPUTS}, not {self.outputs!r}")
        self.score_shape = classifier.shape
        self.load_layout = load
        self.learns = bool(learns)
        self.rewarded = bool(rewarded)
        more = {} if load is None else load_members(load)
        if learns:
            more["learn"] = Out(1)
        if rewarded:
            more["reward"] = Out(signed(8 * REWARD_BYTES))
        super().__init__(
            more
            | {
                "i": In(stream.Signature(8, always_ready=True)),
                "damaged": In(1),
                "o": Out(stream.Signature(8)),
                "events": Out(stream.Signature(event_layout(network.inputs, network.input_bits))),
                "spikes": In(stream.Signature(event_layout(self.outputs))),
                "clear": Out(1),
                "score": In(self.score_shape),
                "scored": In(1),
                "winner": In(address_bits(self.outputs)),
                "step": Out(1),
                "result": Out(address_bits(self.outputs)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        options, network = self.options, self.network
        reset = Signal()  # the host begins a session, or the watchdog ends one
        announce = Signal()
        receiver, sequence, watchdog = FrameReceiver(), Sequence(), Watchdog(options.watchdog)
        loads = self.load_layout is not None
        buffer = FrameBuffer(size=options.buffer, identity=self.identity, writable=loads)
        executor = Executor(loads=loads, learns=self.learns, rewarded=self.rewarded)
        sender = FrameSender()
        answers = Answers(
            outputs=self.outputs, score=self.score_shape, depth=options.answers, loads=loads
        )
        sampler = Sampler(
            inputs=network.inputs,
            input_bits=network.input_bits,
            outputs=self.outputs,
            events=options.events,
            answers=options.answers,
            max_ticks=options.max_ticks,
            circuit=self.circuit,
        )
        m.submodules.receiver = receiver
        m.submodules.sequence = sequence
        m.submodules.watchdog = watchdog
        m.submodules.sampler = sampler
        m.submodules.buffer = ResetInserter(reset)(buffer)
        m.submodules.executor = ResetInserter(reset)(executor)
        m.submodules.answers = ResetInserter(reset)(answers)
        m.submodules.sender = ResetInserter(reset)(sender)

        for source, sink in (
            (wiring.flipped(self.i), receiver.i),
            (receiver.o, sequence.i),
            (sequence.o, buffer.i),
            (executor.sample, sampler.i),
            (sampler.events, wiring.flipped(self.events)),
            (wiring.flipped(self.spikes), sampler.spikes),
            (sampler.o, answers.events),
            (answers.o, sender.i),
            (sender.o, wiring.flipped(self.o)),
        ):
            wiring.connect(m, source, sink)
        self._run(m, receiver, sequence, watchdog, buffer, executor, sampler, answers, reset)
        self._tell(m, sequence, executor, sampler, answers, announce)
        m.d.comb += [
            watchdog.watch.eq(executor.sampling | executor.ask),
            watchdog.moved.eq(sampler.moved | sequence.keep | (answers.o.valid & answers.o.ready)),
        ]
        # A register, since it goes to all that a sample is in.
        m.d.sync += [reset.eq(sequence.reset | watchdog.bark), announce.eq(reset)]
        if loads:
            self._load(m, buffer, executor, answers)
        if self.learns:  # a core that is at work after a sample takes no event
            m.d.comb += [self.learn.eq(executor.learn), executor.settled.eq(self.events.ready)]
            if self.rewarded:
                m.d.comb += self.reward.eq(executor.reward)
            with m.If(executor.closes):
                m.d.comb += self.clear.eq(1)
        with m.If(self.scored):
            m.d.sync += self.result.eq(self.winner)
        return m

    def _run(self, m, receiver, sequence, watchdog, buffer, executor, sampler, answers, reset):
        """From frame to command to sample: what each part asks of the next."""
        m.d.comb += [
            receiver.damaged.eq(self.damaged),
            sequence.end.eq(receiver.end),
            sequence.good.eq(receiver.good),
            sequence.fits.eq(buffer.fits),
            sequence.forget.eq(watchdog.bark),
            buffer.keep.eq(sequence.keep),
            buffer.drop.eq(sequence.drop),
            # The buffer gives frames to the executor, or the identity to the answers.
            buffer.tell.eq(answers.tell),
            executor.i.payload.eq(buffer.o.payload),
            executor.i.valid.eq(buffer.o.valid & ~answers.tell),
            answers.identity.payload.eq(buffer.o.payload),
            answers.identity.valid.eq(buffer.o.valid),
            buffer.o.ready.eq(Mux(answers.tell, answers.identity.ready, executor.i.ready)),
            self.clear.eq(reset | executor.first),
            sampler.restart.eq(self.clear),
            sampler.ended.eq(executor.ended),
            sampler.wanted.eq(executor.spikes),
            executor.between.eq(sampler.between),
            executor.empty.eq(sampler.empty),
            executor.faulty.eq((sampler.status & int(Status.ADDRESS | Status.TICKS)).any()),
            executor.answered.eq(answers.answered),
        ]

    def _tell(self, m, sequence, executor, sampler, answers, announce):
        """What the answers tell, and when."""
        m.d.comb += [
            answers.session.eq(sequence.session),
            answers.expected.eq(sequence.expected),
            answers.taken.eq(executor.taken),
            answers.asked.eq(sequence.asked),
            # What begins a session is answered, too, with what every frame tells.
            answers.ack.eq(executor.ack | sequence.poll | announce),
            answers.nak.eq(sequence.bad),
            answers.ask.eq(executor.ask),
            answers.kind.eq(executor.kind),
            answers.scores.eq(executor.scores),
            answers.status.eq(sampler.status | Mux(executor.unfinished, int(Status.FORM), 0)),
            answers.cycles.eq(sampler.cycles),
            answers.waiting.eq(sampler.waiting),
            answers.counters.eq(Cat(sequence.frames, sequence.damaged, sequence.dropped)),
            answers.score.eq(self.score),
            answers.scored.eq(self.scored),
            answers.winner.eq(self.winner),
            self.step.eq(answers.step),
            self.busy.eq(executor.sampling),
        ]

    def _load(self, m, buffer, executor, answers):
        """Commands for memories, to the core's load port."""
        commands = LoadCommands(self.load_layout)
        m.submodules.commands = ResetInserter(executor.opened)(commands)
        wiring.connect(m, executor.words, commands.i)
        wiring.connect(m, commands.load, wiring.flipped(self.load))
        wiring.connect(m, wiring.flipped(self.loaded), commands.loaded)
        wiring.connect(m, commands.o, answers.words)
        wiring.connect(m, executor.name, buffer.name)
        m.d.comb += [commands.reads.eq(executor.reads), buffer.rename.eq(executor.opened)]
