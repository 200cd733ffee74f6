"""What a network has become when it has learned: the witnesses compute it, and say it in the same way."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import InputError
from .files import read_npz
from .network import Network, Population
from .neurons import LIF
from .recording import States

#: The greatest reward; the least is one below its negative.
MOST_REWARD = 2**15 - 1


def learners(network: Network) -> list[int]:
    """The indices of the projections that learn."""
    return [i for i, projection in enumerate(network.projections) if projection.plasticity is not None]


def learns(network: Network) -> bool:
    """Whether anything in a network survives a sample that is learned from: weights, or thresholds."""
    return bool(learners(network)) or any(_keeps(p) for p in network.populations)


def rewarded(network: Network) -> bool:
    """Whether a rule needs the host's signal at the end of each sample."""
    return any(p.plasticity is not None and p.plasticity.rewarded for p in network.projections)


def check_reward(
    network: Network, reward: Any, samples: int, learn: bool = True, where: str = "reward"
) -> np.ndarray | None:
    """The host's signals for the rules that need one, int64 (samples,), after checking; None where none does.

    Parameters
    ----------
    network : Network
    reward : integers (samples,), or None
        −2^15 … 2^15 − 1; an integer will do for one sample.
    samples : int
    learn : bool
        Whether the network is to learn.
    where : str
        What the message calls it.

    Raises
    ------
    InputError
        If there is none and a rule needs it, or the other way round, or it has another shape, type or value.
    """
    rules = [p.plasticity for p in network.projections if p.plasticity is not None]
    needing = [rule.label for rule in rules if rule.rewarded]
    if not learn or not needing:
        if reward is not None:
            why = "no rule of the network needs one" if learn else "only learning needs one"
            raise InputError(f"{where} is given, but {why}; leave it out")
        return None
    if reward is None:
        raise InputError(
            f"{where} is missing: {needing[0]} learns by a signal at the end of each sample; give {samples} "
            f"integer{'s' * (samples > 1)}, one a sample"
        )
    values = np.asarray(reward)
    if values.ndim == 0 and samples == 1:
        values = values[None]
    if values.shape != (samples,):
        raise InputError(f"{where}: shape is {values.shape}, must be ({samples},), one for each sample")
    if values.dtype.kind not in "iu":
        raise InputError(f"{where}: dtype is {values.dtype}, must be an integer type (int16, say)")
    if values.size and (values.min() < -MOST_REWARD - 1 or values.max() > MOST_REWARD):
        wrong = int(((values < -MOST_REWARD - 1) | (values > MOST_REWARD)).argmax())
        raise InputError(
            f"{where}: {values[wrong]} for sample {wrong}, must be in {-MOST_REWARD - 1} … {MOST_REWARD}"
        )
    return values.astype(np.int64)


def read_reward(
    path: str | os.PathLike[str], network: Network, samples: int, *, needed: bool
) -> np.ndarray | None:
    """The array `reward` of an ``.npz`` file, as :func:`check_reward` returns it.

    `needed`: the file is there for it; else one without will do for a network without rules that need it, and
    of one with it nothing is read for such a network.
    """
    arrays = read_npz(path)
    if needed and "reward" not in arrays:
        raise InputError(
            f"{path}: no array 'reward', only {', '.join(map(repr, arrays)) or 'an empty file'}"
        )
    reward = arrays.get("reward") if needed or rewarded(network) else None
    return check_reward(network, reward, samples, where=f"{path}: reward")


def taught(network: Network, w: Mapping[int, np.ndarray], states: States, samples: int = 1) -> Network:
    """The network after samples.

    Parameters
    ----------
    network : Network
        As it was before.
    w : mapping of int to int64 (source size, target size)
        Of projections that learn, by their index: what their rule keeps, fraction included.
    states : dict of str to dict of str to integers (size,)
        States of populations at the end of the last sample's last tick.
    samples : int
        How many there have been.
    """
    projections = list(network.projections)
    for index, kept in w.items():
        projection = projections[index]
        assert projection.plasticity is not None
        rule, synapses = projection.plasticity.taught(projection.synapses, kept, samples)
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
