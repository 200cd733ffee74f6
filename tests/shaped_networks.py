"""Random networks of maps: convolutions with every option, pools, sparse synapses, graded inputs.

Beside what :mod:`tests.networks` aims at: kernels that hang over every edge of the map, and dense, sparse
and convolutional projections into one population; loops of convolutions.
"""

from __future__ import annotations

import math

import numpy as np

from lifline import Convolution, Dense, Sparse, average_pool, sum_pool
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import Neuron
from lifline.synapses import Synapses

from .networks import KINDS, random_delays, random_neuron, random_weights

Shape = tuple[int, ...]


def random_shaped_network(
    rng: np.random.Generator,
    *,
    max_populations: int = 3,
    max_size: int = 32,
    max_delay: int = 12,
    max_extra: int = 2,
    kinds: tuple[type[Neuron], ...] = KINDS,
    weight_bits: tuple[int, int] = (2, 16),
    input_bits: tuple[int, ...] = (1, 1, 2, 3, 8),
) -> Network:
    """A network in which most projections are convolutions.

    Parameters
    ----------
    rng : numpy.random.Generator
        The same state gives the same network.
    max_populations, max_size : int
        Populations are 1 … `max_populations`; each, and the input, has 1 … `max_size` neurons.
    max_delay : int
        Delays are 0 … `max_delay` ticks; with 0 there is no loop.
    max_extra : int
        Up to so many projections beyond those that give every population an input.
    kinds : tuple of kinds of neurons
    weight_bits : (int, int)
        Least and greatest width.
    input_bits : tuple of int
        The width of the inputs' values is one of these.

    Returns
    -------
    Network
    """
    count = int(rng.integers(1, max_populations + 1))
    rank = [f"p{i}" for i in range(count)]  # a delay of 0 runs from a lower to a higher rank only
    shapes: dict[str, Shape] = {INPUT: _shape(rng, max_size)}
    projections = []
    for i, name in enumerate(rank):
        source = (INPUT, *rank)[int(rng.integers(0, i + 1))]
        bits = int(rng.integers(weight_bits[0], weight_bits[1] + 1))
        synapses, shapes[name] = _first(rng, shapes[source], max_size, max_delay, bits)
        projections.append(Projection(source, name, synapses))
    for _ in range(int(rng.integers(0, max_extra + 1))):
        source = (INPUT, *rank)[int(rng.integers(count + 1))]
        target = rank[int(rng.integers(count))]
        forward = source == INPUT or rank.index(source) < rank.index(target)
        if forward or max_delay:
            bits = int(rng.integers(weight_bits[0], weight_bits[1] + 1))
            delays = (0 if forward else 1, max_delay)
            synapses = _between(rng, shapes[source], shapes[target], delays, bits)
            projections.append(Projection(source, target, synapses))
    width = int(rng.choice(input_bits))
    populations = [
        Population(name, shapes[name], _neuron(rng, name, shapes, projections, kinds, 2**width))
        for name in rank
    ]
    return Network(
        inputs=shapes[INPUT],
        populations=[populations[i] for i in rng.permutation(count)],
        projections=[projections[i] for i in rng.permutation(len(projections))],
        output=rank[int(rng.integers(count))],
        name="random",
        input_bits=width,
    )


def _shape(rng: np.random.Generator, max_size: int) -> Shape:
    """Most often a map, of height 1 now and then; else a size."""
    if rng.random() < 0.15:
        return (int(rng.integers(1, max_size + 1)),)
    height = 1 if rng.random() < 0.3 else int(rng.integers(1, 6))
    width = int(rng.integers(1, 8 if height > 1 else 12))
    channels = int(rng.integers(1, 5))
    shape = (height, width, channels)
    return shape if math.prod(shape) <= max_size else _shape(rng, max_size)


def _neuron(
    rng: np.random.Generator,
    name: str,
    shapes: dict[str, Shape],
    projections: list[Projection],
    kinds: tuple[type[Neuron], ...],
    values: int,
) -> Neuron:
    """A neuron whose thresholds follow the currents that its population gets."""
    size = math.prod(shapes[name])
    squares = np.zeros(size)
    for projection in projections:
        if projection.target == name:
            weights, _ = projection.bound(shapes).synapses.dense()
            value = values / 2 if projection.source == INPUT and values > 2 else 1
            squares += ((value * weights) ** 2).sum(axis=0)
    odds = np.array([3 if kind is KINDS[0] else 1 for kind in kinds])
    kind = kinds[int(rng.choice(len(kinds), p=odds / odds.sum()))]
    return random_neuron(kind, rng, size, int(np.sqrt(squares).mean()) + 1)


