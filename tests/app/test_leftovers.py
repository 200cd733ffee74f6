"""What a refused or ended command leaves behind, and what it does not overwrite."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import LIF, Network, Population, Projection
from lifline.app.main import main
from lifline.convert import to_nir
from lifline.files import read_npz, write_npz
from lifline.network import INPUT, STDP
from lifline.processes import leash

SIMULATE = ("simulate", "network.npz", "--input", "spikes.npz", "--output", "out.npz")


@pytest.mark.parametrize(
    ("arguments", "finished"),
    [
        (SIMULATE, "out.npz"),
        (("export", "network.npz", "-o", "out"), "out/manifest.json"),
        (("build", "network.npz", "--board", "icebreaker", "-o", "out"), "out/report.json"),
        (("train", "digits", "-o", "out"), "out/train.json"),
        (("train", "digits", "-o", "out", "--resume"), "out/train.json"),
        ((*SIMULATE, "--backend", "icarus", "--waves", "x.vcd"), "x.vcd"),
        (("evaluate", "network.npz", "--input", "spikes.npz", "-o", "out"), "out/evaluation.json"),
        (("evaluate", "network.npz", "--input", "spikes.npz", "-o", "out"), "out/report.html"),
        (("import", "model.nir", "-o", "out.npz"), "out.npz"),
    ],
)
def test_a_finished_result_is_not_overwritten(
    folder: Path, fails: Callable[..., str], arguments: tuple[str, ...], finished: str
) -> None:
    Path(finished).parent.mkdir(exist_ok=True)
    Path(finished).write_text("{}")
    before = sorted(Path().rglob("*"))
    message = fails(*arguments)
    assert message == f"{finished} is there already: --force overwrites it, or name another"
    assert Path(finished).read_text() == "{}"
    assert sorted(Path().rglob("*")) == before


def test_force_overwrites_it(plain: Path, part: Callable[..., None]) -> None:
    Path("out").mkdir()
    for file in ("out.npz", "out/manifest.json", "out/report.json", "out/train.json"):
        Path(file).write_text("{}")
    assert main([*SIMULATE, "--force"]) == 0
    assert "classes" in read_npz("out.npz")
    assert main(["export", "network.npz", "-o", "out", "--force"]) == 0
    assert json.loads(Path("out/manifest.json").read_text())["top"] == "lifline_top"
    built: list[str] = []
    part("boards", build=lambda *a, **o: built.append("build") or {}, find_board=lambda name: None)
    arguments = ["build", "network.npz", "--board", "icebreaker", "-o", "out"]
    assert main([*arguments, "--force"]) == 0
    part("train.tasks", run_task=lambda *a, **o: built.append("train") or {"task": "digits"})
    assert main(["train", "digits", "-o", "out", "--force"]) == 0
    Path("out/checkpoint.pt").touch()  # the forced run was interrupted
    assert main(["train", "digits", "-o", "out", "--resume"]) == 0
    assert built == ["build", "train", "train"]


def test_output_to_a_device_or_a_link(
    folder: Path, fails: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = SIMULATE[:-1]
    assert main([*arguments, "/dev/null"]) == 0
    capsys.readouterr()
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    full = fails(*arguments, "/dev/full")
    assert full == "/dev/full: cannot write there: No space left on device"
    os.symlink("real.npz", "link.npz")
    assert main([*arguments, "link.npz"]) == 0
    assert Path("link.npz").is_symlink()
    assert "classes" in read_npz("real.npz")
    capsys.readouterr()
    os.symlink("two", "one")
    os.symlink("one", "two")
    assert fails(*arguments, "one") == "one: Too many levels of symbolic links"
    assert Path("one").is_symlink()


def test_two_files_are_written_or_none(plain: Path, fails: Callable[..., str]) -> None:
    network = Network.load("network.npz")
    rule = STDP(200, 200, 90, 50, 50, 4)
    first = dataclasses.replace(network.projections[0], plasticity=rule)
    learner = dataclasses.replace(network, projections=[first, network.projections[1]])
    learner.save("network.npz")
    message = fails(*SIMULATE, "--learn", "--learned", "/dev/full", "--force")
    assert message == "/dev/full: cannot write there: No space left on device"
    assert not Path("out.npz").exists()
    to_nir(network, "model.nir")
    message = fails("import", "model.nir", "-o", "out.npz", "--report", "/dev/full")
    assert message == "/dev/full: cannot write there: No space left on device"
    assert not Path("out.npz").exists()
    message = fails("import", "model.nir", "-o", "out.npz", "--report", "out.npz")
    assert message == "out.npz is --output, too, which would be overwritten: name another file"


def test_a_named_pipe_as_a_network(folder: Path, fails: Callable[..., str]) -> None:
    os.mkfifo("pipe")
    for arguments in (
        ["export", "pipe", "-o", "out"],
        ["verify", "pipe"],
        ["build", "pipe", "--board", "ulx3s", "-o", "out"],
        ["simulate", "pipe", "--input", "spikes.npz", "--output", "out"],
        ["simulate", "network.npz", "--input", "pipe", "--output", "out"],
    ):
        assert fails(*arguments) == "pipe: not a regular file; copy what it gives into one first"
    assert not Path("out").exists()


def test_waves_need_a_file_of_their_own(folder: Path, fails: Callable[..., str]) -> None:
    os.symlink("/dev/full", "x.vcd")
    message = fails(*SIMULATE, "--backend", "icarus", "--waves", "x.vcd")
    assert message == "x.vcd: not a regular file; waves need one of their own"


def huge(path: str, neurons: int) -> None:
    """A network of millions of neurons, in a file of a few KiB."""
    network = Network(
        1,
        [Population("many", neurons, LIF(200, 20)), Population("out", 2, LIF(200, 20))],
        [Projection(INPUT, "out", [[1, 1]])],
        "out",
    )
    network.save(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "huge.npz"], "8 samples of 32 ticks on 20000002 neurons would take about "),
        (["verify", "huge.npz", "--samples", "1", "--ticks", "1"], "1 samples of 1 ticks on 20000002"),
        (
            ["export", "huge.npz", "-o", "out"],
            "network: states, synapses and queues take 320 Mbit, more than",
        ),
        (
            ["build", "huge.npz", "--board", "ulx3s", "-o", "out", "--lanes", "auto"],
            "states, synapses and queues take 320.0 Mbit, ulx3s has 8.8 Mbit in block RAMs and logic: choose",
        ),
        (
            ["build", "huge.npz", "--board", "icebreaker", "-o", "out", "--lanes", "1"],
            "states, synapses and queues take 320.0 Mbit, icebreaker has 0.5 Mbit in block RAMs and logic: ",
        ),
        (
            ["simulate", "huge.npz", "--input", "one.npz", "--output", "out"],
            "40 samples of 40 ticks would be a recording of 149 GiB, more than the limit of 8 GiB: give",
        ),
    ],
)
def test_a_huge_network_is_refused_first(
    folder: Path, fails: Callable[..., str], arguments: list[str], message: str
) -> None:
    huge("huge.npz", 20_000_000)
    write_npz("one.npz", {"spikes": np.zeros((40, 40, 1), np.uint8)})
    began = time.monotonic()
    assert fails(*arguments).startswith(message)
    assert time.monotonic() - began < 20
    assert not Path("out").exists()


def test_a_network_beyond_memory_is_refused_by_its_headers(
    folder: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import lifline.network

    huge("huge.npz", 100_000)
    monkeypatch.setattr(lifline.network, "MAX_NETWORK_BYTES", 1 << 20)
    message = fails("verify", "huge.npz")
    assert message.startswith("huge.npz: its arrays would take 0.0 GiB of memory, more than the limit")


@pytest.mark.parametrize("dtype", [np.complex128, np.float64, np.uint16, np.int8])
@pytest.mark.filterwarnings("error")
def test_a_network_whose_header_is_no_text(
    folder: Path, fails: Callable[..., str], dtype: type
) -> None:
    arrays = read_npz("network.npz")
    header = arrays["header"]
    write_npz("network.npz", {**arrays, "header": header.astype(dtype)})
    message = fails("verify", "network.npz")
    assert message.startswith(
        f"network.npz: not a lifline network: its header is {np.dtype(dtype)}({len(header)},), must"
    )


@pytest.mark.parametrize("variable", ["YOSYS", pytest.param("HOME", marks=pytest.mark.slow)])
def test_export_needs_no_other_yosys_and_no_home(plain: Path, variable: str) -> None:
    """YOSYS names the one that synthesises; Verilog is written by Amaranth's own, with a home folder or without."""
    value = "/bin/false" if variable == "YOSYS" else "/proc/none"
    done = subprocess.run(
        [sys.executable, "-m", "lifline", "export", "network.npz", "-o", "out"],
        env={**os.environ, variable: value}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def running(word: str) -> list[str]:
    """The processes with this word in their command line."""
    done = subprocess.run(
        ["ps", "-Aww", "-o", "stat=,args="], capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if word in line and not line.startswith("Z")]


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return value


#: A kill is told to what was started by Linux alone.
ENDS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, *([signal.SIGKILL] if leash() else [])]


