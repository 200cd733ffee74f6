"""Random networks and spikes, for every test that holds one witness of the contract against another.

The generator aims at what goes wrong: several projections between the same two populations, loops, delays
of every kind, evaluation orders that differ from the order of declaration, parameters at the ends of their
ranges, membranes so narrow that they saturate.  Thresholds follow the currents, so that neurons do spike.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from lifline import LIF, Adaptation, Dense, Izhikevich, Noise, Reset
from lifline.fields import Array, Choice, Flag, Part, Ranged, bound
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import Neuron

#: All kinds of the contract.
KINDS: tuple[type[Neuron], ...] = (LIF, Izhikevich)

_EXTREME = 0.15  #: how often a parameter sits at an end of its range


def random_network(
    rng: np.random.Generator,
    *,
    max_populations: int = 3,
    max_size: int = 12,
    max_delay: int = 40,
    max_extra: int = 4,
    kinds: tuple[type[Neuron], ...] = KINDS,
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
    kinds : tuple of kinds of neurons
        LIF is chosen three times as often as the others, with any of its parts.
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
                synapses=Dense(
                    random_weights(rng, shape, bits),
                    delays=random_delays(rng, shape, 0 if forward else 1, max_delay),
                    weight_bits=bits,
                ),
            )
        )
    populations = []
    for name in rank:
        drive = np.concatenate([p.synapses.weights for p in projections if p.target == name])
        scale = int(np.sqrt((drive.astype(float) ** 2).sum(axis=0)).mean()) + 1  # of one tick's current
        odds = [3 if kind is LIF else 1 for kind in kinds]
        kind = kinds[int(rng.choice(len(kinds), p=np.array(odds) / sum(odds)))]
        populations.append(
            Population(name, sizes[name], random_neuron(kind, rng, sizes[name], scale, membrane_bits))
        )
    return Network(
        inputs=sizes[INPUT],
        populations=[populations[i] for i in rng.permutation(count)],
        projections=[projections[i] for i in rng.permutation(len(projections))],
        output=rank[int(rng.integers(count))],
        name="random",
    )


def network_at_ends(rng: np.random.Generator) -> Network:
    """One population of plain LIF neurons whose currents fill their widths to the last bit.

    Each neuron has the lowest weight and the highest.  So the sums alone, with the bias, and less the threshold
    after a spike, differ in the bits that they need, and any of them is reached within a few ticks.
    """
    bits = int(rng.integers(4, 17))
    limit = 2 ** (bits - 1)
    size = int(rng.integers(1, 5))
    neuron = LIF(
        _own(rng, _fractions(rng, size)),
        _own(rng, rng.integers(1, limit // 2 + 1, size=size)),
        reset=list(Reset)[int(rng.integers(3))],
        reset_delay=bool(rng.integers(2)),
        bias=_own(rng, int(rng.integers(-1, 2)) * rng.integers(1, limit // 2 + 1, size=size)),
        membrane_bits=max(8, bits + 3),
    )
    weights = np.array([[-limit], [limit - 1]]).repeat(size, axis=1)
    return Network(
        inputs=2,
        populations=[Population("p", size, neuron)],
        projections=[Projection("input", "p", Dense(weights, weight_bits=bits))],
        output="p",
        name="at the ends",
    )


def random_spikes(rng: np.random.Generator, network: Network, samples: int, ticks: int) -> np.ndarray:
    """Input, uint8 (samples, ticks, inputs): each sample of another density, some ticks silent; or graded."""
    density = rng.choice([0.05, 0.2, 0.5, 0.9, 1.0], size=(samples, 1, 1))
    quiet = rng.random((samples, ticks, 1)) < 0.15
    spikes = rng.random((samples, ticks, network.inputs)) < density
    fired = (spikes & ~quiet).astype(np.uint8)
    most = network.largest_value(INPUT)
    return fired if most == 1 else fired * rng.integers(1, most + 1, fired.shape, np.uint8)


def random_weights(rng: np.random.Generator, shape: tuple[int, ...], bits: int) -> np.ndarray:
    """Weights of `bits` bits: from the whole of their range or a part of it, excitatory or of both signs, some 0."""
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


def random_delays(
    rng: np.random.Generator, shape: tuple[int, ...], least: int, greatest: int
) -> int | np.ndarray:
    """One delay for all, or an array of the shape."""
    kind = rng.random()
    if kind < 0.3:
        return least
    if kind < 0.5:
        return int(rng.integers(least, greatest + 1))
    longest = int(rng.integers(least, greatest + 1))  # short delays are as likely as long ones
    return rng.integers(least, longest + 1, size=shape)


def random_neuron(
    kind: type[Neuron],
    rng: np.random.Generator,
    size: int,
    scale: int,
    membrane_bits: tuple[int, int] = (8, 24),
) -> Neuron:
    """Parameters for `size` neurons of a kind, which a tick's current of about `scale` drives.

    A kind that is not listed gets each of its fields from the whole of its range.
    """
    make = {LIF: _lif, Izhikevich: _izhikevich}.get(kind)  # type: ignore[call-overload]
    return _any(kind, rng, size) if make is None else make(rng, size, scale, membrane_bits)


def with_winners(rng: np.random.Generator, network: Network, share: float = 1) -> Network:
    """The network with one to three winners in each population, or only in such a share of them."""
    populations = [
        dataclasses.replace(p, winners=int(rng.integers(1, min(4, p.size + 1))))
        if share == 1 or rng.random() < share
        else p
        for p in network.populations
    ]
    return dataclasses.replace(network, populations=populations)


def _lif(rng: np.random.Generator, size: int, scale: int, membrane_bits: tuple[int, int]) -> LIF:
    bits = _width(rng, scale, membrane_bits)
    top = 2 ** (bits - 1) - 1
    own = functools.partial(_own, rng)
    threshold = np.minimum(rng.integers(0, scale + 1, size=size), top)
    if rng.random() < _EXTREME:
        threshold = np.minimum(rng.choice(np.array([0, 1, top], dtype=np.int64), size=size), top)
    bias = np.zeros(size, dtype=np.int64)
    if rng.random() < 0.4:
        bias = rng.integers(-scale, scale + 1, size=size) // 4
    if rng.random() < 0.05:
        bias = rng.integers(-4 * top, 4 * top + 1, size=size)
    if rng.random() < 0.02:
        bias = rng.choice(np.array([-(2**31), 2**31 - 1]), size=size)
    parts: dict[str, Any] = {}
    if rng.random() < 0.35:
        parts["alpha"] = own(_fractions(rng, size))
        parts["current_bits"] = _width(rng, scale, membrane_bits)
    if rng.random() < 0.35:
        width = int(rng.integers(2, 25)) if rng.random() < 0.3 else _width(rng, scale, (2, 24))
        jump = rng.integers(-scale // 4, scale + 1, size=size)
        if rng.random() < _EXTREME:
            jump = rng.choice(np.array([-(2**23), 2**23 - 1]), size=size)
        high = 2 ** (width - 1)
        start = np.random.default_rng(
            int(abs(jump).sum())
        )  # numbers of its own: others stay as they were
        initial = start.integers(-high, high, size=size) if start.random() < 0.3 else 0
        parts["adaptation"] = Adaptation(
            own(_fractions(rng, size)), own(jump), width, initial, keep=bool(start.integers(2))
        )
    if rng.random() < 0.35:
        entries = 2 ** int(rng.integers(0, 9))
        table = rng.integers(-scale, scale + 1, size=entries)
        if rng.random() < _EXTREME:
            table = rng.choice(np.array([-(2**23), 2**23 - 1]), size=entries)
        parts["noise"] = Noise(table, own(rng.integers(1, 2**16, size=size)))
    return LIF(
        own(_fractions(rng, size)),
        own(threshold),
        reset=list(Reset)[int(rng.integers(3))],
        reset_delay=bool(rng.integers(2)),
        bias=own(bias),
        membrane_bits=bits,
        **parts,
    )


def _izhikevich(
    rng: np.random.Generator, size: int, scale: int, membrane_bits: tuple[int, int]
) -> Izhikevich:
    if rng.random() < 0.3:
        return _any(Izhikevich, rng, size)  # type: ignore[return-value]
    fraction = int(rng.integers(4, 13))
    one = 2**fraction
    own = functools.partial(_own, rng)
    b = rng.integers(180, 280, size=size)
    rest = rng.integers(-80 * one, -50 * one, size=size)
    return Izhikevich(
        a=own(rng.integers(40, 600, size=size)),
        b=own(b),
        c=own(rng.integers(-70 * one, -40 * one, size=size)),
        d=own(rng.integers(0, 9 * one, size=size)),
        threshold=own(rng.integers(10 * one, 40 * one, size=size)),
        bias=own(rng.integers(-2 * one, 12 * one, size=size)),
        initial_membrane=own(rest),
        initial_recovery=own(b * rest // 1024),
        gain=max(0, min(16, fraction + 3 - scale.bit_length() + int(rng.integers(-1, 3)))),
        step_bits=int(rng.integers(0, 3)),
        fraction_bits=fraction,
        membrane_bits=fraction + 8,
        recovery_bits=fraction + int(rng.integers(6, 9)),
    )


def _any(kind: type[Any], rng: np.random.Generator, size: int) -> Any:
    """A kind with each field drawn from the whole of its range, now and then from its ends."""
    values: dict[str, Any] = {}
    for name, field in sorted(kind.fields().items(), key=lambda item: item[1].late):
        owner = type("Drawn", (), values)
        if field.optional and rng.random() < 0.5:
            values[name] = None
        elif isinstance(field, Ranged):
            low, high = bound(field.low, owner), bound(field.high, owner)
            if not isinstance(field, Array):
                values[name] = int(rng.integers(low, high + 1))
                continue
            shape = (size,) if field.per == "neuron" else (2 ** int(rng.integers(0, 6)),)
            drawn = rng.integers(low, high + 1, size=shape)
            extreme = rng.choice(np.array([low, high]), size=shape)
            values[name] = _own(rng, extreme if rng.random() < _EXTREME else drawn)
            if field.per != "neuron":
                values[name] = drawn
        elif isinstance(field, Choice):
            values[name] = list(field.of)[int(rng.integers(len(field.of)))]
        elif isinstance(field, Flag):
            values[name] = bool(rng.integers(2))
        elif isinstance(field, Part):
            values[name] = _any(field.of, rng, size)
    return kind(**values)


def _own(rng: np.random.Generator, values: np.ndarray) -> int | np.ndarray:
    """A number for each neuron, or the first for all."""
    return values if rng.random() < 0.5 else int(values[0])


def _width(rng: np.random.Generator, scale: int, limits: tuple[int, int]) -> int:
    """Bits of a state: most often so few that it saturates now and then."""
    low, high = limits
    fitting = scale.bit_length() + 2 + int(rng.integers(-2, 3))
    wanted = fitting if rng.random() < 0.7 else int(rng.integers(low, high + 1))
    return min(max(wanted, low), high)


def _fractions(rng: np.random.Generator, size: int) -> np.ndarray:
    """Fractions that are kept, in 1/256: most often a half or more, now and then none or all."""
    if rng.random() < _EXTREME:
        return rng.choice(np.array([0, 256]), size=size)
    return rng.integers(128 if rng.random() < 0.7 else 0, 257, size=size)
