"""``lifline train``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline.app.main import main


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
