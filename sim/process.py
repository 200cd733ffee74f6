"""Running programs: their output goes to a log, and of a failure the log's telling line is shown."""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lifline.errors import InputError, ToolError


def check_folder(folder: Path, remedy: str) -> None:
    """Refuse a folder that make, the C++ compiler or iverilog, which hand names to a shell, would not bear.

    Raises
    ------
    InputError
        If its name holds anything but letters, digits and ``_ - . , + @ = ~ /``.
    """
    unbearable = re.search(r"[^\w.,+@=~/-]", str(folder))
    if unbearable:
        raise InputError(
            f"{folder}: make and the compilers cannot work in a folder with {unbearable[0]!r} in its name: {remedy}"
        )


def call(
    command: Sequence[str],
    log: Path,
    what: str,
    *,
    cwd: Path | None = None,
    environment: dict[str, str] | None = None,
) -> None:
    """Run `command`, its output to the end of `log`."""
    with log.open("ab") as file:
        try:
            result = subprocess.run(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                check=False,
            )
        except OSError as error:
            raise ToolError(f"{what} cannot be run: {error}") from None
    if result.returncode:
        raise ToolError(f"{what} failed: {last_line(log)} (log: {log})")


@contextlib.contextmanager
def tool_errors(what: str, log: Path) -> Iterator[None]:
    """What cocotb's runner raises, as a `ToolError` with the log's last words."""
    try:
        yield
    except (RuntimeError, SystemExit, OSError, ValueError) as error:
        if isinstance(error, ToolError):
            raise
        raise ToolError(f"{what} failed: {last_line(log) or error} (log: {log})") from None


def last_line(log: Path) -> str:
    """The line of a log that says most: the last one with an error, else the last one."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    telling = [line for line in lines if re.search(r"error|cannot find", line, re.IGNORECASE)]
    telling = [line for line in telling if not re.match(r"(g?make|collect2)\b", line)] or telling
    return (telling or lines or ["nothing in its log"])[-1][:300]


class Ticker:
    """Watches the progress files of running simulations."""

    def __init__(self, files: Sequence[Path], progress: Callable[[int], None] | None) -> None:
        self._files = files
        self._progress = progress
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        for file in self._files:
            file.unlink(missing_ok=True)
        if self._progress is not None:
            self._thread.start()

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        if self._progress is not None:
            self._thread.join()

    def _watch(self) -> None:
        assert self._progress is not None
        while True:
            last = self._stop.wait(0.2)
            done = 0
            for file in self._files:
                with contextlib.suppress(OSError):
                    done += file.stat().st_size
            self._progress(done)
            if last:
                return
