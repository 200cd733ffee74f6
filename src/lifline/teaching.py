"""What a network has become when it has learned: the witnesses compute it, and say it in the same way."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from .network import Network, Population
from .neurons import LIF
from .recording import States


def learners(network: Network) -> list[int]:
    """The indices of the projections that learn."""
    return [i for i, projection in enumerate(network.projections) if projection.plasticity is not None]


def learns(network: Network) -> bool:
    """Whether anything in a network survives a sample that is learned from: weights, or thresholds."""
    return bool(learners(network)) or any(_keeps(p) for p in network.populations)


def taught(network: Network, w: Mapping[int, np.ndarray], states: States) -> Network:
    """The network after a sample.

    Parameters
    ----------
    network : Network
        As it was before.
    w : mapping of int to int64 (source size, target size)
        Of projections that learn, by their index: what their rule keeps, fraction included.
    states : dict of str to dict of str to integers (size,)
        States of populations at the end of the sample's last tick.
    """
    projections = list(network.projections)
    for index, kept in w.items():
        projection = projections[index]
        assert projection.plasticity is not None
        rule, synapses = projection.plasticity.taught(projection.synapses, kept)
        projections[index] = dataclasses.replace(projection, synapses=synapses, plasticity=rule)
    populations = [_carried(p, states.get(p.name, {})) for p in network.populations]
    return dataclasses.replace(network, populations=populations, projections=projections)


def _keeps(population: Population) -> bool:
    """Whether its thresholds go on from sample to sample."""
    neuron = population.neuron
    return isinstance(neuron, LIF) and neuron.adaptation is not None and neuron.adaptation.keep


def _carried(population: Population, states: Mapping[str, np.ndarray]) -> Population:
    """A population whose thresholds start where they are, if they are kept."""
    neuron, kept = population.neuron, states.get("adaptation")
    if not _keeps(population) or kept is None:
        return population
    assert isinstance(neuron, LIF)
    assert neuron.adaptation is not None
    adaptation = dataclasses.replace(neuron.adaptation, initial=kept)
    return dataclasses.replace(population, neuron=dataclasses.replace(neuron, adaptation=adaptation))
