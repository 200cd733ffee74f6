"""The specification: the contract in plain Python integers, a neuron at a time.

Read it beside ``docs/contract.md``.  It is slow, and nothing in it is clever; every other witness is
checked against it. A kind of neuron is one function, registered with :func:`tick` by its type.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from lifline.files import check_spikes
from lifline.network import INPUT, Network
from lifline.neurons import LIF, Izhikevich, Neuron, Reset
from lifline.recording import Recording


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


def sat(value: int, bits: int) -> int:
    """`value`, clipped to the two's complement range of `bits`."""
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, value))


def xorshift16(r: int) -> int:
    """The next random state after r, in 16 bits."""
    r ^= r << 7 & 0xFFFF
    r ^= r >> 9
    return r ^ (r << 8 & 0xFFFF)


def simulate(network: Network, spikes: np.ndarray) -> Recording:
    """Run `network` on input `spikes`, every sample from rest; as :func:`lifline.golden.simulate`, slowly.

    Parameters
    ----------
    network : Network
    spikes : (ticks, inputs) or (samples, ticks, inputs), integers 0 … 2^input_bits − 1

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
    for sample in range(samples):
        of_sample = {name: array[sample] for name, array in fired.items()}
        kept = {name: {s: array[sample] for s, array in of.items()} for name, of in states.items()}
        _run(network, batch[sample], of_sample, kept)
    recording = Recording.of(network, fired, states)
    return recording if spikes.ndim == 3 else recording[0]


def _run(
    network: Network,
    inputs: np.ndarray,
    fired: dict[str, np.ndarray],
    states: dict[str, dict[str, np.ndarray]],
) -> None:
    """One sample: write each population's spikes and states, (ticks, size), from the spikes of the input."""
    before = {
        p.name: [
            Before({s.name: int(np.broadcast_to(s.initial, p.size)[i]) for s in p.neuron.states}, 0)
            for i in range(p.size)
        ]
        for p in network.populations
    }
    sources = {INPUT: inputs, **fired}
    synapses = {
        p.name: [_synapses_into(network, p.name, i) for i in range(p.size)] for p in network.populations
    }
    for t in range(len(inputs)):
        for population in network.order:
            name = population.name
            for i in range(population.size):
                total = 0
                for source, j, weight, delay in synapses[name][i]:
                    if t >= delay:
                        total += weight * int(sources[source][t - delay, j])
                after = tick(population.neuron, i, total, before[name][i])
                before[name][i] = Before(after.state, after.spike)
                fired[name][t, i] = after.spike
                for state, value in after.state.items():
                    states[name][state][t, i] = value


def _synapses_into(network: Network, name: str, i: int) -> list[tuple[str, int, int, int]]:
    """(source, its neuron j, weight, delay) of every synapse that ends at neuron i of a population."""
    found = []
    for projection in network.incoming(name):
        for j in range(network.size(projection.source)):
            weight, delay = projection.synapses.synapse(j, i)
            if weight:
                found.append((projection.source, j, weight, delay))
    return found
