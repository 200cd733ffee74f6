"""The float network: populations and projections as the contract has them, in real numbers; and what they do.

It is the producer's network with every affine map folded into weights and biases, numbered as lifline
numbers neurons (channels last), and with a membrane that starts at 0 and resets to 0.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from lifline.network import INPUT
from lifline.neurons import Reset

from .maps import Conv, Shape

Matrix: TypeAlias = Any  #: a dense array, or one of SciPy's in CSR form


@dataclasses.dataclass(eq=False)
class FloatNeuron:
    """Parameters in the producer's units, float64 (size,) each.

    ::

        c[t] = bias + Σ w · s            or, with alpha:  alpha · c[t−1] + bias + Σ w · s
        x    = beta · v[t−1] + c[t] …                     as in the contract, without rounding or saturation
    """

    beta: np.ndarray
    threshold: np.ndarray
    bias: np.ndarray
    reset: Reset
    reset_delay: bool = False
    strict: bool = True  #: a spike needs x > threshold; else x ≥ threshold
    analog: bool = False  #: its membrane is its output
    alpha: np.ndarray | None = None
    adaptation: tuple[np.ndarray, np.ndarray] | None = None  #: (rho, jump)


@dataclasses.dataclass(eq=False)
class FloatPopulation:
    """A population; `shift` is what was taken off the producer's membrane, float64 (size,)."""

    name: str
    shape: Shape  #: as the contract has it: (size,) or (height, width, channels)
    neuron: FloatNeuron
    shift: np.ndarray

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)


@dataclasses.dataclass(eq=False)
class FloatProjection:
    """Weights from one source to one target, in one of three forms.

    Parameters
    ----------
    weights : float64 (sources, targets), dense or CSR, both numbered as lifline does
        Of a convolution made of `conv`.
    delays : int, or int64 of the shape of `weights`
    conv : Conv, optional
        Where the weights are shared; without its bias.
    """

    source: str
    target: str
    weights: Matrix
    delays: Any = 0
    conv: Conv | None = None

    @property
    def least_delay(self) -> int:
        """The shortest delay."""
        return int(np.min(self.delays))

    def scaled(self, scale: np.ndarray) -> FloatProjection:
        """With the weights to target neuron i times scale[i]."""
        conv = self.conv
        if conv is not None:
            channels = scale.reshape(-1, conv.weight.shape[0])
            if not (channels == channels[0]).all():
                conv = None  # neurons that share weights differ
            else:
                weight = conv.weight * channels[0][:, None, None, None]
                conv = dataclasses.replace(conv, weight=weight)
        weights = self.weights * scale  # of either kind, by column
        if sparse.issparse(weights):
            weights = sparse.csr_array(weights)
            weights.sort_indices()
        return dataclasses.replace(self, weights=weights, conv=conv)

    def by_delay(self) -> Iterator[tuple[int, Matrix]]:
        """(delay, weights of that delay)."""
        if np.ndim(self.delays) == 0:
            yield int(self.delays), self.weights
            return
        dense = self.weights.toarray() if sparse.issparse(self.weights) else self.weights
        for delay in np.unique(self.delays):
            yield int(delay), np.where(self.delays == delay, dense, 0.0)


@dataclasses.dataclass(eq=False)
class FloatNetwork:
    """Populations and projections, and the shape and order of the inputs."""

    inputs: Shape  #: as the contract has it
    producer_inputs: Shape  #: as the producer has it
    populations: list[FloatPopulation]
    projections: list[FloatProjection]
    output: str

    def __getitem__(self, name: str) -> FloatPopulation:
        return next(p for p in self.populations if p.name == name)

    def incoming(self, name: str) -> list[FloatProjection]:
        """The projections that end at a population."""
        return [projection for projection in self.projections if projection.target == name]

    def groups(self) -> list[list[str]]:
        """The populations in the order of their evaluation; those of a loop are in one group, ordered within a tick."""
        names = [p.name for p in self.populations]
        reach = {name: {p.source for p in self.incoming(name)} - {INPUT} for name in names}
        for middle in names:
            for name in names:
                if middle in reach[name]:
                    reach[name] |= reach[middle]
        done: list[list[str]] = []
        left = list(names)
        while left:
            group = next(
                g
                for g in (
                    [n for n in left if n == name or (name in reach[n] and n in reach[name])]
                    for name in left
                )
                if all(s in g or s not in left for n in g for s in reach[n])
            )
            done.append(self._within_tick(group))
            left = [name for name in left if name not in group]
        return done

    def _within_tick(self, group: list[str]) -> list[str]:
        waits = {
            name: {p.source for p in self.incoming(name) if p.source in group and p.least_delay == 0}
            for name in group
        }
        order: list[str] = []
        while waits:
            name = next(name for name, sources in waits.items() if not sources - set(order))
            order.append(name)
            del waits[name]
        return order


