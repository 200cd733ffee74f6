"""SDSP: at the end of a tick one pass over the sources that arrived or, where weights drift, over all.

::

    visit: source, arrived ────────────────┬─► w ──read──► w ─────┬─► w + change ──► clip ──► written
    group ──► rises, falls of the targets ─┴─► change of a spike ─┴─► and drift, by w

Each visit takes a cycle for each group of targets.  The equation is that of :class:`lifline.SDSP`.
"""

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed

from lifline.plasticity import SDSP

from ..arithmetic import delay, exceeds
from ..memory import Rom
from ..parameters import signed_bits
from ..plan import ArrayPlan, Channel
from ..port import LearnPort
from ..rows import SDSPRows
from .arrivals import SourceArrivals
from .calcium import TargetCalcium
from .learner import Learner, LearningCycles, learner, learning_cycles
from .stdp import clipped


class SDSPLearner(Learner):
    """The plasticity of a channel that learns by SDSP; parameters and members as of :class:`Learner`.

    Latency: see :class:`SDSPCycles`.
    """

    #: Cycles from a visit to the reading of its words, and from there to their being given to be written.
    READ, WALK = LearnPort.LATENCY - 1, 4

    def __init__(self, array: ArrayPlan, channel: Channel, bank: Rom) -> None:
        super().__init__(array, channel, bank)
        self.sources = SourceArrivals(self.rows)
        self.targets = TargetCalcium(self.rule, array, self.rows.calcium_bits)

    def elaborate(self, platform):
        m = Module()
        array, rows, bank = self.array, self.rows, self.bank
        m.submodules.sources = sources = self.sources
        m.submodules.targets = targets = self.targets
        last_group = array.groups - 1
        spikes, visit = self.spikes.payload, sources.visit
        start = Signal()
        m.d.comb += [
            sources.arrival.payload.eq(self.arrival.payload),
            sources.arrival.valid.eq(self.arrival.valid & self.learning),
            targets.found.payload.eq(self.found.payload),
            targets.found.valid.eq(self.found.valid),
            targets.spikes.payload.eq(spikes),
            targets.spikes.valid.eq(self.spikes.valid & self.learning),
            start.eq(self.spikes.valid & self.learning & (spikes.group == last_group)),
            sources.start.eq(start),
        ]

        # The walk: of each visit the groups one after the other.
        group = Signal(range(array.groups))
        following = Signal.like(bank.address, reset_less=True)
        address = Signal.like(bank.address)
        with m.If(visit.valid):
            m.d.sync += [
                group.eq(Mux(group == last_group, 0, group + 1)),
                following.eq(address + rows.synapses.shape[0]),
            ]
        # An update has ended a while after the last visit, however long ago that was.
        latency = self.READ + self.WALK
        walked = Signal(latency)
        m.d.sync += walked.eq(Cat(sources.running, walked))
        m.d.comb += [
            visit.ready.eq(visit.valid & (group == last_group)),
            address.eq(Mux(group == 0, visit.payload.source, following)),
            targets.group.eq(delay(m, group, self.READ, "group")),
            self.running.eq(sources.running | walked.any()),
            bank.take.eq(self.running),
            bank.en.eq(visit.valid),
            bank.address.eq(address),
            bank.write.eq(delay(m, visit.valid, latency, "changing", reset_less=False)),
            bank.write_address.eq(delay(m, address, latency, "changed")),
            bank.write_data.eq(self._changed(m, visit.payload.arrived)),
        ]

        # A sample has ended: what has arrived since its last marker is forgotten.
        dirty = Signal(reset_less=True)
        rest = Signal(init=1)
        with m.If(start | sources.arrival.valid):
            m.d.sync += dirty.eq(1)
        with m.Elif(sources.cleaned):
            m.d.sync += dirty.eq(0)
        m.d.comb += [sources.clean.eq(rest & dirty), self.busy.eq(rest & dirty)]
        with m.If(~dirty):
            m.d.sync += rest.eq(0)
        return m

    def _changed(self, m, arrived):
        """The word of a visit and a group, changed; `READ` + `WALK` cycles later."""
        rule, rows = self.rule, self.rows
        arrived = delay(m, arrived, self.READ + 2, "arrived")
        targets = Signal(self.targets.data.shape(), reset_less=True)
        word = Signal(len(self.bank.data), reset_less=True)
        m.d.sync += [targets.eq(self.targets.data), word.eq(self.bank.data)]
        low, high = rule.range(rows.synapses.weight_bits)
        most = rule.step_up + rule.drift_up, -rule.step_down - rule.drift_down
        shape = signed(signed_bits(most[1], most[0]))
        middle = rule.middle << rule.fraction_bits
        limit = Const(middle, signed(middle.bit_length() + 1))
        lanes = []
        for lane in range(self.array.lanes):
            w = word.word_select(lane, rows.w_bits).as_signed()
            rises, falls = arrived & targets.rises[lane], arrived & targets.falls[lane]

            def moved(drift, rises=rises, falls=falls):
                up, down = Const(drift + rule.step_up, shape), Const(drift - rule.step_down, shape)
                return Mux(rises, up, Mux(falls, down, Const(drift, shape)))

            change = Signal(shape, name=f"change_{lane}", reset_less=True)
            m.d.sync += change.eq(Mux(exceeds(w, limit), moved(rule.drift_up), moved(-rule.drift_down)))
            total = delay(m, w, 1, f"w_{lane}") + change
            after = Signal(total.shape(), name=f"after_{lane}", reset_less=True)
            m.d.sync += after.eq(total)
            lanes.append(clipped(after, low, high, rows.w_bits))
        return Cat(lanes)


class SDSPCycles:
    """How long updates take: a word of sources a cycle, or for each of them that is visited one for each group.

    Parameters
    ----------
    channel : Channel
    samples : int
    """

    def __init__(self, channel: Channel, samples: int) -> None:
        assert isinstance(channel.rows, SDSPRows)
        self.rows = channel.rows
        self.samples = samples

    @property
    def settling(self) -> int:
        return self.rows.source_words

    def tick(self, arrived: np.ndarray, fired: np.ndarray) -> np.ndarray:
        rows = self.rows
        words, places = rows.source_words, rows.sources_of_word
        visited = np.zeros((self.samples, words * places), np.int64)
        visited[:, : arrived.shape[1]] = arrived | rows.drifts
        of_word = visited.reshape(self.samples, words, places).sum(axis=2)
        cycles: np.ndarray = np.maximum(of_word * rows.layout.groups, 1).sum(axis=1)
        return cycles + SourceArrivals.LATENCY + SDSPLearner.READ + SDSPLearner.WALK + 1


@learner.register
def _(rule: SDSP) -> type[Learner]:
    return SDSPLearner


@learning_cycles.register
def _(rule: SDSP, channel: Channel, samples: int) -> LearningCycles:
    return SDSPCycles(channel, samples)
