"""What every kind's circuit is: one neuron a cycle through a pipeline of its equation.

::

    total, old states, parameters ──► pipeline, `latency(neuron)` cycles ──► new states, spike

A kind from outside of the package registers its own::

    class PerfectLane(Lane):
        @staticmethod
        def latency(neuron):
            return 1

        def elaborate(self, platform):
            m = Module()
            v = Signal.like(self.old_membrane, reset_less=True)
            m.d.sync += v.eq(saturate(self.old_membrane + self.total, len(v)))
            threshold = delay(m, self.parameter("threshold"), 1, "threshold")
            m.d.comb += [self.new_membrane.eq(v), self.spike.eq(v > threshold)]
            return m

    @lane.register
    def _(neuron: Perfect) -> type[Lane]:
        return PerfectLane
"""

import functools
from typing import Any

from amaranth.hdl import Array, Const, Module, Shape, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from lifline.errors import NetworkError
from lifline.neurons import Neuron

from ..arithmetic import delay
from ..memory import Rom
from ..plan import ArrayPlan


class Lane(wiring.Component):
    """The equation of a kind, for one neuron a cycle.

    Parameters
    ----------
    array : ArrayPlan
    constants : dict of int
        By name, those of ``array.parameters`` that are the same for all neurons of the lane.

    Members
    -------
    total : In(signed(accumulator_bits))
        The tick's Σ w · s.
    old_<state> : In
        Each state of the tick before.
    spiked : In(1)
        The spike of the tick before, if the neuron keeps it.
    <parameter> : In
        Each parameter that is not constant; that of a part is named ``part_field``.
    new_<state>, spike : Out
        Each state and the spike of this tick, `latency` cycles later.
    margin : Out(margin_bits), held_<state> : Out
        Where the population has winners: with them, of a spike, how far it is above its threshold; and each state of
        the kind's `resets` without one.
    """

    def __init__(self, array: ArrayPlan, constants: dict[str, int]) -> None:
        self.array = array
        self.neuron: Any = array.population.neuron
        self.constants = constants
        #: The large tables, by name.
        self.roms: dict[str, Rom] = {
            name: Rom.of_rows(f"{array.population.name}.{name}", table.values[:, None], table.bits)
            for name, table in array.tables.items()
            if table.in_memory
        }
        members = {"total": In(signed(array.accumulator_bits)), "spike": Out(1)}
        for state in self.neuron.states:
            shape = Shape(state.bits, state.signed)
            members[f"old_{state.name}"] = In(shape)
            members[f"new_{state.name}"] = Out(shape)
        if self.neuron.keeps_spike:
            members["spiked"] = In(1)
        for name, parameter in array.parameters.items():
            if name not in constants:
                members[member_name(name)] = In(Shape(parameter.bits, parameter.signed))
        if array.winners:
            members["margin"] = Out(self.neuron.margin_bits)
            for name in self.neuron.resets:
                members[f"held_{name}"] = Out(members[f"new_{name}"].shape)
        super().__init__(members)

    @staticmethod
    def latency(neuron: Any) -> int:
        """Cycles from what comes in to what goes out, at least 1."""
        raise NotImplementedError

    def parameter(self, name: str) -> Value:
        """A parameter by its name: a constant, or what comes in beside `total`."""
        if name in self.constants:
            parameter = self.array.parameters[name]
            return Const(self.constants[name], Shape(parameter.bits, parameter.signed))
        value: Value = getattr(self, member_name(name))
        return value

    def look_up(self, m: Module, name: str, index: Value) -> Value:
        """The entry of a table, two cycles later: small tables are logic, large ones in memory."""
        table = self.array.tables[name]
        shape = signed(table.bits)
        label = member_name(name)
        if len(table.values) == 1:
            return Const(int(table.values[0]), shape)
        entry = Signal(shape, name=f"{label}_entry", reset_less=True)
        if name in self.roms:
            m.submodules[label] = rom = self.roms[name]
            m.d.comb += [rom.en.eq(1), rom.address.eq(index)]
            m.d.sync += entry.eq(rom.data)
        else:
            entries = Array([Const(int(value), shape) for value in table.values])
            m.d.sync += entry.eq(entries[delay(m, index, 1, f"{label}_index")])
        return entry


@functools.singledispatch
def lane(neuron: Neuron) -> type[Lane]:
    """The circuit of a neuron's kind.

    Raises
    ------
    NetworkError
        If the kind has none.
    """
    raise NetworkError(
        f"the gateware has no circuit for neurons of the kind {type(neuron).__name__}: register its lane with "
        "lifline.rtl.neurons.lane"
    )


def member_name(name: str) -> str:
    """The lane's member for a parameter."""
    return name.replace(".", "_")
