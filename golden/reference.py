"""The specification: the contract in plain Python integers, a neuron at a time.

Read it beside ``docs/contract.md``.  It is slow, and nothing in it is clever; every other witness is
checked against it. A kind of neuron is one function, registered with :func:`tick` by its type.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lifline.files import check_spikes
from lifline.network import INPUT, Network, Projection
from lifline.neurons import LIF, Izhikevich, Neuron, Reset
from lifline.plasticity import STDP, Pairing, Plasticity
from lifline.plasticity.stdp import FACTOR_BITS
from lifline.recording import Recording
from lifline.teaching import learners, taught


class Before(NamedTuple):
    """What a neuron brings from the tick before."""

    state: dict[str, int]  #: each state, by name
    spiked: int  #: s[t−1]


class After(NamedTuple):
    """What a tick makes of it."""

    state: dict[str, int]
    spike: int  #: s[t]


@functools.singledispatch
def tick(neuron: Neuron, i: int, total: int, before: Before) -> After:
    """One tick of neuron i of a population.

    Parameters
    ----------
    neuron : Neuron
        The population's kind and parameters.
    i : int
    total : int
        Σ w · s, what its synapses deliver in this tick.
    before : Before

    Returns
    -------
    After
    """
    raise TypeError(
        f"the reference has no {type(neuron).__name__}: register its tick with reference.tick"
    )


@tick.register
def _lif(neuron: LIF, i: int, total: int, before: Before) -> After:
    state, spiked = before
    beta, threshold = int(neuron.beta[i]), int(neuron.threshold[i])
    after = {}

    current = int(neuron.bias[i]) + total
    if neuron.alpha is not None:
        current = sat((int(neuron.alpha[i]) * state["current"] >> 8) + current, neuron.current_bits)
        after["current"] = current

    limit = threshold
    if neuron.adaptation is not None:
        rho, jump = int(neuron.adaptation.rho[i]), int(neuron.adaptation.jump[i])
        a = sat((rho * state["adaptation"] >> 8) + jump * spiked, neuron.adaptation.bits)
        after["adaptation"] = a
        limit += a
    if neuron.noise is not None:
        r = xorshift16(state["noise"])
        after["noise"] = r
        limit += int(neuron.noise.table[r >> (16 - neuron.noise.index_bits)])

    v = state["membrane"]
    if neuron.reset_delay and neuron.reset is Reset.ZERO and spiked:
        v = 0
    x = (beta * v >> 8) + current
    if neuron.reset_delay and neuron.reset is Reset.SUBTRACT and spiked:
        x -= threshold
    x = sat(x, neuron.membrane_bits)
    spike = x > limit
    v = x
    if not neuron.reset_delay and neuron.reset is Reset.SUBTRACT and spike:
        v = sat(x - threshold, neuron.membrane_bits)
    if not neuron.reset_delay and neuron.reset is Reset.ZERO and spike:
        v = 0
    after["membrane"] = v
    return After(after, int(spike))


@tick.register
def _izhikevich(neuron: Izhikevich, i: int, total: int, before: Before) -> After:
    state, _ = before
    v, u = state["membrane"], state["recovery"]
    a, b, c, d = (int(values[i]) for values in (neuron.a, neuron.b, neuron.c, neuron.d))

    current = int(neuron.bias[i]) + (total << neuron.gain)
    square = v * v >> neuron.fraction_bits
    rise = (2621 * square >> 16) + 5 * v + (140 << neuron.fraction_bits) - u + current
    x = sat(v + (rise >> neuron.step_bits), neuron.membrane_bits)
    pull = a * ((b * v >> 10) - u) >> (12 + neuron.step_bits)
    r = sat(u + pull, neuron.recovery_bits)

    spike = x > int(neuron.threshold[i])
    if spike:
        x, r = c, sat(r + d, neuron.recovery_bits)
    return After({"membrane": x, "recovery": r}, int(spike))


class Synapse(NamedTuple):
    """A synapse that learns, between two ticks."""

    w: int  #: its weight with fraction_bits more bits
    p: int  #: the trace of its source, at arrival
    q: int  #: the trace of its target


@functools.singledispatch
def learn(rule: Plasticity, weight_bits: int, before: Synapse, s_pre: int, s_post: int) -> Synapse:
    """What the end of a tick makes of one synapse.

    Parameters
    ----------
    rule : Plasticity
    weight_bits : int
    before : Synapse
    s_pre, s_post : int
        Whether a spike of its source has arrived in this tick, and whether its target spiked.

    Returns
    -------
    Synapse
    """
    raise TypeError(
        f"the reference has no {type(rule).__name__}: register its learning with reference.learn"
    )


@learn.register
def _stdp(rule: STDP, weight_bits: int, before: Synapse, s_pre: int, s_post: int) -> Synapse:
    w, p, q = before
    low, high = rule.range(weight_bits)
    p, q = rule.alpha_pre * p >> 8, rule.alpha_post * q >> 8
    raised = (
        rule.amplitude + (p if rule.pairing is Pairing.ALL else 0) if s_pre else p,
        rule.amplitude + (q if rule.pairing is Pairing.ALL else 0) if s_post else q,
    )
    if rule.coincident:
        p, q = raised
    rise, fall = rule.eta_plus * p >> rule.shift, rule.eta_minus * q >> rule.shift
    if rule.soft:
        rise = rise * (high - w) >> (weight_bits + rule.fraction_bits)
        fall = fall * (w - low) >> (weight_bits + rule.fraction_bits)
    w = max(low, min(high, w + s_post * rise - s_pre * fall))
    return Synapse(w, *raised)


@functools.singledispatch
def settle(rule: Plasticity, weight_bits: int, weights: list[int]) -> list[int]:
    """What the end of a sample makes of w of all synapses that end at one neuron."""
    return weights


@settle.register
def _normalise(rule: STDP, weight_bits: int, weights: list[int]) -> list[int]:
    if rule.total is None or sum(weights) <= 0:
        return weights
    low, high = rule.range(weight_bits)
    factor = (rule.total << (rule.fraction_bits + FACTOR_BITS)) // sum(weights)
    return [max(low, min(high, w * factor >> FACTOR_BITS)) for w in weights]


def sat(value: int, bits: int) -> int:
    """`value`, clipped to the two's complement range of `bits`."""
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, value))


