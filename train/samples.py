"""Samples and labels, and how a data set is split."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lifline.errors import InputError, MissingExtra


class Samples(NamedTuple):
    """A part of a data set."""

    values: np.ndarray  #: (samples, …): spikes, or whatever is encoded as spikes
    labels: np.ndarray  #: int64 (samples,)


class Data(NamedTuple):
    """What is learned from, what settings are chosen by, and what is used once, for the result."""

    training: Samples
    validation: Samples
    test: Samples


def split_off(samples: Samples, fraction: float) -> tuple[Samples, Samples]:
    """Samples without a stratified `fraction` of them, always the same, and that fraction.

    Raises
    ------
    InputError
        If the samples are too few for it.
    MissingExtra
        If scikit-learn is not installed.
    """
    if not fraction:
        return samples, Samples(*(array[:0] for array in samples))
    try:
        from sklearn.model_selection import train_test_split
    except ModuleNotFoundError:
        raise MissingExtra("scikit-learn", "train") from None
    try:
        kept, held = train_test_split(
            np.arange(len(samples.labels)), test_size=fraction, stratify=samples.labels, random_state=0
        )
    except ValueError as error:  # too few samples of a label on one side
        raise InputError(
            f"a fraction of {fraction:g} cannot be held out of {len(samples.labels)} samples (setting 'validation'): "
            f"{error}"
        ) from None
    return Samples(*(array[kept] for array in samples)), Samples(*(array[held] for array in samples))
