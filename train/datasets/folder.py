"""The folders and files of published data, and what to say where they are missing."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from lifline.errors import InputError

Source = str | os.PathLike[str]

Part = TypeVar("Part")

_PUBLISHERS = {
    "mnist": "LeCun, Cortes and Burges publish it at http://yann.lecun.com/exdb/mnist/, "
    "mirror https://ossci-datasets.s3.amazonaws.com/mnist/",
    "fsdd": "Jackson et al. publish it at https://github.com/Jakobovski/free-spoken-digit-dataset "
    "and on Zenodo",
    "events": "tonic stores data sets there: tonic.datasets.NAME(save_to=DIR, train=True), and train=False",
    "nmnist": "Orchard et al. publish it at https://www.garrickorchard.com/datasets/n-mnist",
}


#: No recording in a zip file is longer; a few KiB could hold gigabytes.
_MOST_BYTES = 64 << 20


class Dataset(NamedTuple, Generic[Part]):
    """Two parts: ``train, test = mnist()``, or ``mnist().train``."""

    train: Part
    test: Part


def folder_of(task: str, data: Source | None = None) -> Path:
    """The folder that holds a task's files: `data`, or else ``$LIFLINE_DATA/TASK``.

    Raises
    ------
    InputError
        If neither is given, or there is no such folder.
    """
    root = os.environ.get("LIFLINE_DATA")
    if data is None and not root:
        raise missing(task, f"no folder for the data of '{task}' is given")
    folder = Path(data) if data is not None else Path(root or "", task)
    if not folder.is_dir():
        raise missing(task, f"{folder}: no such folder")
    return folder


def missing(task: str, what: str) -> InputError:
    return InputError(
        f"{what}; give its folder with --data DIR, or set LIFLINE_DATA to the folder that holds "
        f"{task}/; {_PUBLISHERS[task]}"
    )


def files(folder: Path, pattern: str) -> Iterator[tuple[str, re.Match[str], bytes]]:
    """The files whose path in `folder` matches or, if there are none, in the zip files that lie there.

    Yields what a message calls the file, the match, and the content.
    """
    loose = False
    for path in sorted(folder.rglob("*")):
        match = re.fullmatch(pattern, path.relative_to(folder).as_posix())
        if match and path.is_file():
            loose = True
            try:
                yield str(path), match, path.read_bytes()
            except OSError as error:
                raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    for path in [] if loose else sorted(folder.glob("*.zip")):
        where = str(path)
        try:
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if match := re.fullmatch(pattern, name):
                        where = f"{path}: {name!r}"
                        if archive.getinfo(name).file_size > _MOST_BYTES:
                            raise ValueError(f"it is longer than {_MOST_BYTES >> 20} MiB")
                        yield where, match, archive.read(name)
        except Exception as error:  # zipfile meets a damaged file with nearly any exception there is
            raise InputError(f"{where}: not a zip file, or damaged: {error}; fetch it again") from None
