"""What follows from a network and a number of lanes: shapes, widths, delays in queues or rings, order.

The gateware, the cycle model and the export all read these plans, so none of them decides anything twice.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from lifline.errors import InputError
from lifline.network import INPUT, Network, Population, Projection

from .layout import Layout, address_bits
from .parameters import Parameter, Table, initial_of, parameters_of, signed_bits, tables_of
from .rows import Content, Rows, rows

#: Arrays of up to this many groups keep their state in registers, larger ones in memory.
REGISTER_GROUPS = 4

#: Ticks for whose spikes an array has room on their way out.
TICKS = 4

#: No FPGA has more memory (the largest have about as much), and writing it would take hours.
MOST_BITS = 1 << 28

Lanes = int | Mapping[str, int]

#: The module of a bank, without ``lifline_``, by its backing.
_MODULES = {"rom": "rom", "block": "store", "spram": "spram"}


@dataclasses.dataclass(frozen=True)
class Memory:
    """A memory of the gateware: an instance of a module of ``lifline_memory.v``."""

    kind: str  #: "rom", "ram", "store" or "spram": the module is ``lifline_rom``, ``lifline_ram``, …
    name: str  #: the words of all but a "ram" are in ``mem/<name>.mem``
    width: int  #: bits of a word
    depth: int  #: words

    def sliced(self, block_bits: int | None) -> tuple[Memory, ...]:
        """The memory itself, or its slices by width, each as wide as a block of so many bits is at this depth.

        A block is then deep enough for its slice, and no multiplexer follows it.
        """
        if block_bits is None or self.kind == "spram":
            return (self,)
        most = max(1, block_bits >> address_bits(self.depth))
        if self.width <= most:
            return (self,)
        widths = [min(most, self.width - low) for low in range(0, self.width, most)]
        return tuple(
            Memory(self.kind, f"{self.name}.slice_{index}", width, self.depth)
            for index, width in enumerate(widths)
        )


@dataclasses.dataclass(frozen=True)
class Channel:
    """One way into a population: the events of a projection, or the ticks of the input alone.

    A population that no spike of the input can reach within its tick would run ahead of the input, or
    without end; it gets a channel without a projection, over which come the input's end-of-tick markers.
    """

    source: str
    source_size: int
    projection: Projection | None
    lag: int  #: ticks of delay in the queue: it starts with so many markers in it
    rows: Rows | None  #: what its events do; None without a projection
    value_bits: int = 1  #: of an event's value; 1: every event counts once
    #: The memories' words where they are loaded into another design, in its shapes.
    loaded: Mapping[str, Content] | None = None

    @property
    def contents(self) -> Mapping[str, Content]:
        """The memories of the synapses, by name."""
        if self.loaded is not None:
            return self.loaded
        return self.rows.contents if self.rows is not None else {}

    @property
    def weight_bits(self) -> int:
        """Of a channel with a projection: the width of its weights."""
        assert self.projection is not None
        return self.projection.synapses.weight_bits

    @property
    def ring_delays(self) -> tuple[int, int]:
        """The shortest and the longest delay that is left to the ring."""
        if self.projection is None:
            return 0, 0
        least, most = self.projection.synapses.delay_range
        return least - self.lag, most - self.lag

    @property
    def event_bits(self) -> int:
        """Bits of an event: an address, the marker, and a value where it has one."""
        return address_bits(self.source_size) + 1 + (self.value_bits if self.value_bits > 1 else 0)

    @property
    def queue_depth(self) -> int:
        """Entries of the queue: `lag` + 2 whole ticks, each every source neuron and a marker.

        `lag` + 1 ticks are what keeps a loop from locking up (docs/gateware.md has the proof); one more
        lets a source work on the next tick.
        """
        events = self.source_size if self.projection is not None else 0
        return (self.lag + 2) * (events + 1)


@dataclasses.dataclass(frozen=True)
class ArrayPlan:
    """The shape of one population's gateware."""

    population: Population
    lanes: int  #: neurons updated, and synapses added, each cycle
    channels: tuple[Channel, ...]  #: in the order in which a tick takes them
    accumulator_range: tuple[int, int]  #: what any part of a neuron's sum of weights can be
    ring_ticks: int  #: ticks that the ring of accumulators holds; 1: no ring
    block: int  #: neurons of a block of groups: all, or the channels of a position; see :class:`Layout`
    load: bool = False  #: whether weights, delays and parameters can be loaded
    spram: frozenset[str] = frozenset()  #: the banks that are in single-port RAM, by name
    #: The array that these contents are loaded into, whose shapes hold; see :mod:`lifline.rtl.load`.
    like: ArrayPlan | None = None

    @functools.cached_property
    def layout(self) -> Layout:
        """Which lane of which group each neuron is."""
        return Layout(self.population.size, self.block, self.lanes)

    @property
    def groups(self) -> int:
        """Number of groups of `lanes` neurons; the last of a block may be partly empty."""
        return self.layout.groups

    @property
    def in_order(self) -> bool:
        """Whether each event takes all groups in order, so that no address but a source's has to be generated."""
        return all(channel.rows is None or channel.rows.in_order for channel in self.channels)

    @property
    def value_bits(self) -> int:
        """Bits of the values by which rows are multiplied; 1: there are none."""
        return max((channel.value_bits for channel in self.channels), default=1)

    @property
    def accumulator_bits(self) -> int:
        """Width of an accumulator in two's complement."""
        return signed_bits(*self.accumulator_range)

    @property
    def weight_bits(self) -> int:
        """Width of the widest weight."""
        return max((c.weight_bits for c in self.channels if c.projection), default=2)

    @functools.cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters of each neuron by the names of their fields, those of a part as ``part.field``."""
        found = parameters_of(self.population.neuron)
        if self.like is None:
            return found
        return {
            name: dataclasses.replace(shape, values=found[name].values)
            for name, shape in self.like.parameters.items()
        }

    @functools.cached_property
    def initial(self) -> dict[str, Parameter]:
        """The value of each state before the first tick, by the state's name."""
        return initial_of(self.population.neuron, self.population.size)

    @functools.cached_property
    def tables(self) -> dict[str, Table]:
        """The arrays of the kind that are not per neuron, by the names of their fields."""
        return tables_of(self.population.neuron)

    @functools.cached_property
    def stored(self) -> dict[str, Parameter]:
        """What is in memories with a word a group, by name; of a state's initial value it is ``initial.<state>``.

        That is what neurons of large arrays differ in; all else is logic.  Where it can be loaded, it is what neurons
        of any array differ in, and the summands that they share.
        """
        initial = {f"initial.{state}": values for state, values in self.initial.items()}
        everything = self.parameters | initial
        if self.like is not None:
            return {name: everything[name] for name in self.like.stored}
        if self.load:
            return {name: p for name, p in everything.items() if not p.uniform or p.loadable}
        if self.groups <= REGISTER_GROUPS:
            return {}
        return {name: values for name, values in everything.items() if not values.uniform}

    @functools.cached_property
    def shared(self) -> frozenset[str]:
        """Those of `stored` that are one number for all neurons."""
        if self.like is not None:
            return self.like.shared
        return frozenset(name for name, values in self.stored.items() if values.uniform)

    def stored_rows(self, name: str) -> np.ndarray:
        """The words of one of `stored`, int64 (words, numbers in a word)."""
        values = self.stored[name].values
        return values[:1, None] if name in self.shared else self.by_group(values)

    def parameter_range(self, name: str) -> tuple[int, int]:
        """The least and the greatest value of a parameter; of one that can be loaded, that its bits hold."""
        parameter = self.parameters[name]
        if self.load and name in self.stored:
            return parameter.range
        return int(parameter.values.min()), int(parameter.values.max())

    def backing(self, bank: str) -> str:
        """How a bank is kept: in a "rom", or, where it can be loaded, in a "block" RAM, "spram" or "registers"."""
        if not self.load:
            return "rom"
        if bank in self.spram:
            return "spram"
        field = bank.removeprefix(f"{self.population.name}.")
        if field in self.stored and (field in self.shared or self.groups <= REGISTER_GROUPS):
            return "registers"
        return "block"

    @property
    def state_bits(self) -> int:
        """Bits that a group keeps from one tick to the next."""
        neuron = self.population.neuron
        return self.lanes * (sum(state.bits for state in neuron.states) + neuron.keeps_spike)

    def memories(self, block_bits: int | None = None) -> tuple[Memory, ...]:
        """Every memory of this population's gateware, its queues included.

        Parameters
        ----------
        block_bits : int, optional
            As for :class:`lifline.rtl.Accelerator`.
        """
        name, lanes, groups = self.population.name, self.lanes, self.groups
        result: list[Memory] = []
        for index, channel in enumerate(self.channels):
            bank = f"{name}.{index}.from_{channel.source}"
            result.append(Memory("ram", f"{bank}.queue", channel.event_bits, channel.queue_depth))
            if channel.rows is None:
                continue
            for name_of, content in channel.contents.items():
                kind = _MODULES[self.backing(f"{bank}.{name_of}")]
                memory = Memory(kind, f"{bank}.{name_of}", content.width, content.depth)
                result += memory.sliced(block_bits)
        for field, parameter in self.stored.items():
            backing = self.backing(f"{name}.{field}")
            if backing != "registers":
                kind = _MODULES[backing]
                result.append(Memory(kind, f"{name}.{field}", lanes * parameter.bits, groups))
        for field, table in self.tables.items():
            if table.in_memory:
                result += [Memory("rom", f"{name}.{field}", table.bits, len(table.values))] * lanes
        if self.ring_ticks > 1:
            words = ring_slots(self.ring_ticks) * groups
            result += [
                Memory("ram", f"{name}.ring_{lane}", self.accumulator_bits, words)
                for lane in range(lanes)
            ]
        elif groups > REGISTER_GROUPS:
            banks = ["sums"] if self.in_order else ["sums_0", "sums_1"]
            result += [
                Memory("ram", f"{name}.{bank}", lanes * self.accumulator_bits, groups) for bank in banks
            ]
        if groups > REGISTER_GROUPS:
            result.append(Memory("ram", f"{name}.states", self.state_bits, groups))
        spikes = address_bits(groups) + lanes + 1  # a bit a lane, and one in a tick's last group
        result.append(Memory("ram", f"{name}.spikes", spikes, TICKS * groups))
        return tuple(result)

    def by_group(self, values: np.ndarray) -> np.ndarray:
        """One value a neuron, (size,), as int64 (groups, lanes); lanes without a neuron hold 0."""
        return self.layout.by_group(values)


