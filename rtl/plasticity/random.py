"""Random rounding: a number for each synapse and tick, and the seed, which counts the samples.

::

    seed ──► mix ──► + tick, mix ──► + source, mix ──► + target, mix ──► final ──► number      of each lane
    (a sample)       (a tick)        (a visit)         (a group)

The number is Jenkins' "one at a time" of the four, as :class:`lifline.plasticity.Rounding` has it.
"""

from amaranth.hdl import Const, Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arithmetic import delay
from ..layout import address_bits
from ..memory import Rom
from ..plan import ArrayPlan
from ..port import LearnPort, LoadPort, teach
from ..rows.learned import SEED_BITS


class SampleSeed(wiring.Component):
    """The seed of the sample, in a memory of one word, which a reset leaves as it is.

    Parameters
    ----------
    rom : Rom
    load : bool
        Whether it can be loaded.

    Members
    -------
    count : In(1)
        A sample has been learned from: the seed is one more three cycles later.
    seed : Out(32)
    load : In(LoadPort)
        With `load`.
    """

    def __init__(self, rom: Rom, *, load: bool) -> None:
        self.rom = rom
        members = {"count": In(1), "seed": Out(SEED_BITS)}
        super().__init__(members | ({"load": In(LoadPort(rom))} if load else {}))

    def elaborate(self, platform):
        m = Module()
        m.submodules.word = self.rom
        learner = LearnPort(self.rom).create(path=("counted",))
        m.d.comb += [
            self.seed.eq(self.rom.data),
            learner.write.eq(self.count),
            learner.write_data.eq(self.seed + 1),
        ]
        always = {"address": Const(0), "en": Const(1), "free": Const(1)}
        teach(m, self.rom, learner, getattr(self, "load", None), "seed", **always)
        return m


class RandomNumbers(wiring.Component):
    """Numbers for the synapses from one source to a group of targets.

    Parameters
    ----------
    array : ArrayPlan
        Of the targets.
    sources : int

    Members
    -------
    seed, tick : In(32)
        Constant from three cycles before the first source on.
    source : In
    first : In
        The number of the group's first neuron; what lanes without a neuron get is of no use.
    numbers : Out(32 bits a lane)
        Of which the highest are to be taken.

    Latency: 8 cycles from `source` and `first`.  Throughput: a group a cycle.
    """

    LATENCY = 8

    def __init__(self, array: ArrayPlan, sources: int) -> None:
        self.array = array
        super().__init__(
            {
                "seed": In(SEED_BITS),
                "tick": In(SEED_BITS),
                "source": In(unsigned(address_bits(sources))),
                "first": In(unsigned(address_bits(array.population.size))),
                "numbers": Out(data.ArrayLayout(unsigned(SEED_BITS), array.lanes)),
            }
        )

    def elaborate(self, platform):
        m = Module()

        def register(value, name):
            later = Signal(SEED_BITS, name=name, reset_less=True)
            m.d.sync += later.eq(value)
            return later

        def keyed(h, key, name):
            """With one key more, two cycles later."""
            risen = register(h + key, f"{name}_added")
            risen = (risen + (risen << 10))[:SEED_BITS]
            return register(risen ^ (risen >> 6), name)

        of_visit = keyed(
            keyed(keyed(0, self.seed, "of_seed"), self.tick, "of_tick"), self.source, "of_source"
        )
        first = delay(m, self.first, 2, "first")
        for lane in range(self.array.lanes):
            h = keyed(of_visit, first + lane, f"of_{lane}")
            for turn in ("first", "second"):
                risen = (h + (h << 3))[:SEED_BITS]
                h = register(risen ^ (risen >> 11), f"{turn}_{lane}_mixed")
                h = register(h + (h << 15), f"{turn}_{lane}")
            m.d.comb += self.numbers[lane].eq(h)
        return m
