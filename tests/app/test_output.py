"""What commands print, and where."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import numpy as np
import pytest

from lifline.app import output


def test_a_progress_bar_where_a_person_looks(capfd: pytest.CaptureFixture[str]) -> None:
    code = "from lifline.app.output import progress_bar\nwith progress_bar({}) as tell: tell(1, 4, 'training')"
    for visible in (True, False):
        master, terminal = pty.openpty()
        command = [sys.executable, "-c", code.format(visible)]
        subprocess.run(command, stderr=terminal, stdin=terminal, check=True)
        os.write(terminal, b".")  # so that there is something to read
        os.close(terminal)
        shown = os.read(master, 1 << 16).decode()
        os.close(master)
        assert ("training" in shown) is visible
        assert ("1/4" in shown) is visible
    subprocess.run([sys.executable, "-c", code.format(True)], check=True)
    assert capfd.readouterr() == ("", "")


def test_in_a_log_there_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(output.time, "monotonic", lambda: now)
    with output.progress_bar() as progress:
        for done in range(1, 101):
            now += 1
            progress(done, 100, "training")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"training: {done} of 100" for done in (30, 60, 90)]
    with output.progress_bar(visible=False) as progress:
        now += 100
        progress(1, 1, "training")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("arguments", ["doctor", "doctor --json", "--version", "train --help", ""])
def test_output_that_is_closed(arguments: str) -> None:
    assert refusal(f"{arguments} >&-") == (
        "lifline: standard output is closed: send it to a file, or to /dev/null\n"
    )


@pytest.mark.parametrize(
    "arguments", ["doctor", "doctor --json", "--help", "train --help", "--version", ""]
)
def test_output_that_is_full(arguments: str) -> None:
    assert refusal(f"{arguments} >/dev/full") == (
        "lifline: standard output cannot be written: No space left on device\n"
    )


def refusal(command: str) -> str:
    """What a command, which must end with exit status 2, says on standard error."""
    done = subprocess.run(
        f"{sys.executable} -m lifline {command}",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    return done.stderr


@pytest.mark.parametrize("arguments", ["--help", "doctor", "doctor --json"])
def test_a_reader_that_stops_reading(arguments: str) -> None:
    command = [sys.executable, "-m", "lifline", *arguments.split()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, error = process.communicate()
    assert (process.returncode, error) == (0, b"")


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    values = {
        "a": float("nan"),
        "b": [np.float64(1.5), np.inf],
        "c": np.array([1, 2]),
        "d": np.int64(3),
    }
    output.result(True, values, "")
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, None], "c": [1, 2], "d": 3}
