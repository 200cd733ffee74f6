"""Pair STDP: at the end of a tick one pass over the sources that arrived or, where a target spiked, have a trace.

::

    visit: source, p, arrived ──┬─► w ──read──► w ────────┬─► w + spiked · rise − arrived · fall ──► clip ──► written
                                └─► q, spiked of a group ─┴─► rise, fall (with soft bounds: · room >> …)

Each visit takes a cycle for each group of targets.  When the sample has ended its weights are normalised, where the
rule has a `total`, and the traces of the sources are cleared.  The equation is that of :class:`lifline.STDP`.
"""

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed

from lifline.plasticity import STDP, Pairing

from ..arithmetic import delay, times
from ..memory import Rom
from ..parameters import signed_bits
from ..plan import ArrayPlan, Channel
from ..port import LearnPort
from ..rows import STDPRows
from .learner import Learner, LearningCycles, learner, learning_cycles
from .normaliser import Normaliser
from .traces import SourceTraces, TargetTraces


class STDPLearner(Learner):
    """The plasticity of a channel that learns by STDP; parameters and members as of :class:`Learner`.

    Latency: rows can be read `cycles` cycles after the last group of the targets' spikes: see :class:`STDPCycles`.
    """

    def __init__(self, array: ArrayPlan, channel: Channel, bank: Rom) -> None:
        super().__init__(array, channel, bank)
        self.sources = SourceTraces(self.rows)
        self.targets = TargetTraces(self.rule, array, self.rows.trace_bits)
        self.normaliser = Normaliser(array, channel, bank) if self.rule.total is not None else None

    #: Cycles from a visit to the reading of its words.
    READ = LearnPort.LATENCY - 1

    @staticmethod
    def walk_latency(rule: STDP) -> int:
        """Cycles from the reading of a word to its being given to be written."""
        return 5 if rule.soft else 4

    def elaborate(self, platform):
        m = Module()
        array, rule, rows = self.array, self.rule, self.rows
        m.submodules.sources = sources = self.sources
        m.submodules.targets = targets = self.targets
        last_group = array.groups - 1
        spikes = self.spikes.payload
        start = Signal()
        visit = sources.visit
        m.d.comb += [
            sources.arrival.payload.eq(self.arrival.payload),
            sources.arrival.valid.eq(self.arrival.valid & self.learning),
            targets.spikes.payload.eq(spikes),
            targets.spikes.valid.eq(self.spikes.valid & self.learning),
            start.eq(self.spikes.valid & self.learning & (spikes.group == last_group)),
            sources.start.eq(start),
            sources.fired.eq(targets.fired),
        ]

        # The walk: of each visit the groups one after the other.
        group = Signal(range(array.groups))
        following = Signal.like(self.bank.address, reset_less=True)
        address = Signal.like(self.bank.address)
        m.d.comb += [
            visit.ready.eq(visit.valid & (group == last_group)),
            address.eq(Mux(group == 0, visit.payload.source, following)),
        ]
        with m.If(visit.valid):
            m.d.sync += [
                group.eq(Mux(group == last_group, 0, group + 1)),
                following.eq(address + rows.synapses.shape[0]),
            ]
        # Its word is read when it has come to the bank.
        reading = Signal(visit.payload.shape(), reset_less=True)
        m.d.sync += reading.eq(visit.payload)
        m.d.comb += targets.group.eq(delay(m, group, self.READ, "group"))
        latency = self.READ + self.walk_latency(rule)
        changed = self._changed(m, reading)
        write = delay(m, visit.valid, latency, "changing", reset_less=False)
        write_address = delay(m, address, latency, "changed")

        # An update has ended a while after the last visit, however long ago that was.
        walked = Signal(latency)
        m.d.sync += walked.eq(Cat(sources.running, walked))
        m.d.comb += self.running.eq(sources.running | walked.any())

        settles = self._at_rest(m, start)
        bank = self.bank
        walk = {
            "en": visit.valid,
            "address": address,
            "write": write,
            "write_address": write_address,
            "write_data": changed,
        }
        m.d.comb += [getattr(bank, name).eq(value) for name, value in walk.items()]
        m.d.comb += bank.take.eq(self.running)
        if self.normaliser is not None:
            other = self.normaliser.bank
            m.d.comb += other.data.eq(bank.data)
            with m.If(settles):
                m.d.comb += [getattr(bank, name).eq(getattr(other, name)) for name in ("take", *walk)]
        return m

    def _at_rest(self, m, start):
        """What is done when a sample has ended; whether the weights are being normalised."""
        taught = Signal(reset_less=True)  # since the weights were normalised
        dirty = Signal(reset_less=True)  # since the traces were cleared
        rest = Signal(init=1)  # a reset has been: a sample has ended
        settles = Const(0)
        with m.If(start):
            m.d.sync += taught.eq(1)
        with m.If(start | self.sources.arrival.valid):
            m.d.sync += dirty.eq(1)
        m.d.comb += self.sources.clean.eq(rest & dirty)
        with m.If(self.sources.cleaned):
            m.d.sync += dirty.eq(0)
        waiting = dirty
        if self.normaliser is not None:
            m.submodules.normaliser = self.normaliser
            settles = rest & taught
            m.d.comb += self.normaliser.go.eq(settles)
            with m.If(self.normaliser.done):
                m.d.sync += taught.eq(0)
            waiting = dirty | taught
        m.d.comb += self.busy.eq(rest & waiting)
        with m.If(~waiting):
            m.d.sync += rest.eq(0)
        return settles

    def _changed(self, m, visit):
        """The word of a visit and a group, changed; `walk_latency` cycles later."""
        array, rule, rows = self.array, self.rule, self.rows
        trace = delay(m, visit.trace, 1, "p")
        rise_bits, fall_bits = (_change_bits(eta, rule) for eta in (rule.eta_plus, rule.eta_minus))
        rise = Signal(signed(rise_bits), reset_less=True)  # of the whole visit
        m.d.sync += rise.eq(times(trace, Const(rule.eta_plus)) >> rule.shift)
        rise = delay(m, rise, 1, "rise")
        arrived = delay(m, visit.arrived, self.walk_latency(rule) - 1, "arrived")
        targets = Signal(self.targets.data.shape(), reset_less=True)
        word = Signal(len(self.bank.data), reset_less=True)
        m.d.sync += [targets.eq(self.targets.data), word.eq(self.bank.data)]
        spiked = delay(m, targets.spiked, self.walk_latency(rule) - 3, "spiked")
        low, high = rule.range(rows.synapses.weight_bits)
        lanes = []
        for lane in range(array.lanes):
            w = word.word_select(lane, rows.w_bits).as_signed()
            fall = Signal(signed(fall_bits), name=f"fall_{lane}", reset_less=True)
            m.d.sync += fall.eq(times(targets.traces[lane], Const(rule.eta_minus)) >> rule.shift)
            up, down = rise, fall
            later = delay(m, w, 1, f"w_{lane}")
            if rule.soft:
                up, down = self._softened(m, w, up, down, lane)
                later = delay(m, later, 1, f"later_{lane}")
            total = later + Mux(spiked[lane], up, 0) - Mux(arrived, down, 0)
            change = Signal(total.shape(), name=f"change_{lane}", reset_less=True)
            m.d.sync += change.eq(total)
            lanes.append(clipped(change, low, high, rows.w_bits))
        return Cat(lanes)

    def _softened(self, m, w, rise, fall, lane):
        """Both changes, scaled by what is left to the end that they go to: of a `w` two cycles before."""
        low, high = self.rule.range(self.rows.synapses.weight_bits)
        scale = self.rows.w_bits
        result = []
        for name, room, change in (("up", high - w, rise), ("down", w - low, fall)):
            room = delay(
                m, room[:scale], 1, f"{name}_room_{lane}"
            )  # never negative: w is within its ends
            product = change * room >> scale
            scaled = Signal(product.shape(), name=f"{name}_{lane}", reset_less=True)
            m.d.sync += scaled.eq(product)
            result.append(scaled)
        return result


