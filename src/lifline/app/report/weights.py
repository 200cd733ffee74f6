"""The weights of every projection."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure

from lifline.network import INPUT, Network

from .activity import picture_shape
from .style import BLUE, signed, styled


@styled
def weights(network: Network) -> Figure:
    """The integer weights w[j, i] of every projection: a histogram, and the matrix or the receptive fields.

    A row for each projection.  Left how many of its weights have which value, on an axis of all that
    ``weight_bits`` can hold; right the matrix (sources to the right, targets upwards) or, from inputs that make a
    picture, each target's weights as a small picture.  Red excites, blue inhibits.

    Parameters
    ----------
    network : Network

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = len(network.projections)
    figure = Figure(figsize=(9.6, 2.9 * rows))
    grid = figure.subplots(rows, 2, squeeze=False, width_ratios=[1, 1.6])
    for (left, right), projection in zip(grid, network.projections, strict=True):
        values, _ = projection.synapses.dense()
        bits = projection.synapses.weight_bits
        limit = 2 ** (bits - 1)
        step = max(1, limit // 32)
        left.hist(values.ravel(), bins=np.arange(-limit, limit + step, step) - 0.5, color=BLUE)
        left.set_title(f"{projection}: {projection.synapses.count:,} weights of {bits} bits")
        left.set_xlabel("weight")
        left.set_ylabel("synapses")
        shape = picture_shape(network) if projection.source == INPUT else None
        if shape is None:
            signed(right, values.T, origin="lower")
            right.set_xlabel(f"{projection.source} neuron")
            right.set_ylabel(f"{projection.target} neuron")
            right.set_title("weight matrix")
        else:
            signed(right, receptive_fields(values, shape), aspect="equal")
            right.axis("off")
            right.set_title(f"what each neuron of {projection.target} looks for")
    return figure


def receptive_fields(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Each target's weights as a small picture, all of them tiled, one blank line between them.

    Parameters
    ----------
    values : (sources, targets)
        Sources are numbered row by row, channels last; channels are added up.
    shape : (height, width)

    Returns
    -------
    float (rows, columns)
        NaN between the pictures.
    """
    height, width = shape
    count = values.shape[1]
    columns = math.ceil(math.sqrt(count * 2.4 * height / width))
    rows = math.ceil(count / columns)
    tiles = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for index in range(count):
        row, column = divmod(index, columns)
        top, left = row * (height + 1), column * (width + 1)
        picture = values[:, index].reshape(height, width, -1).sum(axis=-1)
        tiles[top : top + height, left : left + width] = picture
    return tiles
