"""The golden model's engine: whole batches at once, exactly as :mod:`lifline.golden.reference` has it.

Every number is an integer.  Floats hold them, since those are what NumPy multiplies fast, of a kind
that holds them exactly: see :func:`lifline.golden.neurons.float_for`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lifline.files import check_spikes
from lifline.network import INPUT, Network, Population
from lifline.recording import Recording, States
from lifline.teaching import check_reward

from . import learning
from .neurons import floats_of, neurons_of
from .product import Spikes
from .synapses import operators

#: How many spikes, of the input and all populations, are in memory at once; each takes some ten bytes.
PART = 1 << 23


def simulate(
    network: Network,
    spikes: np.ndarray,
    learn: bool = False,
    reward: np.ndarray | int | None = None,
    *,
    time_first: bool = False,
    traces: bool = False,
) -> Recording:
    """Run `network` on input `spikes`, every sample from rest.

    Parameters
    ----------
    network : Network
    spikes : (ticks, inputs) or (samples, ticks, inputs), integers 0 … 2^input_bits − 1
    learn : bool
        Whether its synapses learn, from sample to sample: the recording then has the weights after each,
        and the network after the last.
    reward : integers (samples,), optional
        The host's signal at the end of each sample, −2^15 … 2^15 − 1, where a rule needs one.
    time_first : bool
        Whether `spikes` are (ticks, samples, inputs), as snnTorch and Norse have them; what is recorded is not.
    traces : bool
        Whether to record what else the rules keep at the end of each sample, three or more numbers a synapse.

    Returns
    -------
    Recording

    Raises
    ------
    InputError
        If `spikes` or `reward` have another shape, type or value.
    """
    if learn:
        return learning.learn(network, spikes, reward, time_first=time_first, traces=traces)
    check_reward(network, reward, 0, learn)
    return Model(network).simulate(spikes, time_first=time_first)


class Model:
    """A network, made ready to run any number of times.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.dtypes = floats_of(network)
        self.stages = _stages(network)
        #: into each target: (source, delay, synapses of this delay) for each that a projection holds
        self.synapses = {
            target: [
                (p.source, delay, operator)
                for p in network.incoming(target)
                for delay, operator in operators(p.synapses)
            ]
            for target in self.dtypes
        }

    def simulate(self, spikes: np.ndarray, *, time_first: bool = False) -> Recording:
        """As the function of this name."""
        network = self.network
        spikes = check_spikes(spikes, network.inputs, network.input_bits, time_first=time_first)
        batch = spikes if spikes.ndim == 3 else spikes[None]
        samples, ticks, _ = batch.shape
        s = {p.name: np.empty((ticks, samples, p.size), np.uint8) for p in network.populations}
        states = {
            p.name: {
                state.name: np.empty((ticks, samples, p.size), np.int32) for state in p.neuron.states
            }
            for p in network.populations
        }
        neurons = network.inputs + sum(p.size for p in network.populations)
        step = max(1, PART // max(1, ticks * neurons))
        for first in range(0, samples, step):
            part = slice(first, first + step)
            self._run(
                batch[part].swapaxes(0, 1).view(bool if network.input_bits == 1 else np.uint8),
                {name: array[:, part].view(bool) for name, array in s.items()},
                {
                    name: {state: array[:, part] for state, array in of.items()}
                    for name, of in states.items()
                },
            )
        recording = Recording.of(
            network,
            {name: array.swapaxes(0, 1) for name, array in s.items()},
            {
                name: {state: array.swapaxes(0, 1) for state, array in of.items()}
                for name, of in states.items()
            },
        )
        return recording if spikes.ndim == 3 else recording[0]

    # From here on, arrays are (ticks, samples, size).

    def _run(self, spikes: np.ndarray, s: dict[str, np.ndarray], states: States) -> None:
        """Write each population's spikes and states, from the spikes of the input."""
        ticks, samples, _ = spikes.shape
        known = {INPUT: Spikes(spikes)}
        for stage in self.stages:
            neurons = {p.name: neurons_of(p, samples, self.dtypes[p.name]) for p in stage}
            x = {p.name: self._current(p, known) for p in stage}  # where Σ w·s stands until it is v[t]
            further = {
                p.name: {state.name: states[p.name][state.name] for state in p.neuron.states[1:]}
                for p in stage
            }
            loop = {
                name: [
                    (target, delay, operator)
                    for target in neurons
                    for source, delay, operator in self.synapses[target]
                    if source == name
                ]
                for name in neurons
            }
            for t in range(ticks):
                for name in neurons:
                    kept = {state: array[t] for state, array in further[name].items()}
                    neurons[name].tick(x[name][t], s[name][t], kept)
                    if not loop[name]:
                        continue
                    fired = Spikes(s[name][t : t + 1])
                    for target, delay, operator in loop[name]:
                        if t + delay < ticks:
                            x[target][t + delay] += operator.times(fired, self.dtypes[target])[0]
            for name in neurons:
                known[name] = Spikes(s[name])
                states[name]["membrane"][:] = x[name]

    def _current(self, population: Population, known: Mapping[str, Spikes]) -> np.ndarray:
        """Σ w·s, but for what comes from the population's own loop."""
        dtype = self.dtypes[population.name]
        current = None
        for source, delay, operator in self.synapses[population.name]:
            if source not in known:
                continue
            product = operator.times(known[source], dtype)
            if current is None and delay == 0:
                current = product.astype(dtype, order="C", copy=False)
                continue
            if current is None:
                current = np.zeros(product.shape, dtype)
            current[delay:] += product[: max(0, len(product) - delay)]
        if current is None:
            ticks, samples, _ = known[INPUT].spikes.shape
            current = np.zeros((ticks, samples, population.size), dtype)
        return current


def _stages(network: Network) -> list[list[Population]]:
    """The populations, each after all that feed it; those that feed each other in a loop are one stage."""
    before = {
        p.name: {p.name} | {projection.source for projection in network.incoming(p.name)} - {INPUT}
        for p in network.populations
    }
    for _ in range(len(before).bit_length()):  # each time through paths of twice the length
        before = {name: set[str]().union(*(before[b] for b in names)) for name, names in before.items()}
    stages: dict[frozenset[str], list[Population]] = {}
    for p in network.order:
        stages.setdefault(frozenset(before[p.name]), []).append(p)
    return [stages[names] for names in sorted(stages, key=len)]
