"""The specification in code: read it beside the equations of :mod:`lifline.network`.

Every number is an integer.  Floats hold them, since those are what NumPy multiplies fast, of a kind that
holds them exactly: see :func:`_exact`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

import numpy as np

from lifline.files import check_spikes
from lifline.network import BETA_BITS, INPUT, Network, Population, Reset
from lifline.recording import Recording

from .product import add_product

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
    spikes = check_spikes(spikes, network.inputs)
    batch = spikes if spikes.ndim == 3 else spikes[None]
    samples, ticks, _ = batch.shape
    s = {p.name: np.empty((samples, ticks, p.size), np.uint8) for p in network.populations}
    v = {p.name: np.empty((samples, ticks, p.size), np.int32) for p in network.populations}
    model = _Model(network)
    neurons = network.inputs + sum(p.size for p in network.populations)
    step = max(1, PART // max(1, ticks * neurons))
    for first in range(0, samples, step):
        part = slice(first, first + step)
        for name, fired, membrane in model.run(batch[part].swapaxes(0, 1)):
            s[name][part] = fired.swapaxes(0, 1)
            v[name][part] = membrane.swapaxes(0, 1)

    output = network[network.output]
    score = v[output.name] if output.reset is Reset.NONE else s[output.name]
    classes = score.sum(axis=1, dtype=np.int64).argmax(axis=1)  # argmax gives a tie to the lower index
    sample = slice(None) if spikes.ndim == 3 else 0
    return Recording(
        spikes={name: array[sample] for name, array in s.items()},
        membrane={name: array[sample] for name, array in v.items()},
        classes=classes[sample],
    )


class _Model:
    """A network, made ready to run.  In here, arrays are (ticks, samples, size)."""

    def __init__(self, network: Network) -> None:
        self.populations = network.populations
        self.dtypes = {p.name: _exact(network, p) for p in network.populations}
        self.stages = _stages(network)
        #: of each source: (target, delay, weights), one matrix for each delay that a projection holds
        self.synapses = {
            source: [
                (p.target, int(delay), p.weights.astype(self.dtypes[p.target]) * (p.delays == delay))
                for p in network.outgoing(source)
                for delay in np.flatnonzero(np.bincount(p.delays.ravel()))
            ]
            for source in (INPUT, *self.dtypes)
        }

    def run(self, spikes: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Each population's name, s and v, from the spikes of the input."""
        ticks, samples, _ = spikes.shape
        current = {}
        for p in self.populations:
            current[p.name] = np.empty((ticks, samples, p.size), self.dtypes[p.name])
            current[p.name][:] = p.bias

        def send(source: str, s: np.ndarray, start: int, targets: Container[str]) -> None:
            """Add what the spikes `s` of the ticks from `start` give to the currents of `targets`."""
            for target, delay, weights in self.synapses[source]:
                end = min(start + len(s), ticks - delay)
                if target in targets and start < end:
                    add_product(current[target][start + delay : end + delay], s[: end - start], weights)

        send(INPUT, np.ascontiguousarray(spikes, bool), 0, self.dtypes)
        for stage in self.stages:
            neurons = {p.name: _Neurons(p, samples, self.dtypes[p.name]) for p in stage}
            s = {p.name: np.empty((ticks, samples, p.size), bool) for p in stage}
            v = {name: current[name] for name in neurons}  # where I[t] stands until it is v[t]
            for t in range(ticks):
                for name in neurons:
                    neurons[name].tick(v[name][t], s[name][t])
                    send(name, s[name][t : t + 1], t, neurons)
            for name in neurons:
                send(name, s[name], 0, self.dtypes.keys() - neurons.keys())
                yield name, s[name], v[name]


class _Neurons:
    """A population in many samples at once.  In here, arrays are (samples, size)."""

    def __init__(self, population: Population, samples: int, dtype: type) -> None:
        def filled(
            values: np.ndarray | int,
        ) -> np.ndarray:  # NumPy takes arrays of one shape twice as fast
            return np.broadcast_to(values, (samples, population.size)).astype(dtype)

        self.population = population
        self.beta = filled(population.beta) / (1 << BETA_BITS)
        self.threshold = filled(population.threshold)
        self.v = filled(0)
        self.s = filled(0).astype(bool)

    def tick(self, x: np.ndarray, fired: np.ndarray) -> None:
        """Turn I[t], in `x`, into v[t], and write s[t] into `fired`."""
        reset, delayed = self.population.reset, self.population.reset_delay
        if delayed and reset is Reset.ZERO:
            self.v = np.where(self.s, 0, self.v)
        x += np.floor(self.beta * self.v)
        if delayed and reset is Reset.SUBTRACT:
            x -= self.threshold * self.s
        x.clip(*self.population.membrane_range, out=x)
        np.greater(x, self.threshold, out=fired)
        if not delayed and reset is Reset.SUBTRACT:
            x -= self.threshold * fired
        elif not delayed and reset is Reset.ZERO:
            x[fired] = 0
        self.v, self.s = x, fired


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
