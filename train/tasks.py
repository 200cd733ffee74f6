"""Tasks: from a name to a trained integer network, its test split, and a record of the training."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import math
import os
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

import lifline
from lifline.errors import InputError
from lifline.files import atomic_write, write_npz
from lifline.network import Network

from . import arrays, digits, fsdd, mnist, nmnist
from .fit import Progress, Recipe, Settings, fit, processes
from .integer import integer_forward
from .model import to_network
from .synapses import DelayedLinear


@dataclasses.dataclass(frozen=True)
class Task:
    """A data set, an encoding and a network.

    To add one, write a module like :mod:`lifline.train.fsdd` and name it in :data:`TASKS`.
    """

    title: str
    settings: Settings
    recipe: Recipe
    data: bool = True  #: whether it reads files from a folder


TASKS = {
    "digits": Task(
        "scikit-learn's 8×8 handwritten digits", digits.DigitsSettings(), digits.RECIPE, data=False
    ),
    "mnist": Task("28×28 handwritten digits", mnist.MNISTSettings(), mnist.RECIPE),
    "fsdd": Task("spoken digits", fsdd.FSDDSettings(), fsdd.RECIPE),
    "nmnist": Task(
        "handwritten digits seen by an event camera", nmnist.NMNISTSettings(), nmnist.RECIPE
    ),
    "arrays": Task("your own spikes and labels", arrays.ArraysSettings(), arrays.RECIPE),
}


def run_task(
    name: str,
    directory: str | os.PathLike[str],
    *,
    seed: int = 0,
    epochs: int | None = None,
    data: str | os.PathLike[str] | None = None,
    progress: Progress = lambda done, total, text: None,
    warn: Callable[[str], None] = warnings.warn,
    resume: bool = False,
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
    progress : callable
        Called with (done, total, text) after each epoch.
    warn : callable
        Gets a line when a population falls silent or saturates.
    resume : bool
        Whether to carry on an interrupted run, from its last epoch, if there is one in the folder.
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

    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists() and not resume:
        raise InputError(
            f"{checkpoint}: an interrupted run; --resume carries it on, or remove the file to begin anew"
        )

    _keep_memory()
    began = time.perf_counter()
    warned: dict[str, str] = {}  # lines by what is wrong with which population

    def warn_once(line: str) -> None:
        _, what, _ = line.split(":", 2)
        if what not in warned:
            warned[what] = line
            warn(line)

    with _one_thread(), processes() as rank:
        sets = task.recipe.load(chosen, Path(data) if data is not None else None)
        model, curves = fit(
            task.recipe, chosen, sets, seed, checkpoint=checkpoint, progress=progress, warn=warn_once
        )
    seconds = time.perf_counter() - began
    if rank:
        return {}

    network = to_network(model, name, {"task": name, "seed": seed})
    spikes, labels = task.recipe.encode(sets.test.values, chosen), sets.test.labels
    recording = integer_forward(network, spikes)
    record = {
        "task": name,
        "seed": seed,
        "test_accuracy": float((recording.classes == labels).mean()),
        "test_samples": len(labels),
        "train_samples": len(sets.training.labels),
        "validation_samples": len(sets.validation.labels),
        "network": _shape(network),
        "events_per_sample": {
            source: round(float(spikes.sum(axis=(1, 2)).mean()), 3)
            for source, spikes in {"input": spikes, **recording.spikes}.items()
        },
        "settings": dataclasses.asdict(chosen),
        "delays": [
            {
                "source": source,
                "target": target,
                "before": torch.bincount(synapses.start.flatten()).tolist(),
                "after": torch.bincount(synapses.whole_delays().flatten()).tolist(),
            }
            for source, target, synapses in model.projections
            if isinstance(synapses, DelayedLinear)
        ],
        "warnings": list(warned.values()),
        "curves": curves,
        "seconds": round(seconds, 3),
        "versions": {
            "lifline": lifline.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
            "device": next(model.parameters()).device.type,
        },
    }
    network.save(folder / "network.npz")
    write_npz(folder / "test.npz", {"spikes": spikes, "labels": labels})
    with atomic_write(folder / "train.json") as file:
        file.write((json.dumps(record, indent=2) + "\n").encode())
    checkpoint.unlink(missing_ok=True)
    return record


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """For networks of these sizes more threads are slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _keep_memory() -> None:
    """Have the C library keep what is freed for the next step, where it is glibc.

    It would give each large tensor back to the system, which then clears its pages anew in every step: half
    of a step's time.
    """
    if platform.libc_ver()[0] == "glibc":
        m_trim_threshold, m_top_pad, m_mmap_max = -1, -2, -4
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(m_mmap_max, 0)
        mallopt(m_trim_threshold, 2**31 - 1)
        mallopt(m_top_pad, 2**26)


def _with(settings: Any, changes: dict[str, Any]) -> Any:
    """`settings` with `changes` to its fields, each of which keeps its type; numbers may be text."""
    for field, value in list(changes.items()):
        if field not in (known := [f.name for f in dataclasses.fields(settings)]):
            raise InputError(f"no setting '{field}'; the settings are {', '.join(known)}")
        kind = type(getattr(settings, field))
        if isinstance(value, str) and kind is not str:
            with contextlib.suppress(ValueError):
                value = kind(value)
        if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else kind):
            raise InputError(f"setting '{field}' must be of type {kind.__name__}, not {value!r}")
        least = 1 if kind is int and field not in ("max_delay", "shift") else 0
        if kind is not str and not least <= value < math.inf:
            raise InputError(f"setting '{field}' must be {least} or more, not {value!r}")
        changes[field] = value
    return dataclasses.replace(settings, **changes)


def _shape(network: Network) -> str:
    """Such as ``64-48-10`` for a chain; all sizes and the number of synapses otherwise."""
    names = [population.name for population in network.order]
    chain = list(zip(["input", *names], names, strict=False))
    sizes = "-".join(str(network.size(name)) for name in ("input", *names))
    if [(p.source, p.target) for p in network.projections] == chain:
        return sizes
    synapses = sum(int(np.count_nonzero(p.synapses.dense()[0])) for p in network.projections)
    return f"{sizes}, {synapses} synapses"
