"""Update: what neurons of any kind keep from tick to tick, around one lane for each neuron of a group.

::

    small arrays, in registers:   sums, state of the group ──────────────────► lanes ──► trace
    large ones, in block RAM:     sums ──► state and parameters, 2 cycles ──► lanes ──► trace
                                           ▲                                     │
                                           └─────────── new state ◄──────────────┘
"""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Shape, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .arithmetic import delay
from .events import current_layout, trace_layout
from .memory import Ram, Rom
from .neurons import Lane, lane
from .neurons.lane import member_name
from .plan import REGISTER_GROUPS, ArrayPlan


class NeuronUpdate(wiring.Component):
    """Updates `lanes` neurons a cycle, and keeps their states.

    Parameters
    ----------
    array : ArrayPlan

    Members
    -------
    i : In(stream of current_layout(array), always ready)
        Groups in order; the same group again after `interval(array)` cycles or more.
    o : Out(stream of trace_layout(array), always ready)
        The same groups, `latency(array)` cycles later.

    Latency: the lane's, one for the register behind it, and two where states are in memory.
    Throughput: a group a cycle.
    """

    def __init__(self, array: ArrayPlan) -> None:
        self.array = array
        #: With a word a group, by name.
        self.roms: dict[str, Rom] = {}
        for name, parameter in array.stored.items():
            rows = array.by_group(parameter.values)
            self.roms[name] = Rom.of_rows(f"{array.population.name}.{name}", rows, parameter.bits)
        circuit = lane(array.population.neuron)
        self.lanes: list[Lane] = [
            circuit(array, self._constants(index)) for index in range(array.lanes)
        ]
        super().__init__(
            {
                "i": In(stream.Signature(current_layout(array), always_ready=True)),
                "o": Out(stream.Signature(trace_layout(array), always_ready=True)),
            }
        )

    @staticmethod
    def fetch(array: ArrayPlan) -> int:
        """Cycles from a group's sums to its states."""
        return 2 if (array.groups > REGISTER_GROUPS) else 0

    @staticmethod
    def latency(array: ArrayPlan) -> int:
        """Cycles from a group's sums to its spikes and states."""
        neuron = array.population.neuron
        return NeuronUpdate.fetch(array) + lane(neuron).latency(neuron) + 1

    @staticmethod
    def interval(array: ArrayPlan) -> int:
        """Least cycles from a group's sums to those of its next tick: its states must have been written by then.

        They are written in the cycle before they are shown, and so read in that cycle at the earliest.
        """
        return NeuronUpdate.latency(array)

    @property
    def tables(self) -> dict[str, Rom]:
        """The memories that every lane has one of, by name."""
        return self.lanes[0].roms

    def elaborate(self, platform):
        m = Module()
        array, neuron = self.array, self.array.population.neuron
        last_group = array.groups - 1
        latency = self.lanes[0].latency(neuron)

        old = Signal(self._layout())
        new = Signal(self._layout())
        spikes = Signal(array.lanes)
        group = Signal.like(self.i.payload.group)  # of `new` and `spikes`
        valid = Signal()  # whether they are there
        store = self._in_memory if (array.groups > REGISTER_GROUPS) else self._in_registers
        i_valid, i, words = store(m, latency, old, new, group, valid)
        m.d.comb += [
            group.eq(delay(m, i.group, latency, "group")),
            valid.eq(delay(m, i_valid, latency, "valid")),
        ]
        for index, circuit in enumerate(self.lanes):
            m.submodules[f"lane_{index}"] = circuit
            spike = circuit.spike
            if last_group * array.lanes + index >= array.population.size:
                spike = spike & (group != last_group)  # no neuron here in the last group
            m.d.comb += [
                circuit.total.eq(i["values"][index]),
                spikes[index].eq(spike),
            ]
            for name, value in self._parameters(index, i.group, words).items():
                m.d.comb += getattr(circuit, member_name(name)).eq(value)
            for state in neuron.states:
                m.d.comb += [
                    getattr(circuit, f"old_{state.name}").eq(old[state.name][index]),
                    new[state.name][index].eq(getattr(circuit, f"new_{state.name}")),
                ]
            if neuron.keeps_spike:
                m.d.comb += circuit.spiked.eq(old.spikes[index])
        if neuron.keeps_spike:
            m.d.comb += new.spikes.eq(spikes)
        m.d.sync += [
            self.o.valid.eq(valid),
            self.o.payload.eq(Cat(group, spikes, *(new[state.name] for state in neuron.states))),
        ]
        return m

    def _in_registers(self, m, latency, old, new, group, valid):
        """Keep states in registers.

        Gives whether there are sums, those beside which `old` is valid, and the words of memories: none.
        """
        array, i = self.array, self.i.payload
        states = Array(
            Signal(new.shape().size, name=f"state_{g}", init=self._initial(g))
            for g in range(array.groups)
        )
        m.d.comb += old.eq(states[i.group])
        # A bit for each group, so that each register's enable comes straight from another.
        writes = Cat(self.i.valid & (i.group == g) for g in range(array.groups))
        writes = delay(m, writes, latency, "writes")
        for g, state in enumerate(states):
            with m.If(writes[g]):
                m.d.sync += state.eq(new)
        return self.i.valid, i, {}

    def _in_memory(self, m, latency, old, new, group, valid):
        """Keep states in memory, two cycles away.

        Gives whether there are sums, those beside which `old` is valid, and the words of memories by name.
        """
        array, words = self.array, {}
        m.submodules.states = states = Ram(width=new.shape().size, depth=array.groups)
        m.d.comb += [states.en.eq(1), states.address.eq(self.i.payload.group)]
        fetched = delay(m, states.data, 1, "fetched")
        for name, rom in self.roms.items():
            label = member_name(name)
            m.submodules[label] = rom
            m.d.comb += [rom.en.eq(1), rom.address.eq(self.i.payload.group)]
            words[name] = delay(m, rom.data, 1, f"{label}_word")
        i_valid = delay(m, self.i.valid, 2, "i_valid")
        i = delay(m, self.i.payload, 2, "i")

        started = Signal()  # a whole tick has gone by: the state is not from before the sample
        with m.If(i_valid & (i.group == array.groups - 1)):
            m.d.sync += started.eq(1)
        first = Cat(
            words[name]
            if (name := f"initial.{state}") in words
            else Const(self._word(parameter, 0), parameter.bits * array.lanes)
            for state, parameter in array.initial.items()
        )
        m.d.comb += old.eq(Mux(started, fetched, first))

        m.d.comb += [
            states.write.eq(valid),
            states.write_address.eq(group),
            states.write_data.eq(new),
        ]
        return i_valid, i, words

    def _layout(self):
        """A group's states, and where the kind keeps them its spikes."""
        neuron, lanes = self.array.population.neuron, self.array.lanes
        layout = {
            state.name: data.ArrayLayout(Shape(state.bits, state.signed), lanes)
            for state in neuron.states
        }
        return data.StructLayout(layout | ({"spikes": unsigned(lanes)} if neuron.keeps_spike else {}))

    def _initial(self, group):
        """A group's states before the first tick, as an integer of the layout."""
        result, low = 0, 0
        for parameter in self.array.initial.values():
            result |= self._word(parameter, group) << low
            low += parameter.bits * self.array.lanes
        return result

    def _word(self, parameter, group):
        """What the lanes of a group hold, side by side, lane 0 in the lowest bits."""
        mask = (1 << parameter.bits) - 1
        column = self.array.by_group(parameter.values)[group]
        return sum((int(value) & mask) << lane * parameter.bits for lane, value in enumerate(column))

    def _constants(self, index):
        """The parameters that are the same for all neurons of a lane."""
        array, constants = self.array, {}
        for name, parameter in array.parameters.items():
            column = array.by_group(parameter.values)[:, index]
            if parameter.uniform:
                constants[name] = int(parameter.values[0])
            elif name not in array.stored and (column == column[0]).all():
                constants[name] = int(column[0])
        return constants

    def _parameters(self, index, group, words):
        """A lane's other parameters, for `group`."""
        chosen = {}
        for name, parameter in self.array.parameters.items():
            if name in self.lanes[index].constants:
                continue
            if name in words:
                chosen[name] = words[name].word_select(index, parameter.bits)
            else:
                shape = Shape(parameter.bits, parameter.signed)
                column = self.array.by_group(parameter.values)[:, index]
                chosen[name] = Array(Const(int(value), shape) for value in column)[group]
        return chosen
