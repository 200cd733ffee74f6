"""Pair STDP: at the end of a tick one pass over the sources that arrived or, where a target spiked, have a trace.

::

    visit: source, p, arrived ──┬─► w ──read──► w ────────┬─► w + spiked · rise − arrived · fall ──► clip ──► written
                                └─► q, spiked of a group ─┴─► rise, fall (with soft bounds: · room >> …)

Each visit takes a cycle for each group of targets.  When the sample has ended its weights are normalised, where the
rule has a `total`, and the traces of the sources are cleared.  The equation is that of :class:`lifline.STDP`.
"""

from typing import Any, NamedTuple

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring

from lifline.plasticity import STDP, Pairing, Rounding

from ..arithmetic import delay, times
from ..memory import Rom
from ..parameters import signed_bits
from ..plan import ArrayPlan, Channel
from ..port import LearnPort
from ..rows import STDPRows
from ..rows.learned import SEED_BITS
from .learner import Learner, LearningCycles, learner, learning_cycles
from .normaliser import Normaliser
from .random import RandomNumbers, SampleSeed
from .traces import SourceTraces, TargetTraces


class Walk(NamedTuple):
    """Sources whose synapses are read, and written with what has become of them, the groups one after the other."""

    valid: Any
    source: Any  #: until its last group
    owed: Any = None  #: a reward has not been applied to all; of rules that need one
    begins: Any = None  #: it begins to be, some cycles before the first source


