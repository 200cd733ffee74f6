"""Odd command lines and odd files, at random: one line says what is wrong, and none is a mistake in lifline itself.

``make fuzz`` makes 2,000 of them instead of 300; ``LIFLINE_FUZZ`` and ``LIFLINE_FUZZ_SEED`` say how many and which.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

from lifline import LIF, Adaptation, Dense, Izhikevich, Network, Noise, Population, Projection
from lifline.app.main import main
from lifline.errors import InputError
from lifline.files import write_npz
from lifline.network import INPUT, STDP, Convolution, Sparse

from .odd import Rng, odd_h5, odd_json, odd_npz, pick
from .odd_commands import odd_command

CASES = int(os.environ.get("LIFLINE_FUZZ", "300"))
SEED = int(os.environ.get("LIFLINE_FUZZ_SEED", "0"))

# -- files ----------------------------------------------------------------------------------------


def odd_network(rng: Rng) -> list[str]:
    network = pick(rng, ["network.npz", "learner.npz", "maps.npz"])
    spikes = "graded.npz" if network == "maps.npz" else "spikes.npz"
    odd_npz(rng, Path(network))
    return pick(
        rng,
        [
            ["simulate", network, "--input", spikes, "--output", "out.npz"],
            ["simulate", network, "--input", spikes, "--output", "out.npz", "--learn", "--learned", "learned.npz"],
            ["verify", network, "--ticks", "0x1"],
            ["verify", network, "--ticks", "9"],
            ["build", network, "--board", "none", "-o", "out"],
            ["build", network, "--board", "icebreaker", "-o", "out"],
            ["estimate", network, "--board", "ulx3s", "--input", spikes],
            ["evaluate", network, "--input", spikes, "-o", "out", "--board", "icebreaker"],
            ["run", network, "--input", spikes, "--port", "virtual"],
            ["patch", "built", network],
        ],
    )  # fmt: skip


def odd_spikes(rng: Rng) -> list[str]:
    odd_npz(rng, Path("spikes.npz"))
    return pick(
        rng,
        [
            ["simulate", "network.npz", "--input", "spikes.npz", "--output", "out.npz", "--json"],
            ["evaluate", "network.npz", "--input", "spikes.npz", "-o", "out", "--board", "icebreaker"],
            ["estimate", "network.npz", "--input", "spikes.npz", "--board", "icebreaker"],
            ["import", "model.nir", "-o", "out.npz", "--dt", "1e-3", "--calibrate", "spikes.npz"],
            ["run", "network.npz", "--input", "spikes.npz", "--port", "virtual"],
        ],
    )


def odd_values(rng: Rng) -> list[str]:
    """Raw values, for a board with an encoder."""
    odd_npz(rng, Path("values.npz"))
    encoder = pick(
        rng, ["rate:ticks=4", "latency:ticks=9", "threshold:threshold=9", "sendondelta:threshold=9"]
    )
    return ["run", "network.npz", "--input", "values.npz", "--port", "virtual", "--encoder", encoder]


def odd_model(rng: Rng) -> list[str]:
    odd_h5(rng, Path("model.nir"))
    producer = pick(rng, ["nir", "snntorch", "norse", "sinabs", "rockpool", "spikingjelly"])
    more = [] if rng.random() < 0.7 else ["--calibrate", "spikes.npz", "--weight-bits", "auto"]
    return ["import", "model.nir", "-o", "out.npz", "--dt", "1e-3", "--producer", producer, *more]


def odd_build(rng: Rng) -> list[str]:
    """The folder of a build of which one file is odd."""
    if rng.random() < 0.7:
        odd_json(rng, Path("built", pick(rng, ["report.json", "patch/patch.json"])))
    else:
        Path("built/patch/routed.gz").write_bytes(rng.bytes(50))
    return pick(rng, [["flash", "built", "--dry-run"], ["patch", "built", "network.npz", "-o", "out"]])


def odd_training(rng: Rng) -> list[str]:
    """A folder of a training of which one file is odd; a demo of it ends before it begins, for it has no board."""
    if rng.random() < 0.7:
        odd_json(rng, Path("trained/train.json"))
    else:
        odd_npz(rng, Path("trained", pick(rng, ["network.npz", "test.npz"])))
    return ["demo", "--trained", "trained", "-o", "out", "--board", "none"]


def odd_data(rng: Rng) -> list[str]:
    odd_npz(rng, Path("data", pick(rng, ["train.npz", "test.npz"])))
    return [
        "train",
        "arrays",
        "--data",
        "data",
        "-o",
        "out",
        "--epochs",
        "1",
        "--set=hidden=4",
        "--set=layers=1",
    ]


def odd_checkpoint(rng: Rng) -> list[str]:
    Path("out").mkdir()
    Path("out/checkpoint.pt").write_bytes(rng.bytes(int(rng.integers(200))))
    return [*odd_data(rng), "--resume"]


MAKERS: list[Callable[[Rng], list[str]]] = [
    odd_command, odd_command, odd_command, odd_command, odd_network, odd_network, odd_spikes, odd_values, odd_model,
    odd_model, odd_build, odd_training, odd_data, odd_checkpoint,
]  # fmt: skip


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of good files, which the cases change."""
    folder = tmp_path_factory.mktemp("good")
    rng = np.random.default_rng(1)
    network = Network(
        3,
        [Population("hidden", 4, LIF(200, 20)), Population("out", 2, LIF(256, 30, "none"))],
        [
            Projection(INPUT, "hidden", rng.integers(-9, 60, (3, 4))),
            Projection("hidden", "out", rng.integers(-9, 60, (4, 2))),
        ],
        "out",
        metadata={"task": "arrays", "seed": 0},
    )
    spikes = (rng.random((8, 10, 3)) < 0.3).astype(np.uint8)
    labels = np.arange(8) % 2
    (folder / "trained").mkdir()
    (folder / "data").mkdir()
    network.save(folder / "network.npz")
    network.save(folder / "trained" / "network.npz")
    for name in ("spikes", "odd", "trained/test", "data/train", "data/test"):
        write_npz(folder / f"{name}.npz", {"spikes": spikes, "labels": labels})
    record = {
        "task": "arrays", "seed": 0, "test_accuracy": 0.5, "train_samples": 8, "delays": [],
        "settings": {"epochs": 1, "quantised": 0.3}, "curves": {"loss": [0.5], "rate.hidden": [0.1]},
    }  # fmt: skip
    (folder / "trained" / "train.json").write_text(json.dumps(record))
    learner, maps = other_networks(rng)
    learner.save(folder / "learner.npz")
    maps.save(folder / "maps.npz")
    graded = rng.integers(0, 8, (4, 6, 32)).astype(np.uint8)
    write_npz(folder / "graded.npz", {"spikes": graded, "labels": np.arange(4) % 2})
    values = rng.integers(0, 256, (4, 3)).astype(np.uint8)
    write_npz(folder / "values.npz", {"values": values, "labels": np.arange(4) % 2})
    write_model(folder / "model.nir")
    write_build(folder / "built", network)
    return folder


