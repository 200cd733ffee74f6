"""From real numbers to the contract's integers: one scale a population, and widths that hold what happens.

A membrane's unit is 1 / scale of the producer's, and so is that of all that meets in it::

    weights    clip( round(w · scale) )          beta, alpha, rho    round(256 · decay)
    bias, jump round(· scale)                    threshold           floor(θ · scale), or round where it is subtracted
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from lifline.network import Network, Population, Projection
from lifline.neurons import LIF, Adaptation, Reset
from lifline.synapses import Convolution, Dense, Sparse, Synapses

from .floats import FloatNetwork, FloatNeuron, FloatPopulation, FloatProjection
from .maps import ConversionError
from .rounding import compensated, together
from .scales import (
    MAX_STATE_BITS,
    SNAP,
    Choices,
    Observed,
    drive_of,
    scale_of,
    stored_weights,
    targets_of,
)


@dataclasses.dataclass
class Quantised:
    """A population's integers, and what they cost."""

    name: str
    scale: np.ndarray  #: float64 (size,): integers to one of the producer's units
    weight_bits: int
    membrane_bits: int
    current_bits: int | None
    weights: int  #: stored weights
    clipped: int  #: of them, those that did not fit
    weight_error: float  #: root mean square of (integer / scale − w), relative to that of w
    decay_error: float  #: greatest |integer / 256 − decay|
    exact: bool  #: whether every number is held exactly
    observed: bool  #: whether the widths come from calibration


def quantise(
    network: FloatNetwork,
    choices: Choices,
    observed: Mapping[str, Observed] | None = None,
    *,
    input_bits: int = 1,
    name: str = "",
    metadata: dict[str, Any] | None = None,
    widen: Mapping[str, int] | None = None,
) -> tuple[Network, dict[str, Quantised]]:
    """The integer network, and for each population what it holds.

    Parameters
    ----------
    network : FloatNetwork
    choices : Choices
    observed : mapping of str to Observed, optional
        What the float network does on calibration data; without it states are as wide as the worst case needs, and
        each weight is rounded to the nearest integer.
    widen : mapping of str to int, optional
        Bits to add to the states of a population.
    """
    populations, projections, reports = [], {}, {}
    for population in network.populations:
        incoming = network.incoming(population.name)
        bits = choices.bits(population.name)
        scale = scale_of(network, population, incoming, choices, observed)
        seen = None if observed is None else observed[population.name]
        stored, bias = _integers(population.neuron, incoming, scale, bits, seen)
        neuron, states = _neuron(
            population, incoming, scale, bias, choices.margin, seen, (widen or {}).get(population.name, 0),
            2**input_bits - 1,
        )  # fmt: skip
        populations.append(Population(population.name, _size(population.shape), neuron))
        for projection, (integers, _) in zip(incoming, stored, strict=True):
            projections[id(projection)] = Projection(
                projection.source, projection.target, _synapses(projection, integers, bits)
            )
        reports[population.name] = _report(population, incoming, scale, stored, bits, states, seen)
    return (
        Network(
            inputs=_size(network.inputs),
            populations=populations,
            projections=[projections[id(p)] for p in network.projections],
            output=network.output,
            name=name,
            metadata=metadata or {},
            input_bits=input_bits,
        ),
        reports,
    )


def _size(shape: tuple[int, ...]) -> Any:
    return shape if len(shape) == 3 else shape[0]


