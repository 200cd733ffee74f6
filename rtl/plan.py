"""What follows from a network and a number of lanes: the shape of each array, delays in queues or rings, order.

The gateware, the cycle model and the export all read these plans, so none of them decides anything twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from lifline.errors import InputError
from lifline.network import INPUT, Network, Population, Projection
from lifline.teaching import learns

from .parameters import signed_bits
from .rows import check_learning, learned_rows, rows
from .shapes import REGISTER_GROUPS, TICKS, ArrayPlan, Channel, Memory, ring_slots

__all__ = [
    "MOST_BITS",
    "REGISTER_GROUPS",
    "TICKS",
    "ArrayPlan",
    "Channel",
    "Lanes",
    "Memory",
    "block_of",
    "check_learns",
    "check_size",
    "lanes_of",
    "memory_bits",
    "plan",
    "ring_slots",
    "sum_range",
]

#: No FPGA has more memory (the largest have about as much), and writing it would take hours.
MOST_BITS = 1 << 28

Lanes = int | Mapping[str, int]


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
    learn: bool = False,
    spram: Collection[str] = (),
) -> dict[str, ArrayPlan]:
    """Plan every population's gateware, in the order of evaluation.

    Parameters
    ----------
    network, lanes, load, any_weights, learn
        As for :class:`lifline.rtl.Accelerator`.
    spram : collection of str
        The banks that are in single-port RAM, by name.

    Raises
    ------
    InputError
        If `lanes` do not fit or, with `learn`, if what learns has no gateware.
    """
    chosen = lanes_of(network, lanes)
    return {
        p.name: _plan_array(
            network, p, chosen[p.name], any_weights, load=load, learn=learn, spram=frozenset(spram)
        )
        for p in network.order
    }


def check_learns(network: Network) -> None:
    """Refuse to let a network learn in which nothing can.

    Raises
    ------
    InputError
    """
    if not learns(network):
        raise InputError(
            "network: nothing in it learns, so it needs no gateware to learn: no projection has a plasticity, and no "
            "threshold is kept"
        )


def _plan_array(
    network: Network,
    population: Population,
    lanes: int,
    any_weights: bool,
    *,
    load: bool,
    learn: bool,
    spram: frozenset[str],
) -> ArrayPlan:
    incoming = network.incoming(population.name)
    low, high = sum_range(network, population.name, any_weights)
    if load:  # whatever so many bits hold
        half = 1 << (signed_bits(low, high) - 1)
        low, high = -half, half - 1
    block = block_of(network, population)
    array = ArrayPlan(population, lanes, (), (low, high), 1, block, load=load, learn=learn, spram=spram)
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
            value = network.largest_value(projection.source)
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
            rule = projection.plasticity if array.learn else None
            # What learns needs to know when a spike arrives: all of its delay is spent in the queue.
            lag = max(min(least, 1), most - longest) if rule is None else most
            of = rows(synapses)(synapses, array.layout, lag)
            if rule is not None:
                of = learned_rows(rule)(projection, array.layout, lag)
            result.append(
                Channel(
                    projection.source,
                    network.size(projection.source),
                    projection,
                    lag,
                    of,
                    network.input_bits if projection.source == INPUT else 1,
                    rule,
                )
            )
        return result

    def bits(longest: int) -> int:
        total = 0
        for channel in channels(longest):
            total += channel.queue_depth * channel.event_bits
            if channel.rows is not None:
                total += channel.rows.stored(channel.rows.synapses) * channel.rows.delay_bits
        if longest:
            total += ring_slots(longest + 1) * array.groups * array.lanes * array.accumulator_bits
        return total

    for projection in incoming:
        if array.learn and projection.plasticity:
            check_learning(projection)
    spans = [p.synapses.delay_range for p in incoming if not (array.learn and p.plasticity)]
    shortest = max((most - least for least, most in spans), default=0)
    choices = {shortest} | {most - min(least, 1) for least, most in spans}
    longest = min((choice for choice in choices if choice >= shortest), key=lambda c: (bits(c), c))
    chosen = channels(longest)
    return chosen, 1 + max((channel.ring_delays[1] for channel in chosen), default=0)


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
    """Bits that hold all states and synapses of a network, and two ticks of the events of each projection's queue."""
    states = sum(sum(state.bits for state in p.neuron.states) * p.size for p in network.populations)
    synapses = sum(projection.synapses.memory_bits for projection in network.projections)
    sources = [network.size(projection.source) for projection in network.projections]
    queues = sum(2 * size * (size - 1).bit_length() for size in sources)
    return states + synapses + queues + network.inputs


def check_size(network: Network) -> None:
    """Refuse a network that no FPGA holds, which would take hours and all memory to write as gateware.

    Raises
    ------
    InputError
    """
    needed = memory_bits(network)
    if needed > MOST_BITS:
        raise InputError(
            f"network: states, synapses and queues take {needed / 1e6:,.0f} Mbit, more than the limit for gateware, "
            f"{MOST_BITS / 1e6:,.0f} Mbit: choose fewer neurons or smaller weight_bits"
        )