def block_of(network: Network, population: Population) -> int:
    """Neurons that share groups: the channels of a position where synapses go by position, else all.

    Raises
    ------
    InputError
        If projections go by positions of different maps.
    """
    wanted = [rows(p.synapses).block(p.synapses) for p in network.incoming(population.name)]
    blocks = sorted({block for block in wanted if block is not None})
    if len(blocks) > 1:
        raise InputError(
            f"population '{population.name}': its projections make maps of {blocks[0]} and of {blocks[1]} channels, "
            "the gateware needs one map: give the population a shape (height, width, channels)"
        )
    return blocks[0] if blocks else population.size


def lanes_of(network: Network, lanes: Lanes) -> dict[str, int]:
    """Lanes of each population: an integer is capped at the most that each can use; a mapping names populations.

    The most are its neurons, or the channels of its map where synapses go by position (convolutions).

    Raises
    ------
    InputError
        If a number is not in 1 … the most, or a name is not a population's.
    """
    sizes = {population.name: block_of(network, population) for population in network.populations}
    named = lanes if isinstance(lanes, Mapping) else None
    for name in named or ():
        if name not in sizes:
            raise InputError(f"lanes: '{name}' is no population; the network has {', '.join(sizes)}")
    chosen: dict[str, Any] = {name: lanes if named is None else named.get(name, 1) for name in sizes}
    for name, number in chosen.items():
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
            raise InputError(f"lanes of '{name}' must be an integer ≥ 1, not {number!r}")
        if named is not None and number > sizes[name]:
            what = "its size" if sizes[name] == network.size(name) else "its channels"
            raise InputError(f"lanes of '{name}' must be in 1 … {sizes[name]}, {what}, not {number}")
    return {name: min(int(chosen[name]), size) for name, size in sizes.items()}


