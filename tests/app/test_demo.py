"""The demo: its verdict, its exit status and its page, on networks that are barely trained."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import LIF, Dense, Network, Population, Projection, golden
from lifline.app import output, pipeline
from lifline.app.main import main
from lifline.app.report import arrivals, delayed
from lifline.errors import ToolError
from lifline.files import read_npz, write_npz

from .conftest import boom

verilated = pytest.mark.verilator
slow = pytest.mark.slow


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One epoch, and a build that only claims to have happened, but fails for the HX8K."""
    run_task = pipeline.run_task

    def build(network: Any, board: str, directory: Path, **options: Any) -> dict[str, Any]:
        if board == "hx8k":
            raise ToolError("the design does not fit on hx8k: it is too large by far")
        totals = {"luts": 5280, "ffs": 5280, "brams": 30, "dsps": 0}
        return {
            "board": board,
            "device": "none",
            "bitstream": f"{board}.bin",
            "tools": {"seed": 1},
            **{name: total // 2 for name, total in totals.items()},
            "available": totals,
            "fmax_mhz": 30.0,
            "clock_mhz": 24.0,
            "lanes": options["lanes"],
            "cycles_per_sample": 480.0,
            "samples_per_second": 50_000.0,
        }

    monkeypatch.setattr(pipeline, "run_task", lambda *a, **o: run_task(*a, **o, epochs=1))
    monkeypatch.setattr(pipeline.board_builds, "build", build)
    monkeypatch.setattr(output, "LOG_SECONDS", math.inf)  # however busy the machine is
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with learned delays and a readout, trained on arrays."""
    from lifline.train.tasks import run_task

    rng = np.random.default_rng(3)
    data = tmp_path_factory.mktemp("arrays")
    for part, samples in (("train", 24), ("test", 6)):
        labels = np.arange(samples) % 3
        busy = np.arange(12) // 4 == labels[:, None]  # each label has four busy inputs
        spikes = rng.random((samples, 9, 12)) < np.where(busy, 0.8, 0.1)[:, None]
        write_npz(data / f"{part}.npz", {"spikes": spikes.astype(np.uint8), "labels": labels})
    folder = tmp_path_factory.mktemp("trained")
    run_task("arrays", folder, data=data, seed=5, epochs=4, hidden=8, layers=1, max_delay=4, batch=8)
    return folder


def titles(page: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", page)


@slow
@verilated
def test_demo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    out, error = capsys.readouterr()
    assert out.startswith("1/7  training on digits\n")
    assert "what you train is what you get" in out
    assert "report: demo/report.html" in out
    assert error == ""
    assert Path("demo/verilog/manifest.json").exists()
    page = Path("demo/report.html").read_text()
    assert page.count("<svg") == page.count("</svg>") == 6
    assert not re.findall(r"""(?:src|href)=["']?https?:""", page)  # it needs nothing from elsewhere
    assert "Learning" in titles(page)
    assert "Delays" not in titles(page)
    assert "Training was quantised throughout" in page


@slow
@verilated
def test_a_trained_network_with_delays_and_a_board_without_bitstream(
    trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "run_task", None)  # nothing is trained
    boards = ["--board", "hx8k", "--board", "ulx3s"]
    assert main(["demo", "-o", "out/page", "--trained", str(trained), *boards, "--json"]) == 1
    out, error = capsys.readouterr()
    result = json.loads(out)
    assert error == ""
    assert result["passed"] is True
    assert (result["task"], result["seed"], result["samples"]) == ("arrays", 5, 6)
    record = json.loads((trained / "train.json").read_text())
    assert result["training"] == record
    assert result["accuracy"]["rtl"] == record["test_accuracy"]
    assert result["unbuilt"] == {"hx8k": "the design does not fit on hx8k: it is too large by far"}
    assert [report["board"] for report in result["boards"]] == ["ulx3s"]
    assert [path.name for path in sorted(Path("out/page").iterdir())] == ["report.html", "verilog"]
    page = Path("out/page/report.html").read_text()
    assert page.count("<svg") == page.count("</svg>") == 8
    assert "Delays" in titles(page)
    assert "no bitstream: the design does not fit on hx8k" in page
    assert "From epoch 4 on (shaded)" in page
    assert "The population output does not spike" in page


@slow
@verilated
def test_a_difference_fails_the_demo(
    trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = pipeline.train.integer_forward

    def wrong(network: Any, spikes: np.ndarray) -> Any:
        recording = forward(network, spikes)
        membrane = next(iter(recording.membrane.values()))
        membrane[2, 3, 1] += 1
        return recording

    monkeypatch.setattr(pipeline.train, "integer_forward", wrong)
    assert main(["demo", "--trained", str(trained), "--samples", "3", "--json"]) == 1
    out, error = capsys.readouterr()
    result = json.loads(out)
    assert error == ""
    assert result["passed"] is False
    test = read_npz(trained / "test.npz")
    network = Network.load(trained / "network.npz")
    some = [0, 2, 4]  # of 6
    classes = golden.simulate(network, test["spikes"][some]).classes
    assert result["samples"] == 3
    assert result["correct"]["rtl"] == int((classes == test["labels"][some]).sum())
    assert result["differing"]["torch"] == {"spikes": 0, "states": 1, "classes": 0}
    assert result["differing"]["rtl"] == {"spikes": 0, "states": 0, "classes": 0}
    assert result["cycles"]["differing_from_model"] == 0
    assert [report["board"] for report in result["boards"]] == ["ulx3s"]
    assert result["unbuilt"] == {}
    assert "The witnesses do not agree" in Path("demo/report.html").read_text()


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one line with which the demo refuses; it has made nothing."""
    assert main(["demo", *map(str, arguments)]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    assert not Path("demo").exists()
    return error


def test_an_unknown_board_is_named_before_anything_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert "vaporware" in refused(capsys, "--board", "vaporware")


def test_without_verilator_nothing_is_begun(
    trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "find_verilator", boom(ToolError("Verilator is missing")))
    assert refused(capsys, "--trained", trained) == "lifline: Verilator is missing\n"
    assert refused(capsys) == "lifline: Verilator is missing\n"


def test_a_trained_network_has_its_own_task(capsys: pytest.CaptureFixture[str]) -> None:
    error = refused(capsys, "--trained", "work", "--task", "fsdd", "--seed", "0")
    assert "leave out --task, --seed" in error


def test_damaged_trainings_are_refused(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = json.loads((trained / "train.json").read_text())
    test = read_npz(trained / "test.npz")
    work = Path("work")

    def says(text: str, **contents: str | dict[str, np.ndarray]) -> None:
        shutil.copytree(trained, work)
        for name, content in contents.items():
            if isinstance(content, str):
                (work / "train.json").write_text(content)
            else:
                write_npz(work / f"{name}.npz", content)
        assert text in refused(capsys, "--trained", work)
        shutil.rmtree(work)

    assert "work/train.json: No such file" in refused(capsys, "--trained", work)
    for content in ("{", "[]", "[" * 100_000, "\0"):
        says("work/train.json: damaged, or of another version of lifline; train again", train=content)
    shutil.copytree(trained, work)
    (work / "train.json").unlink()
    os.mkfifo(work / "train.json")
    assert "work/train.json: not a file" in refused(capsys, "--trained", work)
    shutil.rmtree(work)
    curves = record["curves"]
    rate = next(name for name in curves if name.startswith("rate."))
    for name, value in {
        "task": "\ud800", "seed": 10**400, "test_accuracy": math.nan, "train_samples": [], "delays": {"0": 1},
        "settings": {"epochs": 4, "quantised": math.inf}, "curves": curves | {"loss": "low"},
    }.items():  # fmt: skip
        says(f"work/train.json: '{name}' must be", train=json.dumps(record | {name: value}))
        without = {key: entry for key, entry in record.items() if key != name}
        says(f"work/train.json: '{name}' must be", train=json.dumps(without))
    curves = {name: curve for name, curve in curves.items() if name != rate}
    says(f"'curves' has no '{rate}'", train=json.dumps(record | {"curves": curves}))
    curves = record["curves"] | {"rate.$x": curves["loss"]}
    says("'curves' has the rate of '$x'", train=json.dumps(record | {"curves": curves}))
    says("of task 'arrays', seed 6, network.npz of another", train=json.dumps(record | {"seed": 6}))
    says("work/test.npz: no array 'labels'; train again", test={"spikes": test["spikes"]})
    says("work/test.npz: spikes: shape is (6, 9, 11)", test=test | {"spikes": test["spikes"][..., 1:]})
    says(
        "work/test.npz: labels: int64(5,), must be integers of shape (6,)",
        test=test | {"labels": test["labels"][1:]},
    )
    says("work/test.npz: labels must be in 0 … 2", test=test | {"labels": test["labels"] + 1})
    empty = {"spikes": test["spikes"][:0], "labels": test["labels"][:0]}
    says("work/test.npz: spikes: shape is (0, 9, 12); give at least one sample", test=empty)


def test_the_spikes_that_arrive_through_their_delays() -> None:
    """Four inputs, one neuron of threshold 9; those that are to arrive in tick 5 are worked out by hand."""
    network = Network(
        inputs=4,
        populations=[Population("neuron", size=1, neuron=LIF(beta=0, threshold=9))],
        projections=[
            Projection("input", "neuron", Dense([[6], [5], [-1], [4]], delays=[[0], [3], [5], [1]]))
        ],
        output="neuron",
    )
    spikes = np.zeros((1, 8, 4), np.uint8)
    for tick, channel in ((5, 0), (2, 1), (0, 2), (3, 3), (7, 0)):  # input 3's arrives in tick 4
        spikes[0, tick, channel] = 1
    recording = golden.simulate(network, spikes)
    assert delayed(network) == list(network.projections)
    (found,) = arrivals(network, spikes[0], recording[0])
    assert (found.neuron, found.tick) == (0, 5)
    assert found.sources.tolist() == [0, 1, 2]
    assert found.weights.tolist() == [6, 5, -1]
    assert found.delays.tolist() == [0, 3, 5]
    assert found.membrane.tolist() == [0, 0, 0, 0, 4, 1, 0, 6]  # after the reset: 10 − 9
