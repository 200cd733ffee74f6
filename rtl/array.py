"""Neuron array: sums the synapses of each tick, updates `lanes` neurons a cycle, and sends their spikes.

::

    rows ──► Accumulator, BankedAccumulator or DelayLine ──► NeuronUpdate ──► SpikeEncoder ──► events
                                              │
                                              └──► trace (every group's spikes and states)

The array's control is one decision: start the sweep of a tick when it waits, the pipeline has room, and
fewer than `TICKS` ticks are on their way out.  From there on nothing can stall, so the pipeline
needs no handshake.
"""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .accumulator import Accumulator
from .banks import BankedAccumulator
from .delays import DelayLine
from .encoder import SpikeEncoder
from .events import event_layout, found_layout, row_layout, trace_layout
from .memory import Rom
from .plan import TICKS, ArrayPlan
from .port import LoadPort
from .update import NeuronUpdate


class NeuronArray(wiring.Component):
    """A population of neurons.

    Parameters
    ----------
    array : ArrayPlan

    Members
    -------
    i : In(stream of row_layout(array))
        The rows of a tick, then a marker.
    o : Out(stream of event_layout(size))
        The spikes of each tick in ascending order, then a marker.
    trace : Out(stream of trace_layout(array), always ready)
        What each group did; a tap that cannot push back, and so changes no timing.
    busy : Out(1)
        Being cleared, after a reset.
    load_0, load_1, … : In(LoadPort)
        With ``array.load``, of the update's memories.  A request waits for the end of a sweep, and no other begins.
    learning : In(1), kept : Out(1)
        Where a state goes on from sample to sample: it does from this one; a tick's has been written.
    found : Out(stream of found_layout(array), always ready)
        Where what learns hears membranes: those that each group of a tick has found, before it is in `trace`.

    Latency: the first event or marker of a tick leaves ``latency(array)`` cycles after the tick's marker
    has come in, if the array was idle.  Throughput: one row a cycle; a tick at most every
    ``interval(array)`` cycles; one spike or marker a cycle.
    """

    def __init__(self, array: ArrayPlan) -> None:
        self.array = array
        self.sums = self.sums_of(array)(array)
        self.update = NeuronUpdate(array)
        self.encoder = SpikeEncoder(array)
        super().__init__(
            {
                "i": In(stream.Signature(row_layout(array))),
                "o": Out(stream.Signature(event_layout(array.population.size))),
                "trace": Out(stream.Signature(trace_layout(array), always_ready=True)),
                "busy": Out(1),
            }
            | {
                f"load_{n}": In(LoadPort(rom))
                for n, rom in enumerate(self.update.roms.values())
                if array.load
            }
            | ({"learning": In(1), "kept": Out(1)} if array.kept else {})
            | (
                {"found": Out(stream.Signature(found_layout(array), always_ready=True))}
                if array.hears_membranes
                else {}
            )
        )

    @staticmethod
    def sums_of(array: ArrayPlan) -> type[Accumulator | BankedAccumulator | DelayLine]:
        """What sums the rows of an array."""
        if array.ring_ticks > 1:
            return DelayLine
        return Accumulator if array.in_order or array.groups == 1 else BankedAccumulator

    @classmethod
    def interval(cls, array: ArrayPlan) -> int:
        """Least cycles from the start of one sweep to the next."""
        return max(NeuronUpdate.interval(array), cls.sums_of(array).interval(array))

    @classmethod
    def sweep_latency(cls, array: ArrayPlan) -> int:
        """Cycles from the start of a sweep to the first event or marker of its tick."""
        return cls.shown(array) + SpikeEncoder.latency(array)

    @classmethod
    def shown(cls, array: ArrayPlan) -> int:
        """Cycles from the start of a sweep to the last group of its tick in `trace`."""
        return array.groups - 1 + cls.sums_of(array).LATENCY + NeuronUpdate.latency(array)

    @classmethod
    def latency(cls, array: ArrayPlan) -> int:
        """Cycles from a marker's coming in to the first event or marker of its tick, in an idle array."""
        return 1 + cls.sweep_latency(array)

    @property
    def roms(self) -> list[Rom]:
        """The memories that hold a file."""
        return [*self.update.roms.values(), *self.update.tables.values()]

    def elaborate(self, platform):
        m = Module()
        m.submodules.sums = sums = self.sums
        m.submodules.update = update = self.update
        m.submodules.encoder = encoder = self.encoder

        pause = Signal(range(self.interval(self.array)))
        on_their_way = Signal(range(TICKS + 1))
        left = self.o.valid & self.o.ready & self.o.payload.marker
        # A register, since `start` reaches every sum: no sweep is under way, and there is room for its tick.
        may_start = Signal(init=1)
        held = Const(0)
        if self.array.load:
            held = Signal()  # the loader waits for a memory
            ports = [getattr(self, f"load_{n}") for n in range(len(update.roms))]
            m.d.comb += held.eq(Cat(port.write | port.read for port in ports).any())
            for n, port in enumerate(ports):
                wiring.connect(m, wiring.flipped(port), getattr(update, f"load_{n}"))
        m.d.comb += sums.start.eq(sums.waiting & may_start)
        m.d.sync += [
            on_their_way.eq(on_their_way + sums.start - left),
            may_start.eq(~sums.start & (pause <= 1) & ((on_their_way != TICKS) | left) & ~held),
        ]
        with m.If(sums.start):
            m.d.sync += pause.eq(self.interval(self.array) - 1)
        with m.Elif(pause != 0):
            m.d.sync += pause.eq(pause - 1)

        wiring.connect(m, wiring.flipped(self.i), sums.i)
        wiring.connect(m, sums.coming, update.coming)
        wiring.connect(m, sums.o, update.i)
        wiring.connect(m, encoder.o, wiring.flipped(self.o))
        m.d.comb += [
            encoder.i.valid.eq(update.o.valid),
            encoder.i.payload.eq(update.o.payload),
            self.trace.valid.eq(update.o.valid),
            self.trace.payload.eq(update.o.payload),
            self.busy.eq(sums.busy),
        ]
        if self.array.hears_membranes:
            wiring.connect(m, update.found, wiring.flipped(self.found))
        if self.array.kept:
            last = update.o.payload.group == self.array.groups - 1
            m.d.comb += [update.learning.eq(self.learning), self.kept.eq(update.o.valid & last)]
        return m
