"""The weights of every projection."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from lifline.network import INPUT, Network
from lifline.synapses import Convolution, Synapses

from .activity import picture_shape
from .style import BLUE, signed, styled

#: Channels of a convolution whose kernels are drawn.
MOST_KERNELS = 16


@styled
def weights(network: Network) -> Figure:
    """The integer weights of every projection: a histogram, and the matrix, the receptive fields or the kernels.

    A row for each projection.  Left how many of its weights have which value, on an axis of all that
    ``weight_bits`` can hold; right the matrix (sources to the right, targets upwards), of a convolution its
    kernels or, from inputs that make a picture, each target's weights as a small picture.  Red excites, blue inhibits.

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
        values = stored(projection.synapses)
        bits = projection.synapses.weight_bits
        limit = 2 ** (bits - 1)
        step = max(1, limit // 32)
        left.hist(values.ravel(), bins=np.arange(-limit, limit + step, step) - 0.5, color=BLUE)
        left.set_title(f"{projection}: {values.size:,} weights of {bits} bits")
        left.set_xlabel("weight")
        left.set_ylabel("weights")
        shape = picture_shape(network) if projection.source == INPUT else None
        drawing = draw(projection.synapses, shape)
        if drawing.labelled:
            signed(right, drawing.values, origin="lower")
            right.set_xlabel(f"{projection.source} neuron")
            right.set_ylabel(f"{projection.target} neuron")
        else:
            signed(right, drawing.values, aspect="equal")
            right.axis("off")
        right.set_title(drawing.title.format(target=projection.target))
    return figure


class Drawing(NamedTuple):
    """Weights as a picture."""

    values: np.ndarray  #: float or int (rows, columns); NaN: nothing is there
    title: str  #: with the target's name where ``{target}`` stands
    labelled: bool = False  #: whether the axes are the neurons of source and target


@functools.singledispatch
def stored(synapses: Synapses) -> np.ndarray:
    """The weights that a memory holds, in any shape: by default all of the matrix, or those that there are."""
    values, _ = synapses.dense()
    return values if synapses.count == values.size else values[values != 0]


@stored.register
def _(synapses: Convolution) -> np.ndarray:
    weights: np.ndarray = synapses.weights
    return weights


@functools.singledispatch
def draw(synapses: Synapses, picture: tuple[int, int] | None) -> Drawing:
    """Weights as a picture; of inputs that make one of (height, width), each target's as a small picture."""
    values, _ = synapses.dense()
    if picture is None:
        return Drawing(values.T, "weight matrix", labelled=True)
    return Drawing(receptive_fields(values, picture), "what each neuron of {target} looks for")


@draw.register
def _(synapses: Convolution, picture: tuple[int, int] | None) -> Drawing:
    _, _, ins, outs = synapses.weights.shape
    if ins == 1:
        return Drawing(kernels(synapses.weights), "kernels of the channels of {target}")
    some = "the first channels" if max(ins, outs) > MOST_KERNELS else "each channel"
    return Drawing(kernels(synapses.weights), f"kernels: a row for {some} of {{target}}")


def kernels(weights: np.ndarray) -> np.ndarray:
    """The kernels (ky, kx, channels in / groups, channels out), tiled: float (rows, columns), NaN between them.

    A channel out has a row of tiles, one for each channel in; those of a single channel in are tiled in several
    columns.  So many channels as can be seen: the first 16 of each.
    """
    ins, outs = min(weights.shape[2], MOST_KERNELS), weights.shape[3]
    shown = weights[:, :, :ins, : MOST_KERNELS if ins > 1 else outs]
    if ins == 1:
        return tiled(shown[:, :, 0].transpose(2, 0, 1), aspect=2.4)
    tiles = shown.transpose(3, 2, 0, 1)
    rows = [tiled(row, columns=ins) for row in tiles]
    blank = np.full((1, rows[0].shape[1]), np.nan)
    return np.concatenate([part for row in rows for part in (blank, row)][1:])


def tiled(pictures: np.ndarray, *, columns: int = 0, aspect: float = 2.4) -> np.ndarray:
    """Pictures (count, height, width) side by side, one blank line between them: float (rows, columns).

    Parameters
    ----------
    columns : int
        0: so many that the whole has about this `aspect`, width over height.
    """
    count, height, width = pictures.shape
    columns = columns or min(count, math.ceil(math.sqrt(count * aspect * height / width)))
    rows = math.ceil(count / columns)
    tiles = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        top, left = row * (height + 1), column * (width + 1)
        tiles[top : top + height, left : left + width] = picture
    return tiles


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
    pictures = values.T.reshape(values.shape[1], height, width, -1).sum(axis=-1)
    return tiled(pictures)
