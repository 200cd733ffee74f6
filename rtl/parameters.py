"""What the gateware holds of a kind of neuron, from its fields and states: parameters, initial values, tables."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from lifline.fields import bound
from lifline.neurons import Neuron

#: Tables of up to this many entries are logic, a LUT or two for each bit; larger ones are in memory.
TABLE_ENTRIES = 16


@dataclasses.dataclass(frozen=True)
class Parameter:
    """What differs between neurons: a parameter of the kind, or a state's value before the first tick."""

    values: np.ndarray  #: int64 (size,)
    bits: int
    signed: bool
    #: Worth a register where all neurons share it and it can be loaded: a summand, in all its range.
    loadable: bool = False

    @property
    def range(self) -> tuple[int, int]:
        """The numbers that so many bits hold."""
        half = 1 << (self.bits - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)

    @property
    def uniform(self) -> bool:
        """Whether all neurons have the same value: it is a constant then."""
        return bool((self.values == self.values[0]).all())


@dataclasses.dataclass(frozen=True)
class Table:
    """What a lane looks up: an array of the kind that is not per neuron."""

    values: np.ndarray  #: int64 (entries,)

    @property
    def bits(self) -> int:
        """Width of an entry in two's complement."""
        return signed_bits(int(self.values.min()), int(self.values.max()))

    @property
    def in_memory(self) -> bool:
        """Whether it is a memory of each lane, rather than logic."""
        return len(self.values) > TABLE_ENTRIES


def parameters_of(neuron: Neuron) -> dict[str, Parameter]:
    """The parameters of each neuron by the names of their fields, those of a part as ``part.field``.

    A parameter is as wide as its field's range, so that a memory file of any other values fits; or, if that
    is wider than every state, as its values.
    """
    result = {}
    widest = max(state.bits for state in neuron.states)
    for name, field, values in neuron.arrays():
        if field.per != "neuron" or any(values is state.initial for state in neuron.states):
            continue
        owner = functools.reduce(getattr, name.split(".")[:-1], neuron)
        low, high = bound(field.low, owner), bound(field.high, owner)
        signed = low < 0
        whole = _bits(low, high, signed) <= widest
        if not whole:
            low, high = int(values.min()), int(values.max())
        loadable = whole and not field.unit  # in 1/256 and the like, it is a factor
        result[name] = Parameter(values, _bits(low, high, signed), signed, loadable)
    return result


def initial_of(neuron: Neuron, size: int) -> dict[str, Parameter]:
    """The value of each state before the first tick, by the state's name."""
    return {
        state.name: Parameter(
            np.broadcast_to(np.asarray(state.initial, np.int64), size), state.bits, state.signed
        )
        for state in neuron.states
    }


def tables_of(neuron: Neuron) -> dict[str, Table]:
    """The arrays that are not per neuron, by the names of their fields."""
    return {name: Table(values) for name, field, values in neuron.arrays() if field.per != "neuron"}


def signed_bits(low: int, high: int) -> int:
    """Bits of the two's complement numbers low … high."""
    return max(high.bit_length() if high >= 0 else 0, (-low - 1).bit_length() if low < 0 else 0) + 1


def _bits(low: int, high: int, signed: bool) -> int:
    """Bits of the numbers low … high, at least one."""
    return signed_bits(low, high) if signed else max(1, high.bit_length())
