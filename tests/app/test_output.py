"""What commands print, and where."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest


def test_a_progress_bar_where_a_person_looks(capfd: pytest.CaptureFixture[str]) -> None:
    code = "from lifline.cli import _progress\nwith _progress({}) as tell: tell(1, 4, 'training')"
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
