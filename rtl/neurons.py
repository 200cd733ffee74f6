"""LIF array: sums the synapses of each tick, updates `lanes` neurons a cycle, and sends their spikes.

::

    rows ──► Accumulator or DelayLine ──► LIFUpdate ──► SpikeEncoder ──► events
                                              │
                                              └──► trace (every group's spikes and membranes)

The array's control is one decision: start the sweep of a tick when it waits, the pipeline has room, and
fewer than `TICKS` ticks are on their way out.  From there on nothing can stall, so the pipeline
needs no handshake.
"""

from functools import reduce

import numpy as np
from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.network import BETA_BITS, Reset

from .accumulator import Accumulator
from .delays import DelayLine
from .encoder import TICKS, SpikeEncoder
from .events import current_layout, event_layout, row_layout, trace_layout
from .memory import Ram, Rom
from .plan import REGISTER_GROUPS, ArrayPlan, signed_bits

#: A neuron can be updated again after so many cycles.
UPDATE_INTERVAL = 3


class LIFUpdate(wiring.Component):
    """The equations of the contract, for `lanes` neurons a cycle; membranes are kept here.

    Parameters
    ----------
    array : ArrayPlan

    Members
    -------
    i : In(stream of current_layout(array), always ready)
        Groups in order; the same group again after `UPDATE_INTERVAL` cycles or more.
    o : Out(stream of trace_layout(array), always ready)
        The same groups, `latency(array)` cycles later.
    """

    def __init__(self, array: ArrayPlan) -> None:
        self.array = array
        self.roms: dict[str, Rom] = {}
        if array.groups > REGISTER_GROUPS:
            for field, bits in self._parameter_bits().items():
                if not _uniform(getattr(array.population, field)):
                    rows = array.by_group(getattr(array.population, field))
                    self.roms[field] = Rom.of_rows(f"{array.population.name}.{field}", rows, bits)
        super().__init__(
            {
                "i": In(stream.Signature(current_layout(array), always_ready=True)),
                "o": Out(stream.Signature(trace_layout(array), always_ready=True)),
            }
        )

    @staticmethod
    def latency(array: ArrayPlan) -> int:
        """Cycles from a group's sums to its spikes and membranes."""
        return 3 if array.groups <= REGISTER_GROUPS else 5

    def _parameter_bits(self) -> dict[str, int]:
        bias = self.array.population.bias
        return {
            "beta": BETA_BITS + 1,
            "threshold": self.array.population.membrane_bits - 1,
            "bias": signed_bits(int(bias.min()), int(bias.max())),
        }

    def elaborate(self, platform):
        m = Module()
        array, population = self.array, self.array.population
        lanes, in_memory = array.lanes, array.groups > REGISTER_GROUPS
        reset, late = population.reset, population.reset_delay and population.reset is not Reset.NONE
        last_group = array.groups - 1

        # 0: fetch the state.  1, 2: the memory answers (only where the state is in memory).
        members = {"membranes": trace_layout(array)["membranes"].shape}
        if late:
            members["spikes"] = unsigned(lanes)
        fetched = data.StructLayout(members)
        i_layout = self.i.payload.shape()
        state = Signal(fetched)
        valid, current, parameters = self.i.valid, self.i.payload, {}
        if in_memory:
            m.submodules.states = ram = Ram(width=fetched.size, depth=array.groups)
            m.d.comb += [ram.en.eq(1), ram.address.eq(current.group)]
            m.d.sync += state.eq(ram.data)
            for field, rom in self.roms.items():
                m.submodules[field] = rom
                m.d.comb += [rom.en.eq(1), rom.address.eq(current.group)]
                word = Signal(rom.width, name=f"{field}_word")
                m.d.sync += word.eq(rom.data)
                parameters[field] = word
            for stage in (1, 2):
                next_valid = Signal(name=f"valid_{stage}")
                next_current = Signal(i_layout, name=f"current_{stage}")
                m.d.sync += [next_valid.eq(valid), next_current.eq(current)]
                valid, current = next_valid, next_current
        else:
            states = Array([Signal(fetched.size, name=f"state_{g}") for g in range(array.groups)])
            m.d.comb += state.eq(states[current.group])

        # u = floor(beta · v / 256), and I with what a late reset takes off
        started = Signal()  # a whole tick has gone by: the state is not from before the sample
        with m.If(valid & (current.group == last_group)):
            m.d.sync += started.eq(1)
        u = [Signal(signed(population.membrane_bits), name=f"u_{lane}") for lane in range(lanes)]
        bits = self._parameter_bits()
        low, high = array.accumulator_range
        low += int(population.bias.min()) - (int(population.threshold.max()) if late else 0)
        high += int(population.bias.max())
        total = [Signal(signed(signed_bits(low, high)), name=f"current_{lane}") for lane in range(lanes)]
        threshold = []
        for lane in range(lanes):
            parameter = {
                field: self._parameter(m, field, lane, bits[field], current.group, parameters)
                for field in bits
            }
            v = Signal(signed(population.membrane_bits), name=f"v_{lane}")
            s = Signal(name=f"s_{lane}")
            m.d.comb += v.eq(Mux(started, state.membranes[lane], 0))
            if late:
                m.d.comb += s.eq(state.spikes[lane] & started)
            kept, taken = v, 0
            if late and reset is Reset.ZERO:
                kept = Mux(s, 0, v)
            elif late and reset is Reset.SUBTRACT:
                taken = Mux(s, parameter["threshold"], 0)
            m.d.sync += [
                u[lane].eq(_times(kept, parameter["beta"]) >> BETA_BITS),
                total[lane].eq(current["values"][lane] + parameter["bias"] - taken),
            ]
            threshold.append(_delay(m, parameter["threshold"], 2, f"threshold_{lane}"))

        # x = sat(u + I)
        group = _delay(m, current.group, 2, "group")
        valid = _delay(m, valid, 2, "valid_update")
        x = [Signal(signed(population.membrane_bits), name=f"x_{lane}") for lane in range(lanes)]
        for lane in range(lanes):
            m.d.sync += x[lane].eq(_saturate(u[lane] + total[lane], population.membrane_bits))

        # s = x > θ, and the reset
        new = Signal(fetched)
        spikes = Signal(lanes)
        for lane in range(lanes):
            v = x[lane]
            if not late and reset is Reset.SUBTRACT:
                v = Mux(spikes[lane], x[lane] - threshold[lane], x[lane])
            elif not late and reset is Reset.ZERO:
                v = Mux(spikes[lane], 0, x[lane])
            fired = x[lane] > threshold[lane]
            if last_group * lanes + lane >= population.size:  # no neuron here in the last group
                fired &= group != last_group
            m.d.comb += [spikes[lane].eq(fired), new.membranes[lane].eq(v)]
        if late:
            m.d.comb += new.spikes.eq(spikes)
        if in_memory:
            m.d.comb += [ram.write.eq(valid), ram.write_address.eq(group), ram.write_data.eq(new)]
        else:
            with m.If(valid):
                m.d.sync += states[group].eq(new)

        m.d.sync += [
            self.o.valid.eq(valid),
            self.o.payload.eq(Cat(group, spikes, new.membranes)),
        ]
        return m

    def _parameter(self, m, field, lane, bits, group, words):
        """A neuron's beta, threshold or bias: a constant where it can be, else chosen by `group`."""
        values = getattr(self.array.population, field)
        shape = signed(bits) if field == "bias" else bits
        if _uniform(values):
            return Const(int(values[0]), shape)
        if field in words:
            word = words[field].word_select(lane, bits)
            return word.as_signed() if field == "bias" else word
        column = self.array.by_group(values)[:, lane]
        if _uniform(column):
            return Const(int(column[0]), shape)
        return Array([Const(int(value), shape) for value in column])[group]


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
    ``max(groups, UPDATE_INTERVAL)`` cycles; one spike or marker a cycle.
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
        return max(array.groups, UPDATE_INTERVAL)

    @staticmethod
    def sweep_latency(array: ArrayPlan) -> int:
        """Cycles from the start of a sweep to the first event or marker of its tick."""
        sums = DelayLine if array.ring_ticks > 1 else Accumulator
        return (
            array.groups - 1 + sums.LATENCY + LIFUpdate.latency(array) + SpikeEncoder.latency(array)
        )

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
        m.d.comb += sums.start.eq(
            sums.waiting & (pause == 0) & (on_their_way != TICKS)
        )
        m.d.sync += on_their_way.eq(on_their_way + sums.start - left)
        with m.If(sums.start):
            m.d.sync += pause.eq(self.interval(self.array) - 1)
        with m.Elif(pause != 0):
            m.d.sync += pause.eq(pause - 1)

        wiring.connect(m, wiring.flipped(self.i), sums.i)
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


def _delay(m, value, cycles, name):
    """`value`, so many cycles later; a constant is the same at all times."""
    if isinstance(value, Const):
        return value
    for cycle in range(cycles):
        later = Signal.like(value, name=f"{name}_{cycle + 1}")
        m.d.sync += later.eq(value)
        value = later
    return value


def _times(value, factor):
    """value · factor; for a constant, from the fewest shifted copies (its canonical signed digits)."""
    if not isinstance(factor, Const):
        return value * factor
    terms = []
    rest, shift = factor.value, 0
    while rest:
        if rest & 1:
            digit = 2 - (rest & 3)  # 1, or −1 before a run of ones
            terms.append((value << shift) if digit == 1 else -(value << shift))
            rest -= digit
        rest, shift = rest >> 1, shift + 1
    return reduce(lambda one, other: one + other, terms, Const(0, signed(1)))


def _saturate(value, bits):
    """A signed value clipped to so many bits."""
    if len(value) <= bits:
        return value
    above = value[bits - 1 :]
    fits = (above == 0) | above.all()
    low, high = Const(-(1 << (bits - 1)), signed(bits)), Const((1 << (bits - 1)) - 1, signed(bits))
    return Mux(fits, value[:bits].as_signed(), Mux(value[-1], low, high))