def other_networks(rng: Rng) -> tuple[Network, Network]:
    """One that learns; and one of maps, lists of synapses, graded inputs and all that neurons can have."""
    learner = Network(
        3,
        [Population("hidden", 4, LIF(200, 20, adaptation=Adaptation(250, 9))), Population("out", 2, LIF(256, 30))],
        [
            Projection(INPUT, "hidden", rng.integers(0, 60, (3, 4)), STDP(200, 200, 90, 50, 50, 4, total=99)),
            Projection("hidden", "out", Dense(rng.integers(-9, 60, (4, 2)), delays=rng.integers(0, 4, (4, 2)))),
        ],
        "out",
    )  # fmt: skip
    noisy = LIF(200, 20, alpha=128, noise=Noise(np.arange(-2, 2), 1 + np.arange(8)))
    maps = Network(
        (4, 4, 2),
        [Population("map", (2, 2, 2), noisy), Population("out", 2, Izhikevich.of())],
        [
            Projection(INPUT, "map", Convolution(rng.integers(-9, 60, (2, 2, 2, 2)), stride=2)),
            Projection("map", "out", Sparse([0, 3, 7], [0, 1, 0], [40, 50, -3], delays=[0, 1, 2])),
        ],
        "out",
        input_bits=3,
    )
    return learner, maps


