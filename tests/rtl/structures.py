"""Random synapses of every kind between random maps, for the tests of the gateware's rows."""

from __future__ import annotations

import math

import numpy as np

from lifline.network import Network, Population, Projection
from lifline.neurons import LIF
from lifline.rtl.plan import ArrayPlan, block_of, plan
from lifline.synapses import Convolution, Dense, Sparse

Shape = tuple[int, int, int]


def convolution(rng: np.random.Generator, shape: Shape, longest: int = 0) -> Convolution:
    """A convolution of a map, any of its options at random."""
    channels = shape[2]
    groups = int(rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
    options = []
    for size in shape[:2]:
        padding, dilation, stride = (int(rng.integers(*ends)) for ends in ((0, 3), (1, 3), (1, 4)))
        most = (size + 2 * padding - 1) // dilation + 1  # a kernel that fits
        options.append((int(rng.integers(1, min(4, most + 1))), stride, padding, dilation))
    kernel, stride, padding, dilation = zip(*options, strict=True)
    weights = rng.integers(-128, 128, (*kernel, channels // groups, groups * int(rng.integers(1, 5))))
    of = [(), kernel, weights.shape][int(rng.integers(3))]
    delays = rng.integers(0, longest + 1, of)
    return Convolution(weights, stride, padding, dilation, groups, delays)


def sparse(rng: np.random.Generator, sources: int, targets: int, longest: int = 0) -> Sparse:
    """A few synapses, so that some sources have none."""
    chosen = rng.choice(sources * targets, size=max(1, sources * targets // 5), replace=False)
    j, i = np.divmod(chosen, targets)
    delays = rng.integers(0, longest + 1, len(chosen))
    return Sparse(j, i, rng.integers(-128, 128, len(chosen)), delays)


def arrays(seed: int, longest: int = 0) -> tuple[Network, ArrayPlan]:
    """A population with a projection of each kind from an input map, its lanes at random."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 7)), int(rng.integers(1, 7)), int(rng.integers(1, 6)))
    first = convolution(rng, shape, longest)
    target = first.output_shape(shape)
    sizes = math.prod(shape), math.prod(target)
    dense = Dense(rng.integers(-128, 128, sizes), rng.integers(0, longest + 1, sizes))
    kinds = [first, sparse(rng, *sizes, longest), dense]
    network = Network(
        shape,
        [Population("p", target, LIF(256, 5))],
        [Projection("input", "p", kind) for kind in kinds],
        "p",
    )
    most = block_of(network, network["p"])
    return network, plan(network, int(rng.integers(1, most + 1)))["p"]
