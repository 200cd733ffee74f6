"""Files of raw values: ``VALUES.npz``."""

from __future__ import annotations

import os

import numpy as np

from lifline.errors import InputError
from lifline.files import check_labels, read_npz

from .encoder import Encoder


def read_values(
    path: str | os.PathLike[str], encoder: Encoder, inputs: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Read ``VALUES.npz``: raw values and, where the file has them, labels.

    Parameters
    ----------
    path : path
    encoder : Encoder
        That will take them.
    inputs : int
        Of the network behind it.

    Returns
    -------
    values : as ``encoder.encode`` takes them
    labels : int64 (samples,) or None

    Raises
    ------
    InputError
        If the file or what it holds cannot be used.
    """
    arrays = read_npz(path, item_bytes=8)
    if "values" not in arrays:
        raise InputError(
            f"{path}: no array 'values', only {', '.join(map(repr, arrays)) or 'an empty file'}: an encoder takes raw "
            "values"
        )
    values, labels = arrays["values"], arrays.get("labels")
    try:
        frames = encoder.frames(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    channels = encoder.channels(inputs)
    if frames.shape[2] != channels or not len(frames):
        raise InputError(
            f"{path}: values: {len(frames)} samples of {frames.shape[2]} channels, must be 1 or more of {channels}"
        )
    if labels is None:
        return values, None
    return values, check_labels(labels, len(values), f"{path}: labels")
