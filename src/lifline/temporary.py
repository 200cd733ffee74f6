"""Folders for the time of a work, which do not stay for good even where the process is killed.

Beside each lies a file that its process has locked.  Whoever makes the next one removes those whose lock nobody holds.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def temporary_folder(prefix: str = "lifline-") -> Iterator[Path]:
    """A new folder, removed when the block ends; of those that killed processes have left none stays.

    Parameters
    ----------
    prefix : str
        What its name starts with: ``lifline-``, and what it is for.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    with held(folder):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a temporary folder from being removed by other processes, until this one ends the block or is gone."""
    remove_left()
    lock, new = Path(f"{folder}.lock"), Path(f"{folder}.new")
    handle = os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        # Locked first, then called so: a lock that nobody holds is that of a process that is gone.
        if _lock(handle):
            os.replace(new, lock)
        yield
    finally:
        for path in (lock, new):
            path.unlink(missing_ok=True)
        os.close(handle)


def remove_left() -> None:
    """Remove the folders of processes that were killed."""
    for lock in Path(tempfile.gettempdir()).glob("lifline-*.lock"):
        with contextlib.suppress(OSError):
            handle = os.open(lock, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                if _lock(handle):
                    shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                    lock.unlink()
            finally:
                os.close(handle)


def _lock(handle: int) -> bool:
    """Lock a file, if nobody has, and the system knows such locks."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True
