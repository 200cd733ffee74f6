"""The folder that a simulation works in."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from lifline.errors import InputError, LiflineError, ToolError
from lifline.temporary import held


@contextlib.contextmanager
def work_folder(workdir: str | os.PathLike[str] | None) -> Iterator[Path]:
    """The folder to work in; a temporary one is removed, but for a log that the message of a failure names."""
    if workdir is not None:
        yield Path(workdir)
        return
    try:
        temporary = Path(tempfile.mkdtemp(prefix="lifline-"))
    except OSError as error:
        raise InputError(f"no temporary folder can be made: {error}; set TMPDIR") from None
    kept: list[Path] = []
    try:
        with held(temporary):
            yield temporary
    except ToolError as error:
        kept = [log for log in temporary.rglob("*.log") if str(log) in str(error)]
        raise
    except OSError as error:  # a full disk is said without a file
        if error.filename is not None or isinstance(error, LiflineError):
            raise
        raise InputError(f"{temporary}: cannot write there: {error.strerror or error}") from None
    finally:
        _remove(temporary, kept)


def _remove(folder: Path, kept: Sequence[Path]) -> None:
    """Remove a folder, but for some files in it."""
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder comes before it
        with contextlib.suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            elif path not in kept:
                path.unlink()
