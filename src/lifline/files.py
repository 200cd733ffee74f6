"""Reading and writing files: never pickle, never half-written, one clear line when damaged."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import shutil
import stat
import tempfile
import tokenize
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.lib import format as npy

from .errors import InputError

#: Files whose arrays would take more memory are refused: a few KiB of zip file can hold gigabytes of zeros.
MAX_BYTES = 2 << 30

#: The same of a network, whose integers take 8 bytes each: no FPGA has room for so many, planning them takes minutes.
MAX_NETWORK_BYTES = 512 << 20

#: The header of an array in a file is no longer than this.
_LONGEST_HEADER = 10_000

#: What :func:`replaced` calls its folders.
_SCRATCH = ".writing-"


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a temporary file; put it in place of `path` only when the block ends well.

    What a symbolic link points to is replaced, not the link.  A device or a named pipe is not replaced either: it
    is written to, at the end.

    Raises
    ------
    InputError
        If the folder does not exist or cannot be written, or the disk is full.
    """
    target = Path(os.path.realpath(path))
    special = target.exists() and not target.is_file() and not target.is_dir()
    where = tempfile.gettempdir() if special else target.parent
    with _naming(path, every=True):
        handle, temporary = tempfile.mkstemp(dir=where, prefix=f".{target.name}.")
    try:
        with _naming(path, temporary):
            with os.fdopen(handle, "wb") as file:
                yield file
            if special:
                with open(temporary, "rb") as source, open(target, "wb") as sink:
                    shutil.copyfileobj(source, sink)
            else:
                os.chmod(temporary, 0o666 & ~_umask())
                os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


@contextlib.contextmanager
def replaced(
    folder: str | os.PathLike[str],
    last: str,
    earlier: Callable[[Path], Iterable[str]] = lambda folder: (),
) -> Iterator[Path]:
    """A new folder to write files to; at the end all of them are moved into `folder`, `last` as the last one.

    `last` tells of all the others (a manifest, a report).  It is put aside, as `put_aside(last)`, before they are
    moved, so that whoever finds it finds what it tells of, even after a kill.  Processes that write to one folder
    wait for each other; what a killed one left there is removed.  If the block raises, `folder` is as it was, and is
    not there if it was not.

    Parameters
    ----------
    folder : path
        Made if need be.
    last : str
    earlier : callable
        From the folder to names of files in it that are removed where the new ones are not called so.

    Raises
    ------
    InputError
        If the folder cannot be made or written, or the disk is full.
    """
    target = Path(folder)
    with made_folder(target), _naming(target), _locked(target):
        for left in target.glob(f"{_SCRATCH}*"):
            shutil.rmtree(left, ignore_errors=True)
        scratch = Path(tempfile.mkdtemp(dir=target, prefix=_SCRATCH))
        try:
            yield scratch
            names = [path.relative_to(scratch) for path in scratch.rglob("*") if path.is_file()]
            for name in names:
                if (target / name).is_dir():
                    raise IsADirectoryError(errno.EISDIR, "Is a directory", str(target / name))
            obsolete = {Path(name) for name in earlier(target)} - set(names)
            with contextlib.suppress(FileNotFoundError):
                os.replace(target / last, target / put_aside(last))
            for name in obsolete:
                (target / name).unlink(missing_ok=True)
            for name in sorted(names, key=lambda name: (name == Path(last), name)):
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(scratch / name, target / name)
            (target / put_aside(last)).unlink(missing_ok=True)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def put_aside(last: str) -> str:
    """What :func:`replaced` calls the earlier `last` while it moves files; it is still there after a kill."""
    return f".{last}.replaced"


