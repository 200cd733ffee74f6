"""``lifline build``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import Network, golden
from lifline.app.main import main
from lifline.files import read_npz


def test_build(folder: Path, part: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    seen: dict[str, Any] = {}

    def build(network: Network, board: str, directory: Path, **options: Any) -> dict[str, Any]:
        seen.update(options, board=board, directory=directory)
        return {"board": board, "fmax_mhz": 30.5}

    part("boards", build=build, find_board=lambda name: None)
    arguments = ["build", "network.npz", "--board", "icebreaker", "-o", "out", "--input", "spikes.npz"]
    arguments += ["--check"]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"board": "icebreaker", "fmax_mhz": 30.5}
    network, spikes = Network.load("network.npz"), read_npz("spikes.npz")["spikes"]
    assert set(seen["activity"]) == {"input", *(p.name for p in network.populations)}
    assert np.array_equal(seen["activity"]["input"], spikes)
    assert seen["check"] is golden.simulate
    assert (seen["lanes"], seen["seed"], seen["directory"]) == (None, 1, Path("out"))
