"""What a network does in one sample: spikes and states over time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from lifline.network import INPUT, Network, Population

from .style import BLUE, CLASSES, MUTED, raster, signed, styled, threshold_line, traces

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lifline.recording import Recording

#: Draws one field of the plot.
_Panel = Callable[["Axes"], object]


def answers_by_membrane(network: Network, name: str) -> bool:
    """Whether a population is an output whose class is by its membranes, so that its spikes mean nothing."""
    return name == network.output and network[name].neuron.readout


@styled
def activity(network: Network, spikes: np.ndarray, recording: Recording) -> Figure:
    """One sample over time: spikes and states of the input and of every population.

    Left the spikes s[t], right the membranes v[t] at the end of each tick (after a reset), below them any
    further state that the population's kind keeps, such as ``current``, ``adaptation`` or ``recovery``.  States
    are integers, in the units of their field.  A (bare) threshold that all neurons of a population share is
    dashed.  Of an output that answers by its membranes, the left side shows Σ v[0] … v[t] instead, whose highest
    at the end is the class.

    Parameters
    ----------
    network : Network
    spikes : (ticks, inputs), 0 or 1
        The sample.
    recording : Recording
        Of this sample alone, such as ``golden.simulate(network, samples)[3]``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows: list[tuple[str, list[_Panel]]] = [
        (INPUT, [_input_raster(network, spikes), _input_picture(network, spikes)])
    ]
    for population in network.order:
        panels = [_spikes(network, population, recording)]
        panels += [
            _state(population, state.name, recording.states[population.name][state.name])
            for state in population.neuron.states
        ]
        if len(panels) % 2:  # a further state stands below the membrane
            panels.insert(2, lambda axes: axes.axis("off"))
        rows += [(population.name, panels[i : i + 2]) for i in range(0, len(panels), 2)]
    sizes = [math.sqrt(network.size(name)) for name, _ in rows]
    figure = Figure(figsize=(9.6, 1.2 + 1.9 * len(rows)))
    grid = figure.subplots(
        len(rows), 2, squeeze=False, height_ratios=[max(size, 0.7 * max(sizes)) for size in sizes]
    )
    for places, (_, panels) in zip(grid, rows, strict=True):
        for axes, draw in zip(places, panels, strict=True):
            draw(axes)
            if axes.axison:
                axes.set_xlim(-0.5, len(spikes) - 0.5)
    for axes in grid[-1]:
        axes.set_xlabel("tick")
    return figure


def _input_raster(network: Network, spikes: np.ndarray) -> _Panel:
    def draw(axes: Axes) -> None:
        raster(axes, spikes, MUTED, "channel")
        unit = "spikes" if network.input_bits == 1 else "events"
        axes.set_title(f"input: {np.count_nonzero(spikes)} {unit} of {network.inputs} channels")

    return draw


def _input_picture(network: Network, spikes: np.ndarray) -> _Panel:
    """The input's spikes as a picture, early ones darker, where inputs make one; else their number."""
    shape = picture_shape(network)

    def draw(axes: Axes) -> None:
        if shape is None:
            axes.bar(range(len(spikes)), spikes.sum(axis=1), width=1, color=MUTED)
            axes.set_title("input: spikes in each tick")
            return
        axes.axis("off")
        inset = axes.inset_axes((0.0, 0.0, 1.0, 1.0))
        weight = np.arange(len(spikes), 0, -1) @ spikes.astype(int)
        inset.imshow(weight.reshape(*shape, -1).sum(axis=-1), cmap="Greys", interpolation="none")
        inset.set_title("input as a picture: dark is early and often")
        inset.set_xticks([])
        inset.set_yticks([])
        inset.spines[:].set_visible(False)

    return draw


def picture_shape(network: Network) -> tuple[int, int] | None:
    """Height and width of the inputs: as the network says, else a square if they make one; else None."""
    assert network.input_shape is not None
    if len(network.input_shape) == 3:
        height, width, _ = network.input_shape
        return (height, width) if height > 1 and width > 1 else None
    side = math.isqrt(network.inputs)
    return (side, side) if side * side == network.inputs else None


def _spikes(network: Network, population: Population, recording: Recording) -> _Panel:
    """The spikes of a population, or the membranes' sums of an output that answers by them."""
    name, size = population.name, population.size

    def draw(axes: Axes) -> None:
        if answers_by_membrane(network, name):
            traces(axes, recording.membrane[name].cumsum(axis=0, dtype=np.int64))
            axes.set_title(f"{name}: membranes, summed up")
            return
        fired = recording.spikes[name]
        classes = name == network.output and size <= len(CLASSES)
        raster(axes, fired, CLASSES if classes else BLUE)
        axes.set_title(f"{name}: {fired.sum()} spikes of {size} neurons")

    return draw


def _state(population: Population, state: str, values: np.ndarray) -> _Panel:
    """One state of a population: a line for each neuron if they are few, else a picture."""
    name = population.name
    membrane = state == population.neuron.states[0].name

    def draw(axes: Axes) -> None:
        axes.set_title(f"{name}: membranes v[t]" if membrane else f"{name}: {state}")
        if population.size > len(CLASSES):
            signed(axes, values.T, origin="lower")
            axes.set_ylabel("neuron")
            return
        traces(axes, values)
        if membrane:
            _mark_threshold(axes, population)
            axes.legend(
                title="neuron", fontsize=7, title_fontsize=7, frameon=False, handlelength=1,
                loc="upper left", bbox_to_anchor=(1.01, 1.05), borderpad=0, labelspacing=0.25,
            )  # fmt: skip

    return draw


def _mark_threshold(axes: Axes, population: Population) -> None:
    """A dashed line at the threshold, where the kind has one and all neurons share it."""
    threshold = getattr(population.neuron, "threshold", None)
    if threshold is not None and not population.neuron.readout and np.ptp(threshold) == 0:
        threshold_line(axes, int(threshold[0]))