def plan(
    network: Network,
    lanes: Lanes = 1,
    *,
    load: bool = False,
    any_weights: bool = False,
    spram: Collection[str] = (),
) -> dict[str, ArrayPlan]:
    """Plan every population's gateware, in the order of evaluation.

    Parameters
    ----------
    network, lanes, load, any_weights
        As for :class:`lifline.rtl.Accelerator`.
    spram : collection of str
        The banks that are in single-port RAM, by name.
    """
    chosen = lanes_of(network, lanes)
    return {
        p.name: _plan_array(network, p, chosen[p.name], load, any_weights, frozenset(spram))
        for p in network.order
    }


def _plan_array(
    network: Network,
    population: Population,
    lanes: int,
    load: bool,
    any_weights: bool,
    spram: frozenset[str],
) -> ArrayPlan:
    incoming = network.incoming(population.name)
    low, high = sum_range(network, population.name, any_weights)
    if load:  # whatever so many bits hold
        half = 1 << (signed_bits(low, high) - 1)
        low, high = -half, half - 1
    block = block_of(network, population)
    array = ArrayPlan(population, lanes, (), (low, high), 1, block, load, spram)
    channels, ring_ticks = _split_delays(network, array, incoming)
    if population.name not in _downstream(network, INPUT, within_tick=True):
        channels.append(Channel(INPUT, network.inputs, None, 0, None, network.input_bits))
    downstream = _downstream(network, population.name)
    # A tick takes the channels in this order, so the ones that come early stand first: sources that can
    # run ahead of this population, then those in a loop with it, of which the delayed ones come first.
    channels.sort(key=lambda channel: (channel.source in downstream, channel.lag == 0))
    return dataclasses.replace(array, channels=tuple(channels), ring_ticks=ring_ticks)


