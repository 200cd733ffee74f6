"""Event data sets that `tonic` reads: N-MNIST, DVS gestures, Poker-DVS, and the others with a train and a test part."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from lifline.errors import InputError, MissingExtra

from .folder import Dataset, Source, folder_of

#: One event of any sensor: column, row, polarity (1: brighter), time in µs.
_EVENT = np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "u1"), ("t", "<i8")])


@dataclasses.dataclass(frozen=True)
class EventRecordings:
    """Event recordings of one sensor, in the data set's order."""

    events: list[np.ndarray]  #: with the fields x, y, p and t (µs), each (events,)
    labels: np.ndarray  #: int64 (recordings,)
    size: tuple[int, int]  #: (width, height) of the sensor, in pixels


def tonic(name: str, data: Source | None = None) -> Dataset[EventRecordings]:
    """A data set of `tonic.datasets`, as tonic stored it in a folder: its train and its test part.

    Source: G. Lenz et al., "Tonic: event-based datasets and transformations", Zenodo, 2021.  Nothing is downloaded:
    ``tonic.datasets.NAME(save_to=FOLDER, train=True)`` does that, once, and ``train=False`` for the test part.

    Parameters
    ----------
    name : str
        Of the class in `tonic.datasets`, such as ``"NMNIST"``, ``"DVSGesture"`` or ``"POKERDVS"``.
    data : path or None
        The folder that tonic calls `save_to`; see :func:`folder_of`, with the task ``events``.

    Raises
    ------
    InputError
        If tonic has no such data set of a camera with two parts, or the folder does not hold it.
    MissingExtra
        If tonic is not installed.
    """
    try:
        import tonic.datasets as theirs
    except ModuleNotFoundError:
        raise MissingExtra("tonic", "events") from None
    folder = folder_of("events", data)
    known = _cameras(theirs)
    if name not in known:
        raise InputError(
            f"tonic has no data set of a camera called '{name}'; it has {', '.join(known)}"
        )
    base = getattr(theirs, name)

    def refuse(self: Any, *arguments: Any) -> None:
        raise InputError(
            f"{self.location_on_system}: does not hold all of {name}; fetch it with "
            f"tonic.datasets.{name}(save_to={str(folder)!r}, train=True), and train=False"
        )

    local = type(
        name, (base,), {"download": refuse, "_copy_and_extract_local_data": refuse}
    )  # of the same name, after which tonic calls its folder
    try:
        parts = [local(save_to=str(folder), train=train) for train in (True, False)]
    except TypeError:
        raise InputError(
            f"tonic's {name} has no train and test part; choose another data set"
        ) from None
    width, height, _ = base.sensor_size
    return Dataset(*(_recordings(part, (width, height)) for part in parts))


def _cameras(theirs: Any) -> list[str]:
    """The data sets of sensors with rows, columns and two polarities."""
    sizes = {name: getattr(getattr(theirs, name), "sensor_size", None) for name in theirs.__all__}
    return [name for name, size in sizes.items() if size is not None and size[1:] > (1, 1)]


def _recordings(part: Any, size: tuple[int, int]) -> EventRecordings:
    """All recordings of a part, copied into this package's type of events."""
    recordings, labels = [], []
    for index in range(len(part)):
        events, label = part[index]
        copied = np.empty(len(events), _EVENT)
        for field in ("x", "y", "p", "t"):
            copied[field] = events[field]
        recordings.append(copied)
        labels.append(int(label))
    return EventRecordings(recordings, np.array(labels, dtype=np.int64), size)