@pytest.mark.icarus
@pytest.mark.parametrize("end", ENDS)
def test_an_ended_simulation_leaves_no_simulator(plain: Path, end: signal.Signals) -> None:
    inputs = Network.load("network.npz").inputs
    rng = np.random.default_rng(0)
    write_npz("long.npz", {"spikes": (rng.random((500, 400, inputs)) < 0.5).astype(np.uint8)})
    temporary = plain / "tmp"
    temporary.mkdir()
    command = ["verify", "network.npz", "--input", "long.npz", "--backend", "icarus"]
    with subprocess.Popen(
        [sys.executable, "-m", "lifline", *command],
        env={**os.environ, "TMPDIR": str(temporary)}, stderr=subprocess.PIPE, text=True,
        # A job in the background of a shell is started with SIGINT ignored, and so would its children be.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        seen = wait_for(
            lambda: [x for x in running(f"{temporary}/") if "vvp -m" in x] or process.poll()
        )
        assert isinstance(seen, list), process.communicate()
        process.send_signal(end)
        _, error = process.communicate(timeout=60)
    assert wait_for(lambda: not running(str(temporary)), 10)
    if end == signal.SIGKILL:
        assert process.returncode == -end
    else:
        said = "interrupted" if end == signal.SIGINT else f"ended by {end.name}"
        assert (process.returncode, error.strip()) == (128 + end, f"lifline: {said}")
        assert os.listdir(temporary) == []
