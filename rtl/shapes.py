"""The shape of one population's gateware: its channels, widths and memories.

:func:`lifline.rtl.plan` derives it from a network.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from lifline.network import Population, Projection
from lifline.neurons import LIF
from lifline.plasticity import Plasticity

from .layout import Layout, address_bits
from .parameters import Parameter, Table, initial_of, parameters_of, signed_bits, tables_of
from .rows import Content, LearnedRows, Rows

#: Arrays of up to this many groups keep their state in registers, larger ones in memory.  It decides area and clock;
#: no result depends on it, and cycles, of which memory takes one more between two sweeps, follow in the cycle model.
REGISTER_GROUPS = 4

#: Ticks for whose spikes an array has room on their way out.
TICKS = 4

#: The module of a bank, without ``lifline_``, by its backing.
_MODULES = {"rom": "rom", "block": "store", "spram": "spram", "learned": "learned"}


@dataclasses.dataclass(frozen=True)
class Memory:
    """A memory of the gateware: an instance of a module of ``lifline_memory.v``."""

    kind: str  #: "rom", "ram", "store", "learned" or "spram": the module is ``lifline_rom``, ``lifline_ram``, …
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
    rule: Plasticity | None = None  #: by which its synapses learn
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
    def fraction_bits(self) -> int:
        """Bits of a word in memory, for each lane, that are below its weight."""
        return self.rule.fraction_bits if self.rule is not None else 0

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
    learn: bool = False  #: whether what can learn does
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
    def plastic(self) -> tuple[int, ...]:
        """The channels whose synapses learn."""
        return tuple(index for index, channel in enumerate(self.channels) if channel.rule is not None)

    @property
    def winners(self) -> int:
        """How many neurons may spike in a tick, where that is fewer than there are; 0: all."""
        most = self.population.winners
        return 0 if most is None or most == self.population.size else int(most)

    @property
    def hears_membranes(self) -> bool:
        """Whether something that learns needs the membranes that a tick has found."""
        return any(
            isinstance(channel.rows, LearnedRows) and channel.rows.hears_membranes
            for channel in self.channels
        )

    @property
    def rewarded(self) -> bool:
        """Whether something needs the host's signal at the end of a sample."""
        return any(channel.rule is not None and channel.rule.rewarded for channel in self.channels)

    @property
    def kept(self) -> str | None:
        """The state that goes on from sample to sample, if there is one."""
        neuron = self.population.neuron
        if not self.learn or not isinstance(neuron, LIF) or neuron.adaptation is None:
            return None
        return "adaptation" if neuron.adaptation.keep else None

    @property
    def learns(self) -> bool:
        """Whether anything here survives a sample."""
        return bool(self.plastic) or self.kept is not None

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
        kept = f"initial.{self.kept}"
        if self.load:
            return {n: p for n, p in everything.items() if not p.uniform or p.loadable or n == kept}
        if self.groups <= REGISTER_GROUPS:
            return {name: values for name, values in everything.items() if name == kept}
        return {n: values for n, values in everything.items() if not values.uniform or n == kept}

    @functools.cached_property
    def shared(self) -> frozenset[str]:
        """Those of `stored` that are one number for all neurons."""
        if self.like is not None:
            return self.like.shared
        kept = f"initial.{self.kept}"
        return frozenset(n for n, values in self.stored.items() if values.uniform and n != kept)

    @functools.cached_property
    def recurring(self) -> frozenset[str]:
        """Those of `stored` that are the same at every position of a map: they have the words of one position.

        What is kept is not among them: it is the same at the start only.
        """
        if self.like is not None:
            return self.like.recurring
        own = self.shared | {f"initial.{self.kept}"}
        return frozenset(
            name
            for name, parameter in self.stored.items()
            if name not in own and self.recurs(parameter.values)
        )

    def recurs(self, values: np.ndarray) -> bool:
        """Whether there are several positions, and these values of the neurons are the same at each."""
        positions = values.reshape(-1, self.block)
        return len(positions) > 1 and bool((positions == positions[0]).all())

    def stored_rows(self, name: str) -> np.ndarray:
        """The words of one of `stored`, int64 (words, numbers in a word)."""
        values = self.stored[name].values
        if name in self.shared:
            return values[:1, None]
        rows = self.by_group(values)
        return rows[: self.layout.groups_per_block] if name in self.recurring else rows

    def parameter_range(self, name: str) -> tuple[int, int]:
        """The least and the greatest value of a parameter; of one that can be loaded, that its bits hold."""
        parameter = self.parameters[name]
        if self.load and name in self.stored:
            return parameter.range
        return int(parameter.values.min()), int(parameter.values.max())

    def backing(self, bank: str) -> str:
        """How a bank is kept: in a "rom"; where it learns, in "learned" RAM with a port to read and one to write.

        Where it can be loaded, in a "block" RAM, "spram" or "registers".
        """
        if bank in self.learned:
            return "learned"
        if not self.load:
            return "rom"
        if bank in self.spram:
            return "spram"
        field = bank.removeprefix(f"{self.population.name}.")
        if field in self.stored and (
            field in self.shared or len(self.stored_rows(field)) <= REGISTER_GROUPS
        ):
            return "registers"
        return "block"

    @functools.cached_property
    def learned(self) -> frozenset[str]:
        """The banks of what learns."""
        name = self.population.name
        banks = {
            f"{name}.{n}.from_{self.channels[n].source}.{content}"
            for n in self.plastic
            for content, of in self.channels[n].contents.items()
            if content == "weights" or of.own
        }
        return frozenset(banks | ({f"{name}.initial.{self.kept}"} if self.kept else set()))

    @property
    def state_bits(self) -> int:
        """Bits that a group keeps from one tick to the next."""
        neuron = self.population.neuron
        return self.lanes * (sum(state.bits for state in neuron.states) + neuron.keeps_spike)

    @property
    def contest_bits(self) -> int:
        """Bits of a group in a contest; :func:`lifline.rtl.contest.contest_layout` says what they are."""
        neuron = self.population.neuron
        kept = sum(state.bits * (1 + (state.name in neuron.resets)) for state in neuron.states)
        return address_bits(self.groups) + self.lanes * (1 + neuron.margin_bits + kept)

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
            if isinstance(channel.rows, LearnedRows):
                for name_of, (bits, words) in channel.rows.traces.items():
                    result.append(Memory("ram", f"{bank}.{name_of}", bits, words))
        for field, parameter in self.stored.items():
            backing = self.backing(f"{name}.{field}")
            if backing != "registers":
                kind = _MODULES[backing]
                words = len(self.stored_rows(field))
                result.append(Memory(kind, f"{name}.{field}", lanes * parameter.bits, words))
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
        if self.winners:
            result.append(Memory("ram", f"{name}.contest", self.contest_bits, groups))
        spikes = address_bits(groups) + lanes + 1  # a bit a lane, and one in a tick's last group
        result.append(Memory("ram", f"{name}.spikes", spikes, TICKS * groups))
        return tuple(result)

    def by_group(self, values: np.ndarray) -> np.ndarray:
        """One value a neuron, (size,), as int64 (groups, lanes); lanes without a neuron hold 0."""
        return self.layout.by_group(values)


def ring_slots(ticks: int) -> int:
    """Slots of a ring for so many ticks: a power of two, so that the index wraps by itself."""
    return 1 << (ticks - 1).bit_length()
