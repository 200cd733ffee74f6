"""What the encoders and decoders require of their arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

from lifline.errors import InputError
from lifline.files import check_spikes

Encode = TypeVar("Encode", bound=Callable[..., np.ndarray])


def of_samples(encode: Encode) -> Encode:
    """Decorate an encoder of static values, (samples, inputs): images are flattened, and one sample will do.

    Of values (inputs,) it then gives (ticks, inputs).  Values (samples, height, width) or (samples, height, width,
    channels) are numbered row by row, channels last.
    """

    @functools.wraps(encode)
    def encoded(values: np.ndarray, *arguments: Any, **options: Any) -> np.ndarray:
        values = np.asarray(values)
        if values.ndim == 1:
            one: np.ndarray = encode(values[None], *arguments, **options)[0]
            return one
        if values.ndim > 2:
            values = values.reshape(len(values), -1)
        return encode(values, *arguments, **options)

    return cast(Encode, encoded)


def check_static(values: np.ndarray, ticks: int, max_rate: float = 1.0) -> np.ndarray:
    """Return static values, float64 (samples, inputs), 0 … 1."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2:
        raise InputError(f"values: shape is {values.shape}, must be (samples, inputs)")
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise InputError(
            f"values are in {values.min():g} … {values.max():g}, must be in 0 … 1; scale them first"
        )
    check_positive("ticks", ticks)
    if not 0 <= max_rate <= 1:
        raise InputError(f"max_rate must be in 0 … 1 spikes per tick, not {max_rate}")
    return values


def check_series(values: np.ndarray, low: float = -np.inf, high: float = np.inf) -> np.ndarray:
    """Return a series, float64 (samples, ticks, channels), finite and within low … high."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 3 or values.shape[1] < 1:
        raise InputError(
            f"values: shape is {values.shape}, must be (samples, ticks, channels), with 1 tick or more"
        )
    if not np.isfinite(values).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise InputError(f"values: {values[index]} at {index}, must be finite numbers")
    if values.size and not (values.min() >= low and values.max() <= high):
        raise InputError(
            f"values are in {values.min():g} … {values.max():g}, must be in {low:g} … {high:g}; "
            "shift or scale them first"
        )
    return values


def check_threshold(threshold: np.ndarray | float, samples: int, channels: int) -> np.ndarray:
    """Return the threshold of every sample and channel, float64 (samples, channels)."""
    threshold = np.asarray(threshold, dtype=np.float64)
    if not (np.isfinite(threshold) & (threshold >= 0)).all():
        raise InputError(f"threshold must be 0 or more, not {threshold.min():g}")
    return broadcast("threshold", threshold, (samples, channels))


def check_output(spikes: np.ndarray) -> np.ndarray:
    """Return what an encoder gave, uint8 (samples, ticks, inputs)."""
    spikes = np.asarray(spikes)
    if spikes.ndim != 3 or spikes.shape[1] < 1:
        raise InputError(
            f"spikes: shape is {spikes.shape}, must be (samples, ticks, inputs), with 1 tick or more"
        )
    return check_spikes(spikes, spikes.shape[2])


def check_positive(name: str, value: int) -> None:
    if value < 1:
        raise InputError(f"{name} must be 1 or more, not {value}")


def broadcast(name: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise InputError(f"{name}: shape is {array.shape}, must be a number or fit {shape}") from None
