"""The class of a sample: the output neuron with the greatest score, a tie going to the lower index.

The score of a neuron is its number of spikes, or, where the population has ``Reset.NONE``, its membrane
summed over the ticks.  The scores lie in a ring, in the order in which the trace names the neurons, so that
no address is needed::

    trace ──► (+) ──► [ size scores, lanes of them a step ] ──┐
               └──────────────────────────────────────────────┤
                                       the greatest so far ◄──┘   one score a cycle, when asked
"""

import operator

from amaranth.hdl import Module, Shape, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.rtl.events import trace_layout
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
    ticks : Out
        Ticks whose scores have been added since `clear`.
    finish : In(1)
        Name the class now, of `ticks` ticks; held until `o` is valid.
    o : Out(stream)
        The class; valid until accepted.  Then `clear` must follow.

    Latency: size + 1 cycles from `finish` to `o`.

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
        size = array.population.size
        super().__init__(
            {
                "trace": In(stream.Signature(trace_layout(array), always_ready=True)),
                "clear": In(1),
                "ticks": Out(range(max_ticks + 1)),
                "finish": In(1),
                "o": Out(stream.Signature(unsigned(max(1, (size - 1).bit_length())))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lanes, groups, size = self.array.lanes, self.array.groups, self.array.population.size
        low, high = score_range(self.array.population, self.max_ticks)
        shape = Shape.cast(range(low, high + 1))
        sum_membranes = self.array.population.neuron.readout

        trace = self.trace.payload
        ring = [Signal(shape, name=f"score{i}") for i in range(groups * lanes)]
        index = Signal(range(size + 1))  # of the neuron whose score is first in the ring, when asked
        best = Signal(shape)
        done = Signal()

        with m.If(self.trace.valid):
            for position, score in enumerate(ring):
                ahead = ring[(position + lanes) % len(ring)]
                lane = position - (len(ring) - lanes)
                if lane >= 0:
                    part = trace.membrane[lane] if sum_membranes else trace.spikes[lane]
                    m.d.sync += score.eq(ahead + part)
                else:
                    m.d.sync += score.eq(ahead)
            with m.If(trace.group == groups - 1):
                m.d.sync += self.ticks.eq(self.ticks + 1)
        with m.Elif(self.finish & ~done):
            m.d.sync += [score.eq(ring[(p + 1) % len(ring)]) for p, score in enumerate(ring)]
            with m.If(index == size):
                m.d.sync += done.eq(1)
            with m.Else():
                m.d.sync += index.eq(index + 1)
                with m.If((index == 0) | (ring[0] > best)):
                    m.d.sync += [best.eq(ring[0]), self.o.payload.eq(index)]
        m.d.comb += self.o.valid.eq(done)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += done.eq(0)

        with m.If(self.clear):
            m.d.sync += [done.eq(0), index.eq(0), self.ticks.eq(0)]
            m.d.sync += [score.eq(0) for score in ring]
        return m