class STDPLearner(Learner):
    """The plasticity of a channel that learns by STDP; parameters and members as of :class:`Learner`.

    Latency: rows can be read `cycles` cycles after the last group of the targets' spikes: see :class:`STDPCycles`.
    """

    #: Whether all sources are visited in each tick.
    EVERY = False

    def __init__(self, array: ArrayPlan, channel: Channel, bank: Rom) -> None:
        super().__init__(array, channel, bank)
        self.pairs: STDP = self.rows.pairs
        self.sources = SourceTraces(self.rows, every=self.EVERY)
        self.targets = TargetTraces(self.pairs, array, self.rows.trace_bits)
        self.normaliser = Normaliser(array, channel, bank) if self.pairs.total is not None else None
        self.seed: Any = None  # of random rounding
        self.numbers: Any = None
        if self.rows.random:
            self.seed = SampleSeed(self.own[0].rom, load=array.load)
            self.numbers = RandomNumbers(array, channel.source_size)

    #: Cycles from an address to the reading of its word.
    READ = LearnPort.LATENCY - 1

    @staticmethod
    def early(rule: STDP) -> int:
        """Cycles from a visit to the reading of its word: its random number is then there when it is needed."""
        rounded = rule.rounding is Rounding.STOCHASTIC
        return RandomNumbers.LATENCY - 3 if rounded else STDPLearner.READ

    @classmethod
    def walk_latency(cls, rule: STDP) -> int:
        """Cycles from a visit to its word's being given to be written."""
        rounded = rule.rounding is Rounding.STOCHASTIC
        return cls.early(rule) + (5 if rule.soft else 4) + rounded

    def elaborate(self, platform):
        m = Module()
        array, pairs, rows = self.array, self.pairs, self.rows
        m.submodules.sources = sources = self.sources
        m.submodules.targets = targets = self.targets
        last_group = array.groups - 1
        spikes = self.spikes.payload
        start = Signal()
        rest = Signal(init=1)  # a reset has been: a sample has ended
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
        walk = self._walk(m, start, rest, group == last_group)
        m.d.comb += [
            visit.ready.eq(visit.valid & (group == last_group)),
            address.eq(Mux(group == 0, walk.source, following)),
        ]
        with m.If(walk.valid):
            m.d.sync += [
                group.eq(Mux(group == last_group, 0, group + 1)),
                following.eq(address + rows.synapses.shape[0]),
            ]
        early = self.early(pairs)
        latency = self.walk_latency(pairs)
        if self.numbers is not None:
            self._draw(m, start, rest, walk, group)
        read = delay(m, walk.valid, early, "reading", reset_less=False)
        read_address = delay(m, address, early, "read")
        m.d.comb += targets.group.eq(delay(m, group, early, "group"))
        write, write_address, changed = self._changed(m, start, rest, read, read_address)

        # An update has ended a while after the last visit, however long ago that was.
        walked = Signal(latency)
        m.d.sync += walked.eq(Cat(sources.running, walked))
        m.d.comb += self.running.eq(sources.running | walked.any())

        settles = self._at_rest(m, start, rest, walk.owed)
        bank = self.bank
        uses = {
            "en": delay(m, walk.valid, early - self.READ, "asking", reset_less=False),
            "address": delay(m, address, early - self.READ, "asked"),
            "write": write,
            "write_address": write_address,
            "write_data": changed,
        }
        m.d.comb += [getattr(bank, name).eq(value) for name, value in uses.items()]
        m.d.comb += bank.take.eq(self.running if walk.owed is None else self.running | rest & walk.owed)
        if self.normaliser is not None:
            other = self.normaliser.bank
            m.d.comb += other.data.eq(bank.data)
            with m.If(settles):
                m.d.comb += [getattr(bank, name).eq(getattr(other, name)) for name in ("take", *uses)]
        return m

    def _walk(self, m, start, rest, last):
        """What is walked: the visits of a tick."""
        return Walk(self.sources.visit.valid, self.sources.visit.payload.source)

    def _at_rest(self, m, start, rest, owed):
        """What is done when a sample has ended; whether the weights are being normalised."""
        taught = Signal(reset_less=True)  # since the weights were normalised
        dirty = Signal(reset_less=True)  # since the traces were cleared
        settles = Const(0)
        settled = rest if owed is None else rest & ~owed
        with m.If(start):
            m.d.sync += taught.eq(1)
        with m.If(start | self.sources.arrival.valid):
            m.d.sync += dirty.eq(1)
        m.d.comb += self.sources.clean.eq(rest & dirty)
        with m.If(self.sources.cleaned):
            m.d.sync += dirty.eq(0)
        waiting = dirty
        if self.numbers is not None:
            counts = Signal(reset_less=True)  # the sample has not been counted
            with m.If(start):
                m.d.sync += counts.eq(1)
            with m.Elif(settled):
                m.d.sync += counts.eq(0)
            m.d.comb += self.seed.count.eq(settled & counts)
        if self.normaliser is not None:
            m.submodules.normaliser = self.normaliser
            settles = settled & taught
            m.d.comb += self.normaliser.go.eq(settles)
            with m.If(self.normaliser.done):
                m.d.sync += taught.eq(0)
            waiting = dirty | taught
        if owed is not None:
            waiting = waiting | owed
        m.d.comb += self.busy.eq(rest & waiting)
        with m.If(~waiting):
            m.d.sync += rest.eq(0)
        return settles

    def _draw(self, m, start, rest, walk, group):
        """Draw a random number for each synapse of a visit and a group."""
        array, layout, numbers = self.array, self.array.layout, self.numbers
        m.submodules.numbers = numbers
        m.submodules.seed = self.seed
        if array.load:
            wiring.connect(m, wiring.flipped(self.load_seed), self.seed.load)
        tick = Signal(
            SEED_BITS, init=-1, reset_less=True
        )  # that is learned, and after the last their number
        with m.If(start if walk.owed is None else start | walk.begins):
            m.d.sync += tick.eq(tick + 1)
        with m.Elif(rest if walk.owed is None else rest & ~walk.owed):
            m.d.sync += tick.eq(-1)
        first = Signal.like(numbers.first)  # neuron of the group
        following = first + layout.lanes
        if not layout.linear:
            of_block = Signal(range(layout.groups_per_block))
            last = of_block == layout.groups_per_block - 1
            last_lanes = layout.block - (layout.groups_per_block - 1) * layout.lanes
            following = first + Mux(last, last_lanes, layout.lanes)
            with m.If(walk.valid):
                m.d.sync += of_block.eq(Mux(last, 0, of_block + 1))
        with m.If(walk.valid):
            m.d.sync += first.eq(Mux(group == array.groups - 1, 0, following))
        m.d.comb += [
            numbers.seed.eq(self.seed.seed),
            numbers.tick.eq(tick),
            numbers.source.eq(walk.source),
            numbers.first.eq(first),
        ]

    def _changed(self, m, start, rest, read, address):
        """What is written: whether, where, and the word that is read, changed."""
        array, rule, rows = self.array, self.pairs, self.rows
        visit, latency = self.sources.visit.payload, self.walk_latency(rule)
        trace = delay(m, visit.trace, self.early(rule) + 1, "p")
        # What is rounded at random is shifted a cycle later.
        shift = 0 if self.numbers is not None else rule.shift
        rise_bits, fall_bits = (
            _change_bits(eta, rule, shift) for eta in (rule.eta_plus, rule.eta_minus)
        )
        rise = Signal(signed(rise_bits), reset_less=True)  # of the whole visit
        m.d.sync += rise.eq(times(trace, Const(rule.eta_plus)) >> shift)
        rise = delay(m, rise, 1, "rise")
        arrived = delay(m, visit.arrived, latency - 1, "arrived")
        targets = Signal(self.targets.data.shape(), reset_less=True)
        word = Signal(len(self.bank.data), reset_less=True)
        m.d.sync += [targets.eq(self.targets.data), word.eq(self.bank.data)]
        spiked = delay(m, targets.spiked, latency - self.early(rule) - 3, "spiked")
        low, high, bits = self._ends
        lanes = []
        for lane in range(array.lanes):
            w = word.word_select(lane, rows.w_bits).as_signed()
            fall = Signal(signed(fall_bits), name=f"fall_{lane}", reset_less=True)
            m.d.sync += fall.eq(times(targets.traces[lane], Const(rule.eta_minus)) >> shift)
            up, down = rise, fall
            if self.numbers is not None:
                w = delay(m, w, 1, f"kept_{lane}")
                up, down = self._rounded(m, up, down, lane)
            later = self._before(m, w, lane)
            if rule.soft:
                up, down = self._softened(m, w, up, down, lane)
                later = delay(m, later, 1, f"later_{lane}")
            total = later + Mux(spiked[lane], up, 0) - Mux(arrived, down, 0)
            change = Signal(total.shape(), name=f"change_{lane}", reset_less=True)
            m.d.sync += change.eq(total)
            lanes.append(clipped(change, low, high, bits))
        stages = latency - self.early(rule)
        write = delay(m, read, stages, "changing", reset_less=False)
        return write, delay(m, address, stages, "changed"), Cat(lanes)

    @property
    def _ends(self):
        """The least and the greatest of what a tick changes, and its bits."""
        return *self.pairs.range(self.rows.synapses.weight_bits), self.rows.w_bits

    def _before(self, m, w, lane):
        """What a tick changes, a cycle after w."""
        return delay(m, w, 1, f"w_{lane}")

    def _rounded(self, m, rise, fall, lane):
        """Both products, each with the lane's random number, shifted; a cycle later."""
        rule = self.pairs
        number = self.numbers.numbers[lane][SEED_BITS - rule.shift :]
        result = []
        for name, product, eta in (("rise", rise, rule.eta_plus), ("fall", fall, rule.eta_minus)):
            bits = _change_bits(eta, rule, rule.shift, up=True)
            rounded = Signal(signed(bits), name=f"rounded_{name}_{lane}", reset_less=True)
            m.d.sync += rounded.eq((product + number if rule.shift else product) >> rule.shift)
            result.append(rounded)
        return result

    def _softened(self, m, w, rise, fall, lane):
        """Both changes, scaled by what is left to the end that they go to: of a `w` two cycles before."""
        low, high = self.pairs.range(self.rows.synapses.weight_bits)
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


def _change_bits(eta: int, rule: STDP, shift: int, up: bool = False) -> int:
    """Bits of the two's complement change by any trace; `up`: rounded down or up."""
    change = eta * rule.largest_trace
    low, high = change >> shift, -(-change >> shift) if up else change >> shift
    return signed_bits(min(low, 0), max(high, 0))


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
        self.rule = channel.rows.pairs
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
        return words + SourceTraces.LATENCY + STDPLearner.walk_latency(rule) + 1


@learner.register
def _(rule: STDP) -> type[Learner]:
    return STDPLearner


@learning_cycles.register
def _(rule: STDP, channel: Channel, samples: int) -> LearningCycles:
    return STDPCycles(channel, samples)
