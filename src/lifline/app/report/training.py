"""How a network was trained, and how well it classifies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .style import BLUE, CLASSES, INK, LINE, ORANGE, styled

#: What a person reads for the names of curves.
_ACCURACIES = {
    "train_accuracy": ("training, varied", BLUE),
    "validation_accuracy": ("validation", ORANGE),
}


def quantised_from(settings: Mapping[str, Any]) -> int:
    """The epoch, counted from 1, from which training was quantised; beyond the last if never.

    Parameters
    ----------
    settings : mapping
        Of the training: ``epochs``, and ``quantised``, the fraction of them at the end.
    """
    epochs: int = settings["epochs"]
    return 1 + epochs - round(settings["quantised"] * epochs)


@styled
def learning_curves(training: Mapping[str, Any]) -> Figure:
    """Loss, accuracy (%) and spikes of a neuron in a tick over the epochs; quantised epochs are shaded.

    Parameters
    ----------
    training : mapping
        As in ``train.json``: ``curves`` (a number for each epoch: ``loss``, ``train_accuracy``,
        ``validation_accuracy`` and ``rate.NAME`` of each population, all but the loss optional), ``settings``,
        ``test_accuracy`` (0 … 1).

    Returns
    -------
    matplotlib.figure.Figure
    """
    values = training["curves"]
    epochs = range(1, len(values["loss"]) + 1)
    marker = "o" if len(epochs) == 1 else None
    rates = [name for name in values if name.startswith("rate.")]
    figure = Figure(figsize=(9.6, 2.9))
    loss, accuracy, rate = figure.subplots(1, 3)
    loss.plot(epochs, values["loss"], color=BLUE, marker=marker)
    loss.set_title("loss")
    for name, (label, color) in _ACCURACIES.items():
        if name in values:
            percent = 100 * np.array(values[name])
            accuracy.plot(epochs, percent, color=color, marker=marker, label=label)
    accuracy.plot(
        epochs[-1], 100 * training["test_accuracy"], "D",
        color=INK, markersize=5, clip_on=False, label="test, at the end",
    )  # fmt: skip
    accuracy.set_title("accuracy (%)")
    accuracy.legend(frameon=False, fontsize=8, loc="lower right")
    for index, name in enumerate(rates):
        color, label = CLASSES[index % len(CLASSES)], name.removeprefix("rate.")
        rate.plot(epochs, values[name], color=color, marker=marker, label=label)
    rate.set_ylim(0, None)
    rate.set_title("spikes of a neuron in a tick")
    if rates:
        rate.legend(frameon=False, fontsize=8)
    begin = quantised_from(training["settings"])
    for axes in (loss, accuracy, rate):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlim(0.5, len(epochs) + 0.5)
        axes.grid(axis="y", color=LINE, linewidth=0.6)
        if 1 < begin <= len(epochs):
            axes.axvspan(begin - 0.5, len(epochs) + 0.5, color=LINE, alpha=0.6, linewidth=0, zorder=0)
    return figure


@styled
def confusion(classes: np.ndarray, labels: np.ndarray) -> Figure:
    """How many samples of each label were given each class.

    Parameters
    ----------
    classes, labels : int (samples,), 0 or more

    Returns
    -------
    matplotlib.figure.Figure
    """
    count = int(max(classes.max(), labels.max())) + 1
    matrix = np.zeros((count, count), int)
    np.add.at(matrix, (labels, classes), 1)
    figure = Figure(figsize=(4.6, 4.2))
    axes = figure.subplots()
    axes.imshow(matrix, cmap="Blues", norm="linear", vmax=matrix.max() * 1.15)
    for (label, answer), number in np.ndenumerate(matrix):
        if number:
            shade = "white" if number > matrix.max() * 0.6 else INK if label == answer else "#b42318"
            weight = "normal" if label == answer else "bold"
            axes.text(answer, label, str(number), ha="center", va="center", color=shade, weight=weight)
    axes.set_xticks(range(count))
    axes.set_yticks(range(count))
    axes.set_xlabel("class")
    axes.set_ylabel("label")
    axes.set_title("test samples by label and class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure
