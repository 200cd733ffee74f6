"""Random networks whose synapses learn."""

from __future__ import annotations

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


def random_plastic_network(rng: np.random.Generator) -> Network:
    """One of two populations, with loops."""
    inputs, first, second = (int(n) for n in rng.integers(1, 7, 3))
    projections = [
        _projection(rng, "input", "first", (inputs, first)),
        _projection(rng, "first", "second", (first, second)),
    ]
    if rng.random() < 0.5:
        projections.append(_projection(rng, "second", "first", (second, first), 1))
    if rng.random() < 0.5:
        projections.append(_projection(rng, "second", "second", (second, second), 1))
    populations = [
        Population("first", first, _neuron(rng, first)),
        Population("second", second, _neuron(rng, second)),
    ]
    return Network(inputs, populations, projections, "second")
