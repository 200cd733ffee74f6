"""Running other programs, so that none outlives the process that started it."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

#: Seconds that a program has to end by itself.
_GRACE = 5.0


class Processes:
    """Programs that run side by side and end together: none outlives the process that started it."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False
        self._lock = threading.Lock()

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: str | os.PathLike[str] | None = None,
        environment: Mapping[str, str] | None = None,
        output: Any = None,
    ) -> int:
        """Run a program to its end, or to that of all; return its exit status.

        Raises
        ------
        OSError
            If it cannot be run.
        """
        with self._lock:
            if self._ended:
                return -signal.SIGTERM
            # A session of its own, so that a program that starts others ends with them.
            process = subprocess.Popen(
                [*leash(), *command],
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            self._running.add(process)
        try:
            return process.wait()
        except BaseException:
            _end(process)
            raise
        finally:
            self._running.discard(process)

    def end(self) -> None:
        """End all that run; none runs from now on."""
        with self._lock:
            self._ended = True
            running = list(self._running)
        for process in running:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and those that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
            return


@functools.cache
def leash() -> tuple[str, ...]:
    """What before a command makes the system end it when this process has been killed; nothing where there is none."""
    program = shutil.which("setpriv") if sys.platform == "linux" else None
    if program is None:
        return ()
    command = (program, "--pdeathsig", "KILL")
    works = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    return command if works else ()