def sum_range(network: Network, name: str, any_weights: bool = False) -> tuple[int, int]:
    """The least and the greatest that any part of a sum of a population's neurons can be.

    `any_weights`: with any weights of as many bits, instead of the network's own.
    """
    if any_weights:
        most = 0
        for projection in network.incoming(name):
            value = (1 << network.input_bits) - 1 if projection.source == INPUT else 1
            most += value * network.size(projection.source) << (projection.synapses.weight_bits - 1)
        return -most, most
    low, high = network.current_range(name)
    return int(low.min()), int(high.max())


def _split_delays(
    network: Network, array: ArrayPlan, incoming: tuple[Projection, ...]
) -> tuple[list[Channel], int]:
    """Choose which delay is spent in each queue and which in the ring, so that fewest bits are needed.

    A queue can delay by what all synapses of its projection share; the ring, which all projections of a
    population share, takes the rest.  A projection that only has delays spends at least one in its
    queue: that marker is what lets a loop start.
    """

    def channels(longest: int) -> list[Channel]:
        result = []
        for projection in incoming:
            synapses = projection.synapses
            least, most = synapses.delay_range
            lag = max(min(least, 1), most - longest)
            result.append(
                Channel(
                    projection.source,
                    network.size(projection.source),
                    projection,
                    lag,
                    rows(synapses)(synapses, array.layout, lag),
                    network.input_bits if projection.source == INPUT else 1,
                )
            )
        return result

    def bits(longest: int) -> int:
        total = 0
        for channel, projection in zip(channels(longest), incoming, strict=True):
            total += channel.queue_depth * channel.event_bits
            total += rows(projection.synapses).stored(projection.synapses) * channel.rows.delay_bits
        if longest:
            total += ring_slots(longest + 1) * array.groups * array.lanes * array.accumulator_bits
        return total

    spans = [p.synapses.delay_range for p in incoming]
    shortest = max((most - least for least, most in spans), default=0)
    choices = {shortest} | {most - min(least, 1) for least, most in spans}
    longest = min((choice for choice in choices if choice >= shortest), key=lambda c: (bits(c), c))
    chosen = channels(longest)
    return chosen, 1 + max((channel.ring_delays[1] for channel in chosen), default=0)


def ring_slots(ticks: int) -> int:
    """Slots of a ring for so many ticks: a power of two, so that the index wraps by itself."""
    return 1 << (ticks - 1).bit_length()


def _downstream(network: Network, name: str, within_tick: bool = False) -> set[str]:
    """The populations that spikes of `name` can reach; `within_tick`: without a delay."""
    reached: set[str] = set()
    frontier = [name]
    while frontier:
        for projection in network.outgoing(frontier.pop()):
            late = within_tick and projection.synapses.delay_range[0] > 0
            if projection.target not in reached and not late:
                reached.add(projection.target)
                frontier.append(projection.target)
    return reached


def memory_bits(network: Network) -> int:
    """Bits that hold all states and synapses of a network."""
    states = sum(sum(state.bits for state in p.neuron.states) * p.size for p in network.populations)
    return states + sum(projection.synapses.memory_bits for projection in network.projections)


def check_size(network: Network) -> None:
    """Refuse a network that no FPGA holds, which would take hours and all memory to write as gateware.

    Raises
    ------
    InputError
    """
    needed = memory_bits(network)
    if needed > MOST_BITS:
        raise InputError(
            f"network: states and synapses take {needed / 1e6:,.0f} Mbit, more than the limit for gateware, "
            f"{MOST_BITS / 1e6:,.0f} Mbit: choose fewer neurons or smaller weight_bits"
        )
