"""Odd command lines and odd files, at random: one line says what is wrong, and none is a mistake in lifline itself.

``make fuzz`` makes 2,000 of them instead of 300; ``LIFLINE_FUZZ`` and ``LIFLINE_FUZZ_SEED`` say how many and which.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import LIF, Network, Population, Projection
from lifline.app.main import main
from lifline.errors import InputError
from lifline.files import read_npz, write_npz
from lifline.network import INPUT

CASES = int(os.environ.get("LIFLINE_FUZZ", "300"))
SEED = int(os.environ.get("LIFLINE_FUZZ_SEED", "0"))

Rng = np.random.Generator

WORDS = [
    "", "0", "1", "-1", "3", "1e308", "-0.5", "nan", "inf", "99999999999999999999999999999999", "0x10", "1_0", "²",
    "true", "None", "hidden=1", "p=2,q=1", "=", ",", "--", "-", ".", "/dev/null", "/dev/full", "/proc/self/mem",
    "network.npz", "spikes.npz", "odd.npz", "folder", "pipe", "none/none", "x" * 300, "n" * 5000, "a b", "é", "\udcff",
    "$(id)", "`id`", "x.vcd", "x.fst", "icebreaker", "ulx3s", "digits", "arrays", "auto", "golden", "[1]", "{}", "%s",
]  # fmt: skip

OPTIONS = {
    "simulate": ["--input", "--output", "--lanes", "--backend", "--json", "--force"],
    "verify": ["--samples", "--ticks", "--seed", "--lanes", "--input", "--backend", "--json"],
    "export": ["-o", "--lanes", "--board", "--json", "--force"],
    "build": [
        "--board", "-o", "--lanes", "--target-us", "--clock", "--seed", "--tries", "--input", "--json", "--force",
    ],
    "train": [
        "-o", "--seed", "--epochs", "--data", "--weight-bits", "--delays", "--max-delay", "--set", "--resume", "--json",
    ],
    "demo": ["-o", "--task", "--seed", "--data", "--trained", "--samples", "--board", "--json"],
}  # fmt: skip
FLAGS = {"--json", "--force", "--resume"}
SETTINGS = [
    "hidden",
    "batch",
    "learning_rate",
    "slope",
    "validation",
    "weight_bits",
    "loss",
    "dropout",
    "ticks",
    "scale",
]


def pick(rng: Rng, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def odd_command(rng: Rng) -> list[str]:
    """A command with arguments of which hardly one is right."""
    command = pick(rng, list(OPTIONS))
    arguments = [command]
    if command != "demo" and rng.random() < 0.9:
        usual = "arrays" if command == "train" else "network.npz"
        arguments.append(usual if rng.random() < 0.7 else pick(rng, WORDS))
    for option in OPTIONS[command]:
        if rng.random() < 0.5:
            continue
        arguments.append(option)
        if option == "--set":
            arguments.append(f"{pick(rng, SETTINGS)}={pick(rng, WORDS)}")
        elif option == "--input" and rng.random() < 0.6:
            arguments.append(pick(rng, ["spikes.npz", "odd.npz"]))
        elif option not in FLAGS:
            arguments.append(pick(rng, WORDS))
    return arguments


# -- files ----------------------------------------------------------------------------------------


def odd_value(rng: Rng, value: Any) -> Any:
    """Something else, of another type or size, in the place of a value of JSON."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        name = pick(rng, list(value))
        changed = dict(value)
        if rng.random() < 0.2:
            del changed[name]
        else:
            changed[name] = odd_value(rng, value[name])
        return changed
    if isinstance(value, list) and value and rng.random() < 0.7:
        index = int(rng.integers(len(value)))
        return [*value[:index], odd_value(rng, value[index]), *value[index + 1 :]]
    return pick(
        rng,
        [
            None,
            True,
            0,
            -1,
            2**31,
            10**40,
            0.5,
            1e400,
            float("nan"),
            "",
            "input",
            "x" * 500,
            [],
            [[]],
            {},
            {"a": [1]},
        ],
    )


