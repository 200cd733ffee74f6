"""Recordings of event cameras."""

from __future__ import annotations

import numpy as np

from lifline.errors import InputError

from .checks import check_positive

FIELDS = ("x", "y", "p", "t")


def bin_events(
    events: np.ndarray | tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    size: tuple[int, int],
    ticks: int,
    tick_us: int | None = None,
    *,
    crop: tuple[int, int, int, int] | None = None,
    pool: int = 1,
    merge: bool = False,
    minimum: int = 1,
) -> np.ndarray:
    """Bin the events of one recording: an input spikes in a tick if events fall into its cell then.

    The inputs are in the order polarity, row, column: the cell at (row, column) of polarity p is input
    ``(p · rows + row) · columns + column``, p = 0 (darker) before p = 1 (brighter).

    Parameters
    ----------
    events : structured array (events,) with the fields x, y, p and t, or four arrays (events,)
        Column, row, polarity (0 or 1) and time in µs, in any order of time.
    size : (width, height)
        Of the sensor, in pixels.
    ticks : int
    tick_us : int, optional
        Length of a tick in µs: time 0 begins the first, and events after the last are left out.  Without it
        the time from the first event to the last is split evenly.
    crop : (x, y, width, height), optional
        The part of the sensor that is used; events outside are left out.
    pool : int
        Cells of ``pool × pool`` pixels; those at the right and the bottom may be cut off.
    merge : bool
        Whether both polarities share one set of inputs.
    minimum : int
        Events in a cell within a tick for a spike.

    Returns
    -------
    uint8 (ticks, polarities · rows · columns)

    Raises
    ------
    InputError
        If the events are malformed or not on the sensor, or another argument is out of range.
    """
    x, y, p, t = _checked(events, size)
    left, top, width, height = (0, 0, *size) if crop is None else crop
    if min(left, top) < 0 or min(width, height) < 1 or left + width > size[0] or top + height > size[1]:
        raise InputError(f"crop: {crop} is not (x, y, width, height) within the sensor's {size}")
    for name, value in (("ticks", ticks), ("pool", pool), ("minimum", minimum)):
        check_positive(name, value)
    if tick_us is not None:
        check_positive("tick_us", tick_us)
        tick = t // tick_us
    elif t.size:
        tick = (t - t.min()) * ticks // (np.ptp(t) + 1)
    else:
        tick = t

    columns, rows = -(-width // pool), -(-height // pool)
    inputs = rows * columns * (1 if merge else 2)
    x, y = x - left, y - top
    used = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (tick < ticks)
    cell = (y // pool) * columns + x // pool + (0 if merge else p * rows * columns)
    counts = np.bincount((tick * inputs + cell)[used], minlength=ticks * inputs)
    return (counts >= minimum).astype(np.uint8).reshape(ticks, inputs)


def _checked(
    events: np.ndarray | tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], size: tuple[int, int]
) -> list[np.ndarray]:
    if isinstance(events, np.ndarray) and events.dtype.names is not None:
        missing = [field for field in FIELDS if field not in events.dtype.names]
        if missing:
            raise InputError(f"events: field '{missing[0]}' is missing; there are {events.dtype.names}")
        arrays = [events[field] for field in FIELDS]
    else:
        arrays = [np.asarray(array) for array in events]
        if len(arrays) != 4:
            raise InputError(f"events: {len(arrays)} arrays, must be four: x, y, p and t")
    for field, array, end in zip(FIELDS, arrays, (*size, 2, None), strict=True):
        if array.ndim != 1 or array.size != arrays[0].size or array.dtype.kind not in "biu":
            raise InputError(
                f"events: {field} is {array.dtype} {array.shape}, must be ({arrays[0].size},) integers"
            )
        if array.size and (array.min() < 0 or (end is not None and array.max() >= end)):
            bound = "0 or more" if end is None else f"in 0 … {end - 1}"
            raise InputError(f"events: {field} is in {array.min()} … {array.max()}, must be {bound}")
    return [array.astype(np.int64) for array in arrays]
