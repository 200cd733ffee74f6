"""Sets of files that are replaced as one: after a failure, a kill, and beside another process."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lifline import InputError
from lifline.files import replaced

#: Writes sets of files that all hold one number, as an export or a build is a set; killed before one of its moves.
SETS = """
import os, signal, sys
from pathlib import Path
from lifline.files import replaced

def numbered(folder, number, *names):
    with replaced(folder, "manifest", lambda folder: ["old"]) as scratch:
        for name in ("manifest", *names):
            (scratch / name).parent.mkdir(exist_ok=True)
            (scratch / name).write_text(f"{number}")

def main(folder, number, times, killed_before):
    replace, moves = os.replace, iter(range(1000))

    def move(source, target):
        if next(moves) == killed_before:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = move
    for _ in range(times):
        numbered(Path(folder), number, "a", "b", "c")

if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
"""

_sets: dict[str, Any] = {"__name__": "sets"}
exec(SETS, _sets)
numbered = _sets["numbered"]


def sets(folder: Path, number: int, *, times: int, killed_before: int = -1) -> subprocess.Popen[bytes]:
    """The same in a process of its own."""
    arguments = [str(folder), f"{number}", f"{times}", f"{killed_before}"]
    return subprocess.Popen([sys.executable, "-c", SETS, *arguments])


def test_a_set_of_files_is_replaced_as_one(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "set"
    numbered(folder, 1, "a", "mem/b", "old")
    (folder / "mine").write_text("stays")
    numbered(folder, 2, "a", "mem/b")
    found = {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}
    assert found == {"manifest": "2", "a": "2", "mem/b": "2", "mine": "stays"}


def test_a_set_that_fails_leaves_all_as_it_was(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        with replaced(folder, "manifest") as scratch:
            (scratch / "manifest").write_text("2")
            raise OSError(errno.ENOSPC, "No space left on device")

    message = r"set: cannot write there: No space left on device$"
    with pytest.raises(InputError, match=message):
        fail(tmp_path / "new" / "set")
    assert os.listdir(tmp_path) == []
    numbered(tmp_path / "set", 1)
    with pytest.raises(InputError, match=message):
        fail(tmp_path / "set")
    assert os.listdir(tmp_path / "set") == ["manifest"]
    (tmp_path / "set" / "a").mkdir()
    with pytest.raises(InputError, match=r"set/a: cannot write there: Is a directory"):
        numbered(tmp_path / "set", 2, "a")
    assert (tmp_path / "set" / "manifest").read_text() == "1"


def test_after_a_kill_no_old_manifest_tells_of_new_files(tmp_path: Path) -> None:
    """A kill before each of the moves; the next set takes away what it left."""
    numbered(tmp_path / "once", 1, "a", "b", "c", "old")
    moves = 5  # the manifest aside, a, b, c, and the new manifest
    for killed_before in range(moves + 1):
        folder = tmp_path / f"{killed_before}"
        shutil.copytree(tmp_path / "once", folder)
        status = sets(folder, 2, times=1, killed_before=killed_before).wait()
        assert status == (0 if killed_before == moves else -signal.SIGKILL)
        texts = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
        if "manifest" in texts:
            assert texts["manifest"] == texts["a"] == texts["b"] == texts["c"]
        numbered(folder, 3, "a", "b", "c")
        assert {path.name: path.read_text() for path in folder.iterdir()} == dict.fromkeys(
            ("manifest", "a", "b", "c"), "3"
        )


def test_sets_are_not_mixed(tmp_path: Path) -> None:
    """Two processes write into one folder: at the end it is all of the one or all of the other."""
    processes = [sets(tmp_path / "set", number, times=60) for number in (1, 2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert sorted(os.listdir(tmp_path / "set")) == ["a", "b", "c", "manifest"]
    assert len({path.read_text() for path in (tmp_path / "set").iterdir()}) == 1
