"""What a network makes of spikes: classes, costs, and some samples in full, for ``lifline evaluate``.

Samples are run some at a time, so that a file of any size can be evaluated; only what is counted is kept, and the
samples that are shown are run once more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lifline import golden
from lifline.errors import InputError, MissingExtra
from lifline.network import INPUT, Network
from lifline.progress import Progress, silent
from lifline.recording import Recording, check_memory

from .costs import Costs, board_names, on_board

#: Numbers that are recorded at once, spikes and states.
_AT_ONCE = 50_000_000

#: Samples whose cycles are counted for every board, evenly spread.
_TIMED = 1000


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What was found."""

    network: Network
    spikes: np.ndarray  #: of all samples
    labels: np.ndarray | None
    classes: np.ndarray  #: int64 (samples,)
    class_names: list[str]  #: of the output's neurons
    costs: Costs
    boards: list[dict[str, Any]]  #: rows of :func:`lifline.app.costs.on_board`
    unpriced: str | None  #: why there are none
    shown: list[int]  #: samples that the page shows
    recording: Recording  #: of these

    @property
    def wrong(self) -> np.ndarray:
        """Indices of the samples that were classified otherwise than labelled."""
        if self.labels is None:
            return np.array([], np.int64)
        return np.flatnonzero(self.labels != self.classes)

    def result(self) -> dict[str, Any]:
        """The numbers, for JSON."""
        samples, ticks, _ = self.spikes.shape
        values: dict[str, Any] = {
            "network": self.network.name,
            "samples": samples,
            "ticks": ticks,
            "classes": np.bincount(self.classes, minlength=len(self.class_names)),
            "class_names": self.class_names,
        }
        if self.labels is not None:
            correct = int((self.labels == self.classes).sum())
            values |= {"correct": correct, "accuracy": correct / samples}
            values |= {"confusion": self.confusion(), "wrong": self.wrong[:100]}
        return values | {
            "metrics": self.costs.metrics(),
            "populations": self.costs.populations(),
            "projections": self.costs.projections(),
            "boards": self.boards,
        }

    def confusion(self) -> np.ndarray:
        """How many samples of each label (rows) were given each class, int64."""
        assert self.labels is not None
        size = len(self.class_names)
        matrix = np.zeros((size, size), np.int64)
        np.add.at(matrix, (self.labels, self.classes), 1)
        return matrix


def evaluate(
    network: Network,
    spikes: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    class_names: Sequence[str] | None = None,
    boards: Sequence[str] = (),
    lanes: Any = None,
    show: int = 12,
    progress: Progress = silent,
) -> Evaluation:
    """Run a network on spikes and count.

    Parameters
    ----------
    network : Network
    spikes : (samples, ticks, inputs)
    labels : int (samples,), optional
    class_names : sequence of str, optional
        Of the output's neurons; by default those in the network's metadata, ``"classes"``, or their numbers.
    boards : sequence of str
        By default all.
    lanes : int or dict or "auto", optional
        Of every board; by default as many as should fit.
    show : int
        Samples that are kept in full: wrong ones first, then one of each class.
    progress : callable

    Raises
    ------
    InputError
        If labels are no classes of the network, or the names are not as many as its outputs.
    """
    outputs = network.size(network.output)
    if labels is not None and not 0 <= labels.min() <= labels.max() < outputs:
        raise InputError(
            f"labels are in {labels.min()} … {labels.max()}, must be in 0 … {outputs - 1}, the neurons of the output"
        )
    names = names_of(network, class_names)
    samples, ticks, _ = spikes.shape
    numbers = sum(p.size * (1 + len(p.neuron.states)) for p in network.populations)
    step = max(1, _AT_ONCE // (numbers * ticks))
    check_memory(network, min(step, samples), ticks)
    model, costs, classes, timed = golden.Model(network), Costs(network), [], []
    every = -(-samples // _TIMED)
    for start in range(0, samples, step):
        progress(start, samples, "golden model")
        part = spikes[start : start + step]
        recording = model.simulate(part)
        costs.add(part, recording)
        classes.append(recording.classes)
        of = slice(-start % every, None, every)
        timed.append({INPUT: part[of], **{name: array[of] for name, array in recording.spikes.items()}})
    all_classes = np.concatenate(classes)
    activity = {name: np.concatenate([some[name] for some in timed]) for name in timed[0]}
    rows, unpriced = _boards(network, activity, boards, lanes)
    shown = chosen_samples(all_classes, labels, show)
    return Evaluation(
        network, spikes, labels, all_classes, names, costs, rows, unpriced, shown, model.simulate(spikes[shown])
    )  # fmt: skip


def names_of(network: Network, given: Sequence[str] | None) -> list[str]:
    """Names of the output's neurons: those given, those in the metadata, or their numbers.

    Raises
    ------
    InputError
        If there are not as many as neurons.
    """
    outputs = network.size(network.output)
    known = network.metadata.get("classes") if given is None else list(given)
    if known is None:
        return [str(number) for number in range(outputs)]
    if not isinstance(known, list) or len(known) != outputs:
        count = len(known) if isinstance(known, list) else 1
        raise InputError(
            f"class names: {count} names, the output has {outputs} neurons: give one for each"
        )
    return [str(name) for name in known]


def chosen_samples(classes: np.ndarray, labels: np.ndarray | None, count: int) -> list[int]:
    """Samples to look at, in order: wrong ones up to half of them, then one of each class in turn."""
    wrong = [] if labels is None else np.flatnonzero(labels != classes)[: (count + 1) // 2].tolist()
    turn = np.zeros(len(classes), np.int64)  # the how-manieth of its class a sample is
    for name in np.unique(classes):
        members = np.flatnonzero(classes == name)
        turn[members] = np.arange(len(members))
    order = np.lexsort((np.arange(len(classes)), classes, turn)).tolist()
    rest = [sample for sample in order if sample not in set(wrong)]
    return sorted([*wrong, *rest[: max(0, count - len(wrong))]])


def _boards(
    network: Network, activity: Mapping[str, np.ndarray], names: Sequence[str], lanes: Any
) -> tuple[list[dict[str, Any]], str | None]:
    """What each board would take; or none, and why."""
    try:
        found = board_names(names)
        return [on_board(network, name, lanes=lanes, activity=activity) for name in found], None
    except MissingExtra as error:
        if names:
            raise
        return [], str(error)