def _first(
    rng: np.random.Generator, source: Shape, max_size: int, max_delay: int, bits: int
) -> tuple[Synapses, Shape]:
    """Synapses from a source to a population that has no shape yet, and its shape."""
    for _ in range(20):
        if len(source) == 1 or rng.random() < 0.25:
            break
        if rng.random() < 0.25:
            synapses = _pool(rng, source, max_delay)
        else:
            outs = int(rng.integers(1, 5))
            synapses = _convolution(rng, source, outs, (0, max_delay), bits)
        if synapses is not None and math.prod(synapses.output_shape(source)) <= max_size:
            shape: Shape = synapses.output_shape(source)
            return synapses, (math.prod(shape),) if rng.random() < 0.1 else shape
    shape = _shape(rng, max_size)
    return _listed(rng, source, shape, (0, max_delay), bits), shape


def _between(
    rng: np.random.Generator, source: Shape, target: Shape, delays: tuple[int, int], bits: int
) -> Synapses:
    """Synapses between two shapes: a convolution if one is found."""
    if len(source) == len(target) == 3 and rng.random() < 0.7:
        for _ in range(40):
            found = _convolution(rng, source, target[2], delays, bits)
            if found is not None and found.output_shape(source) == target:
                return found
    return _listed(rng, source, target, delays, bits)


def _convolution(
    rng: np.random.Generator, source: Shape, outs: int, delays: tuple[int, int], bits: int
) -> Convolution | None:
    """A convolution with any options, or None if its kernel is larger than the map."""
    divisors = [g for g in range(1, outs + 1) if source[2] % g == 0 and outs % g == 0]
    groups = int(rng.choice(divisors))
    size = (1 if source[0] == 1 else int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    dilation, stride, padding = (
        (0 if low == 0 and source[0] == 1 else int(rng.choice(odds)), int(rng.choice(odds)))
        for low, odds in ((1, [1, 1, 1, 2]), (1, [1, 1, 2, 3]), (0, [0, 1, 1, 2]))
    )
    for axis in range(2):
        if dilation[axis] * (size[axis] - 1) + 1 > source[axis] + 2 * padding[axis]:
            return None
    shape = (*size, source[2] // groups, outs)
    per = shape[:2] if rng.random() < 0.5 else shape  # a position or a weight
    return Convolution(
        random_weights(rng, shape, bits),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        delays=random_delays(rng, per, *delays),
        weight_bits=bits,
    )


def _pool(rng: np.random.Generator, source: Shape, max_delay: int) -> Convolution | None:
    size = int(rng.integers(1, min(source[0], 3) + 1)), int(rng.integers(1, min(source[1], 3) + 1))
    stride = None if rng.random() < 0.7 else int(rng.integers(1, 3))
    delay = random_delays(rng, size, 0, max_delay)
    if rng.random() < 0.5:
        return average_pool(size, stride, channels=source[2], one=math.prod(size) * 8, delays=delay)
    return sum_pool(size, stride, channels=source[2], delays=delay, weight=int(rng.integers(1, 20)))


def _listed(
    rng: np.random.Generator, source: Shape, target: Shape, delays: tuple[int, int], bits: int
) -> Synapses:
    """Dense or sparse synapses."""
    sizes = (math.prod(source), math.prod(target))
    weights = random_weights(rng, sizes, bits)
    ticks = random_delays(rng, sizes, *delays)
    if rng.random() < 0.4:
        return Dense(weights, ticks, bits)
    there = rng.random(sizes) < rng.choice([0.1, 0.3, 0.9])
    there[int(rng.integers(sizes[0])), int(rng.integers(sizes[1]))] = True
    sources, targets = np.nonzero(there)
    return Sparse(
        sources, targets, weights[there], ticks[there] if isinstance(ticks, np.ndarray) else ticks, bits
    )