@contextlib.contextmanager
def made_folder(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Make a folder, and those above it; if the block raises, those that are still empty are removed again.

    Raises
    ------
    InputError
        If it cannot be made.
    """
    path = Path(folder)
    new = [parent for parent in (path, *path.parents) if not parent.exists()]
    with _naming(path):
        path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            for parent in new:
                parent.rmdir()
        raise


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let no other process that asks for it write to `folder` meanwhile."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(
            ImportError, OSError
        ):  # Windows and some file systems know no such locks
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _naming(
    path: str | os.PathLike[str], temporary: str | None = None, every: bool = False
) -> Iterator[None]:
    """What cannot be written is `path`, where the error names no file, or the temporary one, or in any case."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        name = path if every or error.filename in (None, temporary) else error.filename
        raise InputError(f"{name}: cannot write there: {error.strerror or error}") from None


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def write_npz(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays to `path`; the same arrays give the same bytes."""
    with atomic_write(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # its date is fixed: 1980-01-01
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as member:
                npy.write_array(member, np.asarray(array, order="C"), allow_pickle=False)


def check_regular(path: str | os.PathLike[str]) -> None:
    """Refuse what is no regular file, such as a named pipe, which would be waited for without end.

    Raises
    ------
    InputError
    """
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise InputError(f"{path}: {'no such file' if missing else error.strerror}") from None
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a folder is refused where it is opened
        raise InputError(f"{path}: not a regular file; copy what it gives into one first")


def read_npz(
    path: str | os.PathLike[str], item_bytes: int = 1, most: int | None = None
) -> dict[str, np.ndarray]:
    """Read all arrays of an ``.npz`` file.

    Parameters
    ----------
    path : path
    item_bytes : int
        Memory that each number will take at least, once it is used.
    most : int, optional
        Bytes of memory that are too many, by the headers alone; by default `MAX_BYTES`.

    Raises
    ------
    InputError
        If there is no such file, it is not a whole ``.npz``, it holds Python objects (pickle), or its arrays
        would take more than `most`.
    """
    source = Path(path)
    most = MAX_BYTES if most is None else most
    check_regular(source)
    try:
        with zipfile.ZipFile(source) as archive:
            entries: dict[str, zipfile.ZipInfo] = {}
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                if name in entries:
                    raise InputError(f"{source}: holds two arrays '{name}'; remove one")
                entries[name] = entry
            needed = sum(_bytes_of(archive, entry, source, item_bytes) for entry in entries.values())
            if needed > most:
                raise InputError(
                    f"{source}: its arrays would take {needed / 2**30:,.1f} GiB of memory, more than the limit of "
                    f"{most / 2**30:g} GiB; {'split the file' if most == MAX_BYTES else 'make it smaller'}"
                )
            return {name: _read_array(archive, entry) for name, entry in entries.items()}
    except InputError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # zipfile meets a damaged file with nearly any exception there is
        reason = getattr(error, "strerror", None) or "not an .npz file, or damaged"
        raise InputError(f"{source}: {reason}; write it with numpy.savez or lifline") from None


def _bytes_of(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, source: Path, item_bytes: int) -> int:
    """Memory that one member will take, by its header, which is compared with its size (no surprise allocation)."""
    try:
        with cast(zipfile.ZipExtFile, archive.open(entry)) as member, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a header that Python 2 has written
            version = npy.read_magic(member)
            wide = version != (1, 0)
            assert isinstance(member, zipfile.ZipExtFile)  # which can be looked into
            length = member.peek(4)[: 4 if wide else 2]
            if int.from_bytes(length, "little") > _LONGEST_HEADER:
                raise ValueError("a header so long is none")
            read_header = npy.read_array_header_2_0 if wide else npy.read_array_header_1_0
            shape, _, dtype = read_header(member)
    except (ValueError, TypeError, SyntaxError, tokenize.TokenError):
        raise InputError(f"{source}: member '{entry.filename}' is not a NumPy array") from None
    if dtype.hasobject:
        raise InputError(
            f"{source}: array '{entry.filename}' holds Python objects (pickle), which lifline "
            "never loads; save plain integer arrays"
        )
    if any(size < 0 for size in shape) or math.prod(shape) * dtype.itemsize > entry.file_size:
        raise InputError(f"{source}: array '{entry.filename}' is shorter than its header says")
    return max(entry.file_size, math.prod(shape) * item_bytes)


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(entry) as member, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array: np.ndarray = npy.read_array(member, allow_pickle=False)
        return array


def read_spikes(
    path: str | os.PathLike[str], inputs: int | None = None, input_bits: int = 1
) -> tuple[np.ndarray, np.ndarray | None]:
    """Read ``SPIKES.npz``: input spikes and, where the file has them, labels.

    Parameters
    ----------
    path : path
    inputs : int, optional
        Number of inputs of the network that will receive the spikes; by default as many as there are.
    input_bits : int
        Width of its inputs' values.

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
    spikes = check_spikes(arrays["spikes"], inputs, input_bits, f"{path}: spikes")
    spikes = spikes if spikes.ndim == 3 else spikes[None]
    if 0 in spikes.shape:
        raise InputError(
            f"{path}: spikes: shape is {spikes.shape}; give at least one sample and one tick"
        )
    labels = arrays.get("labels")
    if labels is None:
        return spikes, None
    if labels.shape == spikes.shape[1:2] != spikes.shape[:1]:
        raise InputError(
            f"{path}: there are {len(labels)} labels, as many as axis 1 of the spikes {spikes.shape}, which must be "
            "(samples, ticks, inputs): save spikes.swapaxes(0, 1)"
        )
    return spikes, check_labels(labels, len(spikes), f"{path}: labels")


def check_labels(labels: np.ndarray, samples: int, where: str = "labels") -> np.ndarray:
    """Return `labels` as int64 after checking that there is an integer for each sample.

    Raises
    ------
    InputError
        If there is not, or one is beyond int64.
    """
    labels = np.asarray(labels)
    if labels.shape != (samples,) or labels.dtype.kind not in "iu":
        raise InputError(
            f"{where}: {labels.dtype}{labels.shape}, must be integers of shape ({samples},), one for each sample"
        )
    if samples and int(labels.max()) >= 2**63:
        raise InputError(f"{where}: {labels.max()} is not a class")
    return labels.astype(np.int64)


def check_spikes(
    spikes: np.ndarray,
    inputs: int,
    input_bits: int = 1,
    where: str = "spikes",
    *,
    time_first: bool = False,
) -> np.ndarray:
    """Return `spikes` as uint8 after checking shape, type and values.

    Parameters
    ----------
    spikes : (ticks, inputs) or (samples, ticks, inputs), 0 … 2^input_bits − 1
    inputs : int
        Number of inputs of the network that will receive them.
    input_bits : int
        Width of its inputs' values, 1 … 8.
    where : str
        What the message calls the array (a file and an array name, say).
    time_first : bool
        Whether three axes are (ticks, samples, inputs), as snnTorch and Norse have them; they are swapped.

    Raises
    ------
    InputError
        If the array is not of that shape, not of integers, or holds another value.
    """
    spikes = np.asarray(spikes)
    if spikes.ndim not in (2, 3) or spikes.shape[-1] != inputs:
        raise InputError(
            f"{where}: shape is {spikes.shape}, must be (ticks, {inputs}) or (samples, ticks, {inputs}) "
            "for this network"
        )
    most = 2**input_bits - 1
    values = "0 or 1" if most == 1 else f"0 … {most}"
    if spikes.dtype.kind not in "biu":
        raise InputError(f"{where}: dtype is {spikes.dtype}, must be an integer type (uint8, {values})")
    if spikes.size and (spikes.max() > most or (spikes.dtype.kind == "i" and spikes.min() < 0)):
        index = tuple(int(i) for i in np.argwhere((spikes < 0) | (spikes > most))[0])
        raise InputError(f"{where}: value {spikes[index]} at {index}, must be {values}")
    if time_first and spikes.ndim == 3:
        spikes = spikes.swapaxes(0, 1)
    return spikes.astype(np.uint8, copy=False)