def xorshift16(r: int) -> int:
    """The next random state after r, in 16 bits."""
    r ^= r << 7 & 0xFFFF
    r ^= r >> 9
    return r ^ (r << 8 & 0xFFFF)


def simulate(network: Network, spikes: np.ndarray, learn: bool = False) -> Recording:
    """Run `network` on input `spikes`, every sample from rest; as :func:`lifline.golden.simulate`, slowly.

    Parameters
    ----------
    network : Network
    spikes : (ticks, inputs) or (samples, ticks, inputs), integers 0 … 2^input_bits − 1
    learn : bool
        Whether its synapses learn, from sample to sample.

    Returns
    -------
    Recording

    Raises
    ------
    InputError
        If `spikes` has another shape, type or value.
    """
    spikes = check_spikes(spikes, network.inputs, network.input_bits)
    batch = spikes if spikes.ndim == 3 else spikes[None]
    samples, ticks, _ = batch.shape
    fired = {p.name: np.zeros((samples, ticks, p.size), np.uint8) for p in network.populations}
    states = {
        p.name: {s.name: np.zeros((samples, ticks, p.size), np.int32) for s in p.neuron.states}
        for p in network.populations
    }
    weights = {
        index: np.zeros((samples, *network.projections[index].synapses.shape), np.int32)
        for index in (learners(network) if learn else ())
    }
    after = network
    for sample in range(samples):
        of_sample = {name: array[sample] for name, array in fired.items()}
        kept = {name: {s: array[sample] for s, array in of.items()} for name, of in states.items()}
        w = _run(after, batch[sample], of_sample, kept, list(weights))
        for index, values in w.items():
            weights[index][sample] = values
        if learn and ticks:
            last = {name: {s: array[-1] for s, array in of.items()} for name, of in kept.items()}
            after = taught(after, w, last)
    recording = Recording.of(network, fired, states)
    if learn:
        recording = dataclasses.replace(recording, weights=weights, network=after)
    return recording if spikes.ndim == 3 else recording[0]


