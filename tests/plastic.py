"""Random networks whose synapses learn, by any rule."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from lifline import (
    LIF,
    SDSP,
    STDP,
    Adaptation,
    Dense,
    Izhikevich,
    Network,
    Pairing,
    Population,
    Projection,
    Reset,
    RewardSTDP,
    Rounding,
)
from lifline.plasticity import Plasticity


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


def random_learning_network(rng: np.random.Generator) -> tuple[Network, np.ndarray | None]:
    """One of :func:`random_plastic_network` with rules of every kind, and winners; rewards for three samples.

    Its numbers come after those of that network.
    """
    network = random_plastic_network(rng)
    projections = [
        p
        if p.plasticity is None
        else dataclasses.replace(p, plasticity=_any_rule(rng, p.plasticity, p.synapses))
        for p in network.projections
    ]
    populations = [
        dataclasses.replace(p, winners=int(rng.integers(1, p.size + 1))) if rng.random() < 0.3 else p
        for p in network.populations
    ]
    network = dataclasses.replace(network, populations=populations, projections=projections)
    rewarded = any(p.plasticity is not None and p.plasticity.rewarded for p in projections)
    most = 2 ** int(rng.integers(1, 16))
    return network, rng.integers(-most, most, 3) if rewarded else None


def _any_rule(rng: np.random.Generator, stdp: STDP, synapses: Dense) -> Plasticity:
    """That rule, rounding at random, for rewards, or another with the same range of weights."""
    fraction = rng.integers(0, 2**stdp.fraction_bits, synapses.shape) if rng.random() < 0.3 else 0
    top = (synapses.weights << stdp.fraction_bits) + fraction > stdp.range(synapses.weight_bits)[1]
    fraction = np.where(top, 0, fraction)
    stdp = dataclasses.replace(
        stdp,
        rounding=list(Rounding)[int(rng.integers(2))],
        seed=int(rng.integers(0, 2 ** int(rng.integers(1, 33)))),
        fraction=fraction,
    )
    kind = int(rng.integers(3))
    if kind == 0:
        return stdp
    if kind == 1:
        alpha = int(rng.choice([0, 200, 250, 256]))
        return RewardSTDP(stdp, alpha, int(rng.integers(0, 20)), int(rng.choice([8, 16, 24])))
    return _sdsp(rng, stdp, synapses)


def _sdsp(
    rng: np.random.Generator, stdp: STDP, synapses: Dense, least: int = -50, most: int | None = None
) -> SDSP:
    """An SDSP with the range of weights of that rule, and a threshold of `least` … `most`."""
    alpha, amplitude = int(rng.integers(0, 256)), int(rng.integers(1, 2**12))
    step = 2 ** (synapses.weight_bits + stdp.fraction_bits - 3)
    ends = rng.integers(0, 3 * amplitude, 4)
    drift = step // 8 if rng.random() < 0.5 else 0
    return SDSP(
        alpha,
        amplitude,
        int(rng.integers(least, 2 ** int(rng.integers(1, 10)) if most is None else most)),
        int(rng.integers(0, step + 2)),
        int(rng.integers(0, step + 2)),
        *(int(end) for end in (ends[0] // 4, ends[1], ends[2] // 4, ends[3])),
        int(rng.integers(0, drift + 1)),
        int(rng.integers(0, drift + 1)),
        int(rng.integers(-3, 4)),
        stdp.fraction_bits,
        stdp.low,
        stdp.high,
        stdp.fraction,
    )


def with_sdsp(rng: np.random.Generator, network: Network) -> Network:
    """The network with an SDSP in place of each STDP, and now and then neurons that start from a membrane below 0."""
    one = 256
    populations = [
        p
        if rng.random() < 0.7
        else dataclasses.replace(
            p,
            neuron=Izhikevich(
                82,
                205,
                -65 * one,
                2 * one,
                30 * one,
                bias=rng.integers(4 * one, 30 * one, p.size),
                initial_membrane=rng.integers(-70 * one, -50 * one, p.size),
                gain=int(rng.integers(0, 5)),
                fraction_bits=8,
            ),
        )
        for p in network.populations
    ]
    below = {p.name for p in populations if isinstance(p.neuron, Izhikevich)}
    projections = [
        p
        if p.plasticity is None
        else dataclasses.replace(
            p,
            plasticity=_sdsp(
                rng, p.plasticity, p.synapses, *((-70 * one, -50 * one) if p.target in below else ())
            ),
        )
        for p in network.projections
    ]
    return dataclasses.replace(network, populations=populations, projections=projections)


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


def of_gateware(rng: np.random.Generator, network: Network) -> Network:
    """That network with rules of every kind that the gateware has: half round at random, a third need rewards."""

    def other(rule: Plasticity) -> Plasticity:
        assert isinstance(rule, STDP)
        rule = dataclasses.replace(
            rule,
            rounding=list(Rounding)[int(rng.integers(2))],
            seed=int(rng.choice([0, 2**32 - 2, int(rng.integers(0, 2**32))])),
        )
        if rng.random() < 2 / 3:
            return rule
        alpha, bits = int(rng.choice([0, 200, 250, 256])), int(rng.choice([8, 16, 18, 19, 24]))
        return RewardSTDP(rule, alpha, int(rng.integers(0, 20)), bits)

    projections = [
        p if p.plasticity is None else dataclasses.replace(p, plasticity=other(p.plasticity))
        for p in network.projections
    ]
    return with_one_delay(dataclasses.replace(network, projections=projections))


def side_by_side(networks: Sequence[Network]) -> Network:
    """One network of several that have the same inputs, and names of their own; the output is that of the last."""
    return Network(
        networks[0].inputs,
        [p for network in networks for p in network.populations],
        [p for network in networks for p in network.projections],
        networks[-1].output,
    )
