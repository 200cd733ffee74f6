"""Networks that tasks train, each once, in the folder of the results."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from lifline.files import read_npz
from lifline.network import Network
from lifline.train.tasks import run_task

from .measure import Options


def trained(task: str, options: Options) -> tuple[Network, np.ndarray, np.ndarray]:
    """A task's network, and its test samples' spikes and labels, as ``lifline train TASK -o`` writes them."""
    folder = _folder(task, options)
    test = read_npz(folder / "test.npz")
    return Network.load(folder / "network.npz"), test["spikes"], test["labels"]


def _folder(task: str, options: Options) -> Path:
    """Where a task's network is; it is trained if it is not there yet."""
    if task == "mnist" and options.network is not None:
        return options.network
    folder = options.folder / "networks" / task
    if not (folder / "train.json").exists():
        run_task(task, folder, resume=True)
    accuracy = json.loads((folder / "train.json").read_text())["test_accuracy"]
    print(f"{task}: test accuracy {accuracy:.4f}", flush=True)
    return folder
