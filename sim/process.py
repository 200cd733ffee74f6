"""Running programs: their output goes to a log, and of a failure the log's telling line is shown."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from lifline.errors import InputError, ToolError
from lifline.processes import Processes

#: Where less space is left, waves are taken to have found none.
_LEAST_SPACE = 1 << 16


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
    environment: Mapping[str, str] | None = None,
    processes: Processes | None = None,
) -> None:
    """Run `command`, its output to the end of `log`."""
    with log.open("ab") as file:
        program = shutil.which(command[0])
        if program is None:
            raise ToolError(f"{what} cannot be run: there is no program {command[0]}")
        try:
            status = (processes or Processes()).run(
                [program, *command[1:]], cwd=cwd, environment=environment, output=file
            )
        except OSError as error:
            raise ToolError(f"{what} cannot be run: {error}") from None
    if status:
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


class Watch:
    """Watches running simulations: how far they are, and, where they write waves, whether there is space for them.

    A simulator whose waves find no space hangs (Verilator), or goes on without a word (Icarus).
    """

    def __init__(
        self,
        files: Sequence[Path],
        progress: Callable[[int], None] | None,
        waves: Path | None,
        processes: Processes,
    ) -> None:
        self._files = files
        self._progress = progress
        self._waves = waves
        self._processes = processes
        self._full = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        for file in self._files:
            file.unlink(missing_ok=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._full and self._waves is not None and (kind is None or issubclass(kind, ToolError)):
            self._waves.unlink(missing_ok=True)  # they are cut
            raise InputError(f"{self._waves}: cannot write there: No space left on device") from None

    def _watch(self) -> None:
        while True:
            last = self._stop.wait(0.2)
            if self._waves is not None and _space(self._waves.parent) < _LEAST_SPACE:
                self._full = True
                self._processes.end()
            done = 0
            for file in self._files:
                with contextlib.suppress(OSError):
                    done += file.stat().st_size
            if self._progress is not None:
                self._progress(done)
            if last:
                return


def _space(folder: Path) -> int:
    """Bytes that can still be written to a folder."""
    there = os.statvfs(folder)
    return there.f_frsize * (there.f_bfree if os.geteuid() == 0 else there.f_bavail)
