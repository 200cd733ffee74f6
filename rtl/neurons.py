"""LIF array: sums the synapses of each tick, updates `lanes` neurons a cycle, and sends their spikes.

::

    rows ──► Accumulator or DelayLine ──► LIFUpdate ──► SpikeEncoder ──► events
                                              │
                                              └──► trace (every group's spikes and membranes)

The array's control is one decision: start the sweep of a tick when it waits, the pipeline has room, and
fewer than `TICKS` ticks are on their way out.  From there on nothing can stall, so the pipeline
needs no handshake.
"""

import numpy as np
from amaranth.hdl import Array, Cat, Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.neurons import BETA_BITS, Reset

from .accumulator import Accumulator
from .delays import DelayLine
from .encoder import TICKS, SpikeEncoder
from .events import current_layout, event_layout, row_layout, trace_layout
from .memory import Ram, RegisterFile, Rom
from .plan import REGISTER_GROUPS, ArrayPlan, address_bits, signed_bits


def parameter_shapes(array: ArrayPlan) -> dict[str, Shape]:
    """Shapes of a neuron's beta, threshold and bias."""
    bias = array.population.neuron.bias
    return {
        "beta": unsigned(BETA_BITS + 1),
        "threshold": unsigned(array.population.neuron.membrane_bits - 1),
        "bias": signed(signed_bits(int(bias.min()), int(bias.max()))),
    }


class LIFLane(wiring.Component):
    """The equations of the contract, for one neuron a cycle.

    Parameters
    ----------
    array : ArrayPlan
    constants : dict of int
        Those of beta, threshold and bias that are the same for all neurons of the lane.

    Members
    -------
    current : In(signed)
        The tick's sum of weights.
    v, s : In(signed(membrane_bits)), In(1)
        The neuron's membrane and spike of the tick before.
    beta, threshold, bias : In
        Those that are not constant.
    new_v, new_s : Out
        The neuron's membrane and spike of this tick, `LATENCY` cycles later.
    """

    LATENCY = 2

    def __init__(self, array: ArrayPlan, constants: dict[str, int]) -> None:
        self.array = array
        self.constants = constants
        membrane = signed(array.population.neuron.membrane_bits)
        super().__init__(
            {
                "current": In(signed(array.accumulator_bits)),
                "v": In(membrane),
                "s": In(1),
                "new_v": Out(membrane),
                "new_s": Out(1),
            }
            | {
                field: In(shape)
                for field, shape in parameter_shapes(array).items()
                if field not in constants
            }
        )

    def elaborate(self, platform):
        m = Module()
        neuron = self.array.population.neuron
        reset, late = neuron.reset, neuron.reset_delay
        beta, threshold, bias = (
            Const(self.constants[field], shape) if field in self.constants else getattr(self, field)
            for field, shape in parameter_shapes(self.array).items()
        )

        # u = floor(beta · v / 256), and I, less θ where a late reset takes it off
        u = Signal.like(self.v, reset_less=True)
        low, high = self.array.accumulator_range
        low += int(neuron.bias.min()) - int(neuron.threshold.max())
        high += int(neuron.bias.max())
        current = Signal(signed(signed_bits(low, high)), reset_less=True)
        kept, taken = self.v, 0
        if late and reset is Reset.ZERO:
            kept = Mux(self.s, 0, self.v)
        elif late and reset is Reset.SUBTRACT:
            taken = Mux(self.s, threshold, 0)
        m.d.sync += [
            u.eq(_times(kept, beta) >> BETA_BITS),
            current.eq(self.current + bias - taken),
        ]

        # x = sat(u + I)
        x = Signal.like(self.v, reset_less=True)
        m.d.sync += x.eq(_saturate(u + current, neuron.membrane_bits))

        # s = x > θ, and v as a reset leaves it
        threshold = _delay(m, threshold, self.LATENCY, "threshold")
        margin = Signal(signed(neuron.membrane_bits + 1))  # its sign is the comparison: one carry chain
        m.d.comb += [
            margin.eq(threshold - x),
            self.new_s.eq(margin < 0),
            self.new_v.eq(x),
        ]
        if not late and reset is Reset.SUBTRACT:
            m.d.comb += self.new_v.eq(Mux(self.new_s, x - threshold, x))
        elif not late and reset is Reset.ZERO:
            m.d.comb += self.new_v.eq(Mux(self.new_s, 0, x))
        return m


