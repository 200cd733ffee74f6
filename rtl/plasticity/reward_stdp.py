"""STDP that a reward turns into changes: every tick a pass over all synapses, and one more at the end of a sample.

::

    every source ──┬─► e ──read──► floor(alpha · e / 256) + spiked · rise − arrived · fall ──► sat ──► e written
                   └─► rise, fall, as in STDP

    at the end ────┬─► e ──read──► reward · e >> shift ──┐
                   └─► w ──read──► w ────────────────────┴─► + ──► clip ──► w written

The eligibilities e have words as w has them, and a sample's first tick takes what it reads for 0: nobody clears them.
The equation is that of :class:`lifline.RewardSTDP`; weights are normalised after the reward.
"""

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed

from lifline.plasticity import STDP, RewardSTDP

from ..arithmetic import delay, times
from ..memory import Ram, Rom
from ..plan import ArrayPlan, Channel
from ..rows import RewardRows
from ..rows.learned import SEED_BITS
from .learner import Learner, LearningCycles, learner, learning_cycles
from .normaliser import Normaliser
from .stdp import STDPLearner, Walk, clipped
from .traces import SourceTraces


class RewardLearner(STDPLearner):
    """The plasticity of a channel that learns by RewardSTDP; parameters and members as of :class:`Learner`.

    Latency: as of :class:`RewardCycles`; the reward takes a cycle for each word of weights, and `pay_latency` + 7.
    """

    #: Bits of the lower part of an eligibility: two products, each of which fits a DSP block, and then their sum.
    LOW = 17

    #: Cycles before the pass in which a random number sees the sample's number of ticks.
    PREPARE = 4

    EVERY = True

    def __init__(self, array: ArrayPlan, channel: Channel, bank: Rom) -> None:
        super().__init__(array, channel, bank)
        width, depth = self.rows.traces["eligibility"]
        self.eligibility = Ram(width=width, depth=depth, zeros=False)
        self.e_word = Signal(width, reset_less=True)  # that has been read, beside that of w

    @classmethod
    def pay_latency(cls, pairs: STDP) -> int:
        """Cycles from a visit to its word's being given to be written."""
        return cls.early(pairs) + 6

    def _walk(self, m: Module, start: Signal, rest: Signal, last: Signal) -> Walk:
        """The visits of a tick, and after a sample one of every source."""
        sources = self.channel.source_size
        owed = Signal(reset_less=True)
        source = Signal(range(sources))
        wait = Signal(range(max(self.pay_latency(self.pairs), self.PREPARE) + 1))
        begins = Signal()
        paying = Signal()
        with m.If(start):
            m.d.sync += owed.eq(1)
        with m.FSM(name="reward"):
            with m.State("rest"):
                m.d.sync += wait.eq(self.PREPARE)
                with m.If(rest & owed):
                    m.d.comb += begins.eq(1)
                    m.next = "prepare"
            with m.State("prepare"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.next = "pay"
            with m.State("pay"):
                m.d.comb += paying.eq(1)
                m.d.sync += wait.eq(self.pay_latency(self.pairs))
                with m.If(last):
                    m.d.sync += source.eq(source + 1)
                    with m.If(source == sources - 1):
                        m.d.sync += source.eq(0)
                        m.next = "paid"
            with m.State("paid"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.sync += owed.eq(0)
                    m.next = "rest"
        visit = self.sources.visit
        return Walk(visit.valid | paying, Mux(paying, source, visit.payload.source), owed, begins)

    def _changed(self, m, start, rest, read, address):
        m.submodules.eligibility = ram = self.eligibility
        begun = Signal()
        first = Signal()  # tick of the sample: what is read is of the one before
        with m.If(start):
            m.d.sync += [begun.eq(1), first.eq(~begun)]
        m.d.sync += self.e_word.eq(Mux(first, 0, ram.data))
        write, write_address, changed = super()._changed(m, start, rest, read & ~rest, address)
        m.d.comb += [
            ram.en.eq(read),
            ram.address.eq(address),
            ram.write.eq(write),
            ram.write_address.eq(write_address),
            ram.write_data.eq(changed),
        ]
        return self._paid(m, read & rest, address)

    @property
    def _ends(self):
        bits = self.rule.eligibility_bits
        return -(1 << (bits - 1)), (1 << (bits - 1)) - 1, bits

    def _before(self, m, w, lane):
        """The eligibility, fallen."""
        e = self._eligibility(lane)
        if self.numbers is not None:
            e = delay(m, e, 1, f"old_{lane}")
        fallen = Signal(e.shape(), name=f"fallen_{lane}", reset_less=True)
        m.d.sync += fallen.eq(times(e, Const(self.rule.alpha)) >> 8)
        return fallen

    def _eligibility(self, lane):
        return self.e_word.word_select(lane, self.rule.eligibility_bits).as_signed()

    def _paid(self, m, read, address):
        """What the reward writes: whether, where, and the word."""
        rule, rows, shift = self.rule, self.rows, self.rule.shift
        low, high = rule.range(rows.synapses.weight_bits)
        word = Signal(len(self.bank.data), reset_less=True)
        m.d.sync += word.eq(self.bank.data)
        word = delay(m, word, 3, "paid")
        lanes = []
        for lane in range(self.array.lanes):
            e = self._eligibility(lane)
            signal = Signal(signed(len(self.reward) + len(e)), name=f"signal_{lane}", reset_less=True)
            terms = []
            for name, part, place in self._parts(e):
                product = self.reward * part
                term = Signal(product.shape(), name=f"{name}_{lane}", reset_less=True)
                m.d.sync += term.eq(product)
                terms.append(term << place)
            m.d.sync += signal.eq(sum(terms[1:], start=terms[0]))
            if self.numbers is not None and shift:
                number = delay(m, self.numbers.numbers[lane][SEED_BITS - shift :], 1, f"number_{lane}")
                product = signal + number
            else:
                product = signal
            change = Signal(signed(len(signal) + 1), name=f"reward_{lane}", reset_less=True)
            m.d.sync += change.eq(product >> shift)
            w = word.word_select(lane, rows.w_bits).as_signed()
            total = w + change
            rewarded = Signal(total.shape(), name=f"rewarded_{lane}", reset_less=True)
            m.d.sync += rewarded.eq(total)
            lanes.append(clipped(rewarded, low, high, rows.w_bits))
        write = delay(m, read, 6, "paying", reset_less=False)
        return write, delay(m, address, 6, "paid_address"), Cat(lanes)

    def _parts(self, e):
        """What of an eligibility is multiplied by itself: name, value, binary place."""
        if len(e) <= self.LOW + 1:
            return [("whole", e, 0)]
        return [("low", e[: self.LOW], 0), ("high", e[self.LOW :].as_signed(), self.LOW)]


class RewardCycles:
    """How long updates take: a cycle for each source and group.

    Parameters
    ----------
    channel : Channel
    """

    def __init__(self, channel: Channel) -> None:
        assert isinstance(channel.rows, RewardRows)
        self.rows = channel.rows
        self.channel = channel

    @property
    def settling(self) -> int:
        pairs = self.rows.pairs
        paid = self.channel.source_size * self.rows.layout.groups
        paid += RewardLearner.PREPARE + RewardLearner.pay_latency(pairs) + 3
        return paid + (Normaliser.cycles(self.channel) + 1 if pairs.total is not None else 0)

    def tick(self, arrived: np.ndarray, fired: np.ndarray) -> np.ndarray:
        walk = arrived.shape[1] * self.rows.layout.groups
        walk += SourceTraces.LATENCY + STDPLearner.walk_latency(self.rows.pairs) + 1
        return np.full(len(arrived), walk, np.int64)


@learner.register
def _(rule: RewardSTDP) -> type[Learner]:
    return RewardLearner


@learning_cycles.register
def _(rule: RewardSTDP, channel: Channel, samples: int) -> LearningCycles:
    return RewardCycles(channel)
