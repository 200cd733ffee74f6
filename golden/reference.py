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
from lifline.recording import Recording
from lifline.teaching import check_reward, learners, taught

from . import rules


class Before(NamedTuple):
    """What a neuron brings from the tick before."""

    state: dict[str, int]  #: each state, by name
    spiked: int  #: s[t−1]


class After(NamedTuple):
    """What a tick makes of it."""

    state: dict[str, int]
    spike: int  #: s[t]
    margin: int = 0  #: x − θ, of kinds that are `ranked`


@functools.singledispatch
def tick(neuron: Neuron, i: int, total: int, before: Before, *, held: bool = False) -> After:
    """One tick of neuron i of a population.

    Parameters
    ----------
    neuron : Neuron
        The population's kind and parameters.
    i : int
    total : int
        Σ w · s, what its synapses deliver in this tick.
    before : Before
    held : bool
        Whether it may not spike, and does as if it had stayed below its threshold: of kinds that are `ranked`.

    Returns
    -------
    After
    """
    raise TypeError(
        f"the reference has no {type(neuron).__name__}: register its tick with reference.tick"
    )


@tick.register
def _lif(neuron: LIF, i: int, total: int, before: Before, *, held: bool = False) -> After:
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
    spike = x > limit and not held
    v = x
    if not neuron.reset_delay and neuron.reset is Reset.SUBTRACT and spike:
        v = sat(x - threshold, neuron.membrane_bits)
    if not neuron.reset_delay and neuron.reset is Reset.ZERO and spike:
        v = 0
    after["membrane"] = v
    return After(after, int(spike), x - limit)


@tick.register
def _izhikevich(neuron: Izhikevich, i: int, total: int, before: Before, *, held: bool = False) -> After:
    state, _ = before
    v, u = state["membrane"], state["recovery"]
    a, b, c, d = (int(values[i]) for values in (neuron.a, neuron.b, neuron.c, neuron.d))

    current = int(neuron.bias[i]) + (total << neuron.gain)
    square = v * v >> neuron.fraction_bits
    rise = (2621 * square >> 16) + 5 * v + (140 << neuron.fraction_bits) - u + current
    x = sat(v + (rise >> neuron.step_bits), neuron.membrane_bits)
    pull = a * ((b * v >> 10) - u) >> (12 + neuron.step_bits)
    r = sat(u + pull, neuron.recovery_bits)

    margin = x - int(neuron.threshold[i])
    spike = margin > 0 and not held
    if spike:
        x, r = c, sat(r + d, neuron.recovery_bits)
    return After({"membrane": x, "recovery": r}, int(spike), margin)


def tick_all(
    neuron: Neuron, totals: list[int], before: list[Before], winners: int | None
) -> list[After]:
    """One tick of all neurons of a population, of which at most so many win; one of `totals` and `before` for each."""
    after = [tick(neuron, i, total, b) for i, (total, b) in enumerate(zip(totals, before, strict=True))]
    if winners is not None:
        above = sorted((-a.margin, i) for i, a in enumerate(after) if a.spike)
        for _, i in above[winners:]:
            after[i] = tick(neuron, i, totals[i], before[i], held=True)
    return after


def sat(value: int, bits: int) -> int:
    """`value`, clipped to the two's complement range of `bits`."""
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, value))


def xorshift16(r: int) -> int:
    """The next random state after r, in 16 bits."""
    r ^= r << 7 & 0xFFFF
    r ^= r >> 9
    return r ^ (r << 8 & 0xFFFF)


