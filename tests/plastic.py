"""Random networks whose synapses learn."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from lifline import LIF, STDP, Adaptation, Dense, Network, Pairing, Population, Projection, Reset


def random_rule(rng: np.random.Generator, weight_bits: int) -> STDP:
    """Any STDP; its bounds include 0."""
    half = 2 ** (weight_bits - 1)
    fraction_bits = int(rng.integers(0, 9))
    amplitude = int(rng.choice([1, 64, 256, 2**12 - 1]))
    # a change of about a tenth of the range, whatever the widths
    reach = amplitude * 100 >> max(0, weight_bits + fraction_bits - 3)
    most = 2**12 - 1
    return STDP(
        int(rng.integers(0, 256)),
        int(rng.integers(0, 256)),
        amplitude,
        int(rng.integers(-100, 301) if rng.random() < 0.9 else rng.choice([-most - 1, most])),
        int(rng.integers(-100, 301) if rng.random() < 0.9 else rng.choice([-most - 1, most])),
        min(31, max(0, reach.bit_length() + int(rng.integers(-1, 3)))),
        pairing=list(Pairing)[int(rng.integers(2))],
        coincident=bool(rng.integers(2)),
        fraction_bits=fraction_bits,
        low=None if rng.random() < 0.5 else int(rng.integers(-half, 1)),
        high=None if rng.random() < 0.5 else int(rng.integers(0, half)),
        soft=bool(rng.integers(2)),
        total=None if rng.random() < 0.5 else int(rng.integers(1, 6 * half)),
    )


def _projection(
    rng: np.random.Generator, source: str, target: str, shape: tuple[int, int], first_delay: int = 0
) -> Projection:
    weight_bits = int(rng.integers(2, 11))
    rule = random_rule(rng, weight_bits)
    low, high = rule.range(weight_bits)
    weights = rng.integers(-(-low >> rule.fraction_bits), (high >> rule.fraction_bits) + 1, shape)
    delays = rng.integers(first_delay, first_delay + 4, shape if rng.random() < 0.5 else ())
    learns = rule if rng.random() < 0.8 else None
    return Projection(source, target, Dense(weights, delays, weight_bits), learns)


def _neuron(rng: np.random.Generator, size: int) -> LIF:
    adaptation = None
    if rng.random() < 0.6:
        adaptation = Adaptation(
            rng.integers(200, 257, size),
            rng.integers(0, 9, size),
            initial=rng.integers(-9, 10, size),
            keep=bool(rng.integers(2)),
        )
    return LIF(
        rng.integers(100, 257, size),
        rng.integers(0, 2 ** int(rng.integers(1, 10)), size),
        reset=list(Reset)[int(rng.integers(2))],
        reset_delay=bool(rng.integers(2)),
        bias=int(rng.integers(-3, 20)),
        adaptation=adaptation,
    )


def random_plastic_network(
    rng: np.random.Generator, *, inputs: int | None = None, most: int = 6, names: str = ""
) -> Network:
    """One of two populations, with loops.

    Parameters
    ----------
    rng : numpy.random.Generator
    inputs : int, optional
        By default 1 … `most`.
    most : int
        Neurons of a population.
    names : str
        What the populations' names begin with.
    """
    drawn, first, second = (int(n) for n in rng.integers(1, most + 1, 3))
    inputs = drawn if inputs is None else inputs
    one, two = f"{names}first", f"{names}second"
    projections = [
        _projection(rng, "input", one, (inputs, first)),
        _projection(rng, one, two, (first, second)),
    ]
    if rng.random() < 0.5:
        projections.append(_projection(rng, two, one, (second, first), 1))
    if rng.random() < 0.5:
        projections.append(_projection(rng, two, two, (second, second), 1))
    populations = [
        Population(one, first, _neuron(rng, first)),
        Population(two, second, _neuron(rng, second)),
    ]
    return Network(inputs, populations, projections, two)


def with_one_delay(network: Network) -> Network:
    """The network with one delay for all synapses of each projection that learns, its longest: as gateware needs it."""
    projections = [
        p
        if p.plasticity is None
        else dataclasses.replace(
            p, synapses=dataclasses.replace(p.synapses, delays=p.synapses.delay_range[1])
        )
        for p in network.projections
    ]
    return dataclasses.replace(network, projections=projections)


def side_by_side(networks: Sequence[Network]) -> Network:
    """One network of several that have the same inputs, and names of their own; the output is that of the last."""
    return Network(
        networks[0].inputs,
        [p for network in networks for p in network.populations],
        [p for network in networks for p in network.projections],
        networks[-1].output,
    )
