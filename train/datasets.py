"""Real data from the publishers' own files, and anyone's own as arrays of spikes.

A task's files lie in the folder given as `data`, by default ``$LIFLINE_DATA/TASK``.  Nothing is
downloaded: what is missing is named, with its publisher.  A loader checks everything before it returns
anything.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import math
import os
import re
import struct
import wave
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from lifline.errors import InputError, MissingExtra
from lifline.files import check_spikes, read_npz

Source = str | os.PathLike[str]

_PUBLISHERS = {
    "mnist": "LeCun, Cortes and Burges publish it at http://yann.lecun.com/exdb/mnist/, "
    "mirror https://ossci-datasets.s3.amazonaws.com/mnist/",
    "fsdd": "Jackson et al. publish it at https://github.com/Jakobovski/free-spoken-digit-dataset "
    "and on Zenodo",
    "nmnist": "Orchard et al. publish it at https://www.garrickorchard.com/datasets/n-mnist",
}

#: SHA-256 of the decompressed files; their publisher gives none, but these are quoted everywhere.
_MNIST = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_MNIST_SIZES = {"train": 60_000, "t10k": 10_000}

FSDD_RATE = 8000  #: samples per second
FSDD_TEST = 5  #: the publisher's split: recordings 0 … 4 of each speaker and digit are the test

NMNIST_SIDE = 34  #: pixels of the event camera's side
#: One event: column, row, polarity (1: brighter), time in µs.
EVENT = np.dtype([("x", "u1"), ("y", "u1"), ("p", "u1"), ("t", "<u4")])
_OVERFLOW_ROW = 240  # not a pixel: from this event on, the times are later by …
_OVERFLOW = 1 << 13  # … so many µs

Part = TypeVar("Part")


class Dataset(NamedTuple, Generic[Part]):
    """Two parts: ``train, test = mnist()``, or ``mnist().train``."""

    train: Part
    test: Part


@dataclasses.dataclass(frozen=True)
class Images:
    """Images, uint8 (samples, rows, columns), and labels, int64 (samples,)."""

    images: np.ndarray
    labels: np.ndarray


@dataclasses.dataclass(frozen=True)
class Clips:
    """Spoken digits, in the order of digit, speaker and index."""

    samples: list[np.ndarray]  #: int16 (n,), n different for each clip
    labels: np.ndarray  #: int64 (clips,), 0 … 9
    speakers: np.ndarray  #: str (clips,)
    indices: np.ndarray  #: int64 (clips,): which of the speaker's recordings of the digit
    rate: int = FSDD_RATE

    def split(self, speaker: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Masks of the training and the test clips, bool (clips,) each.

        Parameters
        ----------
        speaker : str or None
            The test is all clips of this speaker, who is not learned from (leave one speaker out);
            None: the publisher's split, in which indices 0 … 4 are the test.

        Raises
        ------
        InputError
            If there is no such speaker.
        """
        if speaker is None:
            test = self.indices < FSDD_TEST
        else:
            test = self.speakers == speaker
            if not test.any():
                known = ", ".join(np.unique(self.speakers))
                raise InputError(f"speaker '{speaker}' is not in the data, only {known}")
        return ~test, test


@dataclasses.dataclass(frozen=True)
class Recordings:
    """Event recordings, in the order of label and id."""

    events: list[np.ndarray]  #: of dtype EVENT, (events,), in the file's order
    labels: np.ndarray  #: int64 (recordings,)


@dataclasses.dataclass(frozen=True)
class Spikes:
    """Spikes, uint8 (samples, ticks, inputs), and labels, int64 (samples,)."""

    spikes: np.ndarray
    labels: np.ndarray


def folder_of(task: str, data: Source | None = None) -> Path:
    """The folder that holds a task's files: `data`, or else ``$LIFLINE_DATA/TASK``.

    Raises
    ------
    InputError
        If neither is given, or there is no such folder.
    """
    root = os.environ.get("LIFLINE_DATA")
    if data is None and not root:
        raise _missing(task, f"no folder for the data of '{task}' is given")
    folder = Path(data) if data is not None else Path(root or "", task)
    if not folder.is_dir():
        raise _missing(task, f"{folder}: no such folder")
    return folder