def _run(
    network: Network,
    inputs: np.ndarray,
    fired: dict[str, np.ndarray],
    states: dict[str, dict[str, np.ndarray]],
    learning: Sequence[int],
) -> dict[int, np.ndarray]:
    """One sample: write each population's spikes and states, (ticks, size), from the spikes of the input.

    Returns w, (source size, target size), of the projections that are `learning`.
    """
    before = {
        p.name: [
            Before({s.name: int(np.broadcast_to(s.initial, p.size)[i]) for s in p.neuron.states}, 0)
            for i in range(p.size)
        ]
        for p in network.populations
    }
    sources = {INPUT: inputs, **fired}
    synapses = {
        p.name: [_synapses_into(network, p.name, i, learning) for i in range(p.size)]
        for p in network.populations
    }
    learned = {index: _synapses_of(network.projections[index]) for index in learning}
    for t in range(len(inputs)):
        for population in network.order:
            name = population.name
            for i in range(population.size):
                total = 0
                for source, j, weight, delay in synapses[name][i]:
                    if t >= delay:
                        total += weight * int(sources[source][t - delay, j])
                for index in learning:
                    if network.projections[index].target == name:
                        total += _delivered(network.projections[index], learned[index], i, sources, t)
                after = tick(population.neuron, i, total, before[name][i])
                before[name][i] = Before(after.state, after.spike)
                fired[name][t, i] = after.spike
                for state, value in after.state.items():
                    states[name][state][t, i] = value
        for index, of in learned.items():
            _learn(network.projections[index], of, sources, t)
    return {index: _settled(network.projections[index], of) for index, of in learned.items()}


def _synapses_into(
    network: Network, name: str, i: int, learning: Sequence[int]
) -> list[tuple[str, int, int, int]]:
    """(source, its neuron j, weight, delay) of every synapse that ends at neuron i and is not learning."""
    found = []
    for index, projection in enumerate(network.projections):
        if projection.target != name or index in learning:
            continue
        for j in range(network.size(projection.source)):
            weight, delay = projection.synapses.synapse(j, i)
            if weight:
                found.append((projection.source, j, weight, delay))
    return found


Learned = dict[tuple[int, int], Synapse]  #: by source neuron j and target neuron i


def _synapses_of(projection: Projection) -> Learned:
    """Every synapse of a projection that learns, before the first tick of a sample."""
    assert projection.plasticity is not None
    w = projection.plasticity.start(projection.synapses)
    return {(j, i): Synapse(int(w[j, i]), 0, 0) for j, i in np.ndindex(*w.shape)}


def _arrived(projection: Projection, j: int, i: int, sources: dict[str, np.ndarray], t: int) -> int:
    """s_pre: whether a spike of source j arrives at target i in tick t."""
    _, delay = projection.synapses.synapse(j, i)
    return int(sources[projection.source][t - delay, j]) if t >= delay else 0


def _delivered(
    projection: Projection, learned: Learned, i: int, sources: dict[str, np.ndarray], t: int
) -> int:
    """What synapses that learn bring to neuron i in tick t."""
    assert projection.plasticity is not None
    return sum(
        (synapse.w >> projection.plasticity.fraction_bits) * _arrived(projection, j, i, sources, t)
        for (j, target), synapse in learned.items()
        if target == i
    )


def _learn(projection: Projection, learned: Learned, sources: dict[str, np.ndarray], t: int) -> None:
    """The end of tick t, in each synapse of a projection."""
    rule, bits = projection.plasticity, projection.synapses.weight_bits
    assert rule is not None
    for (j, i), synapse in learned.items():
        s_post = int(sources[projection.target][t, i])
        learned[j, i] = learn(rule, bits, synapse, _arrived(projection, j, i, sources, t), s_post)


def _settled(projection: Projection, learned: Learned) -> np.ndarray:
    """w at the end of a sample, (source size, target size)."""
    rule, bits = projection.plasticity, projection.synapses.weight_bits
    assert rule is not None
    size, targets = projection.synapses.shape
    w = np.zeros((size, targets), np.int64)
    for i in range(targets):
        w[:, i] = settle(rule, bits, [learned[j, i].w for j in range(size)])
    return w
