"""Handwritten digits as pictures: MNIST, and those that scikit-learn brings."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import math
import re
import struct
import zlib
from pathlib import Path

import numpy as np

from lifline.errors import InputError, MissingExtra

from .folder import Dataset, Source, folder_of, missing

#: SHA-256 of the decompressed files; their publisher gives none, but these are quoted everywhere.
_MNIST = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
#: No file of such images is longer; a small compressed one could hold gigabytes.
_MOST_BYTES = 128 << 20
_MNIST_SIZES = {"train": 60_000, "t10k": 10_000}


@dataclasses.dataclass(frozen=True)
class Images:
    """Images, uint8 (samples, rows, columns), and labels, int64 (samples,)."""

    images: np.ndarray
    labels: np.ndarray


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
        raise missing("mnist", f"{folder / name}[.gz]: no such file")
    dimensions = int(re.findall(r"idx(\d)", name)[0])
    length = 4 * (1 + dimensions)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(length)
            shape = _shape(path, header, dimensions)
            size = math.prod(shape)
            content = file.read(size + 1)
            if len(content) > size:
                raise InputError(
                    f"{path}: holds more than the {size} bytes of data that its header says; fetch it again"
                )
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {error}; fetch it again") from None
    if len(content) < size:
        raise InputError(
            f"{path}: {len(content)} bytes of data, its header says {size}; fetch it again"
        )
    if check and shape[0] == _MNIST_SIZES[name.split("-")[0]]:
        digest = hashlib.sha256(header)
        digest.update(content)
        if digest.hexdigest() != _MNIST[name]:
            raise InputError(
                f"{path}: SHA-256 of its content is {digest.hexdigest()}, MNIST's is {_MNIST[name]}; fetch it again"
            )
    return path, np.frombuffer(bytearray(content), np.uint8).reshape(shape)


def _shape(path: Path, header: bytes, dimensions: int) -> list[int]:
    """The shape that an idx file's header says, checked before any of its data is read."""
    if len(header) < 4 * (1 + dimensions):
        raise InputError(
            f"{path}: {len(header)} bytes, too short for an idx file's header; fetch it again"
        )
    magic = 0x0800 + dimensions
    found, *shape = struct.unpack(f">{1 + dimensions}I", header)
    if found != magic:
        raise InputError(
            f"{path}: magic number 0x{found:08x}, must be 0x{magic:08x} (unsigned bytes, "
            f"{dimensions} dimensions)"
        )
    if math.prod(shape) > _MOST_BYTES:
        raise InputError(
            f"{path}: its header says {math.prod(shape) >> 20} MiB, more than {_MOST_BYTES >> 20} MiB, twice the "
            "largest of MNIST; fetch it again"
        )
    return shape
