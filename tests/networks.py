"""Random networks and spikes, for every test that holds one witness of the contract against another.

The generator aims at what goes wrong: several projections between the same two populations, loops, delays
of every kind, evaluation orders that differ from the order of declaration, parameters at the ends of their
ranges, membranes so narrow that they saturate.  Thresholds follow the currents, so that neurons do spike.
"""

from __future__ import annotations

import numpy as np

from lifline.network import INPUT, Network, Population, Projection, Reset

_EXTREME = 0.15  #: how often a parameter sits at an end of its range


def random_network(
    rng: np.random.Generator,
    *,
    max_populations: int = 3,
    max_size: int = 12,
    max_delay: int = 40,
    max_extra: int = 4,
    resets: tuple[Reset, ...] = tuple(Reset),
    weight_bits: tuple[int, int] = (2, 16),
    membrane_bits: tuple[int, int] = (8, 24),
) -> Network:
    """A network of any shape that the contract allows, within the given limits.

    Parameters
    ----------
    rng : numpy.random.Generator
        The same state gives the same network.
    max_populations, max_size : int
        Populations are 1 … `max_populations`; each, and the input, has 1 … `max_size` neurons.
    max_delay : int
        Delays are 0 … `max_delay` ticks; with 0 there is no loop.
    max_extra : int
        Up to so many projections beyond those that give every population an input: repeated pairs,
        loops within and across populations, shortcuts.
    resets : tuple of Reset
    weight_bits, membrane_bits : (int, int)
        Least and greatest width.

    Returns
    -------
    Network
    """
    count = int(rng.integers(1, max_populations + 1))
    rank = [f"p{i}" for i in range(count)]  # a delay of 0 runs from a lower to a higher rank only
    sizes = {name: int(rng.integers(1, max_size + 1)) for name in (INPUT, *rank)}
    sources = (INPUT, *rank)
    pairs = [(sources[int(rng.integers(0, i + 1))], name) for i, name in enumerate(rank)]
    for _ in range(int(rng.integers(0, max_extra + 1))):
        kind = rng.random()
        if kind < 0.25:
            pair = pairs[int(rng.integers(len(pairs)))]  # once more between the same two
        else:
            pair = (sources[int(rng.integers(count + 1))], rank[int(rng.integers(count))])
        if max_delay or pair[0] == INPUT or rank.index(pair[0]) < rank.index(pair[1]):
            pairs.append(pair)
    projections = []
    for source, target in pairs:
        forward = source == INPUT or rank.index(source) < rank.index(target)
        shape = (sizes[source], sizes[target])
        bits = int(rng.integers(weight_bits[0], weight_bits[1] + 1))
        projections.append(
            Projection(
                source=source,
                target=target,
                weights=_weights(rng, shape, bits),
                delays=_delays(rng, shape, 0 if forward else 1, max_delay),
                weight_bits=bits,
            )
        )
    populations = [
        _population(
            rng,
            name,
            sizes[name],
            [projection for projection in projections if projection.target == name],
            resets,
            membrane_bits,
        )
        for name in rank
    ]
    return Network(
        inputs=sizes[INPUT],
        populations=[populations[i] for i in rng.permutation(count)],
        projections=[projections[i] for i in rng.permutation(len(projections))],
        output=rank[int(rng.integers(count))],
        name="random",
    )


def random_spikes(rng: np.random.Generator, network: Network, samples: int, ticks: int) -> np.ndarray:
    """Input spikes, uint8 (samples, ticks, inputs): each sample of another density, some ticks silent."""
    density = rng.choice([0.05, 0.2, 0.5, 0.9, 1.0], size=(samples, 1, 1))
    quiet = rng.random((samples, ticks, 1)) < 0.15
    spikes = rng.random((samples, ticks, network.inputs)) < density
    return (spikes & ~quiet).astype(np.uint8)


def _weights(rng: np.random.Generator, shape: tuple[int, int], bits: int) -> np.ndarray:
    limit = 2 ** (bits - 1)
    if rng.random() < _EXTREME:
        return rng.choice(np.array([-limit, limit - 1]), size=shape)
    scale = limit if rng.random() < 0.5 else max(2, limit // 4)
    weights = rng.integers(-scale, scale, size=shape)
    if rng.random() < 0.3:
        weights = np.abs(weights + (weights == -limit))  # all excitatory: these saturate
    if rng.random() < 0.3:
        weights = weights * (rng.random(shape) < 0.5)
    return weights


def _delays(
    rng: np.random.Generator, shape: tuple[int, int], least: int, greatest: int
) -> int | np.ndarray:
    kind = rng.random()
    if kind < 0.3:
        return least
    if kind < 0.5:
        return int(rng.integers(least, greatest + 1))
    longest = int(rng.integers(least, greatest + 1))  # short delays are as likely as long ones
    return rng.integers(least, longest + 1, size=shape)


def _population(
    rng: np.random.Generator,
    name: str,
    size: int,
    incoming: list[Projection],
    resets: tuple[Reset, ...],
    membrane_bits: tuple[int, int],
) -> Population:
    drive = np.concatenate([projection.weights for projection in incoming])
    scale = int(np.sqrt((drive.astype(float) ** 2).sum(axis=0)).mean()) + 1  # of one tick's current
    fitting = scale.bit_length() + 2  # a membrane of so many bits saturates now and then
    low, high = membrane_bits
    wanted = (
        fitting + int(rng.integers(-2, 3)) if rng.random() < 0.7 else int(rng.integers(low, high + 1))
    )
    bits = min(max(wanted, low), high)
    top = 2 ** (bits - 1) - 1

    def per_neuron(values: np.ndarray) -> int | np.ndarray:
        return values if rng.random() < 0.5 else int(values[0])

    beta = rng.integers(128, 257, size=size) if rng.random() < 0.7 else rng.integers(0, 257, size=size)
    if rng.random() < _EXTREME:
        beta = rng.choice(np.array([0, 256]), size=size)
    threshold = np.minimum(rng.integers(0, scale + 1, size=size), top)
    if rng.random() < _EXTREME:
        threshold = np.minimum(rng.choice(np.array([0, 1, top], dtype=np.int64), size=size), top)
    bias = np.zeros(size, dtype=np.int64)
    if rng.random() < 0.4:
        bias = rng.integers(-scale, scale + 1, size=size) // 4
    if rng.random() < 0.05:
        bias = rng.integers(-4 * top, 4 * top + 1, size=size)
    return Population(
        name=name,
        size=size,
        beta=per_neuron(beta),
        threshold=per_neuron(threshold),
        reset=resets[int(rng.integers(len(resets)))],
        reset_delay=bool(rng.integers(2)),
        bias=per_neuron(bias),
        membrane_bits=bits,
    )
