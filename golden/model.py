"""The specification in code: read it beside the equations of :mod:`lifline.network`."""

from __future__ import annotations

import numpy as np

from lifline.files import check_spikes
from lifline.network import BETA_BITS, INPUT, Network, Population, Projection, Reset
from lifline.recording import Recording


def simulate(network: Network, spikes: np.ndarray) -> Recording:
    """Run `network` on input `spikes`, every sample from rest.

    Parameters
    ----------
    network : Network
    spikes : (ticks, inputs) or (samples, ticks, inputs), integers 0 or 1

    Returns
    -------
    Recording

    Raises
    ------
    InputError
        If `spikes` has another shape, type or value.
    """
    spikes = check_spikes(spikes, network.inputs)
    batch = spikes if spikes.ndim == 3 else spikes[None]
    samples, ticks, _ = batch.shape
    s = {INPUT: batch.astype(np.int64)}
    v = {}
    for population in network.populations:
        s[population.name] = np.zeros((samples, ticks, population.size), np.int64)
        v[population.name] = np.zeros((samples, ticks, population.size), np.int64)

    currents = {
        population.name: [
            synapses
            for projection in network.incoming(population.name)
            for synapses in _by_delay(projection)
        ]
        for population in network.populations
    }
    for t in range(ticks):
        for population in network.order:
            name = population.name
            current = np.broadcast_to(population.bias, (samples, population.size))
            for source, delay, weights in currents[name]:
                if t >= delay:
                    current = current + s[source][:, t - delay] @ weights
            before_v = v[name][:, t - 1] if t else np.zeros_like(current)
            before_s = s[name][:, t - 1] if t else np.zeros_like(current)
            v[name][:, t], s[name][:, t] = _update(population, current, before_v, before_s)

    output = network[network.output]
    score = v[output.name] if output.reset is Reset.NONE else s[output.name]
    classes = score.sum(axis=1).argmax(axis=1)  # argmax gives a tie to the lower index
    sample = slice(None) if spikes.ndim == 3 else 0
    return Recording(
        spikes={p.name: s[p.name][sample].astype(np.uint8) for p in network.populations},
        membrane={p.name: v[p.name][sample].astype(np.int32) for p in network.populations},
        classes=classes[sample],
    )


def _by_delay(projection: Projection) -> list[tuple[str, int, np.ndarray]]:
    """The projection as one weight matrix for each delay that it holds."""
    return [
        (projection.source, int(delay), np.where(projection.delays == delay, projection.weights, 0))
        for delay in np.unique(projection.delays)
    ]


def _update(
    population: Population, current: np.ndarray, v: np.ndarray, s: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One tick of a population: v[t], s[t] from I[t], v[t−1], s[t−1]."""
    reset, threshold = population.reset, population.threshold
    if population.reset_delay and reset is Reset.ZERO:
        v = np.where(s, 0, v)
    x = ((population.beta * v) >> BETA_BITS) + current
    if population.reset_delay and reset is Reset.SUBTRACT:
        x = x - threshold * s
    x = np.clip(x, *population.membrane_range)
    fired = x > threshold
    if not population.reset_delay and reset is Reset.SUBTRACT:
        x = x - threshold * fired
    elif not population.reset_delay and reset is Reset.ZERO:
        x = np.where(fired, 0, x)
    return x, fired.astype(np.int64)
