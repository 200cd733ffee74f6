"""Finding the simulators, with made-up folders on PATH."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifline.errors import ToolError
from lifline.sim import tools


def program(folder: Path, name: str, says: str) -> None:
    """A program that says one line, whatever it is asked."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of one folder, still empty, and no PyPI package."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "_wheel", lambda: None)
    return tmp_path


def one_line(error: pytest.ExceptionInfo[ToolError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_without_verilator_one_line_says_what_to_do(path: Path) -> None:
    with pytest.raises(ToolError) as error:
        tools.find_verilator()
    text = one_line(error)
    assert "Verilator 5.036 or later is needed (is not on PATH)" in text
    assert "pip install 'lifline[sim]'" in text


def test_old_verilator_is_named(path: Path) -> None:
    program(path, "verilator", "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)")
    with pytest.raises(ToolError, match=r"verilator has version 5\.006"):
        tools.find_verilator()


def test_new_verilator_of_the_system_is_preferred(path: Path) -> None:
    program(path, "verilator", "Verilator 5.040 2025-08-30 rev v5.040")
    program(path, "g++", "g++ 12.2.0")
    program(path, "make", "GNU Make 4.3")
    found = tools.find_verilator()
    assert (found.version, found.origin, found.executable) == ("5.040", "system", path / "verilator")
    assert found.compiler == str(path / "g++")


def test_wheel_is_used_where_the_system_has_an_old_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = path / "wheel"
    (root / "bin").mkdir(parents=True)
    program(root / "bin", "verilator_bin", "Verilator rev vUNKNOWN")
    program(path, "verilator", "Verilator 5.006 2023-01-22")
    program(path, "c++", "c++ 12.2.0")
    program(path, "make", "GNU Make 4.3")
    monkeypatch.setattr(tools, "_wheel", lambda: root)
    found = tools.find_verilator()
    assert found.origin == "PyPI"
    assert found.executable == root / "bin" / "verilator_bin"
    assert found.environment["VERILATOR_ROOT"] == str(root)
    assert found.environment["PATH"].startswith(f"{root / 'bin'}:")
    assert found.variables["CFG_CXXFLAGS_PCH_I"] == "-include"
    assert found.variables["CFG_LDLIBS_THREADS"] == "-pthread"


def test_without_compiler_or_make_one_line_says_so(path: Path) -> None:
    program(path, "verilator", "Verilator 5.040")
    with pytest.raises(
        ToolError, match=r"needs a C\+\+ compiler and make, which .*apt install g\+\+ make"
    ):
        tools.find_verilator()
    program(path, "make", "GNU Make 4.3")
    with pytest.raises(ToolError, match=r"needs a C\+\+ compiler, which"):
        tools.find_verilator()


def test_icarus(path: Path) -> None:
    with pytest.raises(ToolError, match=r"not on PATH: run  apt install iverilog"):
        tools.find_icarus()
    program(path, "vvp", "")
    program(path, "iverilog", "Icarus Verilog version 10.3 (stable) ()")
    with pytest.raises(ToolError, match=r"has version 10\.3, lifline needs 11\.0 or later"):
        tools.find_icarus()
    program(path, "iverilog", "Icarus Verilog version 12.0 (stable) ()")
    assert tools.find_icarus().version == "12.0"


def test_doctor_lists_what_is_missing(path: Path) -> None:
    found = {tool.name: tool for tool in tools.tools()}
    assert list(found) == ["cocotb", "verilator", "c++", "make", "iverilog"]
    for name in ("verilator", "c++", "make", "iverilog"):
        assert found[name].version is None
        assert found[name].remedy
    program(path, "iverilog", "Icarus Verilog version 12.0 (stable) ()")
    program(path, "vvp", "")
    assert {tool.name: tool.version for tool in tools.tools()}["iverilog"] == "12.0"