def mnist(data: Source | None = None, *, check: bool = True) -> Dataset[Images]:
    """MNIST: handwritten digits, 28×28, 60,000 to learn and 10,000 to test.

    Source: Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits".  Reads
    the four idx files, compressed with gzip or not: magic number, dimensions, bytes, all big-endian.

    Parameters
    ----------
    data : path or None
        See :func:`folder_of`.
    check : bool
        Whether files of MNIST's own sizes must have its SHA-256.

    Raises
    ------
    InputError
        If a file is missing, damaged, of another shape, or not MNIST's.
    """
    folder = folder_of("mnist", data)
    return Dataset(_mnist_part(folder, "train", check), _mnist_part(folder, "t10k", check))


def fsdd(data: Source | None = None) -> Clips:
    """The Free Spoken Digit Dataset: 3,000 clips of six speakers, 8 kHz, mono, 16 bits.

    Source: Z. Jackson et al., "Jakobovski/free-spoken-digit-dataset", Zenodo, 2018.  Reads files named
    ``{digit}_{speaker}_{index}.wav`` from the folder, or from a folder ``recordings`` in it; if there
    are none, from the zip files in the folder.

    Parameters
    ----------
    data : path or None
        See :func:`folder_of`.

    Raises
    ------
    InputError
        If there is no such file, or one is damaged, empty, or of another name, rate, width or number of
        channels.
    """
    folder = folder_of("fsdd", data)
    clips: dict[tuple[int, str, int], np.ndarray] = {}
    for where, match, content in _files(folder, r"(?:(?:.*/)?recordings/)?([^./][^/]*\.wav)"):
        name = re.fullmatch(r"([0-9])_([^_]+)_([0-9]+)\.wav", match[1])
        if not name:
            raise InputError(
                f"{where}: its name must be DIGIT_SPEAKER_INDEX.wav, such as 7_george_12.wav"
            )
        key = int(name[1]), name[2], int(name[3])
        if key in clips:
            raise InputError(f"{where}: there is another recording of that name; remove one")
        clips[key] = _wav(where, content)
    if not clips:
        raise _missing(
            "fsdd", f"{folder}: no recordings/*.wav, loose or in a zip (free-spoken-digit-dataset.zip)"
        )
    keys = sorted(clips)
    return Clips(
        [clips[key] for key in keys],
        np.array([digit for digit, _, _ in keys], dtype=np.int64),
        np.array([speaker for _, speaker, _ in keys]),
        np.array([index for _, _, index in keys], dtype=np.int64),
    )


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
    for where, match, content in _files(folder, r"(?:.*/)?(Train|Test)/([^/]+)/([^./][^/]*)\.bin"):
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
            raise _missing(
                "nmnist", f"{folder}: no {part}/LABEL/ID.bin, loose or in a zip ({part}.zip)"
            )
    return Dataset(*(_recordings(part) for part in parts.values()))


