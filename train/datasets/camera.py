"""Digits as an event camera saw them: N-MNIST."""

from __future__ import annotations

import dataclasses
import re

import numpy as np

from lifline.errors import InputError

from .folder import Dataset, Source, files, folder_of, missing

NMNIST_SIDE = 34  #: pixels of the event camera's side
#: One event: column, row, polarity (1: brighter), time in µs.
EVENT = np.dtype([("x", "u1"), ("y", "u1"), ("p", "u1"), ("t", "<u4")])
_OVERFLOW_ROW = 240  # not a pixel: from this event on, the times are later by …
_OVERFLOW = 1 << 13  # … so many µs


@dataclasses.dataclass(frozen=True)
class Recordings:
    """Event recordings, in the order of label and id."""

    events: list[np.ndarray]  #: of dtype EVENT, (events,), in the file's order
    labels: np.ndarray  #: int64 (recordings,)


def nmnist(data: Source | None = None) -> Dataset[Recordings]:
    """N-MNIST: MNIST's digits as a moving event camera of 34×34 pixels saw them.

    Source: G. Orchard, A. Jayawant, G. K. Cohen and N. Thakor, "Converting Static Image Datasets to
    Spiking Neuromorphic Datasets Using Saccades", Frontiers in Neuroscience 9, 2015.  Reads
    ``Train/{label}/{id}.bin`` and ``Test/{label}/{id}.bin`` from the folder; if there are none, from
    the zip files in the folder (the publisher's Train.zip and Test.zip, or one with both).

    An event is 40 bits, big-endian: x (8), y (8), polarity (1), time in µs (23).  One whose y is 240 is
    no event of a pixel: the times from there on are later by 2¹³ µs, as in the publisher's own reader
    (`read_dataset` of https://github.com/gorchard/event-Python).

    Parameters
    ----------
    data : path or None
        See :func:`folder_of`.

    Raises
    ------
    InputError
        If a part is missing, or a file damaged, or not of whole events on 34×34 pixels.
    """
    folder = folder_of("nmnist", data)
    parts: dict[str, dict[tuple[int, str], np.ndarray]] = {"Train": {}, "Test": {}}
    for where, match, content in files(folder, r"(?:.*/)?(Train|Test)/([^/]+)/([^./][^/]*)\.bin"):
        part, label, name = match.groups()
        if not re.fullmatch("[0-9]", label):
            raise InputError(
                f"{where}: its folder must be the digit that it shows, 0 … 9, not {label!r}"
            )
        key = int(label), name
        if key in parts[part]:
            raise InputError(f"{where}: there is another recording of that name; remove one")
        parts[part][key] = _events(where, content)
    for part, recordings in parts.items():
        if not recordings:
            raise missing("nmnist", f"{folder}: no {part}/LABEL/ID.bin, loose or in a zip ({part}.zip)")
    return Dataset(*(_recordings(part) for part in parts.values()))


def _events(where: str, content: bytes) -> np.ndarray:
    """The events of a recording, of dtype EVENT."""
    if not content or len(content) % 5:
        raise InputError(
            f"{where}: {len(content)} bytes, must be whole events of 5 bytes; fetch it again"
        )
    x, y, high, middle, low = np.frombuffer(content, np.uint8).reshape(-1, 5).T
    overflow = y == _OVERFLOW_ROW
    outside = ~overflow & ((x >= NMNIST_SIDE) | (y >= NMNIST_SIDE))
    if outside.any():
        first = int(outside.argmax())
        raise InputError(
            f"{where}: event {first} is at ({x[first]}, {y[first]}), must be on "
            f"{NMNIST_SIDE}×{NMNIST_SIDE} pixels"
        )
    events = np.empty(len(x), EVENT)
    events["x"], events["y"], events["p"] = x, y, high >> 7
    events["t"] = (high & 127).astype(np.uint32) << 16 | middle.astype(np.uint32) << 8 | low
    events["t"] += np.cumsum(overflow, dtype=np.uint32) * np.uint32(_OVERFLOW)
    return events[~overflow]


def _recordings(recordings: dict[tuple[int, str], np.ndarray]) -> Recordings:
    keys = sorted(recordings)
    labels = np.array([label for label, _ in keys], dtype=np.int64)
    return Recordings([recordings[key] for key in keys], labels)