def _integers(
    neuron: FloatNeuron,
    incoming: list[FloatProjection],
    scale: np.ndarray,
    bits: int,
    observed: Observed | None,
) -> tuple[list[tuple[np.ndarray, int]], np.ndarray]:
    """Of each projection the stored integers and how many were clipped; and the bias.

    Where not every number is whole as it is, the bias makes up for the floors after decays, which take half a unit
    off each, on average; and dense weights are rounded together, if calibration shows what meets in a neuron.
    """
    stored = [_weights(p, scale, bits) for p in incoming]
    bias = neuron.bias * scale
    reals = [stored_weights(p) * targets_of(p, scale) for p in incoming]
    if all((np.rint(v) == v).all() for v in (bias, neuron.threshold * scale, *reals)):
        return stored, bias.astype(np.int64)
    lost = (1 - np.gcd(fraction(neuron.beta), 256) / 256) / 2
    if neuron.alpha is not None:
        lost = lost * (1 - neuron.alpha) + (1 - np.gcd(fraction(neuron.alpha), 256) / 256) / 2
    bias = bias + lost
    dense = together(incoming)
    if observed is None or observed.squares is None or not dense:
        return stored, np.rint(bias).astype(np.int64)
    sources = sum(len(p.weights) for p in dense)
    limits = np.append(np.full(sources, 2.0 ** (bits - 1) - 1), 2.0**MAX_STATE_BITS)
    rows = np.concatenate([*(p.weights * scale for p in dense), bias[None]])
    whole = compensated(rows, limits, observed.squares)
    first = 0
    for projection in dense:
        at = next(i for i, p in enumerate(incoming) if p is projection)
        stored[at] = (whole[first : first + len(projection.weights)], stored[at][1])
        first += len(projection.weights)
    return stored, whole[-1]


def _weights(projection: FloatProjection, scale: np.ndarray, bits: int) -> tuple[np.ndarray, int]:
    """The stored integers, and how many of them were clipped."""
    limit = 2 ** (bits - 1)
    with np.errstate(over="ignore"):  # what is clipped may be infinite
        values = np.rint(stored_weights(projection) * targets_of(projection, scale))
    integers = values.clip(-limit, limit - 1).astype(np.int64)
    return integers, int((integers != values).sum())


def _synapses(projection: FloatProjection, integers: np.ndarray, bits: int) -> Synapses:
    conv = projection.conv
    if conv is not None:
        return Convolution(
            integers.transpose(2, 3, 1, 0), stride=conv.stride, padding=conv.padding,
            dilation=conv.dilation, groups=conv.groups, delays=projection.delays, weight_bits=bits,
        )  # fmt: skip
    if sparse.issparse(projection.weights):
        sources, targets = projection.weights.tocoo().coords
        delays = (
            projection.delays
            if np.ndim(projection.delays) == 0
            else projection.delays[sources, targets]
        )
        return Sparse(sources, targets, integers, delays=delays, weight_bits=bits)
    return Dense(integers, delays=projection.delays, weight_bits=bits)


def _neuron(
    population: FloatPopulation,
    incoming: list[FloatProjection],
    scale: np.ndarray,
    bias: np.ndarray,
    margin: float,
    observed: Observed | None,
    widen: int,
    most: int,
) -> tuple[LIF, tuple[int, int | None]]:
    neuron, name = population.neuron, population.name
    if observed is not None:
        membrane = (1 + margin) * observed.membrane * scale
        current = (1 + margin) * observed.current * scale
    else:
        drive = drive_of(incoming, population, most) * scale
        beta = np.rint(neuron.beta * 256) / 256
        alpha = 0.0 if neuron.alpha is None else np.rint(neuron.alpha * 256) / 256
        current = _settled(drive, alpha)
        membrane = _settled(current, beta)
    threshold = _threshold(population, scale)
    if neuron.analog:
        membrane_bits = _bits(membrane, widen)
        threshold = np.full(population.size, 2 ** (membrane_bits - 1) - 1)
    else:
        membrane_bits = max(_bits(membrane, widen), _bits(threshold, 0))
    if threshold.max(initial=0) > 2 ** (MAX_STATE_BITS - 1) - 1:
        raise ConversionError(
            f"population '{name}': its threshold would be {threshold.max():,}, more than 24 bits hold: "
            "give a smaller scale"
        )
    current_bits = None if neuron.alpha is None else _bits(current, widen)
    adaptation = None
    if neuron.adaptation is not None:
        rho, jump = neuron.adaptation
        jumps = np.rint(jump * scale).astype(np.int64)
        most_jumps = np.abs(jumps) / np.maximum(1 - np.rint(rho * 256) / 256, 1 / 512)
        adaptation = Adaptation(fraction(rho), jumps, bits=_bits(most_jumps, 0))
    lif = LIF(
        beta=fraction(neuron.beta),
        threshold=threshold,
        reset=neuron.reset,
        reset_delay=neuron.reset_delay,
        bias=bias,
        membrane_bits=membrane_bits,
        alpha=None if neuron.alpha is None else fraction(neuron.alpha),
        current_bits=current_bits or 16,
        adaptation=adaptation,
    )
    return lif, (membrane_bits, current_bits)


