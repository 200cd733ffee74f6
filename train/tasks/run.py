"""Running a task: training, and the files that it leaves behind."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
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
from lifline.errors import InputError, LiflineError
from lifline.files import replaced, write_npz
from lifline.network import Network
from lifline.progress import Progress, silent

from .. import distributed
from ..connection import Delayed
from ..fitting import Training, fit
from ..integer import integer_forward
from ..model import SpikingNetwork, to_network
from ..samples import Samples
from ..settings import changed
from .registry import find


def run_task(
    name: str,
    directory: str | os.PathLike[str],
    *,
    seed: int = 0,
    epochs: int | None = None,
    data: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
    warn: Callable[[str], None] = warnings.warn,
    resume: bool = False,
    **settings: Any,
) -> dict[str, Any]:
    """Train a task's network and write ``network.npz``, ``test.npz`` and ``train.json``.

    The model is trained by :func:`lifline.train.fit`, on one thread: for networks of this size more are slower.
    The same seed and settings give the same ``network.npz`` and ``test.npz``, byte for byte, on the same kind of
    machine.

    Parameters
    ----------
    name : str
        One of :func:`lifline.train.tasks.names`.
    directory : path
        Made if it does not exist, once there is something to write.
    seed : int
        0 … 2^32 − 1.
    epochs : int, optional
        Instead of the task's own number.
    data : path, optional
        The folder with the task's files, for a task that reads any.
    progress : callable
        Called with (done, total, text) after each epoch.
    warn : callable
        Gets a line for each thing that quantisation harms, see :func:`lifline.train.fit`.
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
    task = find(name)
    if data is not None and not task.data:
        raise InputError(f"task '{name}' brings its own data; leave out the data folder '{data}'")
    if not 0 <= seed < 2**32:
        raise InputError(f"seed must be in 0 … 2^32 - 1, not {seed}")
    if epochs is not None:
        settings["epochs"] = epochs
    chosen = changed(task.settings, settings)
    folder = Path(directory)
    _check_folder(folder)
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists() and not resume:
        raise InputError(
            f"{checkpoint}: an interrupted run; --resume carries it on, or remove the file to begin anew"
        )

    began = time.perf_counter()
    with distributed.processes(warn) as rank, _enough_memory(), _discarded(checkpoint):
        sets = task.load(chosen, Path(data) if data is not None else None)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = task.build(chosen, sets)
        _check_test(sets.test, model)
        training = fit(
            model,
            sets,
            chosen,
            seed=seed,
            encode=lambda values: task.encode(values, chosen),
            vary=lambda values, rng: task.vary(values, chosen, rng),
            checkpoint=checkpoint,
            progress=progress,
            warn=warn,
        )
    seconds = time.perf_counter() - began
    if rank:
        return {}

    network = to_network(training.model, name, {"task": name, "seed": seed})
    spikes, labels = task.encode(sets.test.values, chosen), sets.test.labels
    record = {
        "task": name,
        "seed": seed,
        **_results(network, spikes, labels),
        "train_samples": len(sets.training.labels),
        "validation_samples": len(sets.validation.labels),
        "settings": dataclasses.asdict(chosen),
        **_history(training),
        "seconds": round(seconds, 3),
        "versions": {
            "lifline": lifline.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
            "device": next(model.parameters()).device.type,
        },
    }
    with replaced(folder, "train.json") as scratch:
        network.save(scratch / "network.npz")
        write_npz(scratch / "test.npz", {"spikes": spikes, "labels": labels})
        (scratch / "train.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    for left in (
        checkpoint,
        *folder.glob(f".{checkpoint.name}.*"),
    ):  # the latter by a kill as it was written
        left.unlink(missing_ok=True)
    return record


@contextlib.contextmanager
def _enough_memory() -> Iterator[None]:
    """torch has an error of its own where memory is short."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, LiflineError) or "memory" not in str(error):
            raise
        raise InputError(
            "not enough memory for this training: give a smaller batch, fewer hidden neurons or fewer ticks"
        ) from None


@contextlib.contextmanager
def _discarded(checkpoint: Path) -> Iterator[None]:
    """Remove a checkpoint that was begun here by a training that cannot go on, and its folder with it.

    One that is interrupted, or finds no space, can: it keeps its checkpoint.
    """
    before = checkpoint.exists()
    new = [parent for parent in checkpoint.parents if not parent.exists()]
    try:
        yield
    except LiflineError:
        if not before:
            checkpoint.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                for parent in new:
                    parent.rmdir()
        raise


def _check_test(test: Samples, model: SpikingNetwork) -> None:
    """Refuse test samples that the result could not be taken from, before any training.

    Raises
    ------
    InputError
    """
    outputs = model.population(model.output).size
    if not len(test.labels):
        raise InputError("test data: there are no samples; give at least one")
    if not 0 <= test.labels.min() <= test.labels.max() < outputs:
        raise InputError(
            f"test labels must be in 0 … {outputs - 1}, the neurons of the output, not {test.labels.min()} … "
            f"{test.labels.max()}"
        )


def _results(network: Network, spikes: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """What the integer network does on the test samples."""
    recording = integer_forward(network, spikes)
    events = {"input": spikes, **recording.spikes}
    return {
        "test_accuracy": float((recording.classes == labels).mean()),
        "test_samples": len(labels),
        "network": _shape(network),
        "events_per_sample": {
            source: round(float(np.count_nonzero(fired, axis=(1, 2)).mean()), 3)
            for source, fired in events.items()
        },
    }


def _history(training: Training) -> dict[str, Any]:
    """How the network learned."""
    return {
        "delays": [
            {
                "source": source,
                "target": target,
                "before": torch.bincount(synapses.start.flatten()).tolist(),
                "after": torch.bincount(synapses.rounded_delays().flatten()).tolist(),
            }
            for source, target, synapses in training.model.projections
            if isinstance(synapses, Delayed)
        ],
        "switch": dataclasses.asdict(training.switch) if training.switch else None,
        "warnings": training.warnings,
        "curves": training.curves,
    }


def _check_folder(folder: Path) -> None:
    """Refuse a folder that could not be made or written in, before any work is done, and without making it."""
    above = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not above.is_dir():
        raise InputError(f"{folder}: cannot make this folder: {above} is not a folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError(f"{folder}: cannot make this folder: {above} cannot be written")


def _shape(network: Network) -> str:
    """Such as ``64-48-10`` for a chain, a map as ``14×14×16``; all sizes and the number of synapses otherwise."""
    names = ["input", *(population.name for population in network.order)]
    chain = list(itertools.pairwise(names))
    sizes = "-".join("×".join(map(str, network.shape(name))) for name in names)
    if [(p.source, p.target) for p in network.projections] == chain:
        return sizes
    synapses = sum(p.synapses.count for p in network.projections)
    return f"{sizes}, {synapses} synapses"
