"""Feature maps: what each channel of a shaped population saw in one sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from lifline.network import INPUT, Network

from .style import LINE, styled
from .weights import tiled

if TYPE_CHECKING:
    from lifline.recording import Recording

#: Channels of a map that are drawn.
_MOST = 64


def shaped(network: Network) -> list[str]:
    """The populations, and the input, that are maps of more than one place; empty unless a population is."""
    names = [
        name
        for name in (INPUT, *(population.name for population in network.order))
        if len(shape := network.shape(name)) == 3 and shape[0] * shape[1] > 1
    ]
    return names if names != [INPUT] else []


@styled
def feature_maps(network: Network, spikes: np.ndarray, recording: Recording) -> Figure:
    """Spikes of one sample, added up over all ticks, as a small picture for each channel of a map.

    Parameters
    ----------
    network : Network
        With at least one of :func:`shaped`.
    spikes : (ticks, inputs)
    recording : Recording
        Of this sample alone.

    Returns
    -------
    matplotlib.figure.Figure
    """
    tiles = []
    for name in shaped(network):
        height, width, channels = network.shape(name)
        fired = spikes if name == INPUT else recording.spikes[name]
        counts = fired.sum(axis=0, dtype=np.int64).reshape(height, width, channels)
        pictures = counts.transpose(2, 0, 1)[:_MOST]
        tall = pictures.transpose(1, 0, 2) if height == 1 else pictures  # 1-D: a row for each channel
        size = f"{height}×{width}" if height > 1 else f"{width}"
        title = f"{name}: {channels} channel{'s' * (channels > 1)} of {size}, {fired.sum()} "
        title += "in all" if name == INPUT and network.input_bits > 1 else "spikes"
        tiles.append((title, tiled(tall, aspect=3.2 if height > 1 else 1)))
    heights = [max(0.7, min(3.2, 8.4 * picture.shape[0] / picture.shape[1])) for _, picture in tiles]
    figure = Figure(figsize=(9.6, sum(heights) + 0.4 * len(tiles)))
    grid = figure.subplots(len(tiles), 1, squeeze=False, height_ratios=heights)
    for (axes,), (title, picture) in zip(grid, tiles, strict=True):
        most = max(1, int(np.nanmax(picture)))
        colors = matplotlib.colormaps["Greys"].with_extremes(bad=LINE)  # between the maps
        axes.imshow(picture, cmap=colors, vmin=0, vmax=most, interpolation="none")
        axes.set_title(f"{title}; black is {most}")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    return figure
