"""What the README and the examples show is run, as a reader would."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SPOKEN_DIGITS = ROOT / "examples" / "spoken_digits.py"  # the one that needs data
EXAMPLES = sorted(set((ROOT / "examples").glob("*.py")) - {SPOKEN_DIGITS})


def run(cwd: Path, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example(tmp_path: Path, example: Path) -> None:
    assert run(tmp_path, example)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.verilator
@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_in_gateware(tmp_path: Path, example: Path) -> None:
    assert "gateware: the same" in run(tmp_path, example, "--rtl")


@pytest.mark.data
@pytest.mark.verilator
@pytest.mark.slow
def test_spoken_digits(tmp_path: Path) -> None:
    out = run(tmp_path, SPOKEN_DIGITS, "--epochs", "2", "--clips", "3")
    assert "7_george_0.wav: 5,131 samples, 641 ms" in out
    assert "rtl: 0 of 28,980 spikes and 0 of 28,980 states differ" in out
    assert "0 of 3 clips differ from the cycle model" in out
    assert "gateware: the same" in out
    page = (tmp_path / "spoken_digits" / "report.html").read_text()
    assert page.count("<svg") == 7


def test_spoken_digits_without_data(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SPOKEN_DIGITS, "--data", "nowhere"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("spoken_digits: nowhere: no such folder; give its folder with --data")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.verilator
@pytest.mark.slow
def test_the_api_in_the_readme(tmp_path: Path) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "snippet.py").write_text(
        f"import torch; torch.set_num_threads(1)\n{snippet}\n"
        "assert (expected.classes == labels[:20]).mean() > 0.5\n"
    )
    run(tmp_path, "snippet.py")
    assert (tmp_path / "verilog" / "manifest.json").exists()
