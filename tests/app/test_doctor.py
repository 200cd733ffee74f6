"""``lifline doctor``."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys

import pytest

import lifline
from lifline import MissingExtra
from lifline.app.main import main

from .conftest import boom


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["ok"] is True
    names = [tool["name"] for tool in shown["tools"]]
    assert len(names) == len(set(names))
    assert {"numpy", "torch", "amaranth", "cocotb", "verilator", "iverilog", "yosys"} <= set(names)


def test_doctor_names_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lifline.sim import tools

    monkeypatch.setattr(tools, "find_icarus", boom(lifline.ToolError("none")))
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "missing: iverilog: run  apt install iverilog" in out
    assert out.endswith("1 missing\n")
    assert main(["doctor", "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert [tool["name"] for tool in shown["tools"] if "remedy" in tool] == ["iverilog"]


def test_doctor_without_any_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name in ("numpy", "click", "rich"):
            return "1.0"
        raise doctor.importlib.metadata.PackageNotFoundError

    doctor = importlib.import_module("lifline.app.doctor")
    monkeypatch.setattr(doctor.importlib.metadata, "version", version)
    monkeypatch.setattr(doctor, "part", boom(MissingExtra("amaranth", "rtl")))
    assert main(["doctor"]) == 1
    assert "missing: torch: run  pip install 'lifline[train]'" in capsys.readouterr().out


def test_doctor_in_an_ascii_locale() -> None:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "lifline", "doctor"], env=environment, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"+  numpy" in done.stdout