def _threshold(population: FloatPopulation, scale: np.ndarray) -> np.ndarray:
    """Integers that x > threshold or, not strict, x ≥ threshold is asked of."""
    neuron = population.neuron
    exact = neuron.threshold * scale
    near = np.rint(exact)
    exact = np.where(np.abs(exact - near) < SNAP * np.maximum(1, near), near, exact)
    if not neuron.strict:
        threshold = np.ceil(exact) - 1
    elif neuron.reset is Reset.SUBTRACT:
        threshold = np.rint(exact)
    else:
        threshold = np.floor(exact)
    if not neuron.analog and (threshold < 0).any():
        raise ConversionError(
            f"population '{population.name}' spikes from {neuron.threshold.min():g} on, and so at rest: "
            "the contract's neurons spike above 0: raise its threshold"
        )
    return threshold.clip(-(2.0**62), 2.0**62).astype(np.int64)  # out of range is refused by the neuron


def fraction(decay: np.ndarray) -> np.ndarray:
    """A decay in 1/256."""
    return np.rint(decay * 256).astype(np.int64)


def _settled(drive: np.ndarray, decay: Any) -> np.ndarray:
    """What drive / (1 − decay) comes to; where nothing leaks, more than any field holds."""
    left = 1 - np.asarray(decay)
    settled: np.ndarray = np.divide(
        drive, left, out=np.full(np.shape(drive), 2.0**MAX_STATE_BITS), where=left > 0
    )
    return np.where(drive > 0, settled, 0.0)


def _bits(reach: np.ndarray, widen: int) -> int:
    """The width of a signed field for −reach … reach, 8 … 24."""
    needed = math.ceil(float(np.max(reach, initial=0.0)) + 1).bit_length() + 1
    return min(max(needed + widen, 8), MAX_STATE_BITS)


def _report(
    population: FloatPopulation,
    incoming: list[FloatProjection],
    scale: np.ndarray,
    stored: list[tuple[np.ndarray, int]],
    bits: int,
    states: tuple[int, int | None],
    observed: Observed | None,
) -> Quantised:
    neuron = population.neuron
    squares = errors = 0.0
    for projection, (integers, _) in zip(incoming, stored, strict=True):
        values = stored_weights(projection)
        squares += float((values**2).sum())
        errors += float(((integers / targets_of(projection, scale) - values) ** 2).sum())
    decays = [neuron.beta] + ([] if neuron.alpha is None else [neuron.alpha])
    if neuron.adaptation is not None:
        decays.append(neuron.adaptation[0])
    decay_error = max(float(np.abs(fraction(d) / 256 - d).max(initial=0)) for d in decays)
    numbers = [neuron.bias] if neuron.analog else [neuron.bias, neuron.threshold]
    whole = all((np.rint(v * scale) == v * scale).all() for v in numbers)
    return Quantised(
        population.name, scale, bits, *states,
        weights=sum(integers.size for integers, _ in stored),
        clipped=sum(clipped for _, clipped in stored),
        weight_error=math.sqrt(errors / squares) if squares else 0.0,
        decay_error=decay_error,
        exact=errors == 0 and decay_error == 0 and whole,
        observed=observed is not None,
    )  # fmt: skip
