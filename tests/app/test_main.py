"""The command line: usage, help, missing packages, and whatever else goes wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import lifline
from lifline import MissingExtra, golden
from lifline.app.main import main

from .conftest import boom

SIMULATE = ("simulate", "network.npz", "--input", "spikes.npz", "--output", "out.npz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fly"], "No such command 'fly'. (see lifline --help)"),
        (["simulate"], "Missing argument 'NETWORK'. (see lifline simulate --help)"),
        (["simulate", "network.npz"], "Missing option '--input'. (see lifline simulate --help)"),
        (
            [*SIMULATE, "--backend", "vcs"],
            "Invalid value for '--backend': 'vcs' is not one of 'golden', ",
        ),
        ([*SIMULATE, "--waves", "x.vcd"], "--waves needs --backend icarus or verilator"),
        (
            ["verify", "network.npz", "--lanes", "0"],
            "Invalid value for '--lanes': '0' is neither a number ≥ 1",
        ),
        (
            ["verify", "network.npz", "--lanes", "a=1,a=2"],
            "Invalid value for '--lanes': 'a=1,a=2' is neither",
        ),
        (
            ["verify", "network.npz", "--lanes", "a=x"],
            "Invalid value for '--lanes': 'a=x' is neither a number",
        ),
        (
            ["verify", "network.npz", "--ticks", "0"],
            "Invalid value for '--ticks': 0 is not in the range x>=1.",
        ),
        (
            ["verify", "network.npz", "--seed", "-1"],
            "Invalid value for '--seed': -1 is not in the range x>=0.",
        ),
        (["build", "network.npz", "-o", "out"], "Missing option '--board'. (see lifline build --help)"),
        (
            ["build", "network.npz", "--board", "vaporware", "-o", "out"],
            "unknown board 'vaporware': choose one of",
        ),
        (["export", "network.npz"], "Missing option '-o' / '--output'. (see lifline export --help)"),
        (
            ["export", "network.npz", "-o", "network.npz"],
            "Invalid value for '-o' / '--output': Directory",
        ),
        (["export", "network.npz", "-o", "out", "--lanes", "nobody=2"], ""),
        *(
            (
                [
                    "build",
                    "network.npz",
                    "--board",
                    "ulx3s",
                    "-o",
                    "out",
                    "--lanes",
                    "auto",
                    option,
                    value,
                ],
                f"Invalid value for '{option}': '{value}' is not a finite number above 0",
            )
            for option in ("--target-us", "--clock")
            for value in ("inf", "nan", "0", "-1", "fast")
        ),
        (["train", "juggling", "-o", "out"], ""),
    ],
)
def test_bad_usage(folder: Path, fails: Callable[..., str], arguments: list[str], message: str) -> None:
    assert fails(*arguments).startswith(message)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "package", "extra"),
    [
        (["train", "digits", "-o", "out"], "torch", "train"),
        (["export", "network.npz", "-o", "out"], "amaranth", "rtl"),
        (["verify", "network.npz"], "amaranth", "sim"),
        (["build", "network.npz", "--board", "ulx3s", "-o", "out"], "amaranth", "boards"),
        (["demo", "-o", "out"], "torch", "all"),
        (["demo", "-o", "out"], "jinja2", "all"),
    ],
)
def test_missing_extra(folder: Path, arguments: list[str], package: str, extra: str) -> None:
    """In a process of its own, where the package cannot be imported."""
    code = f"import sys; sys.modules[{package!r}] = None; from lifline.app.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    install = f"run pip install 'lifline[{extra}]'\n"
    assert done.stderr == f"lifline: Python package '{package}' is not installed: {install}"
    assert (done.returncode, done.stdout) == (2, "")
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (PermissionError(13, "Permission denied", "x.npz"), 2, "x.npz: Permission denied"),
        (OSError(28, "No space left on device"), 2, "No space left on device"),
        (MemoryError(), 2, "not enough memory: use fewer samples or ticks at a time"),
        (MissingExtra("torch", "train"), 2, "Python package 'torch' is not installed: run pip install"),
        (
            ModuleNotFoundError("No module named 'sklearn'", name="sklearn"),
            2,
            "Python package 'sklearn' is",
        ),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ZeroDivisionError("a bug"), 2, "a mistake in lifline itself, at conftest.py:"),
    ],
)
def test_whatever_happens_there_is_no_traceback(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    message: str,
) -> None:
    monkeypatch.delenv("LIFLINE_TRACEBACK", raising=False)
    monkeypatch.setattr(golden, "simulate", boom(error))
    assert main(SIMULATE) == status
    out, text = capsys.readouterr()
    assert out == ""
    assert text.strip().startswith(f"lifline: {message}")
    assert text.strip().count("\n") == 0
    assert not Path("out.npz").exists()


@pytest.mark.parametrize("name", ["\ud800", "out-\udcff"])
def test_names_that_are_no_text(plain: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    """The first cannot be a file's name; the second is one of bytes that are not UTF-8."""
    status = main(["export", "network.npz", "-o", name])
    out, error = capfd.readouterr()
    if status:
        assert (out, error) == (
            "", f"lifline: {name!a} is not text that can be encoded: use another name\n"
        )  # fmt: skip
    else:
        assert Path(name, "manifest.json").exists()
        assert "manifest.json to out-" in out
    assert status == (2 if name == "\ud800" else 0)


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lifline {lifline.__version__}\n"
    for command in ("demo", "train", "simulate", "verify", "export", "build", "doctor"):
        assert main([command, "--help"]) == 0
        assert "--json" in capsys.readouterr().out


def test_help_imports_no_extra() -> None:
    code = (
        "import sys; from lifline.app.main import main; main(['--help'])\n"
        "assert not {'torch', 'amaranth', 'cocotb', 'matplotlib', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