def write_model(path: Path) -> None:
    """A NIR graph of two layers."""
    ones = np.ones(2)
    nodes = {
        "input": nir.Input({"input": np.array([3])}),
        "affine": nir.Affine(np.ones((2, 3)), ones / 8),
        "lif": nir.LIF(tau=ones / 100, r=ones, v_leak=0 * ones, v_threshold=ones),
        "linear": nir.Linear(np.ones((2, 2))),
        "out": nir.CubaLIF(ones / 50, ones / 100, r=ones, v_leak=0 * ones, v_threshold=ones),
        "output": nir.Output({"output": np.array([2])}),
    }
    nir.write(path, nir.NIRGraph(nodes, list(itertools.pairwise(nodes))))


def write_build(folder: Path, network: Network) -> None:
    """What a build leaves; the hash of its logic is of no network."""
    from lifline.boards import patching

    (folder / "patch").mkdir(parents=True)
    report = {"board": "icebreaker", "bitstream": "icebreaker.bin", "lanes": {"hidden": 1, "out": 1}}
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "icebreaker.bin").write_bytes(b"bits")
    table = {
        "board": "icebreaker", "options": {}, "identity": {"bytes": "00" * 60, "buffer": 512, "part": {}},
        "lanes": report["lanes"], "routed": "top.asc", "pack": ["top.asc", "top.bin"], "memories": [], "fixed": {},
        "logic": "none",
    }  # fmt: skip
    patching._write(folder / "patch", table, ".comment\n", network)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is right after all is not simulated, built or trained: refusals come before."""
    from lifline import boards, convert, sim
    from lifline.app import pipeline
    from lifline.boards import virtual
    from lifline.train.tasks import run as training

    def stop(*arguments: Any, **options: Any) -> Any:
        raise InputError("this would be done")

    monkeypatch.setattr(sim.simulation, "Simulator", stop)
    monkeypatch.setattr(sim.verification, "Simulator", stop)
    monkeypatch.setattr(boards.flow, "_make", stop)
    monkeypatch.setattr(virtual, "temporary_folder", stop)
    monkeypatch.setattr(convert, "finetune", stop)
    monkeypatch.setattr(training, "fit", stop)
    monkeypatch.setattr(pipeline, "_compare", stop)


@pytest.mark.filterwarnings("ignore:::torch", "ignore::amaranth.hdl.UnusedElaboratable")
@pytest.mark.parametrize("part", range(10))
def test_odd_inputs(
    part: int, good: Path, quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIFLINE_DATA", "")
    for name in ("WORLD_SIZE", "LIFLINE_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    for number in range(part, CASES, 10):
        rng = np.random.default_rng([SEED, number])
        folder = tmp_path / f"{number}"
        shutil.copytree(good, folder)
        monkeypatch.chdir(folder)
        (folder / "folder").mkdir()
        os.mkfifo("pipe")
        arguments = pick(rng, MAKERS)(rng)
        before = sorted(Path().rglob("*"))
        out, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            status = main(arguments)
        case = f"seed {SEED}, case {number}: {arguments!a}"
        said = error.getvalue()
        assert "mistake in lifline itself" not in said, f"{case}\n{said}"
        assert status in (0, 1, 2), case
        if status == 2:
            lines = [line for line in said.splitlines() if not line.startswith("lifline: warning: ")]
            assert len(lines) == 1, f"{case}\n{said}"
            assert lines[0].startswith("lifline: "), f"{case}\n{said}"
            assert sorted(Path().rglob("*")) == before, f"{case}\nleft behind; {said}"
        monkeypatch.chdir(tmp_path)
        shutil.rmtree(folder)
