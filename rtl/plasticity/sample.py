"""The sample that is being learned from: whether it is, and whether all of it has been learned."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class LearnedSample(wiring.Component):
    """Counts, for each array that learns, the ticks that have come in and have not been learned.

    Parameters
    ----------
    arrays : int
        That learn.

    Members
    -------
    learn : In(1)
        Whether to learn, while no event has come in.
    event, marker : In(1)
        An event of the input, or a marker, has come in.
    learned : In(arrays)
        An array has learned a tick.
    busy : In(1)
        An array is at work after a sample.
    learning : Out(1)
        What `learn` was when the first event came in, from the cycle after.
    ended : Out(1)
        Nothing is left to be learned.

    A reset begins the next sample.
    """

    #: Bits of a count: no network has so many ticks on their way.
    BITS = 16

    def __init__(self, arrays: int) -> None:
        self.arrays = arrays
        super().__init__(
            {
                "learn": In(1),
                "event": In(1),
                "marker": In(1),
                "learned": In(arrays),
                "busy": In(1),
                "learning": Out(1),
                "ended": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        begun = Signal()
        with m.If(~begun):
            m.d.sync += [self.learning.eq(self.learn), begun.eq(self.event)]
        left = [Signal(self.BITS, name=f"left_{n}") for n in range(self.arrays)]
        for count, learned in zip(left, self.learned, strict=True):
            m.d.sync += count.eq(count + self.marker - learned)
        m.d.comb += self.ended.eq(~self.busy & ~(self.learning & Cat(left).any()))
        return m