def channels_last(shape: Shape) -> tuple[Shape, np.ndarray]:
    """Lifline's shape for a producer's, and the producer's index (C order) of each of its neurons, int64 (size,)."""
    index = np.arange(math.prod(shape))
    if len(shape) == 3:
        channels, height, width = shape
        return (height, width, channels), index.reshape(shape).transpose(1, 2, 0).ravel()
    if len(shape) == 2:
        channels, length = shape
        return (1, length, channels), index.reshape(shape).T.ravel()
    return (math.prod(shape),), index


@dataclasses.dataclass
class Trace:
    """What a population did: (samples, ticks, size) each."""

    spikes: np.ndarray  #: uint8
    membrane: np.ndarray  #: v[t], float64
    reached: np.ndarray  #: x[t], before a reset and its threshold, float64
    threshold: np.ndarray  #: θ[t], which x is compared with
    current: np.ndarray  #: c[t]
    drive: np.ndarray  #: bias + Σ w · s


def simulate(network: FloatNetwork, values: np.ndarray) -> dict[str, Trace]:
    """Run a float network, every sample from rest, in float64.

    Parameters
    ----------
    network : FloatNetwork
    values : (samples, ticks, inputs)
        Spikes or graded values, numbered as lifline does.
    """
    traces: dict[str, Trace] = {}
    spikes: dict[str, np.ndarray] = {INPUT: values}
    samples, ticks, _ = values.shape
    for group in network.groups():
        states = {}
        for name in group:
            population = network[name]
            drive = np.broadcast_to(population.neuron.bias, (samples, ticks, population.size)).copy()
            inner = []
            for projection in network.incoming(name):
                for delay, weights in projection.by_delay():
                    if projection.source in group:
                        inner.append((projection.source, delay, weights))
                    else:
                        drive += arriving(spikes[projection.source], weights, delay)
            empty = np.zeros(drive.shape)
            spikes[name] = np.zeros(drive.shape, np.uint8)
            traces[name] = Trace(spikes[name], empty, empty.copy(), empty.copy(), empty.copy(), drive)
            states[name] = (inner, _Stepper(population.neuron, traces[name]))
        for t in range(ticks):
            for name in group:
                inner, stepper = states[name]
                for source, delay, weights in inner:
                    if t >= delay:
                        traces[name].drive[:, t] += _product(spikes[source][:, t - delay], weights)
                stepper.step(t)
    return traces


class _Stepper:
    """Steps a population, tick by tick, and writes into its trace."""

    def __init__(self, neuron: FloatNeuron, trace: Trace) -> None:
        self.neuron, self.trace = neuron, trace
        size = trace.drive[:, 0].shape if trace.drive.shape[1] else (0, 0)
        self.v: np.ndarray = np.zeros(size)
        self.c = self.a = self.s = self.v

    def step(self, t: int) -> None:
        neuron, trace = self.neuron, self.trace
        drive = trace.drive[:, t]
        self.c = drive if neuron.alpha is None else neuron.alpha * self.c + drive
        late = neuron.reset_delay
        before = self.v * (1 - self.s) if late and neuron.reset is Reset.ZERO else self.v
        x = neuron.beta * before + self.c
        if late and neuron.reset is Reset.SUBTRACT:
            x = x - neuron.threshold * self.s
        threshold = neuron.threshold
        if neuron.adaptation is not None:
            rho, jump = neuron.adaptation
            self.a = rho * self.a + jump * self.s
            threshold = threshold + self.a
        fired = np.zeros(x.shape, bool)
        if not neuron.analog:
            fired = x > threshold if neuron.strict else x >= threshold
        v = x
        if not late and neuron.reset is Reset.SUBTRACT:
            v = x - neuron.threshold * fired
        elif not late and neuron.reset is Reset.ZERO:
            v = np.where(fired, 0.0, x)
        trace.spikes[:, t], trace.membrane[:, t], trace.reached[:, t] = fired, v, x
        trace.threshold[:, t], trace.current[:, t] = threshold, self.c
        self.v, self.s = v, fired.astype(float)


def arriving(spikes: np.ndarray, weights: Matrix, delay: int) -> np.ndarray:
    """Σ_j w[j, i] · s_j[t − delay] of every tick, (samples, ticks, targets)."""
    samples, ticks, size = spikes.shape
    summed = np.zeros((samples, ticks, weights.shape[1]))
    if delay < ticks:
        sent = spikes[:, : ticks - delay].reshape(-1, size)
        summed[:, delay:] = _product(sent, weights).reshape(samples, ticks - delay, -1)
    return summed


def _product(spikes: np.ndarray, weights: Matrix) -> np.ndarray:
    few = len(spikes) > 64 and spikes.size > 1 << 16 and np.count_nonzero(spikes) * 8 < spikes.size
    if sparse.issparse(weights):
        if few:
            return np.asarray((sparse.csr_array(spikes.astype(np.float64)) @ weights).toarray())
        return np.asarray((weights.T @ spikes.T.astype(np.float64)).T)
    if few:
        return np.asarray(sparse.csr_array(spikes.astype(np.float64)) @ weights)
    return np.asarray(spikes.astype(np.float64) @ weights)
