"""Temporary folders: none stays, whatever ends the process that made it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lifline.temporary import remove_left, temporary_folder


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_a_folder_is_removed_with_its_lock(tmp_path: Path) -> None:
    with temporary_folder("lifline-test-") as folder:
        (folder / "file").write_text("x")
        assert folder.name.startswith("lifline-test-")
        remove_left()
        assert (folder / "file").exists()  # held by a process that lives: this one
    assert not list(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError), temporary_folder():
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    program = (
        "import time\nfrom lifline.temporary import temporary_folder\n"
        "with temporary_folder() as folder:\n    (folder / 'file').write_text('x')\n"
        "    print(folder, flush=True)\n    time.sleep(60)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().decode().strip())
        with temporary_folder():
            assert (left / "file").exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (left / "file").exists()
    other = tmp_path / "lifline-other"
    other.mkdir()  # of somebody else: it has no lock
    with temporary_folder() as folder:
        assert sorted(tmp_path.iterdir()) == sorted([folder, Path(f"{folder}.lock"), other])
