"""What the tests of the commands share: a folder to work in, and how a command refuses."""

from __future__ import annotations

import importlib
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import LIF, Dense, Network, Population, Projection
from lifline.app import parts
from lifline.app.main import main
from lifline.files import write_npz

from ..networks import random_network, random_spikes

#: The modules of the commands that call a part of lifline.
COMMANDS = ("build", "doctor", "estimate", "evaluate", "export", "simulate", "train", "verify")


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
def plain(folder: Path) -> Path:
    """The same with a network of nothing but LIF neurons, which any backend runs."""
    rng = np.random.default_rng(4)
    network = Network(
        3,
        [Population("p0", 4, LIF(200, 20, bias=[0, 1, 2, 3])), Population("p1", 3, LIF(256, 30))],
        [
            Projection("input", "p0", rng.integers(-9, 60, (3, 4))),
            Projection(
                "p0", "p1", Dense(rng.integers(-9, 40, (4, 3)), delays=rng.integers(0, 4, (4, 3)))
            ),
        ],
        "p1",
    )
    network.save(folder / "network.npz")
    spikes = random_spikes(rng, network, samples=3, ticks=20)
    write_npz(folder / "spikes.npz", {"spikes": spikes, "labels": np.array([0, 1, 2])})
    return folder


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must fail with exit status 2, and return its one line on stderr."""

    def run(*arguments: str) -> str:
        assert main(arguments) == 2
        out, error = capsys.readouterr()
        assert out == ""
        assert error.startswith("lifline: ")
        assert error.count("\n") == 1
        assert "a mistake in lifline itself" not in error
        return error.removeprefix("lifline: ").rstrip("\n")

    return run


def boom(error: BaseException) -> Callable[..., Any]:
    """A function that raises this, whatever it is called with."""

    def raise_it(*arguments: Any, **options: Any) -> Any:
        raise error

    return raise_it


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put functions in the place of a part of lifline, for the commands."""

    def replace(name: str, **functions: Any) -> None:
        fake = types.SimpleNamespace(**functions)
        for command in COMMANDS:
            module = importlib.import_module(f"lifline.app.{command}")
            monkeypatch.setattr(
                module, "part", lambda wanted: fake if wanted == name else parts.part(wanted)
            )

    return replace
