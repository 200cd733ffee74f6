"""``lifline train``."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import MissingExtra
from lifline.app.main import main

from .conftest import boom


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
    assert main(["train", "digits", "-o", "out", "--rule", "eprop", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rule"] == "eprop"
    assert main(["train", "digits", "-o", "out", "--set", "batch"]) == 2
    assert "--set batch must be NAME=VALUE" in capsys.readouterr().err
    assert main(["train", "digits", "-o", "out"]) == 0
    assert "wrote out/network.npz, test.npz, train.json" in capsys.readouterr().out


def test_help_lists_the_settings_of_a_task(
    capsys: pytest.CaptureFixture[str], fails: Callable[..., str]
) -> None:
    from lifline.train.tasks import describe, names

    for task in names():
        shown = set()
        for arguments in ([task, "--help"], ["-h", task], ["--seed", "3", task, "-h"]):
            assert main(["train", *arguments]) == 0
            shown.add(capsys.readouterr().out)
        (text,) = shown
        assert text.startswith("Usage: lifline train [OPTIONS] TASK")
        assert text.index("--json") < text.index(f"\n{task}: ")
        for name, default, limits, meaning in describe(task):
            (line,) = {line for line in text.splitlines() if line.startswith(f"{name} ")}
            assert all(part in line.lower() for part in map(str.lower, (str(default), limits, meaning)))
    message = fails("train", "juggling", "--help")
    assert message.startswith("no task 'juggling'; the tasks are arrays, digits, ")
    assert main(["train", "--help"]) == 0
    assert "quantised" not in capsys.readouterr().out


def test_help_lists_all_tasks_and_rules(capsys: pytest.CaptureFixture[str]) -> None:
    from lifline.train.rules import RULES
    from lifline.train.tasks import find, names

    assert main(["train", "--help"]) == 0
    text = capsys.readouterr().out
    listed = text[text.index("\nTasks:") :].splitlines()[2:]
    assert [line.split(maxsplit=1) for line in listed] == [[name, find(name).title] for name in names()]
    assert all(rule in text for rule in RULES)


def test_rules_that_cannot_be_used_are_refused(folder: Path, fails: Callable[..., str]) -> None:
    message = fails("train", "digits", "-o", "out", "--rule", "stdp")
    assert message.startswith("setting 'rule' must be ")
    message = fails("train", "digits", "-o", "out", "--rule", "eprop", "--set", "rate_cost=1")
    assert message.startswith("rule 'eprop' cannot train with rate_cost, whose gradient goes back")
    assert "\n" not in message.strip()
    assert not (folder / "out").exists()


def test_help_without_torch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train = importlib.import_module("lifline.app.train")
    monkeypatch.setattr(train, "part", boom(MissingExtra("torch", "train")))
    assert main(["train", "digits", "--help"]) == 0
    out = capsys.readouterr().out
    assert "Usage: lifline train [OPTIONS] TASK" in out
    assert out.endswith(
        "The settings of digits cannot be listed: Python package 'torch' is not installed: "
        "run  pip install 'lifline[train]'\n"
    )
    assert main(["train", "--help"]) == 0
    assert "\nThe tasks cannot be listed: " in capsys.readouterr().out
