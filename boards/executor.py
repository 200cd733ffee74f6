"""What the board does with the host's frames, in gateware: one command after another."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .framing import FRAME
from .protocol import KIND_BITS, REWARD_BYTES, Command, Kind, Part

SAMPLE_BIT = Command.SAMPLE.bit_length() - 1


def _bit(command, part: Part):
    return command[int(part).bit_length() - 1]


class Executor(wiring.Component):
    """Takes frames from the buffer, a command each.

    Parameters
    ----------
    loads : bool
        Whether LOAD, READ and NAME are among them.
    learns : bool
        Whether samples can be learned from.
    rewarded : bool
        With `learns`: whether each of them ends with a REWARD, after its answer.

    Members
    -------
    i : In(stream of FRAME)
        From the command on, without CRC.
    sample : Out(stream)
        The bytes of a sample, for its decoder.
    between, faulty : In(1)
        The decoder is between two ticks; what it got was wrong.
    empty : In(1)
        All ticks have left the core.
    first : Out(1)
        For one cycle: a sample begins, from rest.
    ended : Out(1)
        The sample has no more ticks.
    unfinished : Out(1)
        It has ended within a tick.
    sampling : Out(1)
        A sample has begun, and is not answered yet.
    scores, spikes : Out(1)
        What is to be answered.
    taken : Out(8)
        Number of the frame that is worked on, or of the next.
    ack : Out(1)
        For one cycle: a frame was taken that has no answer.
    ask, kind : Out
        Answer the command, with that kind, until `answered`.
    answered : In(1)
    opened : Out(1)
        With `loads`: for one cycle, a LOAD, READ or NAME begins.
    reads : Out(1)
        It is a READ.
    words, name : Out(stream)
        What follows a LOAD or READ, or a NAME.
    learn : Out(1)
        With `learns`: the sample is learned from, until it is answered.
    closes : Out(1)
        With `learns`: for one cycle, a sample that was learned from has been answered or, where it is, rewarded.
    reward : Out(signed)
        With `rewarded`: the signal, when `closes` is 1; 0 before there is one.
    settled : In(1)
        With `learns`: the core has done all that is to be done after a sample.  No command is taken before, from a
        reset on and after each sample that was learned from: else one could find, or write, weights that still change.
    """

    def __init__(self, *, loads: bool = False, learns: bool = False, rewarded: bool = False) -> None:
        self.loads = bool(loads)
        self.learns = bool(learns)
        self.rewarded = bool(rewarded)
        learning = {"learn": Out(1), "closes": Out(1), "settled": In(1)}
        if rewarded:
            learning["reward"] = Out(signed(8 * REWARD_BYTES))
        more = {
            "opened": Out(1),
            "reads": Out(1),
            "words": Out(stream.Signature(8)),
            "name": Out(stream.Signature(8)),
        }
        super().__init__(
            (more if loads else {})
            | (learning if learns else {})
            | {
                "i": In(stream.Signature(FRAME)),
                "sample": Out(stream.Signature(8)),
                "between": In(1),
                "faulty": In(1),
                "empty": In(1),
                "first": Out(1),
                "ended": Out(1),
                "unfinished": Out(1),
                "sampling": Out(1),
                "scores": Out(1),
                "spikes": Out(1),
                "taken": Out(8),
                "ack": Out(1),
                "ask": Out(1),
                "kind": Out(KIND_BITS),
                "answered": In(1),
            }
        )

    def elaborate(self, platform):
        """One state machine, in the order of a frame: its states are read together."""
        m = Module()
        command = Signal(8)
        alone = Signal()  # the command is all of its frame
        ended = Signal()
        m.d.comb += [
            self.sample.payload.eq(self.i.payload.byte),
            ended.eq(self.i.valid & self.i.ready & self.i.payload.last),
        ]
        with m.FSM(init="settle" if self.learns else "idle"):
            if self.learns:
                with m.State("settle"), m.If(self.settled):
                    m.next = "idle"
            with m.State("idle"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [command.eq(self.i.payload.byte), alone.eq(self.i.payload.last)]
                with m.If(self.i.valid):
                    m.next = "command"
            with m.State("command"):
                with m.Switch(command):
                    with m.Case(Command.IDENTIFY):
                        m.d.sync += self.kind.eq(Kind.IDENTITY)
                    with m.Case(Command.COUNT):
                        m.d.sync += self.kind.eq(Kind.COUNTERS)
                    with m.Default():
                        m.d.sync += self.kind.eq(Kind.REFUSED)
                m.next = "rest"
                if self.loads:
                    with m.Switch(command), m.Case(Command.LOAD, Command.READ, Command.NAME):
                        m.d.comb += self.opened.eq(1)
                        m.d.sync += [
                            self.kind.eq(Kind.WORDS),
                            self.reads.eq(command == Command.READ),
                        ]
                        m.next = "load"
                        with m.If(alone):
                            m.next = "taken"
                if self.rewarded:
                    with m.If((command == Command.REWARD) & ~alone):
                        m.next = "reward"
                with m.If(command[SAMPLE_BIT]):
                    m.d.sync += self.kind.eq(Kind.RESULT)
                    with m.If(_bit(command, Part.FIRST)):
                        m.d.comb += self.first.eq(1)
                        m.d.sync += [
                            self.sampling.eq(1),
                            self.ended.eq(0),
                            self.unfinished.eq(0),
                            self.scores.eq(_bit(command, Part.SCORES)),
                            self.spikes.eq(_bit(command, Part.SPIKES)),
                        ]
                        if self.learns:
                            m.d.sync += self.learn.eq(_bit(command, Part.LEARN))
                    m.next = "sample"
                    with m.If(alone):
                        m.next = "taken"
            with m.State("rest"):  # a frame that is longer than its command needs
                m.d.comb += self.i.ready.eq(~alone)
                with m.If(alone | ended):
                    m.next = "answer"
            with m.State("sample"):
                m.d.comb += [self.sample.valid.eq(self.i.valid), self.i.ready.eq(self.sample.ready)]
                with m.If(ended):
                    m.next = "taken"
            if self.loads:
                with m.State("load"):
                    names = command == Command.NAME
                    for sink, here in ((self.words, ~names), (self.name, names)):
                        m.d.comb += [
                            sink.payload.eq(self.i.payload.byte),
                            sink.valid.eq(self.i.valid & here),
                        ]
                    m.d.comb += self.i.ready.eq(Mux(names, self.name.ready, self.words.ready))
                    with m.If(ended):
                        m.next = "taken"
                        with m.If(self.reads):
                            m.next = "answer"
            if self.rewarded:
                with m.State("reward"):
                    m.d.comb += self.i.ready.eq(1)
                    with m.If(self.i.valid):
                        m.d.sync += self.reward.eq(Cat(self.reward[8:], self.i.payload.byte))
                    with m.If(ended):
                        m.next = "rewarded"
                with m.State("rewarded"):
                    m.d.comb += [self.closes.eq(self.learn), self.ack.eq(1)]
                    m.d.sync += [self.taken.eq(self.taken + 1), self.learn.eq(0), self.reward.eq(0)]
                    m.next = "settle"
            with m.State("taken"):
                with m.If(~_bit(command, Part.LAST) | ~command[SAMPLE_BIT]):
                    m.d.comb += self.ack.eq(1)
                    m.d.sync += self.taken.eq(self.taken + 1)
                    m.next = "idle"
                with m.Elif(self.sample.ready):  # the decoder waits for another byte
                    m.d.sync += [self.ended.eq(1), self.unfinished.eq(~self.between)]
                    m.next = "core"
            with m.State("core"), m.If(self.empty | self.faulty | self.unfinished):
                m.next = "answer"
            with m.State("answer"):
                m.d.comb += self.ask.eq(1)
                with m.If(self.answered):
                    m.d.sync += [self.taken.eq(self.taken + 1), self.sampling.eq(0)]
                    m.next = "idle"
                    if self.learns and not self.rewarded:
                        m.d.comb += self.closes.eq(self.learn)
                        m.d.sync += self.learn.eq(0)
                        with m.If(self.learn):
                            m.next = "settle"
        return m