def digits() -> Images:
    """scikit-learn's digits: 1,797 images, uint8 (1797, 8, 8), 0 … 16.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository, 1998 (its test images), as `sklearn.datasets.load_digits` holds them.

    Raises
    ------
    MissingExtra
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError:
        raise MissingExtra("scikit-learn", "train") from None
    bunch = load_digits()
    return Images(bunch.images.astype(np.uint8), bunch.target.astype(np.int64))


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


def _missing(task: str, what: str) -> InputError:
    return InputError(
        f"{what}; give its folder with --data DIR, or set LIFLINE_DATA to the folder that holds "
        f"{task}/; {_PUBLISHERS[task]}"
    )


def _mnist_part(folder: Path, part: str, check: bool) -> Images:
    images_file, images = _idx(folder, f"{part}-images-idx3-ubyte", check)
    labels_file, labels = _idx(folder, f"{part}-labels-idx1-ubyte", check)
    if images.shape[1:] != (28, 28):
        raise InputError(f"{images_file}: images of {images.shape[1]}×{images.shape[2]}, must be 28×28")
    if len(images) != len(labels):
        raise InputError(
            f"{labels_file}: {len(labels)} labels for {len(images)} images in {images_file.name}"
        )
    if labels.max(initial=0) > 9:
        raise InputError(f"{labels_file}: holds label {labels.max()}, must be 0 … 9")
    return Images(images, labels.astype(np.int64))


def _idx(folder: Path, name: str, check: bool) -> tuple[Path, np.ndarray]:
    """The path and the array of an idx file of unsigned bytes, whose name says how many dimensions."""
    path = next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)
    if path is None:
        raise _missing("mnist", f"{folder / name}[.gz]: no such file")
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {error}; fetch it again") from None
    dimensions = int(re.findall(r"idx(\d)", name)[0])
    header = 4 * (1 + dimensions)
    magic = 0x0800 + dimensions
    if len(content) < header:
        raise InputError(
            f"{path}: {len(content)} bytes, too short for an idx file's header; fetch it again"
        )
    found, *shape = struct.unpack(f">{1 + dimensions}I", content[:header])
    if found != magic:
        raise InputError(
            f"{path}: magic number 0x{found:08x}, must be 0x{magic:08x} (unsigned bytes, "
            f"{dimensions} dimensions)"
        )
    size = math.prod(shape)
    if len(content) != header + size:
        raise InputError(
            f"{path}: {len(content) - header} bytes of data, its header says {size}; fetch it again"
        )
    if check and shape[0] == _MNIST_SIZES[name.split("-")[0]]:
        digest = hashlib.sha256(content).hexdigest()
        if digest != _MNIST[name]:
            raise InputError(
                f"{path}: SHA-256 of its content is {digest}, MNIST's is {_MNIST[name]}; fetch it again"
            )
    return path, np.frombuffer(bytearray(content), np.uint8, offset=header).reshape(shape)


def _files(folder: Path, pattern: str) -> Iterator[tuple[str, re.Match[str], bytes]]:
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
                        yield where, match, archive.read(name)
        except Exception as error:  # zipfile meets a damaged file with nearly any exception there is
            raise InputError(f"{where}: not a zip file, or damaged: {error}; fetch it again") from None


def _wav(where: str, content: bytes) -> np.ndarray:
    """The samples of a wav file, int16 (n,)."""
    try:
        with wave.open(io.BytesIO(content)) as file:
            channels, width, rate, count = file.getparams()[:4]
            data = file.readframes(count)
    except (wave.Error, EOFError, RuntimeError) as error:  # the last: a chunk that claims a wrong size
        raise InputError(
            f"{where}: not a wav file of plain samples, or damaged: {str(error) or 'cut short'}"
        ) from None
    if (channels, width, rate) != (1, 2, FSDD_RATE):
        raise InputError(
            f"{where}: {channels} × {8 * width} bits at {rate} Hz, must be 1 × 16 bits (mono) at "
            f"{FSDD_RATE} Hz; convert it"
        )
    if not count:
        raise InputError(f"{where}: holds no samples")
    if len(data) != 2 * count:
        raise InputError(f"{where}: cut short: {len(data) // 2} samples, its header says {count}")
    return np.frombuffer(data, "<i2").astype(np.int16)


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


def _spikes(path: Path, inputs: int | None = None) -> Spikes:
    """The spikes and labels of a file; `inputs`, if given, is how many there must be."""
    content = read_npz(path)
    for name in ("spikes", "labels"):
        if name not in content:
            raise InputError(f"{path}: no array '{name}'; it must hold 'spikes' and 'labels'")
    spikes, labels = content["spikes"], content["labels"]
    if spikes.ndim != 3 or not spikes.size:
        raise InputError(
            f"{path}: spikes: shape is {spikes.shape}, must be (samples, ticks, inputs), none of them 0"
        )
    spikes = check_spikes(spikes, spikes.shape[2] if inputs is None else inputs, f"{path}: spikes")
    if labels.shape != spikes.shape[:1] or labels.dtype.kind not in "iu" or (labels < 0).any():
        raise InputError(
            f"{path}: labels: {labels.dtype}{labels.shape}, must be integers of 0 or more of shape "
            f"{spikes.shape[:1]}, one for each sample"
        )
    return Spikes(spikes, labels.astype(np.int64))
