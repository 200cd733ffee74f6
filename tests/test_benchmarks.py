"""The benchmarks run: each in its quick form, which says nothing about speed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def benchmark(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "-o", str(folder), *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "LIFLINE_DATA"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "name",
    [
        "inference",
        "convolution",
        "training",
        pytest.param("rules", marks=pytest.mark.verilator),
        "delays",
        "quantisation",
        "stdp",
        "reward",
        pytest.param("spiker", marks=[pytest.mark.verilator, pytest.mark.slow]),
        pytest.param("growth", marks=pytest.mark.verilator),
        pytest.param("convolution_cycles", marks=pytest.mark.verilator),
        pytest.param("mnist", marks=pytest.mark.verilator),
        pytest.param("simulation", marks=pytest.mark.verilator),
        pytest.param("encoders", marks=pytest.mark.verilator),
        pytest.param("link", marks=pytest.mark.verilator),
        "boards",
        "resources",
        "learning_area",
        "area",
    ],
)
def test_quick(name: str, tmp_path: Path) -> None:
    done = benchmark(tmp_path, name)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    result = json.loads((tmp_path / f"{name}.json").read_text())
    assert result["rows"]
    assert result["versions"]["lifline"]
    assert f"## {result['title']}" in (tmp_path / "README.md").read_text()
    assert all((tmp_path / plot).stat().st_size > 1000 for plot in result["plots"])
    if name == "stdp":
        assert all(row["within the bound"] == row["trains"] for row in result["rows"])
    if name == "delays":
        assert all(float(row["largest relative difference"]) < 1e-4 for row in result["rows"])


def test_an_unknown_name(tmp_path: Path) -> None:
    done = benchmark(tmp_path, "speed")
    assert done.returncode == 2
    assert "there is no benchmark 'speed'; there are inference," in done.stderr
