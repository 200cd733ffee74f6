"""Delays: how they are spread, and what they do."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from lifline.network import INPUT, Network, Projection
from lifline.recording import Recording
from lifline.synapses import Convolution, Synapses

from .activity import answers_by_membrane
from .style import BLUE, EXCITE, INHIBIT, INK, LINE, MUTED, ORANGE, raster, styled, threshold_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Synapses whose delays are drawn at once.
_MOST_LINES = 40

#: Source neurons times target neurons up to which the spike is sought that was excited most.
_MOST_SYNAPSES = 1 << 20


def delayed(network: Network) -> list[Projection]:
    """The projections whose synapses differ in their delays."""
    ranges = [(projection, projection.synapses.delay_range) for projection in network.projections]
    return [projection for projection, (least, greatest) in ranges if least < greatest]


@styled
def delay_histograms(
    network: Network, before: Mapping[tuple[str, str], list[int]] | None = None
) -> Figure:
    """How many synapses have which delay d[j, i], in ticks.

    Parameters
    ----------
    network : Network
        One plot for each of its :func:`delayed` projections, of which there must be one.
    before : mapping of (source, target) to list of int, optional
        How many synapses had a delay of 0, 1, 2, … ticks before they were learned; drawn as an outline.

    Returns
    -------
    matplotlib.figure.Figure
    """
    shown = delayed(network)
    figure = Figure(figsize=(9.6, 2.7 * math.ceil(len(shown) / 2)))
    grid = figure.subplots(math.ceil(len(shown) / 2), 2, squeeze=False).flat
    for projection, axes in zip(shown, grid, strict=False):
        counts = np.bincount(stored_delays(projection.synapses).ravel())
        axes.bar(range(len(counts)), counts, width=0.8, color=BLUE, label="in the network")
        if start := (before or {}).get((projection.source, projection.target)):
            edges = np.arange(len(start) + 1) - 0.5
            axes.stairs(start, edges, color=ORANGE, linewidth=1.4, label="before learning")
        axes.set_title(f"{projection}: {counts.sum():,} delays")
        axes.set_xlabel("delay (ticks)")
        axes.set_ylabel("synapses")
        axes.set_ylim(0, axes.get_ylim()[1] * 1.2)
        axes.legend(frameon=False, fontsize=8, ncols=2, loc="upper right")
    for axes in grid:  # one may be left
        axes.axis("off")
    return figure


@functools.singledispatch
def stored_delays(synapses: Synapses) -> np.ndarray:
    """The delays that a memory holds, in any shape: by default those of all synapses that there are."""
    weights, delays = synapses.dense()
    # where there is no synapse, weights are 0
    return delays[weights != 0] if synapses.count < weights.size else delays


@stored_delays.register
def _(synapses: Convolution) -> np.ndarray:
    delays: np.ndarray = synapses.delays
    return delays[:, :, :1, :1] if synapses.delay_per_position else delays


class Arrivals(NamedTuple):
    """The spikes that reach one neuron in one tick, each through its synapse's delay."""

    projection: Projection
    neuron: int
    tick: int
    sources: np.ndarray  #: int (arrivals,): the neurons that had spiked
    weights: np.ndarray  #: int (arrivals,): of the synapses through which they come
    delays: np.ndarray  #: int (arrivals,): of those synapses, in ticks
    spikes: np.ndarray  #: uint8 (ticks, source size): all spikes of the source
    membrane: np.ndarray  #: int (ticks,): v[t] of the neuron
    fired: np.ndarray  #: uint8 (ticks,): spikes of the neuron


def arrivals(network: Network, spikes: np.ndarray, recording: Recording) -> list[Arrivals]:
    """For each projection with delays, what led to the spike that it excited most in a sample.

    A spike of source neuron j in tick t − d[j, i] arrives at neuron i in tick t.  Of several spikes in a row only
    the first counts.

    Parameters
    ----------
    network : Network
    spikes : (ticks, inputs), 0 or 1
    recording : Recording
        Of this sample alone.

    Returns
    -------
    list of Arrivals
        Without the projections whose target never spikes, and those of more than a million places for a synapse.
    """
    found = []
    for projection in delayed(network):
        source, target = projection.source, projection.target
        sent = spikes if source == INPUT else recording.spikes[source]
        fired = recording.spikes[target]
        too_large = math.prod(projection.synapses.shape) > _MOST_SYNAPSES
        if answers_by_membrane(network, target) or not fired.any() or too_large:
            continue
        weights, delays = projection.synapses.dense()
        first = np.diff(fired.astype(int), axis=0, prepend=0) > 0  # of several spikes in a row
        excited = weights.clip(0)
        excitation = [(excited * _arriving(delays, sent, t)).sum(axis=0) for t in range(len(sent))]
        place = np.argmax(np.where(first, excitation, -1))
        tick, neuron = (int(number) for number in np.unravel_index(place, fired.shape))
        sources = np.flatnonzero(_arriving(delays, sent, tick)[:, neuron])
        through = (sources, neuron)
        membrane = recording.membrane[target][:, neuron]
        found.append(
            Arrivals(
                projection, neuron, tick, sources, weights[through], delays[through],
                spikes=sent, membrane=membrane, fired=fired[:, neuron],
            )
        )  # fmt: skip
    return found


