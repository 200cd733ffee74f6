"""Spikes and labels of one's own, as arrays."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from lifline.errors import InputError
from lifline.files import read_spikes

from .folder import Dataset, Source

#: More classes than any network here tells apart, and few enough for its output to be made.
MOST_CLASSES = 1 << 16


@dataclasses.dataclass(frozen=True)
class Spikes:
    """Spikes, uint8 (samples, ticks, inputs), and labels, int64 (samples,)."""

    spikes: np.ndarray
    labels: np.ndarray


def arrays(data: Source) -> Dataset[Spikes]:
    """Anyone's own data: train.npz and test.npz in the folder `data`.

    Each holds `spikes`, uint8 (samples, ticks, inputs), 0 or 1, and `labels`, integers (samples,), 0 or
    more.

    Raises
    ------
    InputError
        If a file or an array is missing, damaged, empty, or of another shape, type or range, or if the
        two files differ in their inputs.
    """
    train = _spikes(Path(data, "train.npz"))
    return Dataset(train, _spikes(Path(data, "test.npz"), train.spikes.shape[2]))


def _spikes(path: Path, inputs: int | None = None) -> Spikes:
    """The spikes and labels of a file; `inputs`, if given, is how many there must be."""
    spikes, labels = read_spikes(path, inputs)
    if labels is None:
        raise InputError(f"{path}: no array 'labels'; it must hold 'spikes' and 'labels'")
    if labels.min() < 0:
        raise InputError(f"{path}: labels: holds {labels.min()}, must be 0 or more")
    if labels.max() >= MOST_CLASSES:
        raise InputError(
            f"{path}: labels: holds {labels.max()}, must be less than {MOST_CLASSES}, as each is a neuron of the output"
        )
    return Spikes(spikes, labels)
