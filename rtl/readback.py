"""What a design has learned, from the words that its load port reads back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from lifline.network import Network
from lifline.recording import States
from lifline.teaching import taught

from .load import loadable
from .plan import ArrayPlan, Lanes, plan


def learned_banks(network: Network, lanes: Lanes = 1) -> list[int]:
    """The banks of what learns in a design with ``load`` and ``learn``, as numbered in the manifest."""
    return [number for number, array, name in _banks(network, lanes) if name in array.learned]


def taught_by(network: Network, lanes: Lanes, words: Mapping[int, Sequence[int]]) -> Network:
    """The network that a design has made of the one that it was built for, or that was loaded last.

    Parameters
    ----------
    network : Network
        That it learned from.
    lanes : int or dict
        As the design was built with.
    words : mapping of int to sequence of int
        Of each of `learned_banks`, its words.
    """
    w: dict[int, np.ndarray] = {}
    seeds: dict[int, int] = {}
    states: States = {}
    index = {id(projection): i for i, projection in enumerate(network.projections)}
    for number, array, name in _banks(network, lanes):
        if name not in array.learned:
            continue
        if name.endswith(".weights"):
            channel = array.channels[int(name.split(".")[1])]
            values = _values(words[number], array.lanes, channel.contents["weights"].bits, signed=True)
            by_source = values.reshape(array.groups, channel.source_size, -1).transpose(1, 0, 2)
            of_neurons = by_source.reshape(channel.source_size, -1)[:, array.layout.slots]
            w[index[id(channel.projection)]] = of_neurons
        elif name.endswith(".seed"):
            channel = array.channels[int(name.split(".")[1])]
            seeds[index[id(channel.projection)]] = words[number][0]
        else:
            state = name.rsplit(".", 1)[1]
            parameter = array.initial[state]
            values = _values(words[number], array.lanes, parameter.bits, signed=parameter.signed)
            states[array.population.name] = {state: values.reshape(-1)[array.layout.slots]}
    after = taught(network, w, states)
    projections = list(after.projections)
    for place, seed in seeds.items():
        rule = projections[place].plasticity
        assert rule is not None
        projections[place] = dataclasses.replace(projections[place], plasticity=rule.with_seed(seed))
    return dataclasses.replace(after, projections=projections)


def _banks(network: Network, lanes: Lanes) -> Iterator[tuple[int, ArrayPlan, str]]:
    """Every bank that can be loaded: its number, its array, its name."""
    arrays = plan(network, lanes, load=True, learn=True).values()
    yield from (
        (number, array, bank.name)
        for number, (array, bank) in enumerate((a, bank) for a in arrays for bank in loadable(a))
    )


def _values(words: Sequence[int], lanes: int, bits: int, *, signed: bool) -> np.ndarray:
    """The numbers of each word, int64 (words, lanes)."""
    mask, half = (1 << bits) - 1, 1 << (bits - 1)
    values = [[word >> lane * bits & mask for lane in range(lanes)] for word in words]
    found = np.array(values, np.int64)
    return (found ^ half) - half if signed else found
