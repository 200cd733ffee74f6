"""Reading and writing ``.npz`` files: never pickle, never half-written, one clear line when damaged."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
import tokenize
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from .errors import InputError

#: Arrays larger than this in all are refused (a small file can claim to hold terabytes).
MAX_BYTES = 8 << 30


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; rename it to `path` only when the block ends well.

    Raises
    ------
    InputError
        If the folder does not exist or cannot be written.
    """
    target = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise InputError(f"{target}: cannot write there: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        try:
            os.replace(temporary, target)
        except OSError as error:
            raise InputError(f"{target}: cannot write there: {error.strerror}") from None
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def write_npz(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays to `path`; the same arrays give the same bytes."""
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # its date is fixed: 1980-01-01
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as member:
                npy.write_array(member, np.asarray(array, order="C"), allow_pickle=False)


def read_npz(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read all arrays of an ``.npz`` file.

    Raises
    ------
    InputError
        If there is no such file, it is not a whole ``.npz``, or it holds Python objects (pickle).
    """
    source = Path(path)
    if not source.exists():
        raise InputError(f"{source}: no such file")
    try:
        with zipfile.ZipFile(source) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                raise InputError(f"{source}: its arrays exceed {MAX_BYTES >> 30} GiB; split the file")
            return {
                entry.filename.removesuffix(".npy"): _read_array(archive, entry, source)
                for entry in archive.infolist()
            }
    except InputError:
        raise
    except Exception as error:  # zipfile meets a damaged file with nearly any exception there is
        reason = getattr(error, "strerror", None) or "not an .npz file, or damaged"
        raise InputError(f"{source}: {reason}; write it with numpy.savez or lifline") from None


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, source: Path) -> np.ndarray:
    """Read one member, after its header has been held against its size (no surprise allocation)."""
    try:
        with archive.open(entry) as member:
            version = npy.read_magic(member)
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read_header(member)
    except (ValueError, TypeError, SyntaxError, tokenize.TokenError):
        raise InputError(f"{source}: member '{entry.filename}' is not a NumPy array") from None
    if dtype.hasobject:
        raise InputError(
            f"{source}: array '{entry.filename}' holds Python objects (pickle), which lifline "
            "never loads; save plain integer arrays"
        )
    if math.prod(shape) * dtype.itemsize > entry.file_size:
        raise InputError(f"{source}: array '{entry.filename}' is shorter than its header says")
    with archive.open(entry) as member:
        array: np.ndarray = npy.read_array(member, allow_pickle=False)
        return array


def read_spikes(
    path: str | os.PathLike[str], inputs: int | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Read ``SPIKES.npz``: input spikes and, where the file has them, labels.

    Parameters
    ----------
    path : path
    inputs : int, optional
        Number of inputs of the network that will receive the spikes; by default as many as there are.

    Returns
    -------
    spikes : uint8 (samples, ticks, inputs)
    labels : int64 (samples,) or None

    Raises
    ------
    InputError
        If the file or what it holds cannot be used.
    """
    arrays = read_npz(path)
    if "spikes" not in arrays:
        raise InputError(
            f"{path}: no array 'spikes', only {', '.join(map(repr, arrays)) or 'an empty file'}"
        )
    if inputs is None:
        inputs = (0, *arrays["spikes"].shape)[-1]
    spikes = check_spikes(arrays["spikes"], inputs, f"{path}: spikes")
    spikes = spikes if spikes.ndim == 3 else spikes[None]
    if 0 in spikes.shape:
        raise InputError(
            f"{path}: spikes: shape is {spikes.shape}; give at least one sample and one tick"
        )
    labels = arrays.get("labels")
    if labels is None:
        return spikes, None
    if labels.shape != spikes.shape[:1] or labels.dtype.kind not in "iu":
        raise InputError(
            f"{path}: labels: {labels.dtype}{labels.shape}, must be integers of shape {spikes.shape[:1]}, "
            "one for each sample"
        )
    if int(labels.max()) >= 2**63:
        raise InputError(f"{path}: labels: {labels.max()} is not a class")
    return spikes, labels.astype(np.int64)


def check_spikes(spikes: np.ndarray, inputs: int, where: str = "spikes") -> np.ndarray:
    """Return `spikes` as uint8 after checking shape, type and values.

    Parameters
    ----------
    spikes : (ticks, inputs) or (samples, ticks, inputs), 0 or 1
    inputs : int
        Number of inputs of the network that will receive them.
    where : str
        What the message calls the array (a file and an array name, say).

    Raises
    ------
    InputError
        If the array is not of that shape, not of integers, or holds another value than 0 and 1.
    """
    spikes = np.asarray(spikes)
    if spikes.ndim not in (2, 3) or spikes.shape[-1] != inputs:
        raise InputError(
            f"{where}: shape is {spikes.shape}, must be (ticks, {inputs}) or (samples, ticks, {inputs}) "
            "for this network"
        )
    if spikes.dtype.kind not in "biu":
        raise InputError(f"{where}: dtype is {spikes.dtype}, must be an integer type (uint8, 0 or 1)")
    if spikes.size and (spikes.max() > 1 or (spikes.dtype.kind == "i" and spikes.min() < 0)):
        wrong = (spikes != 0) & (spikes != 1)
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise InputError(f"{where}: value {spikes[index]} at {index}, must be 0 or 1")
    return spikes.astype(np.uint8, copy=False)