def simulate(
    network: Network,
    spikes: np.ndarray,
    learn: bool = False,
    reward: np.ndarray | int | None = None,
    *,
    traces: bool = False,
) -> Recording:
    """Run `network` on input `spikes`, every sample from rest; as :func:`lifline.golden.simulate`, slowly.

    Parameters
    ----------
    network : Network
    spikes : (ticks, inputs) or (samples, ticks, inputs), integers 0 … 2^input_bits − 1
    learn : bool
        Whether its synapses learn, from sample to sample.
    reward : integers (samples,), optional
        The host's signal at the end of each sample, which some rules need.
    traces : bool
        Whether to record what else the rules keep.

    Returns
    -------
    Recording

    Raises
    ------
    InputError
        If `spikes` or `reward` have another shape, type or value.
    """
    spikes = check_spikes(spikes, network.inputs, network.input_bits)
    batch = spikes if spikes.ndim == 3 else spikes[None]
    samples, ticks, _ = batch.shape
    rewards = check_reward(network, reward, samples, learn)
    fired = {p.name: np.zeros((samples, ticks, p.size), np.uint8) for p in network.populations}
    states = {
        p.name: {s.name: np.zeros((samples, ticks, p.size), np.int32) for s in p.neuron.states}
        for p in network.populations
    }
    plastic = learners(network) if learn else []
    shapes = {index: (samples, *network.projections[index].synapses.shape) for index in plastic}
    weights = {index: np.zeros(shape, np.int32) for index, shape in shapes.items()}
    kept_traces = {
        index: {name: np.zeros(shape, np.int32) for name in rule.traces}
        for index, shape in shapes.items()
        if (rule := network.projections[index].plasticity) is not None
    }
    after = network
    for sample in range(samples):
        of_sample = {name: array[sample] for name, array in fired.items()}
        kept = {name: {s: array[sample] for s, array in of.items()} for name, of in states.items()}
        learned = _run(after, batch[sample], of_sample, kept, plastic)
        w = {}
        for index, of in learned.items():
            for (j, i), synapse in of.items():
                for name, value in synapse.traces.items():
                    kept_traces[index][name][sample, j, i] = value
            signal = 0 if rewards is None else int(rewards[sample])
            w[index] = weights[index][sample] = _settled(after.projections[index], of, signal, ticks)
        if learn:
            ends = kept.items() if ticks else ()
            last = {name: {s: array[-1] for s, array in of.items()} for name, of in ends}
            after = taught(after, w, last)
    recording = Recording.of(network, fired, states)
    if learn:
        recording = dataclasses.replace(
            recording, weights=weights, network=after, traces=kept_traces if traces else None
        )
    return recording if spikes.ndim == 3 else recording[0]


Learned = dict[tuple[int, int], rules.Synapse]  #: by source neuron j and target neuron i


def _run(
    network: Network,
    inputs: np.ndarray,
    fired: dict[str, np.ndarray],
    states: dict[str, dict[str, np.ndarray]],
    learning: Sequence[int],
) -> dict[int, Learned]:
    """One sample: write each population's spikes and states, (ticks, size), from the spikes of the input.

    Returns the synapses of the projections that are `learning`, after the last tick.
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
        found = {p.name: [b.state["membrane"] for b in before[p.name]] for p in network.populations}
        for population in network.order:
            name = population.name
            totals = [
                sum(
                    weight * int(sources[source][t - delay, j])
                    for source, j, weight, delay in synapses[name][i]
                    if t >= delay
                )
                for i in range(population.size)
            ]
            for index in learning:
                if network.projections[index].target == name:
                    for i in range(population.size):
                        totals[i] += _delivered(
                            network.projections[index], learned[index], i, sources, t
                        )
            ticked = tick_all(population.neuron, totals, before[name], population.winners)
            for i, after in enumerate(ticked):
                before[name][i] = Before(after.state, after.spike)
                fired[name][t, i] = after.spike
                for state, value in after.state.items():
                    states[name][state][t, i] = value
        for index, of in learned.items():
            projection = network.projections[index]
            _learn(projection, of, sources, t, found[projection.target])
    return learned


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


def _synapses_of(projection: Projection) -> Learned:
    """Every synapse of a projection that learns, before the first tick of a sample."""
    assert projection.plasticity is not None
    w = projection.plasticity.start(projection.synapses)
    return {(j, i): rules.start(projection.plasticity, int(w[j, i])) for j, i in np.ndindex(*w.shape)}


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


def _learn(
    projection: Projection, learned: Learned, sources: dict[str, np.ndarray], t: int, found: list[int]
) -> None:
    """The end of tick t, in each synapse of a projection, whose targets' membranes the tick has `found`."""
    rule, bits = projection.plasticity, projection.synapses.weight_bits
    assert rule is not None
    for (j, i), synapse in learned.items():
        s_post = int(sources[projection.target][t, i])
        now = rules.Moment(t, j, i, _arrived(projection, j, i, sources, t), s_post, found[i])
        learned[j, i] = rules.learn(rule, bits, synapse, now)


def _settled(projection: Projection, learned: Learned, signal: int, ticks: int) -> np.ndarray:
    """w at the end of a sample, (source size, target size)."""
    rule, bits = projection.plasticity, projection.synapses.weight_bits
    assert rule is not None
    size, targets = projection.synapses.shape
    w = np.zeros((size, targets), np.int64)
    for i in range(targets):
        of = [rules.reward(rule, bits, learned[j, i], signal, ticks, j, i) for j in range(size)]
        w[:, i] = rules.settle(rule, bits, [synapse.w for synapse in of])
    return w
