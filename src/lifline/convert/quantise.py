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

from .floats import FloatNetwork, FloatPopulation, FloatProjection
from .graph import ConversionError

MAX_STATE_BITS = 24

#: How far beyond max|w| · scale = greatest weight a scale is tried, clipping the largest weights.
_FACTORS = np.geomspace(1.0, 4.0, 13)

#: Decays and products that lie this close to an integer are meant to be it (they come from float32).
_SNAP = 1e-5


@dataclasses.dataclass(frozen=True)
class Choices:
    """How integers are chosen.

    Parameters
    ----------
    scale : "population", "neuron" or float
        Chosen for each population, for each neuron (of a convolution: channel), or given for all.
    weight_bits : int, or mapping of population to int
        Of the weights that end in a population.
    margin : float
        States get room for (1 + margin) times the range that calibration shows.
    """

    scale: Any = "population"
    weight_bits: Any = 8
    margin: float = 0.5

    def __post_init__(self) -> None:
        if isinstance(self.scale, str):
            if self.scale not in ("population", "neuron"):
                raise ConversionError(
                    f"scale must be 'population', 'neuron' or a number above 0, not {self.scale!r}"
                )
        elif not (np.isscalar(self.scale) and 0 < float(self.scale) < math.inf):  # type: ignore[arg-type]
            raise ConversionError(
                f"scale must be 'population', 'neuron' or a number above 0, not {self.scale!r}"
            )
        if not 0 <= self.margin <= 100:
            raise ConversionError(f"margin must be in 0 … 100, not {self.margin!r}")

    def bits(self, name: str) -> int:
        """The weight_bits of a population."""
        bits = self.weight_bits
        bits = bits.get(name, 8) if isinstance(bits, Mapping) else bits
        if not isinstance(bits, int | np.integer) or not 2 <= bits <= 16:
            raise ConversionError(f"weight_bits must be in 2 … 16, or 'auto', not {bits!r}")
        return int(bits)


