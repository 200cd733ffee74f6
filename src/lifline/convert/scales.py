"""Scales: so many of the contract's units to one of the producer's."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from lifline.neurons import Reset

from .floats import FloatNetwork, FloatPopulation, FloatProjection
from .maps import ConversionError

MAX_STATE_BITS = 24

#: How far beyond max|w| · scale = greatest weight a scale is tried, clipping the largest weights.
_FACTORS = np.geomspace(1.0, 4.0, 13)

#: Decays and products that lie this close to an integer are meant to be it (they come from float32).
SNAP = 1e-5


@dataclasses.dataclass(frozen=True)
class Choices:
    """How integers are chosen.

    Parameters
    ----------
    scale : "population", "neuron" or float
        Chosen for each population, for each neuron (of a convolution: channel; of a readout never), or given for all.
    weight_bits : int, or mapping of population to int
        Of the weights that end in a population.
    margin : float
        States get room for (1 + margin) times the range that calibration shows.
    """

    scale: Any = "neuron"
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
class Observed:
    """What a population of the float network does on calibration data.

    Parameters
    ----------
    membrane, current : float64 (size,)
        The greatest |x| and |c| of each neuron.
    squares : float64 (sources + 1, sources + 1), optional
        By :func:`lifline.convert.rounding.moment`.
    """

    membrane: np.ndarray
    current: np.ndarray
    squares: np.ndarray | None = None

    def joined(self, other: Observed) -> Observed:
        """With that on other data."""
        return Observed(
            np.maximum(self.membrane, other.membrane),
            np.maximum(self.current, other.current),
            None if self.squares is None or other.squares is None else self.squares + other.squares,
        )


def stored_weights(projection: FloatProjection) -> np.ndarray:
    """The real numbers that a projection stores: of a convolution its kernels, of a sparse matrix what is not 0."""
    if projection.conv is not None:
        return projection.conv.weight
    if sparse.issparse(projection.weights):
        return np.asarray(projection.weights.data)
    return projection.weights


def targets_of(projection: FloatProjection, values: np.ndarray) -> np.ndarray:
    """A value for each neuron, as one for each stored weight of `projection`."""
    if projection.conv is not None:
        channels = values.reshape(-1, len(projection.conv.weight))[0]
        return np.broadcast_to(channels[:, None, None, None], projection.conv.weight.shape)
    if sparse.issparse(projection.weights):
        return np.asarray(values[projection.weights.indices])
    return np.broadcast_to(values, projection.weights.shape)


def scale_of(
    network: FloatNetwork,
    population: FloatPopulation,
    incoming: list[FloatProjection],
    choices: Choices,
    observed: Mapping[str, Observed] | None,
) -> np.ndarray:
    size = population.size
    if not isinstance(choices.scale, str):
        return np.full(size, float(choices.scale))
    limit = 2 ** (choices.bits(population.name) - 1) - 1
    neuron = population.neuron
    highest = _highest_scale(population, incoming, observed)
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
        [(stored_weights(p).ravel(), targets_of(p, groups).ravel()) for p in incoming], limit
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
    observed: Mapping[str, Observed] | None,
) -> float:
    """The scale with which states still fit 24 bits, a bit to spare."""
    most = [population.neuron.threshold] if not population.neuron.analog else []
    if observed is not None:
        most += [observed[population.name].membrane, observed[population.name].current]
    else:
        most.append(drive_of(incoming, population))
    greatest = max(float(values.max(initial=0.0)) for values in most)
    return float(2 ** (MAX_STATE_BITS - 2) / greatest) if greatest else math.inf


def drive_of(incoming: list[FloatProjection], population: FloatPopulation, most: int = 1) -> np.ndarray:
    """The greatest |bias + Σ w · s| of a tick, (size,)."""
    total = np.abs(population.neuron.bias)
    for projection in incoming:
        factor = most if projection.source == "input" else 1
        total = total + factor * np.asarray(abs(projection.weights).sum(axis=0)).ravel()
    return total
