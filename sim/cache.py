"""Compiled pieces that every design shares, kept in the user's cache folder, or ``$LIFLINE_CACHE``."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from lifline.errors import LiflineError, ToolError

from .process import check_folder


def cache_directory() -> Path:
    """Where compiled pieces are kept: ``$LIFLINE_CACHE``, else ``lifline`` in the user's cache folder."""
    if chosen := os.environ.get("LIFLINE_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "lifline"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lifline"


@contextlib.contextmanager
def cached(key: object, make: Callable[[Path], None]) -> Iterator[Path]:
    """The cache's folder for `key`, filled by `make` if it is new; processes wait for each other."""
    digest = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
    folder = (cache_directory() / f"verilator-{digest}").absolute()
    check_folder(folder, "set LIFLINE_CACHE to another")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / "lock", "w")  # noqa: SIM115 -- closed below
    except OSError as error:
        raise ToolError(
            f"{folder}: cannot write there: {error.strerror}; set LIFLINE_CACHE to a writable folder"
        ) from None
    with lock:
        complete = folder / "complete"
        if not complete.exists():
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not complete.exists():
                _fill(folder, make)
            fcntl.flock(lock, fcntl.LOCK_UN)
        yield folder


def _fill(folder: Path, make: Callable[[Path], None]) -> None:
    """Make what is kept; a kill or a full disk leaves nothing that the next one would trip over."""
    for left in folder.iterdir():
        if left.name != "lock":
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    try:
        make(folder)
        (folder / "complete").touch()
    except OSError as error:
        if isinstance(error, LiflineError):
            raise
        raise ToolError(
            f"{folder}: cannot write there: {error.strerror or error}; set LIFLINE_CACHE to another folder"
        ) from None
