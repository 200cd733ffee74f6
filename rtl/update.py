"""Update: what neurons of any kind keep from tick to tick, around one lane for each neuron of a group.

::

    coming ──► state (first its initial value), parameters ──┐
    sums ────────────────────────────────────────────────────┴─► lanes ──► o ──┬──► trace
                        ▲                                                      │
                        └──────────────────────────────────────────────────────┘

Where only some neurons may spike, a :class:`Contest` stands between the lanes and `o`.
The states of one group are in the output's register, those of a few groups in a register file, those of more
in block RAM.  Parameters that are the same for all neurons of a lane are constants, and a map's that are the same at
every position have the words of one position.
"""

from collections.abc import Iterable

import numpy as np
from amaranth.hdl import Array, Cat, Const, Module, Mux, Shape, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .arithmetic import delay
from .contest import Contest
from .events import current_layout, found_layout, trace_layout
from .layout import address_bits
from .memory import Ram, RegisterFile, Rom
from .neurons import Lane, lane
from .neurons.lane import member_name
from .parameters import Parameter
from .plan import REGISTER_GROUPS, ArrayPlan
from .port import LearnPort, LoadPort, share, teach
from .store import bank


class NeuronUpdate(wiring.Component):
    """Updates `lanes` neurons a cycle, and keeps their states.

    Parameters
    ----------
    array : ArrayPlan

    Members
    -------
    coming : In(stream of group, always ready)
        The groups of `i`, `AHEAD` cycles before.
    i : In(stream of current_layout(array), always ready)
        Groups in order; the first one again after `interval(array)` cycles or more.
    o : Out(stream of trace_layout(array), always ready)
        The same groups, `latency(array)` cycles later.
    load_0, load_1, … : In(LoadPort)
        With ``array.load``, of each of `roms`.  A request waits until no group is `coming`.
    learning : In(1)
        Where a state goes on from sample to sample: it does from this one.
    found : Out(stream of found_layout(array), always ready)
        Where what learns hears membranes: those that each group of `i` finds.

    Latency: the lane's, the contest's, and one cycle for the output's register.  Throughput: a group a cycle.
    """

    AHEAD = 2

    def __init__(self, array: ArrayPlan) -> None:
        self.array = array
        #: With a word a group, or a group of one position of a map, or one for all, by name.
        self.roms = stored_banks(array)
        circuit = lane(array.population.neuron)
        self.lanes: list[Lane] = [
            circuit(array, self._constants(index)) for index in range(array.lanes)
        ]
        super().__init__(
            {
                "coming": In(stream.Signature(unsigned(address_bits(array.groups)), always_ready=True)),
                "i": In(stream.Signature(current_layout(array), always_ready=True)),
                "o": Out(stream.Signature(trace_layout(array), always_ready=True)),
            }
            | {f"load_{n}": In(LoadPort(rom)) for n, rom in enumerate(self.roms.values()) if array.load}
            | ({"learning": In(1)} if array.kept else {})
            | (
                {"found": Out(stream.Signature(found_layout(array), always_ready=True))}
                if array.hears_membranes
                else {}
            )
        )

    @staticmethod
    def latency(array: ArrayPlan) -> int:
        """Cycles from a group's sums to its spikes and states."""
        neuron = array.population.neuron
        contest = Contest.latency(array) if array.winners else 0
        return lane(neuron).latency(neuron) + contest + 1

    @staticmethod
    def interval(array: ArrayPlan) -> int:
        """Least cycles from a tick's first group to the next tick's, whose state has been written by then."""
        read = 0 if array.groups == 1 else 2 if array.groups <= REGISTER_GROUPS else 3
        contest = Contest.interval(array) if array.winners else 0
        return max(array.groups, NeuronUpdate.latency(array) + read, contest)

    @property
    def tables(self) -> dict[str, Rom]:
        """The memories that every lane has one of, by name."""
        return self.lanes[0].roms

    def elaborate(self, platform):
        m = Module()
        array, neuron, i = self.array, self.array.population.neuron, self.i.payload
        latency = self.lanes[0].latency(neuron)
        last_group = array.groups - 1

        # What comes in two cycles: its words are read.
        coming_valid = Signal()
        coming_group = Signal.like(self.coming.payload, reset_less=True)
        started = Signal()  # a whole tick has gone by: the state is not from before the sample
        m.d.sync += [coming_valid.eq(self.coming.valid), coming_group.eq(self.coming.payload)]
        with m.If(coming_valid & (coming_group == last_group)):
            m.d.sync += started.eq(1)
        words = {}
        place = self._place(m)
        for index, (name, rom) in enumerate(self.roms.items()):
            m.submodules[member_name(name)] = rom
            recurs = name in array.recurring and len(rom.words) > 1
            address, free = place if recurs else self.coming.payload, ~self.coming.valid
            if rom.backing == "registers":
                address = delay(m, place, 1, f"{member_name(name)}_place") if recurs else coming_group
                free = ~coming_valid
            if len(rom.words) == 1:
                address, free = Const(0), Const(1)
            port = getattr(self, f"load_{index}") if array.load else None
            if rom.backing == "learned":
                self._keep(m, rom, port, address=address, free=free)
            elif array.load:
                share(m, rom, port, member_name(name), address=address, en=Const(1), free=free)
            else:
                m.d.comb += [rom.en.eq(1), rom.address.eq(address)]
            words[name] = rom.data
            if len(rom.words) > 1:
                words[name] = delay(m, rom.data, 1, f"{member_name(name)}_word")

        # The lanes, and what goes out of them.
        old = Signal(self._state_layout())
        spikes = Signal(array.lanes)
        new = {
            s.name: Signal(self.o.payload[s.name].shape(), name=f"new_{s.name}") for s in neuron.states
        }
        group = delay(m, i.group, latency, "group")
        valid = delay(m, self.i.valid, latency, "valid", reset_less=False)
        occupied = array.by_group(np.ones(array.population.size))
        full = self._full(m, group, valid)
        for index, circuit in enumerate(self.lanes):
            m.submodules[f"lane_{index}"] = circuit
            spike = circuit.spike
            if not occupied[:, index].all():
                spike = spike & full()  # no neuron here in the last group of a block
            m.d.comb += [circuit.total.eq(i["values"][index]), spikes[index].eq(spike)]
            for name, value in self._parameters(index, i.group, words).items():
                m.d.comb += getattr(circuit, member_name(name)).eq(value)
            for state, values in new.items():
                m.d.comb += [
                    getattr(circuit, f"old_{state}").eq(old[state][index]),
                    values[index].eq(getattr(circuit, f"new_{state}")),
                ]
            if neuron.keeps_spike:
                m.d.comb += circuit.spiked.eq(old.spikes[index])
        if array.hears_membranes:
            m.d.comb += [
                self.found.valid.eq(self.i.valid),
                self.found.payload.group.eq(i.group),
                self.found.payload.membranes.eq(old[neuron.states[0].name]),
            ]

        # States are written from the output's register, so that the path to it is short.
        shown = Cat(group, spikes, *new.values())
        if array.winners:
            valid, shown = self._contested(m, valid, Cat(shown, self._held()))
        o = Signal(self.o.payload.shape(), reset_less=True)
        kept = Signal(old.shape())
        m.d.sync += self.o.valid.eq(valid)
        m.d.comb += [self.o.payload.eq(o), *(kept[name].eq(o[name]) for name, _ in old.shape())]
        initial = Cat(self._initial(name, coming_group) for name in array.initial)
        if array.groups == 1:  # that register is the memory
            m.d.comb += old.eq(kept)
            with m.If(~started):
                m.d.sync += o.eq(Cat(Const(0, len(group) + len(spikes)), initial))
            with m.Elif(valid):
                m.d.sync += o.eq(shown)
            return m
        if array.groups <= REGISTER_GROUPS:
            states = RegisterFile(width=len(kept.as_value()), depth=array.groups)
            m.d.comb += states.address.eq(coming_group)
        else:
            # A group is written long before it is read again.
            apart = not array.in_order
            states = Ram(width=len(kept.as_value()), depth=array.groups, zeros=False, apart=apart)
            m.d.comb += [states.en.eq(1), states.address.eq(self.coming.payload)]
        m.submodules.states = states
        fetched = Signal(old.shape(), reset_less=True)
        m.d.sync += [fetched.eq(Mux(started, states.data, initial)), o.eq(shown)]
        m.d.comb += [
            old.eq(fetched),
            states.write.eq(self.o.valid),
            states.write_address.eq(o.group),
            states.write_data.eq(kept),
        ]
        return m

    def _held(self):
        """What the lanes say for a contest."""
        names = [f"held_{name}" for name in self.array.population.neuron.resets]
        return Cat(getattr(circuit, name) for name in ("margin", *names) for circuit in self.lanes)

    def _contested(self, m, valid, said):
        """Whether there is a group, and what is shown of it, when it is known who wins."""
        m.submodules.contest = contest = Contest(self.array)
        m.d.comb += [contest.i.valid.eq(valid), contest.i.payload.eq(said)]
        return contest.o.valid, contest.o.payload

    def _place(self, m):
        """Which group of its position is coming; None where no memory has the words of one position."""
        count = self.array.layout.groups_per_block
        if not self.array.recurring or count == 1:
            return None
        place = Signal(range(count))  # groups come in order
        with m.If(self.coming.valid):
            m.d.sync += place.eq(Mux(place == count - 1, 0, place + 1))
        return place

    def _keep(self, m, rom, port, *, address, free):
        """The bank of a state that goes on from sample to sample: written as the states are, where it is learned."""
        kept = self.o.payload[self.array.kept]
        writer = LearnPort(rom).create()
        m.d.comb += [
            writer.write.eq(self.o.valid & self.learning),
            writer.write_address.eq(self.o.payload.group),
            writer.write_data.eq(kept),
        ]
        name = member_name(f"initial.{self.array.kept}")
        teach(m, rom, writer, port, name, address=address, en=Const(1), free=free)

    def _full(self, m, group, valid):
        """A function that says whether a group has a neuron in every lane, as all but the last of a block have."""
        layout = self.array.layout
        if layout.linear:
            return lambda: group != layout.groups - 1
        of_block = Signal(range(layout.groups_per_block))  # groups come in order
        last = of_block == layout.groups_per_block - 1
        with m.If(valid):
            m.d.sync += of_block.eq(Mux(last, 0, of_block + 1))
        return lambda: ~last

    def _state_layout(self):
        """A group's states, and where the kind keeps them its spikes."""
        neuron, shown = self.array.population.neuron, trace_layout(self.array)
        names = [state.name for state in neuron.states] + ["spikes"] * neuron.keeps_spike
        return data.StructLayout({name: shown[name].shape for name in names})

    def _initial(self, state, group):
        """What a state of the lanes of a group is before the first tick."""
        array, parameter = self.array, self.array.initial[state]
        width = array.lanes * parameter.bits
        if rom := self.roms.get(f"initial.{state}"):
            return rom.data
        if parameter.uniform:
            return Const(_word(parameter, [parameter.values[0]] * array.lanes), width)
        words = [Const(_word(parameter, row), width) for row in array.by_group(parameter.values)]
        return words[0] if array.groups == 1 else Array(words)[group]

    def _constants(self, index: int) -> dict[str, int]:
        """The parameters that are the same for all neurons of a lane."""
        constants = {}
        for name, parameter in self.array.parameters.items():
            column = self.array.by_group(parameter.values)[:, index]
            if self.array.load and name in self.array.stored:
                continue
            if parameter.uniform:
                constants[name] = int(parameter.values[0])
            elif name not in self.array.stored and (column == column[0]).all():
                constants[name] = int(column[0])
        return constants

    def _parameters(self, index, group, words):
        """A lane's other parameters, for `group`."""
        chosen = {}
        for name, parameter in self.array.parameters.items():
            if name in self.lanes[index].constants:
                continue
            if name in words:
                place = 0 if name in self.array.shared else index
                chosen[name] = words[name].word_select(place, parameter.bits)
            else:
                shape = Shape(parameter.bits, parameter.signed)
                column = self.array.by_group(parameter.values)[:, index]
                chosen[name] = Array(Const(int(value), shape) for value in column)[group]
        return chosen


def stored_banks(array: ArrayPlan) -> dict[str, Rom]:
    """The memories of what is ``array.stored``, by name."""
    name = array.population.name
    return {
        field: bank(array, f"{name}.{field}", array.stored_rows(field), parameter.bits)
        for field, parameter in array.stored.items()
    }


def _word(parameter: Parameter, values: Iterable[int]) -> int:
    """The values of the lanes of a group side by side, lane 0 in the lowest bits."""
    mask = (1 << parameter.bits) - 1
    return sum((int(value) & mask) << lane * parameter.bits for lane, value in enumerate(values))