@dataclasses.dataclass(frozen=True)
class Reach:
    """The greatest |x| and |c| of each neuron on calibration data, float64 (size,)."""

    membrane: np.ndarray
    current: np.ndarray

    def joined(self, other: Reach) -> Reach:
        """With that on other data."""
        return Reach(np.maximum(self.membrane, other.membrane), np.maximum(self.current, other.current))


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
    reach: Mapping[str, Reach] | None = None,
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
    reach : mapping of str to Reach, optional
        How far the float network gets on calibration data; without it states are as wide as the worst case needs.
    widen : mapping of str to int, optional
        Bits to add to the states of a population.
    """
    populations, projections, reports = [], {}, {}
    for population in network.populations:
        incoming = network.incoming(population.name)
        bits = choices.bits(population.name)
        scale = _scale(network, population, incoming, choices, reach)
        stored = [_weights(p, scale, bits) for p in incoming]
        neuron, states = _neuron(
            population, incoming, scale, choices.margin, reach, (widen or {}).get(population.name, 0),
            2**input_bits - 1,
        )  # fmt: skip
        populations.append(Population(population.name, _size(population.shape), neuron))
        for projection, (integers, _) in zip(incoming, stored, strict=True):
            projections[id(projection)] = Projection(
                projection.source, projection.target, _synapses(projection, integers, bits)
            )
        reports[population.name] = _report(population, incoming, scale, stored, bits, states, reach)
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


def stored_weights(projection: FloatProjection) -> np.ndarray:
    """The real numbers that a projection stores: of a convolution its kernels, of a sparse matrix what is not 0."""
    if projection.conv is not None:
        return projection.conv.weight
    if sparse.issparse(projection.weights):
        return np.asarray(projection.weights.data)
    return projection.weights


def _targets(projection: FloatProjection, values: np.ndarray) -> np.ndarray:
    """A value for each neuron, as one for each stored weight of `projection`."""
    if projection.conv is not None:
        channels = values.reshape(-1, len(projection.conv.weight))[0]
        return np.broadcast_to(channels[:, None, None, None], projection.conv.weight.shape)
    if sparse.issparse(projection.weights):
        return np.asarray(values[projection.weights.indices])
    return np.broadcast_to(values, projection.weights.shape)


def _scale(
    network: FloatNetwork,
    population: FloatPopulation,
    incoming: list[FloatProjection],
    choices: Choices,
    reach: Mapping[str, Reach] | None,
) -> np.ndarray:
    size = population.size
    if not isinstance(choices.scale, str):
        return np.full(size, float(choices.scale))
    limit = 2 ** (choices.bits(population.name) - 1) - 1
    neuron = population.neuron
    highest = _highest_scale(population, incoming, reach)
    exact = _exact_scale(population, incoming, limit, highest)
    if exact is not None:
        return np.full(size, exact)
    readout = population.name == network.output and neuron.reset is Reset.NONE
    if choices.scale == "neuron" and not readout:
        groups = np.arange(size)
        if any(p.conv is not None for p in incoming):
            groups %= population.shape[-1]
    else:
        groups = np.zeros(size, int)
    best = _least_error(
        [(stored_weights(p).ravel(), _targets(p, groups).ravel()) for p in incoming], limit
    )
    return np.minimum(best, highest)[groups] if len(best) else np.full(size, min(float(limit), highest))


def _least_error(parts: list[tuple[np.ndarray, np.ndarray]], limit: int) -> np.ndarray:
    """For each group the scale with the least squared error of its weights, clipping included."""
    if not parts:
        return np.zeros(0)
    weights = np.concatenate([w for w, _ in parts])
    group = np.concatenate([g for _, g in parts])
    groups = int(group.max(initial=-1)) + 1
    largest = np.zeros(groups)
    np.maximum.at(largest, group, np.abs(weights))
    base = limit / np.where(largest > 0, largest, limit)
    errors = []
    for factor in _FACTORS:
        scale = (base * factor)[group]
        integers = np.clip(np.rint(weights * scale), -limit - 1, limit)
        errors.append(np.bincount(group, (integers / scale - weights) ** 2, minlength=groups))
    best: np.ndarray = base * _FACTORS[np.argmin(errors, axis=0)]
    return best


def _exact_scale(
    population: FloatPopulation, incoming: list[FloatProjection], limit: int, highest: float
) -> float | None:
    """A power of two by which every number becomes an integer that fits, or None.

    Where something leaks, the greatest one: the floors of the contract then take the least off.
    """
    neuron = population.neuron
    weights = [stored_weights(p).ravel() for p in incoming]
    other = [neuron.bias] if neuron.analog else [neuron.bias, neuron.threshold]
    if neuron.adaptation is not None:
        other.append(neuron.adaptation[1])
    found = None
    leaks = any(not np.isin(d, (0.0, 1.0)).all() for d in (neuron.beta, neuron.alpha) if d is not None)
    for power in range(-6, 16):
        scale = 2.0**power
        if scale > highest or any(np.abs(w * scale).max(initial=0) > limit for w in weights):
            break
        if all((np.rint(v * scale) == v * scale).all() for v in (*weights, *other)):
            found = scale
            if not leaks:
                break
    return found


def _highest_scale(
    population: FloatPopulation,
    incoming: list[FloatProjection],
    reach: Mapping[str, Reach] | None,
) -> float:
    """The scale with which states still fit 24 bits, a bit to spare."""
    most = [population.neuron.threshold] if not population.neuron.analog else []
    if reach is not None:
        most += [reach[population.name].membrane, reach[population.name].current]
    else:
        most.append(_drive(incoming, population))
    greatest = max(float(values.max(initial=0.0)) for values in most)
    return float(2 ** (MAX_STATE_BITS - 2) / greatest) if greatest else math.inf


def _drive(incoming: list[FloatProjection], population: FloatPopulation, most: int = 1) -> np.ndarray:
    """The greatest |bias + Σ w · s| of a tick, (size,)."""
    total = np.abs(population.neuron.bias)
    for projection in incoming:
        factor = most if projection.source == "input" else 1
        total = total + factor * np.asarray(abs(projection.weights).sum(axis=0)).ravel()
    return total


def _weights(projection: FloatProjection, scale: np.ndarray, bits: int) -> tuple[np.ndarray, int]:
    """The stored integers, and how many of them were clipped."""
    limit = 2 ** (bits - 1)
    values = np.rint(stored_weights(projection) * _targets(projection, scale)).astype(np.int64)
    integers = values.clip(-limit, limit - 1)
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
    margin: float,
    reach: Mapping[str, Reach] | None,
    widen: int,
    most: int,
) -> tuple[LIF, tuple[int, int | None]]:
    neuron, name = population.neuron, population.name
    if reach is not None:
        membrane = (1 + margin) * reach[name].membrane * scale
        current = (1 + margin) * reach[name].current * scale
    else:
        drive = _drive(incoming, population, most) * scale
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
        bias=np.rint(neuron.bias * scale).astype(np.int64),
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
    exact = np.where(np.abs(exact - near) < _SNAP * np.maximum(1, near), near, exact)
    if not neuron.strict:
        threshold = np.ceil(exact) - 1
    elif neuron.reset is Reset.SUBTRACT:
        threshold = np.rint(exact)
    else:
        threshold = np.floor(exact)
    if not neuron.analog and (threshold < 0).any():
        raise ConversionError(
            f"population '{population.name}' spikes at a membrane of {neuron.threshold.min():g} or more, and so at rest: "
            "the contract's neurons spike above 0: raise its threshold"
        )
    return threshold.astype(np.int64)


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
    needed = int(math.ceil(float(np.max(reach, initial=0.0)) + 1)).bit_length() + 1
    return min(max(needed + widen, 8), MAX_STATE_BITS)


def _report(
    population: FloatPopulation,
    incoming: list[FloatProjection],
    scale: np.ndarray,
    stored: list[tuple[np.ndarray, int]],
    bits: int,
    states: tuple[int, int | None],
    reach: Mapping[str, Reach] | None,
) -> Quantised:
    neuron = population.neuron
    squares = errors = 0.0
    for projection, (integers, _) in zip(incoming, stored, strict=True):
        values = stored_weights(projection)
        squares += float((values**2).sum())
        errors += float(((integers / _targets(projection, scale) - values) ** 2).sum())
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
        observed=reach is not None,
    )  # fmt: skip
