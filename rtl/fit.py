"""Whether a network fits the design that was built for another: what is loaded, in the shapes that are there.

What can be loaded (weights, delays, parameters in memory or in registers) may differ within the widths that were
built; all else is logic, and must be the same.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from lifline.errors import InputError
from lifline.fields import pack
from lifline.network import Network, Projection
from lifline.neurons import Neuron
from lifline.plasticity import Plasticity
from lifline.synapses import Synapses

from .parameters import Parameter
from .plan import ArrayPlan, Channel, Lanes, plan, sum_range
from .rows import Content


def check_same_shape(
    old: Network, new: Network, lanes: Lanes = 1, *, any_weights: bool = False
) -> None:
    """Refuse a network that cannot be loaded into a design that was built for another.

    Parameters
    ----------
    old : Network
        That the design was built for.
    new : Network
    lanes, any_weights
        As the design was built with.

    Raises
    ------
    InputError
        Names the field that differs.
    """
    fitted(plan(old, lanes, load=True, any_weights=any_weights), old, new)


def fitted(arrays: Mapping[str, ArrayPlan], old: Network, new: Network) -> dict[str, ArrayPlan]:
    """The arrays of a design that was built for `old`, with the contents of `new` in their shapes.

    Raises
    ------
    InputError
        If they do not hold them; the line names the field.
    """
    for field in ("inputs", "input_bits", "output"):
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            raise InputError(f"network: {field} is {after}, the design was built for {before}")
    names = [population.name for population in new.populations]
    if set(names) != set(arrays):
        raise InputError(f"network: its populations are {_list(names)}, the design's {_list(arrays)}")
    return {name: _fitted(array, old, new) for name, array in arrays.items()}


def _fitted(array: ArrayPlan, old: Network, new: Network) -> ArrayPlan:
    name = array.population.name
    population = new[name]
    if population.size != array.population.size:
        raise InputError(
            f"size of '{name}': {population.size}, the design was built for {array.population.size}"
        )
    if population.winners != array.population.winners:
        raise InputError(
            f"winners of '{name}': {population.winners}, the design was built for {array.population.winners}"
        )
    replaced = dataclasses.replace(array, population=population, like=array)
    _check_neurons(array, population.neuron)
    incoming = _by_source(new, name)
    before = _by_source(old, name)
    if {s: len(p) for s, p in incoming.items()} != {s: len(p) for s, p in before.items()}:
        raise InputError(
            f"projections to '{name}': they come from {_sources(incoming)}, the design's from {_sources(before)}"
        )
    channels = []
    for channel in array.channels:
        if channel.projection is not None:
            source = channel.source
            place = next(i for i, p in enumerate(before[source]) if p is channel.projection)
            channel = _fitted_channel(channel, incoming[source][place])
        channels.append(channel)
    low, high = sum_range(new, name)
    least, most = array.accumulator_range
    if low < least or high > most:
        raise InputError(
            f"weights to '{name}': their sums reach {low} … {high}, the design was built for {least} … {most}: "
            "build it for this network, or for any weights"
        )
    return dataclasses.replace(replaced, channels=tuple(channels))


def _fitted_channel(channel: Channel, projection: Projection) -> Channel:
    assert channel.projection is not None
    assert channel.rows is not None
    old, new, lag = channel.projection.synapses, projection.synapses, channel.lag
    _check_structure(old, new, str(projection))
    if channel.rule is not None:
        _check_rule(channel.rule, projection)
    bits = channel.rows.delay_bits
    least, most = old.delay_range
    if bits:
        least, most = lag, lag + (1 << bits) - 1
    low, high = new.delay_range
    if low < least or high > most:
        raise InputError(
            f"delays of '{projection}': {_span(low, high)}, the design was built for {_span(least, most)}"
        )
    contents = channel.rows.of(projection).contents
    loaded = {}
    for name, built in channel.rows.contents.items():
        content = contents[name]
        if content.entries == 1 < built.entries:  # one number for all lanes
            repeated = functools.partial(_repeated, content, built.entries)
            content = dataclasses.replace(content, entries=built.entries, values=repeated)
        if (content.depth, content.entries, content.bits) != (built.depth, built.entries, built.bits):
            raise InputError(
                f"{name} of '{projection}': {content.depth} words of {content.entries} numbers, the design was "
                f"built for {built.depth} of {built.entries}"
            )
        loaded[name] = content
    return dataclasses.replace(channel, projection=projection, loaded=loaded)


def _check_rule(built: Plasticity, projection: Projection) -> None:
    """Refuse a rule that is not the design's; what its weights have learned may differ."""
    where, rule = f"of '{projection}'", projection.plasticity
    if type(rule) is not type(built):
        name = None if rule is None else type(rule).__name__
        raise InputError(f"plasticity {where}: {name}, the design was built for {type(built).__name__}")
    assert rule is not None
    _check_header(pack(built.with_seed(0), "", {}), pack(rule.with_seed(0), "", {}), where)


