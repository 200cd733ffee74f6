"""Compiled pieces that every design shares, kept in the user's cache folder, or ``$LIFLINE_CACHE``."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from lifline.errors import ToolError

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
                make(folder)
                complete.touch()
            fcntl.flock(lock, fcntl.LOCK_UN)
        yield folder
