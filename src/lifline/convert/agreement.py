"""Float against integer on calibration data: which spikes differ, and why.

Write X, V, C for the integer states and x, v, c for the float ones, s for the scale.  As long as a neuron
has spiked alike and heard alike, its error e = |X − s·x| obeys ::

    e_c[t] ≤ A/256 · e_c[t−1] + |A/256 − α| · s · |c[t−1]| + floor + |Σ (W − s·w) · spikes + B − s·b|
    e_x[t] ≤ β'/256 · e_v[t−1] + |β'/256 − β| · s · |v[t−1]| + floor + e_c[t]      (+ |T − s·θ| after a late reset)

with `floor` below 1, and 0 where the contract's product with a decay is whole.  That is the *rounding bound*.
A neuron's first differing spike is explained if the float membrane lay within it of the threshold; every
later one, and every one after a differing spike has arrived, follows from one that did.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from lifline.network import INPUT, Network, Projection
from lifline.neurons import LIF, Reset
from lifline.recording import Recording

from .floats import (
    FloatNetwork,
    FloatNeuron,
    FloatPopulation,
    FloatProjection,
    Matrix,
    Trace,
    arriving,
    channels_last,
)
from .maps import Conv


@dataclasses.dataclass
class Agreement:
    """Of one population, float against integer."""

    population: str
    analog: bool  #: a readout without spikes: only its membranes are compared
    compared: int  #: spikes and silences
    float_spikes: int
    integer_spikes: int
    differing: int
    explained: (
        int  #: differing spikes whose float membrane lay within the rounding bound of the threshold
    )
    following: int  #: differing spikes after one of the neuron's own, or of a neuron that it hears
    unexplained: int  #: none, unless a state saturated
    first: tuple[int, int, int] | None  #: (sample, tick, neuron) of the earliest difference
    margin: float | None  #: there, how far the float membrane was from the threshold, in thresholds
    bound: float | None  #: there, the rounding bound, likewise
    largest_bound: float  #: over all neurons and ticks, in thresholds
    membrane_error: float  #: mean |V / s − v| over the greatest |v|

    def joined(self, other: Agreement, samples: int, more: int) -> Agreement:
        """With that of `more` samples that come after these `samples`."""
        counts = (
            "compared", "float_spikes", "integer_spikes", "differing", "explained", "following", "unexplained",
        )  # fmt: skip
        summed = {name: getattr(self, name) + getattr(other, name) for name in counts}
        later = None if other.first is None else (other.first[0] + samples, *other.first[1:])
        ours = other.first is None or (self.first is not None and self.first[1] <= other.first[1])
        return dataclasses.replace(
            self if ours else other, **summed,
            first=self.first if ours else later,
            largest_bound=max(self.largest_bound, other.largest_bound),
            membrane_error=(self.membrane_error * samples + other.membrane_error * more) / (samples + more),
        )  # fmt: skip


@dataclasses.dataclass
class Comparison:
    """Of a whole network."""

    populations: list[Agreement]
    samples: int
    ticks: int
    same_classes: int
    float_classes: np.ndarray
    integer_classes: np.ndarray
    float_correct: int | None = None
    integer_correct: int | None = None

    def joined(self, other: Comparison) -> Comparison:
        """With that of other samples, which come after these."""

        def both(one: int | None, two: int | None) -> int | None:
            return None if one is None or two is None else one + two

        return Comparison(
            [
                one.joined(two, self.samples, other.samples)
                for one, two in zip(self.populations, other.populations, strict=True)
            ],
            self.samples + other.samples,
            self.ticks,
            self.same_classes + other.same_classes,
            np.concatenate([self.float_classes, other.float_classes]),
            np.concatenate([self.integer_classes, other.integer_classes]),
            both(self.float_correct, other.float_correct),
            both(self.integer_correct, other.integer_correct),
        )

    @property
    def spike_agreement(self) -> float:
        """The fraction of spikes and silences that are alike."""
        compared = sum(a.compared for a in self.populations if not a.analog)
        differing = sum(a.differing for a in self.populations if not a.analog)
        return 1 - differing / compared if compared else 1.0

    @property
    def unexplained(self) -> int:
        """Differing spikes that the rounding bound does not explain."""
        return sum(a.unexplained for a in self.populations)


def compare(
    floats: FloatNetwork,
    network: Network,
    scales: Mapping[str, np.ndarray],
    values: np.ndarray,
    traces: Mapping[str, Trace],
    recording: Recording,
    labels: np.ndarray | None = None,
) -> Comparison:
    """What the integer network did, against what the float network did.

    Parameters
    ----------
    floats, network
        The same network in real numbers and in integers.
    scales : mapping of str to float64 (size,)
    values : (samples, ticks, inputs)
    traces : mapping of str to Trace
        By :func:`lifline.convert.floats.simulate`.
    recording : Recording
        By :func:`lifline.golden.simulate`.
    labels : int (samples,), optional
    """
    differ = {
        name: trace.spikes != recording.spikes[name]
        for name, trace in traces.items()
        if not floats[name].neuron.analog
    }
    heard = {INPUT: values, **{name: trace.spikes for name, trace in traces.items()}}
    pairs = list(zip(floats.projections, network.projections, strict=True))
    populations = []
    for population in floats.populations:
        name = population.name
        scale = scales[name]
        neuron = network[name].neuron
        assert isinstance(neuron, LIF)
        tainted = np.zeros(traces[name].spikes.shape, bool)
        error = np.broadcast_to(neuron.bias - scale * population.neuron.bias, tainted.shape).copy()
        for projection, integer in pairs:
            if projection.target != name:
                continue
            whole = integer_weights(floats, projection, integer)
            wrong = whole - _dense_like(projection.weights * scale, whole)
            for delay, weights in _by_delay(projection, wrong):
                error += arriving(heard[projection.source], weights, delay)
            if projection.source in differ:
                some = abs(whole) + abs(_dense_like(projection.weights, whole)) > 0
                for delay, weights in _by_delay(projection, some * 1.0):
                    tainted |= arriving(differ[projection.source], weights, delay) > 0
        if name in differ:
            own = np.logical_or.accumulate(differ[name], axis=1)
            tainted[:, 1:] |= own[:, :-1]
        tainted = np.logical_or.accumulate(tainted, axis=1)
        bound = rounding_bound(population.neuron, neuron, scale, traces[name], np.abs(error))
        populations.append(
            _agreement(population, scale, traces[name], recording, differ.get(name), tainted, bound)
        )
    chosen = classes(floats, traces)
    result = Comparison(
        populations, len(values), values.shape[1], int((chosen == recording.classes).sum()),
        chosen, recording.classes,
    )  # fmt: skip
    if labels is not None:
        result.float_correct = int((chosen == labels).sum())
        result.integer_correct = int((recording.classes == labels).sum())
    return result


def classes(network: FloatNetwork, traces: Mapping[str, Trace]) -> np.ndarray:
    """The class of each sample by the contract's rule, of the float network: int64 (samples,)."""
    output = network[network.output]
    trace = traces[network.output]
    readout = output.neuron.reset is Reset.NONE
    counted = trace.membrane + output.shift if readout else trace.spikes
    return np.asarray(counted.sum(axis=1, dtype=np.float64).argmax(axis=1))


