"""The class of a sample: the output neuron with the greatest score, a tie going to the lower index.

The score of a neuron is its number of spikes, or, where the population has ``Reset.NONE``, its membrane
summed over the ticks.  The scores lie in a ring, in the order in which the trace names the neurons, so that
no address is needed::

    trace ──► (+) ──► [ size scores, lanes of them a step ] ──┐
               └──────────────────────────────────────────────┤
                                       the greatest so far ◄──┘   a score a step, when asked
"""

import operator

from amaranth.hdl import Module, Mux, Shape, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.rtl.events import trace_layout
from lifline.rtl.layout import address_bits
from lifline.rtl.plan import ArrayPlan

from .protocol import MAX_TICKS, score_range


class Classifier(wiring.Component):
    """Adds up the scores of an output population and names the greatest.

    Parameters
    ----------
    array : ArrayPlan
        The output population's gateware, whose trace is classified.
    max_ticks : int
        The scores are wide enough for so many ticks; whoever sends the ticks keeps to it.

    Members
    -------
    trace : In(stream)
        The population's trace, without back-pressure.
    clear : In(1)
        Start a new sample: all scores are 0.
    score : Out
        After the last tick: of neuron 0, then after each `step` of the next one.
    step : In(1)
        Go on to the next neuron; to be held back while ticks come, and when `done`.
    done : Out(1)
        All scores have been gone through.
    o : Out
        The class, when `done`.

    Raises
    ------
    ValueError
        If `max_ticks` is not positive.
    """

    def __init__(self, array: ArrayPlan, *, max_ticks: int = MAX_TICKS) -> None:
        if operator.index(max_ticks) < 1:
            raise ValueError(f"max_ticks must be a positive integer, not {max_ticks!r}")
        self.array = array
        self.max_ticks = max_ticks
        low, high = score_range(array.population, max_ticks)
        self.shape = Shape.cast(range(low, high + 1))
        size = array.population.size
        super().__init__(
            {
                "trace": In(stream.Signature(trace_layout(array), always_ready=True)),
                "clear": In(1),
                "score": Out(self.shape),
                "step": In(1),
                "done": Out(1),
                "o": Out(unsigned(address_bits(size))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lanes, groups, size = self.array.lanes, self.array.groups, self.array.population.size
        layout = self.array.layout
        sum_membranes = self.array.population.neuron.readout

        trace = self.trace.payload
        ring = [Signal(self.shape, name=f"score{i}") for i in range(groups * lanes)]
        index = Signal(range(size + 1))  # of the neuron whose score is first in the ring
        of_block = Signal(range(layout.block))  # of the same neuron, in its position of a map
        best = Signal(self.shape)
        m.d.comb += [self.score.eq(ring[0]), self.done.eq(index == size)]

        with m.If(self.trace.valid):
            for position, score in enumerate(ring):
                ahead = ring[(position + lanes) % len(ring)]
                lane = position - (len(ring) - lanes)
                if lane >= 0:
                    part = trace.membrane[lane] if sum_membranes else trace.spikes[lane]
                    m.d.sync += score.eq(ahead + part)
                else:
                    m.d.sync += score.eq(ahead)
        with m.Elif(self.step):
            after = [ring[(p + 1) % len(ring)] for p in range(len(ring))]
            if not layout.linear:  # behind a position of a map are lanes without a neuron
                last = of_block == layout.block - 1
                beyond = layout.groups_per_block * lanes - layout.block + 1
                after = [Mux(last, ring[(p + beyond) % len(ring)], one) for p, one in enumerate(after)]
                m.d.sync += of_block.eq(Mux(last, 0, of_block + 1))
            m.d.sync += [score.eq(following) for score, following in zip(ring, after, strict=True)]
            m.d.sync += index.eq(index + 1)
            with m.If((index == 0) | (ring[0] > best)):
                m.d.sync += [best.eq(ring[0]), self.o.eq(index)]

        with m.If(self.clear):
            m.d.sync += [index.eq(0), of_block.eq(0)]
            m.d.sync += [score.eq(0) for score in ring]
        return m
