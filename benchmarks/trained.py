"""Networks that tasks train, each once, in the folder of the results."""

from __future__ import annotations

import json
from pathlib import Path

from lifline.train.tasks import run_task

from .measure import Options


def trained(task: str, options: Options) -> Path:
    """The folder of a task's network, as ``lifline train TASK -o`` writes it; what is there is used."""
    if task == "mnist" and options.network is not None:
        return options.network
    folder = options.folder / "networks" / task
    if not (folder / "train.json").exists():
        run_task(task, folder, resume=True)
    accuracy = json.loads((folder / "train.json").read_text())["test_accuracy"]
    print(f"{task}: test accuracy {accuracy:.4f}", flush=True)
    return folder