def rounding_bound(
    real: FloatNeuron, integer: LIF, scale: np.ndarray, trace: Trace, error: np.ndarray
) -> np.ndarray:
    """How far X may be from s·x, the threshold's rounding included; float64 (samples, ticks, size).

    Parameters
    ----------
    error : float64 (samples, ticks, size)
        |Σ (W − s·w) · spikes + B − s·b| of each tick.
    """
    beta, alpha = integer.beta / 256, None if integer.alpha is None else integer.alpha / 256
    subtract, zero = (integer.reset is reset for reset in (Reset.SUBTRACT, Reset.ZERO))
    rounded = np.abs(integer.threshold - scale * real.threshold) + 1e-6
    if real.analog:
        rounded = np.zeros_like(scale)
    bound = np.empty_like(error)
    zeros = np.zeros_like(error[:, 0])
    e_c = e_v = e_a = v = c = a = s = zeros
    for t in range(error.shape[1]):
        e_c_new = error[:, t]
        if alpha is not None:
            assert real.alpha is not None
            e_c_new = (
                e_c_new
                + alpha * e_c
                + np.abs(alpha - real.alpha) * scale * np.abs(c)
                + _floor(integer.alpha)
            )
        e_c = e_c_new
        before, e_before = v, e_v
        if integer.reset_delay and zero:
            before, e_before = v * (1 - s), e_v * (1 - s)
        e_x = (
            e_c
            + beta * e_before
            + np.abs(beta - real.beta) * scale * np.abs(before)
            + _floor(integer.beta)
        )
        if integer.reset_delay and subtract:
            e_x = e_x + rounded * s
        e_threshold: Any = rounded
        if integer.adaptation is not None:
            assert real.adaptation is not None
            rho, jump = real.adaptation
            own = integer.adaptation
            e_a = (
                own.rho / 256 * e_a + np.abs(own.rho / 256 - rho) * scale * np.abs(a)
                + _floor(own.rho) + np.abs(own.jump - scale * jump) * s
            )  # fmt: skip
            a = rho * a + jump * s
            e_threshold = rounded + e_a
        bound[:, t] = e_x + e_threshold
        s, v, c = trace.spikes[:, t].astype(float), trace.membrane[:, t], trace.current[:, t]
        e_v = e_x
        if not integer.reset_delay and subtract:
            e_v = e_x + rounded * s
        elif not integer.reset_delay and zero:
            e_v = e_x * (1 - s)
    return bound + 1e-9 * (1 + np.abs(scale * trace.reached))  # of the float64 sums themselves