def _arriving(delays: np.ndarray, sent: np.ndarray, tick: int) -> np.ndarray:
    """Through which synapses a spike arrives in a tick: 0 or 1 (source size, target size)."""
    when = tick - delays
    return np.where(when >= 0, sent[when.clip(0), np.arange(len(when))[:, None]], 0)


@styled
def delays_at_work(network: Network, paths: list[Arrivals]) -> Figure:
    """Source spikes, each with a line as long as its delay, that arrive in one tick and make a spike.

    Above the spikes of the source and the weights w[j, i] by which those that arrive count; below the membrane
    v[t] of the target neuron and, upright, its spikes.

    Parameters
    ----------
    network : Network
    paths : list of Arrivals
        As :func:`arrivals` gives them; one or more.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(9.6, 5.2 * len(paths)))
    grid = figure.subplots(
        2 * len(paths), 2, squeeze=False, width_ratios=[3.4, 1], height_ratios=[3, 1] * len(paths)
    )
    for (lines, bars), (trace, empty), path in zip(grid[::2], grid[1::2], paths, strict=True):
        _, longest = path.projection.synapses.delay_range
        begin, end = max(path.tick - longest - 1, 0), min(path.tick + 5, len(path.spikes))
        _draw_lines(lines, path)
        bars.barh(
            path.sources, path.weights, height=0.9,
            color=[EXCITE if weight > 0 else INHIBIT for weight in path.weights],
        )  # fmt: skip
        bars.set_ylim(lines.get_ylim())
        bars.axvline(0, color=MUTED, linewidth=0.7)
        bars.set_title(f"their weights: {path.weights.sum():+,}")
        bars.tick_params(labelleft=False)
        trace.plot(range(begin, end), path.membrane[begin:end], color=BLUE, linewidth=1.3, marker=".")
        threshold = getattr(network[path.projection.target].neuron, "threshold", None)
        if threshold is not None:
            threshold_line(trace, int(threshold[path.neuron]))
        for when in np.flatnonzero(path.fired):
            trace.axvline(when, color=INK if when == path.tick else LINE, linewidth=1, zorder=0)
        trace.set_title(
            f"{path.projection.target}: neuron {path.neuron}, its membrane and (upright) its spikes"
        )
        trace.set_xlabel("tick")
        empty.axis("off")
        for axes in (lines, trace):
            axes.set_xlim(begin - 0.5, end - 0.5)
    return figure


def _draw_lines(axes: Axes, path: Arrivals) -> None:
    """The source's spikes, and from each that arrives a line as long as its delay."""
    tick = path.tick
    strongest = np.argsort(-np.abs(path.weights), kind="stable")[:_MOST_LINES]
    bound = np.abs(path.weights).max(initial=1)
    raster(axes, path.spikes, "#b6bec9")
    for source, weight, delay in zip(
        path.sources[strongest], path.weights[strongest], path.delays[strongest], strict=True
    ):
        strength = abs(weight) / bound
        color = EXCITE if weight > 0 else INHIBIT
        axes.plot(
            [tick - delay, tick], [source, source], color=color,
            linewidth=0.5 + 2 * strength, alpha=0.3 + 0.7 * strength, solid_capstyle="butt",
        )  # fmt: skip
        axes.plot(tick - delay, source, ".", color=color, markersize=5)
    axes.axvline(tick, color=INK, linewidth=1)
    axes.set_title(
        f"{path.projection}: {len(path.sources)} spikes arrive at neuron {path.neuron} in tick {tick}"
    )
    axes.set_ylabel(f"{path.projection.source} neuron")
    axes.tick_params(labelbottom=False)