class LIFUpdate(wiring.Component):
    """Updates `lanes` neurons a cycle; membranes are kept here.

    Parameters
    ----------
    array : ArrayPlan

    Members
    -------
    coming : In(stream of group, always ready)
        The groups of `i`, `FETCH` cycles before.
    i : In(stream of current_layout(array), always ready)
        Groups in order; the first one again after `interval(array)` cycles or more.
    o : Out(stream of trace_layout(array), always ready)
        The same groups, `LATENCY` cycles later.
    """

    FETCH = 2
    LATENCY = LIFLane.LATENCY + 1

    def __init__(self, array: ArrayPlan) -> None:
        self.array = array
        self.roms: dict[str, Rom] = {}
        for field, shape in parameter_shapes(array).items():
            values = getattr(array.population.neuron, field)
            if array.groups > REGISTER_GROUPS and not _uniform(values):
                name = f"{array.population.name}.{field}"
                self.roms[field] = Rom.of_rows(name, array.by_group(values), shape.width)
        super().__init__(
            {
                "coming": In(stream.Signature(unsigned(address_bits(array.groups)), always_ready=True)),
                "i": In(stream.Signature(current_layout(array), always_ready=True)),
                "o": Out(stream.Signature(trace_layout(array), always_ready=True)),
            }
        )

    @classmethod
    def interval(cls, array: ArrayPlan) -> int:
        """Least cycles from a tick's first group to the next tick's, whose state has been written by then."""
        read = 0 if array.groups == 1 else 2 if array.groups <= REGISTER_GROUPS else 3
        return max(array.groups, cls.LATENCY + read)

    def elaborate(self, platform):
        m = Module()
        array, population, lanes = self.array, self.array.population, self.array.lanes
        last_group = array.groups - 1

        # The state of a group: all of it in one register, or in memory.
        kept = {"membranes": trace_layout(array)["membrane"].shape}
        if population.neuron.keeps_spike:
            kept["spikes"] = unsigned(lanes)
        layout = data.StructLayout(kept)
        state = Signal(layout)
        kept_by_o = Signal(layout)
        o = Signal(self.o.payload.shape(), reset_less=True)
        new_v = Signal(o.membrane.shape())
        spikes = Signal(lanes)
        words = {}  # of the parameters that are in memory
        i = self.i.payload
        coming_valid = Signal()
        coming_group = Signal.like(self.coming.payload, reset_less=True)
        started = Signal()  # a whole tick has gone by: the state is not from before the sample
        m.d.sync += [coming_valid.eq(self.coming.valid), coming_group.eq(self.coming.payload)]
        with m.If(coming_valid & (coming_group == last_group)):
            m.d.sync += started.eq(1)
        for field, rom in self.roms.items():
            m.submodules[field] = rom
            m.d.comb += [rom.en.eq(1), rom.address.eq(self.coming.payload)]
            words[field] = _delay(m, rom.data, 1, f"{field}_word")

        group = _delay(m, i.group, LIFLane.LATENCY, "group")
        valid = _delay(m, self.i.valid, LIFLane.LATENCY, "valid", reset_less=False)
        for index in range(lanes):
            constants, chosen = self._parameters(index, i.group, words)
            m.submodules[f"lane_{index}"] = lane = LIFLane(array, constants)
            fired = lane.new_s
            if last_group * lanes + index >= population.size:  # no neuron here in the last group
                fired = fired & (group != last_group)
            m.d.comb += [
                *(getattr(lane, field).eq(value) for field, value in chosen.items()),
                lane.current.eq(i["values"][index]),
                lane.v.eq(state.membranes[index]),
                new_v[index].eq(lane.new_v),
                spikes[index].eq(fired),
            ]
            if "spikes" in kept:
                m.d.comb += lane.s.eq(state.spikes[index])
        # States are written from the output's register, so that the path to it is short.
        m.d.sync += self.o.valid.eq(valid)
        m.d.comb += [self.o.payload.eq(o), kept_by_o.membranes.eq(o.membrane)]
        if "spikes" in kept:
            m.d.comb += kept_by_o.spikes.eq(o.spikes)
        if array.groups == 1:  # that register is the memory
            m.d.comb += state.eq(kept_by_o)
            with m.If(~started):
                m.d.sync += o.eq(0)
            with m.Elif(valid):
                m.d.sync += o.eq(Cat(group, spikes, new_v))
            return m
        if array.groups <= REGISTER_GROUPS:
            states = RegisterFile(width=layout.size, depth=array.groups)
            m.d.comb += states.address.eq(coming_group)
        else:
            states = Ram(width=layout.size, depth=array.groups)
            m.d.comb += [states.en.eq(1), states.address.eq(self.coming.payload)]
        m.submodules.states = states
        fetched = Signal(layout, reset_less=True)
        m.d.sync += [fetched.eq(Mux(started, states.data, 0)), o.eq(Cat(group, spikes, new_v))]
        m.d.comb += [
            state.eq(fetched),
            states.write.eq(self.o.valid),
            states.write_address.eq(o.group),
            states.write_data.eq(kept_by_o),
        ]
        return m

    def _parameters(self, lane, group, words):
        """A lane's beta, threshold and bias: the constant ones, and what the others are for `group`."""
        constants, chosen = {}, {}
        for field, shape in parameter_shapes(self.array).items():
            column = self.array.by_group(getattr(self.array.population.neuron, field))[:, lane]
            if _uniform(getattr(self.array.population.neuron, field)):
                constants[field] = int(getattr(self.array.population.neuron, field)[0])
            elif field in words:
                chosen[field] = words[field].word_select(lane, shape.width)
            elif _uniform(column):
                constants[field] = int(column[0])
            else:
                chosen[field] = Array([Const(int(value), shape) for value in column])[group]
        return constants, chosen


