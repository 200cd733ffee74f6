"""Tasks: from a name to a trained integer network, its test split, and a record of the training."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import lifline
from lifline.errors import InputError
from lifline.files import atomic_write, write_npz
from lifline.network import Network

from . import digits
from .integer import integer_forward
from .model import to_network

Progress = Callable[[int, int, str], None]


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a task makes of its settings and a seed."""

    network: Network
    spikes: np.ndarray  #: the encoded test split, uint8 (samples, ticks, inputs)
    labels: np.ndarray  #: its labels, int64 (samples,)
    curves: dict[str, list[float]]  #: one number for each epoch
    facts: dict[str, Any]  #: about data and model, for the record


@dataclasses.dataclass(frozen=True)
class Task:
    """A data set, an encoding and a network.

    To add one, write a module like :mod:`lifline.train.digits` and name it in :data:`TASKS`.
    """

    title: str
    settings: Any  #: a frozen dataclass; one of its fields is `epochs`
    train: Callable[[Any, int, Path | None, Progress], Trained]
    data: bool = False  #: whether it reads files from a folder


def _train_digits(
    settings: digits.Settings, seed: int, data: Path | None, progress: Progress
) -> Trained:
    def on_epoch(epoch: int, loss: float) -> None:
        progress(epoch, settings.epochs, f"epoch {epoch}, loss {loss:.3f}")

    model, curves = digits.train(settings, seed, on_epoch)
    training, held_out, test = digits.load(settings.validation)
    spikes = digits.encode(test.values, settings)
    return Trained(
        network=to_network(model, "digits", {"task": "digits", "seed": seed, "classes": 10}),
        spikes=spikes,
        labels=test.labels,
        curves=curves,
        facts={
            "train_samples": len(training.labels),
            "validation_samples": len(held_out.labels),
            "surrogate": model.population("output").spike_grad.name,
        },
    )


TASKS = {
    "digits": Task("scikit-learn's 8×8 handwritten digits", digits.Settings(), _train_digits),
}


def run_task(
    name: str,
    directory: str | os.PathLike[str],
    *,
    seed: int = 0,
    epochs: int | None = None,
    data: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Train a task's network and write ``network.npz``, ``test.npz`` and ``train.json``.

    The same seed and settings give the same ``network.npz`` and ``test.npz``, byte for byte, on the same
    kind of machine.  Training runs on one thread: for networks of this size more are slower.

    Parameters
    ----------
    name : str
        One of :data:`TASKS`.
    directory : path
        Made if it does not exist.
    seed : int
        0 … 2^32 − 1.
    epochs : int, optional
        Instead of the task's own number.
    data : path, optional
        The folder with the task's files, for a task that reads any.
    progress : callable, optional
        Called with (done, total, text) after each epoch.
    **settings
        Other fields of the task's settings.

    Returns
    -------
    dict
        What ``train.json`` holds: settings, accuracies, curves, versions.

    Raises
    ------
    InputError
        If there is no such task, a setting cannot be used, or the directory cannot be written.
    """
    if name not in TASKS:
        raise InputError(f"no task '{name}'; the tasks are {', '.join(sorted(TASKS))}")
    task = TASKS[name]
    if data is not None and not task.data:
        raise InputError(f"task '{name}' brings its own data; leave out the data folder '{data}'")
    if not 0 <= seed < 2**32:
        raise InputError(f"seed must be in 0 … 2^32 - 1, not {seed}")
    if epochs is not None:
        settings["epochs"] = epochs
    chosen = _with(task.settings, settings)
    folder = Path(directory)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot make this folder: {error.strerror}") from None

    began = time.perf_counter()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        trained = task.train(
            chosen, seed, Path(data) if data is not None else None, progress or (lambda *_: None)
        )
    finally:
        torch.set_num_threads(threads)
    seconds = time.perf_counter() - began

    recording = integer_forward(trained.network, trained.spikes)
    record = {
        "task": name,
        "seed": seed,
        "test_accuracy": float((recording.classes == trained.labels).mean()),
        "test_samples": len(trained.labels),
        "network": _shape(trained.network),
        "events_per_sample": {
            source: round(float(spikes.sum(axis=(1, 2)).mean()), 3)
            for source, spikes in {"input": trained.spikes, **recording.spikes}.items()
        },
        "settings": dataclasses.asdict(chosen),
        **trained.facts,
        "curves": trained.curves,
        "seconds": round(seconds, 3),
        "versions": {
            "lifline": lifline.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
        },
    }
    trained.network.save(folder / "network.npz")
    write_npz(folder / "test.npz", {"spikes": trained.spikes, "labels": trained.labels})
    with atomic_write(folder / "train.json") as file:
        file.write((json.dumps(record, indent=2) + "\n").encode())
    return record


def _with(settings: Any, changes: dict[str, Any]) -> Any:
    """`settings` with `changes` to its fields, each of which keeps its type."""
    for field, value in changes.items():
        if field not in (known := [f.name for f in dataclasses.fields(settings)]):
            raise InputError(f"no setting '{field}'; the settings are {', '.join(known)}")
        kind = type(getattr(settings, field))
        if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else kind):
            raise InputError(f"setting '{field}' must be of type {kind.__name__}, not {value!r}")
        if value < (1 if kind is int else 0):
            raise InputError(
                f"setting '{field}' must be {1 if kind is int else 0} or more, not {value!r}"
            )
    return dataclasses.replace(settings, **changes)


def _shape(network: Network) -> str:
    """Such as ``64-48-10`` for a chain; all sizes and the number of synapses otherwise."""
    names = [population.name for population in network.order]
    chain = list(zip(["input", *names], names, strict=False))
    sizes = "-".join(str(network.size(name)) for name in ("input", *names))
    if [(p.source, p.target) for p in network.projections] == chain:
        return sizes
    synapses = sum(int(np.count_nonzero(p.weights)) for p in network.projections)
    return f"{sizes}, {synapses} synapses"