def odd_array(rng: Rng, array: np.ndarray) -> np.ndarray:
    """An array of another shape, type or other values."""
    kind = int(rng.integers(7))
    if kind == 0:
        return array.astype(
            pick(rng, [np.float64, np.complex64, np.int8, np.uint64, bool, "S3", "U2", "M8[s]"])
        )
    if kind == 1:
        return array.reshape(-1)
    if kind == 2:
        return array[..., : int(rng.integers(3))]
    if kind == 3:
        return np.zeros(pick(rng, [(), (0,), (1, 0, 3), (2, 2, 2, 2)]), array.dtype)
    if kind == 4:
        changed = array.copy()
        changed.reshape(-1)[: int(rng.integers(1, 4))] = pick(rng, [0, 1, 2, 127])
        return changed
    if kind == 5:
        return np.full(array.shape, pick(rng, [2**63, 2**64 - 1]), np.uint64)
    return np.full(array.shape, pick(rng, [-1, -(2**63), 2**31]), np.int64)


def odd_bytes(rng: Rng, content: bytes) -> bytes:
    """A file that was cut, or of which some bytes are others."""
    if rng.random() < 0.3:
        return content[: int(rng.integers(len(content)))]
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 20))):
        changed[int(rng.integers(len(changed)))] = int(rng.integers(256))
    return bytes(changed)


def odd_npz(rng: Rng, path: Path) -> None:
    """Make a good file an odd one."""
    if rng.random() < 0.25:
        path.write_bytes(odd_bytes(rng, path.read_bytes()))
        return
    arrays = read_npz(path)
    name = pick(rng, list(arrays))
    if name == "header" and rng.random() < 0.9:
        text = json.dumps(odd_value(rng, json.loads(arrays["header"].tobytes())))
        arrays["header"] = np.frombuffer(text.encode(), np.uint8)
    elif rng.random() < 0.15:
        del arrays[name]
    else:
        with np.errstate(all="ignore"):
            arrays[name] = odd_array(rng, arrays[name])
    write_npz(path, arrays)


def odd_network(rng: Rng) -> list[str]:
    odd_npz(rng, Path("network.npz"))
    return pick(
        rng,
        [
            ["simulate", "network.npz", "--input", "spikes.npz", "--output", "out.npz"],
            ["verify", "network.npz", "--ticks", "0x1"],
            ["build", "network.npz", "--board", "none", "-o", "out"],
        ],
    )


def odd_spikes(rng: Rng) -> list[str]:
    odd_npz(rng, Path("spikes.npz"))
    return ["simulate", "network.npz", "--input", "spikes.npz", "--output", "out.npz", "--json"]


def odd_training(rng: Rng) -> list[str]:
    """A folder of a training of which one file is odd; a demo of it ends before it begins, for it has no board."""
    if rng.random() < 0.7:
        file = Path("trained/train.json")
        text = json.dumps(odd_value(rng, json.loads(file.read_text())))
        file.write_bytes(text.encode() if rng.random() < 0.9 else odd_bytes(rng, text.encode()))
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
    odd_command, odd_command, odd_command, odd_network, odd_spikes, odd_training, odd_data, odd_checkpoint,
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
    return folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is right after all is not simulated, built or trained: refusals come before."""
    from lifline import boards, sim
    from lifline.app import pipeline
    from lifline.train.tasks import run as training

    def stop(*arguments: Any, **options: Any) -> Any:
        raise InputError("this would be done")

    monkeypatch.setattr(sim.simulation, "Simulator", stop)
    monkeypatch.setattr(sim.verification, "Simulator", stop)
    monkeypatch.setattr(boards.flow, "_make", stop)
    monkeypatch.setattr(training, "fit", stop)
    monkeypatch.setattr(pipeline, "_compare", stop)


@pytest.mark.filterwarnings("ignore:::torch", "ignore:invalid value encountered in cast")
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
