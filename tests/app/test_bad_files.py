"""Files that are no networks or spikes: one line, exit status 2, nothing half-written."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import Network
from lifline.files import write_npz

SIMULATE = ("simulate", "network.npz", "--input", "spikes.npz", "--output", "out.npz")


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
