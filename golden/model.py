"""The specification in code: read it beside the equations of :mod:`lifline.network`.

Every number is an integer.  Floats hold them, since those are what NumPy multiplies fast, of a kind that
holds them exactly: see :func:`_exact`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lifline.files import check_spikes
from lifline.network import BETA_BITS, INPUT, Network, Population, Projection, Reset
from lifline.recording import Recording

from .product import Spikes

#: How many spikes, of the input and all populations, are in memory at once; each takes some ten bytes.
PART = 1 << 23


def simulate(network: Network, spikes: np.ndarray) -> Recording:
    """Run `network` on input `spikes`, every sample from rest.

    Parameters
    ----------
    network : Network
    spikes : (ticks, inputs) or (samples, ticks, inputs), integers 0 or 1

    Returns
    -------
    Recording

    Raises
    ------
    InputError
        If `spikes` has another shape, type or value.
    """
    return Model(network).simulate(spikes)


class Model:
    """A network, made ready to run any number of times.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.dtypes = {p.name: _exact(network, p) for p in network.populations}
        self.stages = _stages(network)
        #: into each target: (source, delay, weights), one matrix for each delay that a projection holds
        self.synapses = {
            target: [
                (p.source, delay, weights)
                for p in network.incoming(target)
                for delay, weights in _by_delay(p)
            ]
            for target in self.dtypes
        }

    def simulate(self, spikes: np.ndarray) -> Recording:
        """As the function of this name."""
        network = self.network
        spikes = check_spikes(spikes, network.inputs)
        batch = spikes if spikes.ndim == 3 else spikes[None]
        samples, ticks, _ = batch.shape
        s = {p.name: np.empty((ticks, samples, p.size), np.uint8) for p in network.populations}
        v = {p.name: np.empty((ticks, samples, p.size), np.int32) for p in network.populations}
        neurons = network.inputs + sum(p.size for p in network.populations)
        step = max(1, PART // max(1, ticks * neurons))
        for first in range(0, samples, step):
            part = slice(first, first + step)
            self._run(
                batch[part].swapaxes(0, 1).view(bool),
                {name: array[:, part].view(bool) for name, array in s.items()},
                {name: array[:, part] for name, array in v.items()},
            )

        output = network[network.output]
        counted = v[output.name] if output.reset is Reset.NONE else s[output.name]
        scores = counted.sum(axis=0, dtype=np.int64)
        classes = scores.argmax(axis=1)  # argmax gives a tie to the lower index
        sample = slice(None) if spikes.ndim == 3 else 0
        return Recording(
            spikes={name: array.swapaxes(0, 1)[sample] for name, array in s.items()},
            membrane={name: array.swapaxes(0, 1)[sample] for name, array in v.items()},
            classes=classes[sample],
        )

    # From here on, arrays are (ticks, samples, size).

    def _run(self, spikes: np.ndarray, s: dict[str, np.ndarray], v: dict[str, np.ndarray]) -> None:
        """Write each population's s and v, from the spikes of the input."""
        ticks, samples, _ = spikes.shape
        known = {INPUT: Spikes(spikes)}
        for stage in self.stages:
            neurons = {p.name: _Neurons(p, samples, self.dtypes[p.name]) for p in stage}
            x = {p.name: self._current(p, known) for p in stage}  # where I[t] stands until it is v[t]
            loop = {
                name: [
                    (target, delay, weights)
                    for target in neurons
                    for source, delay, weights in self.synapses[target]
                    if source == name
                ]
                for name in neurons
            }
            for t in range(ticks):
                for name in neurons:
                    neurons[name].tick(x[name][t], s[name][t])
                    if not loop[name]:
                        continue
                    fired = Spikes(s[name][t : t + 1])
                    for target, delay, weights in loop[name]:
                        if t + delay < ticks:
                            x[target][t + delay] += fired.times(weights, self.dtypes[target])[0]
            for name in neurons:
                known[name] = Spikes(s[name])
                v[name][:] = x[name]

    def _current(self, population: Population, known: Mapping[str, Spikes]) -> np.ndarray:
        """I, but for what comes from the population's own loop."""
        dtype = self.dtypes[population.name]
        current = None
        for source, delay, weights in self.synapses[population.name]:
            if source not in known:
                continue
            product = known[source].times(weights, dtype)
            if current is None and delay == 0:
                current = product.astype(dtype, order="C", copy=False)
                continue
            if current is None:
                current = np.zeros(product.shape, dtype)
            current[delay:] += product[: max(0, len(product) - delay)]
        if current is None:
            ticks, samples, _ = known[INPUT].spikes.shape
            current = np.zeros((ticks, samples, population.size), dtype)
        if population.bias.any():
            current += population.bias.astype(dtype)
        return current


class _Neurons:
    """A population in many samples at once.  In here, arrays are (samples, size)."""

    def __init__(self, population: Population, samples: int, dtype: type) -> None:
        shape = (samples, population.size)

        def spread(values: np.ndarray) -> np.ndarray:
            """One number for all, or an array of their shape: NumPy takes a row twice as long."""
            same = values.min() == values.max()
            return values[0].astype(dtype) if same else np.broadcast_to(values, shape).astype(dtype)

        self.population = population
        self.beta = spread(population.beta) / dtype(1 << BETA_BITS)
        self.threshold = spread(population.threshold)
        self.v: np.ndarray = np.zeros(shape, dtype)
        self.s: np.ndarray = np.zeros(shape, bool)
        self.work: np.ndarray = np.empty(shape, dtype)

    def tick(self, x: np.ndarray, fired: np.ndarray) -> None:
        """Turn I[t], in `x`, into v[t], and write s[t] into `fired`."""
        reset, delayed, work = self.population.reset, self.population.reset_delay, self.work
        if delayed and reset is Reset.ZERO:
            self.v = np.where(self.s, 0, self.v)
        x += np.floor(np.multiply(self.v, self.beta, out=work), out=work)
        if delayed and reset is Reset.SUBTRACT:
            x -= np.multiply(self.s, self.threshold, out=work)
        x.clip(*self.population.membrane_range, out=x)
        np.greater(x, self.threshold, out=fired)
        if not delayed and reset is Reset.SUBTRACT:
            x -= np.multiply(fired, self.threshold, out=work)
        elif not delayed and reset is Reset.ZERO:
            x[fired] = 0
        self.v, self.s = x, fired


def _by_delay(projection: Projection) -> list[tuple[int, np.ndarray]]:
    """For each delay that a projection holds, the weights that have it, int16 (sources, targets)."""
    weights, delays = projection.weights.astype(np.int16), projection.delays
    return [(int(delay), weights * (delays == delay)) for delay in np.unique(delays)]


def _exact(network: Network, population: Population) -> type[np.floating]:
    """The float that holds all of a population's numbers exactly, in whatever order they are added.

    That is every integer up to 2^24 in a float32, and every such integer / 256.  In a float64 it is 2^53,
    which the contract's ranges do not reach with weights that fit into any memory.
    """
    drive = sum(
        (abs(p.weights).sum(axis=0) for p in network.incoming(population.name)), abs(population.bias)
    )
    membrane = 2 ** (population.membrane_bits - 1)
    largest = max(drive.max() + 2 * membrane, membrane << BETA_BITS)  # 2: the leaked membrane and θ
    return np.float32 if largest <= 2**24 else np.float64


def _stages(network: Network) -> list[list[Population]]:
    """The populations, each after all that feed it; those that feed each other in a loop are one stage."""
    before = {
        p.name: {p.name} | {projection.source for projection in network.incoming(p.name)} - {INPUT}
        for p in network.populations
    }
    for _ in before:  # until it holds those that feed a population through others, too
        before = {name: set[str]().union(*(before[b] for b in names)) for name, names in before.items()}
    stages: dict[frozenset[str], list[Population]] = {}
    for p in network.order:
        stages.setdefault(frozenset(before[p.name]), []).append(p)
    return [stages[names] for names in sorted(stages, key=len)]
