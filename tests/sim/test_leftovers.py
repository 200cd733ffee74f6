"""What simulations leave behind: nothing but a log that is spoken of; and the cache after kills and full disks."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lifline import InputError, ToolError
from lifline.processes import Processes, leash
from lifline.sim import process, simulate, verify
from lifline.sim.cache import cached
from lifline.sim.workplace import work_folder

from .test_faults import NETWORK, SPIKES


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_a_failure_keeps_the_log_that_it_names_alone(temporary: Path) -> None:
    def fail(message: str) -> None:
        with work_folder(None) as folder:
            (folder / "build").mkdir()
            for name in ("one.v", "build/other.log", "build/compile.log"):
                (folder / name).write_text(name)
            raise ToolError(message.format(log=folder / "build" / "compile.log"))

    with pytest.raises(ToolError, match="is not on PATH"):
        fail("Icarus Verilog is not on PATH")
    assert os.listdir(temporary) == []
    with pytest.raises(ToolError, match="failed") as failed:
        fail("iverilog failed (log: {log})")
    (log,) = (path for path in temporary.rglob("*") if path.is_file())
    assert str(log) in str(failed.value)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_what_ends_a_simulation_leaves_nothing(temporary: Path, error: BaseException) -> None:
    def fail() -> None:
        with work_folder(None) as folder:
            (folder / "one.v").write_text("")
            raise error

    wanted = InputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(wanted) as raised:
        fail()
    if wanted is InputError:
        assert str(raised.value).startswith(f"{temporary}/lifline-")
        assert str(raised.value).endswith(": cannot write there: No space left on device")
    assert os.listdir(temporary) == []


@pytest.mark.icarus
def test_a_failed_compilation_leaves_its_log(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = temporary.parent / "bin"
    folder.mkdir()
    (folder / "iverilog").write_text(
        '#!/bin/sh\n[ "$1" = -V ] && echo Icarus 12.0 && exit\necho error: no; exit 1\n'
    )
    (folder / "iverilog").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ToolError, match=r"iverilog failed: error: no \(log: (.*)\)") as failed:
        verify(NETWORK, backend="icarus", spikes=SPIKES)
    (log,) = (path for path in temporary.rglob("*") if path.is_file())
    assert f"(log: {log})" in str(failed.value)


@pytest.mark.slow
def test_waves_that_find_no_space_are_an_error(
    backend: str, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verilator would hang, and Icarus would leave waves that are cut."""
    waves = tmp_path / "x.vcd"
    monkeypatch.setattr(process, "_space", lambda folder: 1 << 15 if waves.exists() else 1 << 30)
    spikes = np.ones((20, 200, 4), np.uint8)
    with pytest.raises(InputError, match=r"x\.vcd: cannot write there: No space left on device$"):
        simulate(NETWORK, spikes, backend=backend, waves=waves)
    assert not waves.exists()
    assert os.listdir(temporary) == []


def test_space_is_asked_for_as_the_user_may_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    there = SimpleNamespace(f_frsize=4096, f_bfree=20, f_bavail=0)
    monkeypatch.setattr(os, "statvfs", lambda folder: there)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert process._space(Path()) == 0
    monkeypatch.setattr(os, "geteuid", lambda: 0)  # who may use what is kept back, too
    assert process._space(Path()) == 20 * 4096


# -- processes ------------------------------------------------------------------------------------


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{number}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def gone(number: int) -> bool:
    end = time.monotonic() + 10
    while alive(number) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(number)


def started(path: Path) -> int:
    """The number that a program has written to a file."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if path.exists() and path.read_text().endswith("\n"):
            return int(path.read_text())
        time.sleep(0.02)
    raise AssertionError(f"{path} was not written")


SLEEP = ["sh", "-c", "sleep 600 & echo $! > child.new; mv child.new child; echo $$ > self; wait"]


def test_all_end_with_those_that_they_have_started(tmp_path: Path) -> None:
    processes = Processes()
    status: list[int] = []
    thread = threading.Thread(target=lambda: status.append(processes.run(SLEEP, cwd=tmp_path)))
    thread.start()
    numbers = [started(tmp_path / "child"), started(tmp_path / "self")]
    processes.end()
    thread.join(20)
    assert not thread.is_alive()
    assert all(map(gone, numbers))
    assert status[0] < 0
    assert processes.run(["true"]) < 0  # none runs from now on


@pytest.mark.parametrize("end", [signal.SIGKILL] if leash() else [])  # Linux alone tells of it
def test_a_kill_ends_what_was_started(tmp_path: Path, end: signal.Signals) -> None:
    code = (
        "from lifline.processes import Processes; import sys; "
        "Processes().run(['sh', '-c', 'echo $$ > self; exec sleep 600'], cwd=sys.argv[1])"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) as parent:
        number = started(tmp_path / "self")
        parent.send_signal(end)
    assert gone(number)


# -- the cache ------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIFLINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def put(folder: Path) -> None:
    """As compiled pieces are put there: what is in the way is an error."""
    (folder / "runtime.gch").mkdir()
    (folder / "runtime.gch" / "piece").write_text("whole")


def test_a_cache_entry_is_made_once(cache: Path) -> None:
    for _ in range(2):
        with cached("key", put) as folder:
            assert (folder / "runtime.gch" / "piece").read_text() == "whole"


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")]
)
def test_a_cache_entry_that_was_not_finished_is_made_again(cache: Path, error: BaseException) -> None:
    def fail(folder: Path) -> None:
        put(folder)
        raise error

    wanted = ToolError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(wanted) as raised, cached("key", fail):
        pass
    if wanted is ToolError:
        assert str(raised.value).endswith(
            ": cannot write there: No space left on device; set LIFLINE_CACHE to another folder"
        )
    with cached("key", put) as folder:
        assert (folder / "runtime.gch" / "piece").read_text() == "whole"


def test_a_kill_does_not_spoil_the_cache(cache: Path) -> None:
    code = (
        "import os, signal\nfrom lifline.sim.cache import cached\n"
        "def make(folder):\n    (folder / 'runtime.gch').mkdir()\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "with cached('key', make):\n    pass"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    with cached("key", put) as folder:
        assert (folder / "runtime.gch" / "piece").read_text() == "whole"