def _repeated(content: Content, lanes: int) -> np.ndarray:
    return content.values().repeat(lanes, axis=1)


def _check_structure(old: Synapses, new: Synapses, where: str) -> None:
    """Refuse synapses of another kind, shape or width."""
    if type(old) is not type(new):
        raise InputError(
            f"synapses of '{where}': {type(new).__name__}, the design was built for {type(old).__name__}"
        )
    before: dict[str, np.ndarray] = {}
    after: dict[str, np.ndarray] = {}
    _check_header(pack(old, "", before), pack(new, "", after), f"of '{where}'")
    for label, values in after.items():
        field = label.removeprefix(".")
        wanted = before[label]
        if field in ("weights", "delays"):
            if values.shape != wanted.shape and min(values.size, wanted.size) > 1:
                raise InputError(
                    f"{field} of '{where}': shape {values.shape}, the design was built for {wanted.shape}"
                )
        elif not np.array_equal(values, wanted):
            raise InputError(f"{field} of '{where}': others than the design was built for")
    if old.shape != new.shape:
        raise InputError(
            f"synapses of '{where}': {new.shape[0]}×{new.shape[1]}, the design was built for "
            f"{old.shape[0]}×{old.shape[1]}"
        )


def _check_neurons(array: ArrayPlan, neuron: Neuron) -> None:
    """Refuse neurons whose constants, tables or widths are not the design's."""
    name, built = array.population.name, array.population.neuron
    if type(neuron) is not type(built):
        raise InputError(
            f"neurons of '{name}': {type(neuron).__name__}, the design was built for {type(built).__name__}"
        )
    _check_header(pack(built, "", {}), pack(neuron, "", {}), f"of '{name}'")
    new = dataclasses.replace(array, population=dataclasses.replace(array.population, neuron=neuron))
    for label, parameter in array.parameters.items():
        _check_values(array, label, label, parameter, new.parameters[label].values)
    for label, parameter in array.initial.items():
        _check_values(array, label, f"initial.{label}", parameter, new.initial[label].values)
    for label, table in array.tables.items():
        if not np.array_equal(table.values, new.tables[label].values):
            raise InputError(f"{label} of '{name}': another table than the design was built for")


def _check_values(array: ArrayPlan, label: str, key: str, built: Parameter, values: np.ndarray) -> None:
    where = f"{label} of '{array.population.name}': {_range(values)}, the design was built for"
    if key in array.shared and (values != values[0]).any():
        raise InputError(f"{where} one number for all neurons")
    if key in array.recurring and not array.recurs(values):
        raise InputError(f"{where} the same numbers at every position of its map")
    if key not in array.stored and not np.array_equal(values, built.values):
        raise InputError(f"{where} {_range(built.values)}, which is logic")
    low, high = built.range
    if values.min() < low or values.max() > high:
        raise InputError(f"{where} {low} … {high}")


def _check_header(before: Mapping[str, Any], after: Mapping[str, Any], where: str) -> None:
    for field in sorted({*before, *after}):
        if before.get(field) != after.get(field):
            raise InputError(
                f"{field} {where}: {after.get(field)}, the design was built for {before.get(field)}"
            )


def _by_source(network: Network, name: str) -> dict[str, list[Projection]]:
    found: dict[str, list[Projection]] = {}
    for projection in network.incoming(name):
        found.setdefault(projection.source, []).append(projection)
    return found


def _range(values: np.ndarray) -> str:
    return _span(int(values.min()), int(values.max()))


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} … {high}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))


def _sources(projections: Mapping[str, list[Projection]]) -> str:
    return _list(source for source, several in projections.items() for _ in several)