def clipped(value, low: int, high: int, bits: int):
    """A value, not below `low` and not above `high`, in so many bits."""
    above = (high - value)[-1]
    below = (value - low)[-1]
    ends = Const(low, signed(bits)), Const(high, signed(bits))
    return Mux(above, ends[1], Mux(below, ends[0], value))[:bits]


def _change_bits(eta: int, rule: STDP) -> int:
    """Bits of the two's complement change by any trace."""
    change = eta * rule.largest_trace >> rule.shift
    return signed_bits(min(change, 0), max(change, 0))


class STDPCycles:
    """How long updates take: a word of sources a cycle, or for each of them that is visited one for each group.

    Parameters
    ----------
    channel : Channel
    samples : int
    """

    def __init__(self, channel: Channel, samples: int) -> None:
        assert isinstance(channel.rows, STDPRows)
        self.channel = channel
        self.rows = channel.rows
        self.rule = channel.rows.rule
        self.traces = np.zeros((samples, channel.source_size), np.int64)

    @property
    def settling(self) -> int:
        normalised = Normaliser.cycles(self.channel) if self.rule.total is not None else 0
        return max(normalised + 1, self.rows.source_words)

    def tick(self, arrived: np.ndarray, fired: np.ndarray) -> np.ndarray:
        rule, rows = self.rule, self.rows
        traces = rule.alpha_pre * self.traces >> 8
        rest = traces if rule.pairing is Pairing.ALL else 0
        after = np.where(arrived, rest + rule.amplitude, traces)
        self.traces = after
        live = after if rule.coincident else traces
        visited = arrived | ((live > 0) & fired.any(axis=1, keepdims=True))
        places = rows.sources_of_word
        padded = np.zeros((len(visited), rows.source_words * places), np.int64)
        padded[:, : visited.shape[1]] = visited
        of_word = padded.reshape(len(visited), rows.source_words, places).sum(axis=2)
        words = np.maximum(of_word * rows.layout.groups, 1).sum(axis=1)
        return words + SourceTraces.LATENCY + STDPLearner.READ + STDPLearner.walk_latency(rule) + 1


@learner.register
def _(rule: STDP) -> type[Learner]:
    return STDPLearner


@learning_cycles.register
def _(rule: STDP, channel: Channel, samples: int) -> LearningCycles:
    return STDPCycles(channel, samples)