class LIFArray(wiring.Component):
    """A population of LIF neurons.

    Parameters
    ----------
    array : ArrayPlan

    Members
    -------
    i : In(stream of row_layout(array))
        The rows of a tick, each event's groups in order, then a marker.
    o : Out(stream of event_layout(size))
        The spikes of each tick in ascending order, then a marker.
    trace : Out(stream of trace_layout(array), always ready)
        What each group did; a tap that cannot push back, and so changes no timing.
    busy : Out(1)
        Being cleared, after a reset.

    Latency: the first event or marker of a tick leaves ``latency(array)`` cycles after the tick's marker
    has come in, if the array was idle.  Throughput: one row a cycle; a tick at most every
    ``interval(array)`` cycles; one spike or marker a cycle.
    """

    def __init__(self, array: ArrayPlan) -> None:
        self.array = array
        self.sums = DelayLine(array) if array.ring_ticks > 1 else Accumulator(array)
        self.update = LIFUpdate(array)
        self.encoder = SpikeEncoder(array)
        super().__init__(
            {
                "i": In(stream.Signature(row_layout(array))),
                "o": Out(stream.Signature(event_layout(array.population.size))),
                "trace": Out(stream.Signature(trace_layout(array), always_ready=True)),
                "busy": Out(1),
            }
        )

    @staticmethod
    def interval(array: ArrayPlan) -> int:
        """Least cycles from the start of one sweep to the next."""
        return LIFUpdate.interval(array)

    @staticmethod
    def sweep_latency(array: ArrayPlan) -> int:
        """Cycles from the start of a sweep to the first event or marker of its tick."""
        sums = DelayLine if array.ring_ticks > 1 else Accumulator
        return array.groups - 1 + sums.LATENCY + LIFUpdate.LATENCY + SpikeEncoder.latency(array)

    @classmethod
    def latency(cls, array: ArrayPlan) -> int:
        """Cycles from a marker's coming in to the first event or marker of its tick, in an idle array."""
        return 1 + cls.sweep_latency(array)

    @property
    def roms(self) -> list[Rom]:
        """The memories that hold a file."""
        return list(self.update.roms.values())

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
        m.d.comb += sums.start.eq(sums.waiting & may_start)
        m.d.sync += [
            on_their_way.eq(on_their_way + sums.start - left),
            may_start.eq(~sums.start & (pause <= 1) & ((on_their_way != TICKS) | left)),
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
        return m


def _uniform(values: np.ndarray) -> bool:
    return bool((values == values[0]).all())


def _delay(m, value, cycles, name, reset_less=True):
    """`value`, so many cycles later; a constant is the same at all times."""
    if isinstance(value, Const):
        return value
    for cycle in range(cycles):
        later = Signal(value.shape(), name=f"{name}_{cycle + 1}", reset_less=reset_less)
        m.d.sync += later.eq(value)
        value = later
    return value


def _times(value, factor):
    """value · factor; for a constant, from the fewest shifted copies (its canonical signed digits)."""
    if not isinstance(factor, Const):
        return value * factor
    added: list[Value] = []
    taken: list[Value] = []
    rest, shift = factor.value, 0
    while rest:
        if rest & 1:
            digit = 2 - (rest & 3)  # 1, or −1 before a run of ones
            (added if digit == 1 else taken).append(value << shift)
            rest -= digit
        rest, shift = rest >> 1, shift + 1
    return _total(added) - _total(taken) if taken else _total(added)


def _total(terms):
    """The sum of terms, as a tree."""
    if len(terms) < 2:
        return terms[0] if terms else Const(0, signed(1))
    half = len(terms) // 2
    return _total(terms[:half]) + _total(terms[half:])


def _saturate(value, bits):
    """A signed value clipped to so many bits."""
    if len(value) <= bits:
        return value
    above = value[bits - 1 :]
    fits = (above == 0) | above.all()
    low, high = Const(-(1 << (bits - 1)), signed(bits)), Const((1 << (bits - 1)) - 1, signed(bits))
    return Mux(fits, value[:bits].as_signed(), Mux(value[-1], low, high))
