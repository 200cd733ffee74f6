"""What commands print: their result, and how far they are."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from lifline.errors import InputError
from lifline.progress import Progress, silent

if TYPE_CHECKING:
    from rich.console import RenderableType

#: In a log, so many seconds pass between two lines about how far a command is.
LOG_SECONDS = 30.0


def prepare() -> None:
    """Make standard output fit for what is printed, before a command starts its work.

    Raises
    ------
    InputError
        If standard output is closed.
    """
    if sys.stdout is None:
        raise InputError("standard output is closed: send it to a file, or to /dev/null")
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if (
        reconfigure is not None
    ):  # an ASCII locale shows µ as ?, and any a name of bytes that are no text
        reconfigure(errors="replace")


def speaks_unicode() -> bool:
    """Whether standard output can show every character."""
    return (getattr(sys.stdout, "encoding", None) or "ascii").lower().startswith("utf")


def say(text: str) -> None:
    """Print lines on standard output, at once.

    Raises
    ------
    InputError
        If they cannot be written (a full disk, say).
    BrokenPipeError
        If nobody reads them any more.
    """
    with _written():
        click.echo(text)
        sys.stdout.flush()


def flush() -> None:
    """Write what is still in the buffer of standard output; raises as `say` does."""
    with _written():
        sys.stdout.flush()


@contextlib.contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        silence()
        raise InputError(f"standard output cannot be written: {error.strerror}") from None


def show(table: RenderableType) -> None:
    """Print a table of rich's on standard output."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:  # rich would end the process
            raise BrokenPipeError

    with _written():
        Output().print(table)


def silence() -> None:
    """Send what is still to be printed nowhere, so that Python does not complain of it as it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def result(as_json: bool, values: dict[str, Any], text: str) -> None:
    """Print a command's result: `values` as one JSON object, or `text` for a person."""
    say(json.dumps(plain(values), indent=2, allow_nan=False) if as_json else text)


def plain(value: Any) -> Any:
    """`value` in JSON's own types; NaN and infinities, which JSON does not have, become null."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if hasattr(value, "tolist"):  # NumPy's
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextlib.contextmanager
def progress_bar(visible: bool = True) -> Iterator[Progress]:
    """How far a command is, on standard error: a bar on a terminal, elsewhere a line now and then.

    Parameters
    ----------
    visible : bool
        False: silence, as with ``--json``.
    """
    if not visible or sys.stderr is None:
        yield silent
    elif sys.stderr.isatty():
        with _bar() as progress:
            yield progress
    else:
        yield _log_lines(lambda text: click.echo(text, err=True))


@contextlib.contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("", total=None)
        yield lambda done, total, text: bars.update(bar, completed=done, total=total, description=text)


def _log_lines(write: Callable[[str], None]) -> Progress:
    """A `Progress` that writes a line once in `LOG_SECONDS`."""
    written = time.monotonic()

    def progress(done: int, total: int, text: str) -> None:
        nonlocal written
        if time.monotonic() - written >= LOG_SECONDS:
            written = time.monotonic()
            write(f"{text}: {done} of {total}")

    return progress
