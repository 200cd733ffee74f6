"""The class of a sample: the output neuron with the greatest score, a tie going to the lower index.

The score of a neuron is its number of spikes, or, where the population has ``Reset.NONE``, its membrane
summed over the ticks.  The scores lie in a ring, in the order in which the trace names the neurons, so that
no address is needed::

    trace ──► (+) ──► [ size scores, lanes of them a step ] ──┐
               └──────────────────────────────────────────────┤
                                       the greatest so far ◄──┘   a score a step, when asked
"""

import operator

from amaranth.hdl import Module, Shape, Signal, unsigned
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
        sum_membranes = self.array.population.neuron.readout

        trace = self.trace.payload
        ring = [Signal(self.shape, name=f"score{i}") for i in range(groups * lanes)]
        index = Signal(range(size + 1))  # of the neuron whose score is first in the ring
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
            m.d.sync += [score.eq(ring[(p + 1) % len(ring)]) for p, score in enumerate(ring)]
            m.d.sync += index.eq(index + 1)
            with m.If((index == 0) | (ring[0] > best)):
                m.d.sync += [best.eq(ring[0]), self.o.eq(index)]

        with m.If(self.clear):
            m.d.sync += index.eq(0)
            m.d.sync += [score.eq(0) for score in ring]
        return m
