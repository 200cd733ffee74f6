"""The golden model of a network that learns: one sample after the other, tick by tick."""

from __future__ import annotations

import dataclasses

import numpy as np

from lifline.files import check_spikes
from lifline.network import INPUT, Network
from lifline.recording import Recording
from lifline.teaching import check_reward, learners, taught

from .neurons import floats_of, neurons_of
from .plasticity import Learner, learner
from .product import Spikes
from .synapses import Matrix, operators


def learn(
    network: Network,
    spikes: np.ndarray,
    reward: np.ndarray | int | None = None,
    *,
    time_first: bool = False,
    traces: bool = False,
) -> Recording:
    """As :func:`lifline.golden.simulate` with ``learn=True``."""
    spikes = check_spikes(spikes, network.inputs, network.input_bits, time_first=time_first)
    batch = spikes if spikes.ndim == 3 else spikes[None]
    samples, ticks, _ = batch.shape
    rewards = check_reward(network, reward, samples)
    s = {p.name: np.zeros((samples, ticks, p.size), np.uint8) for p in network.populations}
    states = {
        p.name: {state.name: np.zeros((samples, ticks, p.size), np.int32) for state in p.neuron.states}
        for p in network.populations
    }
    model = _Learning(network)
    weights = {index: np.zeros((samples, *of.w.shape), np.int32) for index, of in model.plastic.items()}
    kept_traces = {
        index: {name: np.zeros((samples, *of.w.shape), np.int32) for name in of.traces()}
        for index, of in (model.plastic.items() if traces else ())
    }
    after = network
    for sample in range(samples):
        of_sample = {INPUT: batch[sample]} | {name: array[sample] for name, array in s.items()}
        kept = {name: {k: array[sample] for k, array in of.items()} for name, of in states.items()}
        model.run(after, of_sample, kept)
        for index, arrays in kept_traces.items():
            for name, values in model.plastic[index].traces().items():
                arrays[name][sample] = values
        for index, of in model.plastic.items():
            of.settle(0 if rewards is None else int(rewards[sample]))
            weights[index][sample] = of.w
        if ticks:
            last = {name: {k: array[-1] for k, array in of.items()} for name, of in kept.items()}
            after = taught(after, {}, last)
    after = taught(after, {index: of.w for index, of in model.plastic.items()}, {}, samples)
    recording = dataclasses.replace(
        Recording.of(network, s, states),
        weights=weights,
        network=after,
        traces=kept_traces if traces else None,
    )
    return recording if spikes.ndim == 3 else recording[0]


class _Learning:
    """A network that learns, and what of it stays the same in all samples."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.dtypes = floats_of(network)
        self.plastic: dict[int, Learner] = {}  #: by index, of the projections that learn
        for index in learners(network):
            projection = network.projections[index]
            assert projection.plasticity is not None
            self.plastic[index] = learner(projection.plasticity, projection.synapses)
        #: by index, of the projections that do not: for each delay, the synapses that have it
        self.fixed = {
            index: dict(operators(projection.synapses))
            for index, projection in enumerate(network.projections)
            if index not in self.plastic
        }

    def run(
        self, network: Network, s: dict[str, np.ndarray], states: dict[str, dict[str, np.ndarray]]
    ) -> None:
        """One sample, up to its last tick: write each population's spikes and states, (ticks, size), from the input's.

        Its thresholds start as those of `network`, what has become of it so far.
        """
        self.neurons = {p.name: neurons_of(p, 1, self.dtypes[p.name]) for p in network.populations}
        for synapses in self.plastic.values():
            synapses.start()
        rest = {
            p.name: np.broadcast_to(np.asarray(p.neuron.states[0].initial), p.size)
            for p in network.populations
        }
        for t in range(len(s[INPUT])):
            for population in network.order:
                self._tick(population.name, t, s, states[population.name])
            for index, synapses in self.plastic.items():
                target = network.projections[index].target
                fired = np.flatnonzero(s[target][t])
                found = states[target]["membrane"][t - 1] if t else rest[target]
                synapses.tick(self._arrivals(index, t, s), fired, found)

    def _tick(self, name: str, t: int, s: dict[str, np.ndarray], states: dict[str, np.ndarray]) -> None:
        total = np.zeros(self.network.size(name), np.int64)
        for index, projection in enumerate(self.network.projections):
            if projection.target != name:
                continue
            arrivals = self._arrivals(index, t, s)
            if index in self.plastic:
                total += self.plastic[index].current(arrivals)
                continue
            for delay, rows in arrivals.items():
                if not len(rows):
                    continue
                sent, operator = s[projection.source][t - delay], self.fixed[index][delay]
                if isinstance(operator, Matrix):
                    total += sent[rows].astype(np.int64) @ operator.weights[rows]
                else:
                    product = operator.times(Spikes(sent[None, None]), self.dtypes[name])
                    total += product[0, 0].astype(np.int64)
        x = total[None].astype(self.dtypes[name])
        fired = np.zeros(x.shape, bool)
        further = {state: array[t : t + 1] for state, array in states.items() if state != "membrane"}
        self.neurons[name].tick(x, fired, further)
        s[name][t] = fired[0]
        states["membrane"][t] = x[0]

    def _arrivals(self, index: int, t: int, s: dict[str, np.ndarray]) -> dict[int, np.ndarray]:
        """For each delay of a projection, the sources whose spikes arrive in tick t."""
        source = s[self.network.projections[index].source]
        delays = self.plastic[index].delays if index in self.plastic else self.fixed[index]
        none = np.zeros(0, np.int64)
        return {d: np.flatnonzero(source[t - d]) if t >= d else none for d in delays}
