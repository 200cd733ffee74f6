"""Random synapses of every kind between random maps, for the tests of the gateware's rows."""

from __future__ import annotations

import math

import numpy as np

from lifline.network import Network, Population, Projection
from lifline.neurons import LIF
from lifline.rtl.plan import ArrayPlan, block_of, plan
from lifline.synapses import Convolution, Dense, Sparse

Shape = tuple[int, int, int]


def convolution(
    rng: np.random.Generator,
    shape: Shape,
    longest: int = 0,
    least_kernel: int = 1,
    most_stride: int = 3,
) -> Convolution:
    """A convolution of a map, any of its options at random."""
    channels = shape[2]
    groups = int(rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
    options = []
    for size in shape[:2]:
        padding, dilation = int(rng.integers(3)), int(rng.integers(1, 3))
        most = min(3, (size + 2 * padding - 1) // dilation + 1)  # a kernel that fits
        extent = int(rng.integers(min(least_kernel, most), most + 1))
        options.append((extent, int(rng.integers(1, most_stride + 1)), padding, dilation))
    kernel, stride, padding, dilation = zip(*options, strict=True)
    weights = rng.integers(-128, 128, (*kernel, channels // groups, groups * int(rng.integers(1, 5))))
    of = [(), kernel, weights.shape][int(rng.integers(3))]
    delays = rng.integers(0, longest + 1, of)
    return Convolution(weights, stride, padding, dilation, groups, delays)


def sparse(
    rng: np.random.Generator, sources: int, targets: int, longest: int = 0, shortest: int = 0
) -> Sparse:
    """A few synapses, so that some sources have none."""
    chosen = rng.choice(sources * targets, size=max(1, sources * targets // 5), replace=False)
    j, i = np.divmod(chosen, targets)
    delays = rng.integers(shortest, longest + 1, len(chosen))
    return Sparse(j, i, rng.integers(-128, 128, len(chosen)), delays)


def mixed_network(
    rng: np.random.Generator,
    *,
    sizes: tuple[int, int] = (1, 6),
    channels: int = 5,
    longest: int = 0,
    input_bits: int = 1,
    least_kernel: int = 1,
    most_stride: int = 3,
    bias: int = 0,
) -> Network:
    """A population with a projection of each kind from an input map, and a second one behind it, with delays in a loop.

    The map's height and width are in `sizes`, (least, most).
    """
    least, most = sizes
    height, width = rng.integers(least, most + 1, 2).tolist()
    shape = (height, width, int(rng.integers(1, channels + 1)))
    first = convolution(rng, shape, longest, least_kernel, most_stride)
    target = first.output_shape(shape)
    ends = math.prod(shape), math.prod(target)
    dense = Dense(rng.integers(-128, 128, ends), rng.integers(0, longest + 1, ends))
    kinds = [first, sparse(rng, *ends, longest), dense]
    threshold = 200 * 2 ** (input_bits - 1)
    return Network(
        shape,
        [Population("p", target, LIF(200, threshold, bias=bias)), Population("q", 5, LIF(200, 100))],
        [
            *(Projection("input", "p", kind) for kind in kinds),
            Projection("p", "q", sparse(rng, ends[1], 5, longest)),
            *(Projection("q", "p", sparse(rng, 5, ends[1], longest, 1)) for _ in range(longest > 0)),
        ],
        "q",
        input_bits=input_bits,
    )


def arrays(seed: int, longest: int = 0) -> tuple[Network, ArrayPlan]:
    """The first population of a mixed network, its lanes at random."""
    rng = np.random.default_rng(seed)
    network = mixed_network(rng, longest=longest)
    most = block_of(network, network["p"])
    return network, plan(network, {"p": int(rng.integers(1, most + 1))})["p"]
