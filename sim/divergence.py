"""How the first difference between two recordings came to be: all that entered that update."""

from __future__ import annotations

import numpy as np

from lifline.fields import Kind
from lifline.files import check_spikes
from lifline.network import INPUT, Network
from lifline.recording import Divergence, Recording
from lifline.values import short

#: Of the events behind a divergence, so many are listed one by one.
_LISTED = 12


def explain(network: Network, spikes: np.ndarray, expected: Recording, divergence: Divergence) -> str:
    """The events that led to a divergence, by the expected recording: all that entered that update.

    Parameters
    ----------
    network : Network
    spikes : (ticks, inputs) or (samples, ticks, inputs)
        The input of both recordings.
    expected : Recording
    divergence : Divergence

    Returns
    -------
    str
        Several lines.
    """
    population = network[divergence.population]
    i, t = divergence.neuron, divergence.tick
    if spikes.ndim == 3:
        expected = expected[divergence.sample]
    history = {INPUT: check_spikes(spikes, network.inputs, network.input_bits), **expected.spikes}
    if spikes.ndim == 3:
        history[INPUT] = history[INPUT][divergence.sample]

    states = expected.states[population.name]
    before = {
        state.name: int(states[state.name][t - 1, i])
        if t
        else int(np.broadcast_to(state.initial, population.size)[i])
        for state in population.neuron.states
    }
    spiked = t and history[population.name][t - 1, i]
    events = _events(network, history, divergence)
    shown = ", ".join(f"{name} {value}" for name, value in before.items())
    lines = [
        f"  before: {shown}, {'spike' if spiked else 'no spike'}",
        f"  {population.neuron.label}: {_parameters(population.neuron, i)}",
        f"  Σ w·s = {sum(event[-1] for event in events)}, of "
        + (f"{len(events)} event{'s' * (len(events) != 1)}" if events else "no events"),
    ]
    lines += [
        f"    {name}: source {j} {spiked_as} in tick {tick}, delay {delay}, weight {weight}"
        for name, j, spiked_as, tick, delay, weight, _ in events[:_LISTED]
    ]
    if len(events) > _LISTED:
        lines.append(
            f"    … and {len(events) - _LISTED} more, of weight {sum(e[-1] for e in events[_LISTED:])}"
        )
    return "\n".join(lines)


def _events(
    network: Network, history: dict[str, np.ndarray], divergence: Divergence
) -> list[tuple[str, int, str, int, int, int, int]]:
    """(projection, source, "spiked" or its value, tick of it, delay, weight, product) of each spike that arrived."""
    i, t = divergence.neuron, divergence.tick
    events = []
    for projection in network.incoming(divergence.population):
        sources, weights, delays = projection.synapses.into(i)
        ticks = t - delays
        sent = history[projection.source][np.maximum(ticks, 0), sources].astype(np.int64)
        graded = network.input_bits > 1 and projection.source == INPUT
        events += [
            (
                str(projection),
                int(sources[n]),
                f"was {sent[n]}" if graded else "spiked",
                int(ticks[n]),
                int(delays[n]),
                int(weights[n]),
                int(weights[n] * sent[n]),
            )
            for n in np.flatnonzero((ticks >= 0) & (sent != 0) & (weights != 0))
        ]
    return events


def _parameters(kind: Kind, i: int) -> str:
    """A neuron's own parameters, by the kind's fields."""
    shown = []
    for name in kind.fields():
        value = getattr(kind, name)
        if isinstance(value, Kind):
            shown.append(f"{name} ({_parameters(value, i)})")
        elif value is not None:
            own = isinstance(value, np.ndarray) and kind.per_neuron(name)
            shown.append(f"{name} {int(value[i]) if own else short(value)}")
    return ", ".join(shown)