def _floor(decay: np.ndarray) -> np.ndarray:
    """The most that floor(decay · v / 256) takes off."""
    return 1 - np.gcd(decay, 256) / 256


def integer_weights(network: FloatNetwork, projection: FloatProjection, integer: Projection) -> Matrix:
    """The integers in the form of `projection.weights`: float64 (sources, targets), dense or CSR."""
    synapses = integer.synapses
    if projection.conv is not None:
        conv = dataclasses.replace(
            projection.conv, weight=synapses.weights.transpose(3, 2, 0, 1).astype(np.float64)
        )
        source = network.inputs if projection.source == INPUT else network[projection.source].shape
        return conv_matrix(conv, source, network[projection.target].shape)
    if sparse.issparse(projection.weights):
        whole = projection.weights.copy()
        whole.data = synapses.weights.astype(np.float64)
        return whole
    return np.asarray(synapses.weights, np.float64)


def conv_matrix(conv: Conv, source: tuple[int, ...], target: tuple[int, ...]) -> sparse.csr_array:
    """A convolution as a matrix (sources, targets) between populations of lifline's shapes and order."""

    def order(shape: tuple[int, ...]) -> np.ndarray:
        height, width, channels = shape
        return channels_last((channels, height, width))[1]

    height, width, channels = source
    matrix = conv.matrix((channels, height, width)).T.tocsr()
    return sparse.csr_array(matrix[order(source)][:, order(target)])


def _dense_like(weights: Any, like: Matrix) -> Any:
    return sparse.csr_array(weights) if sparse.issparse(like) else np.asarray(weights)


def _by_delay(projection: FloatProjection, weights: Any) -> Any:
    held = sparse.csr_array(weights) if sparse.issparse(weights) else weights
    return dataclasses.replace(projection, weights=held).by_delay()


def _agreement(
    population: FloatPopulation,
    scale: np.ndarray,
    trace: Trace,
    recording: Recording,
    differ: np.ndarray | None,
    tainted: np.ndarray,
    bound: np.ndarray,
) -> Agreement:
    name = population.name
    greatest = float(np.abs(trace.membrane).max(initial=0)) or 1.0
    off = np.abs(recording.states[name]["membrane"] / scale - trace.membrane)
    unit = scale * np.where(population.neuron.threshold > 0, population.neuron.threshold, 1.0)
    relative = bound / unit
    result = Agreement(
        name, differ is None, trace.spikes.size, int(trace.spikes.sum()),
        int(recording.spikes[name].sum()), 0, 0, 0, 0, None, None, None,
        largest_bound=float(relative.max(initial=0)),
        membrane_error=float(off.mean() / greatest) if off.size else 0.0,
    )  # fmt: skip
    if differ is None or not differ.any():
        return result
    distance = np.abs(trace.reached - trace.threshold) * scale
    near = distance <= bound
    sample, tick, neuron = min(
        ((int(s), int(t), int(i)) for s, t, i in zip(*np.nonzero(differ), strict=True)),
        key=lambda at: (at[1], at[0], at[2]),
    )
    at = (sample, tick, neuron)
    result.differing = int(differ.sum())
    result.explained = int((differ & ~tainted & near).sum())
    result.following = int((differ & tainted).sum())
    result.unexplained = int((differ & ~tainted & ~near).sum())
    result.first = at
    result.margin = float(distance[at] / unit[neuron])
    result.bound = float(relative[at])
    return result
