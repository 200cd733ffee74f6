"""Reading what ``lifline train`` has written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lifline.errors import InputError
from lifline.files import read_spikes
from lifline.network import Network


class Training(NamedTuple):
    """What a training leaves behind."""

    record: dict[str, Any]  #: ``train.json``
    network: Network
    spikes: np.ndarray  #: of the test split, uint8 (samples, ticks, inputs)
    labels: np.ndarray  #: int (samples,)

    def some(self, samples: int | None) -> Training:
        """The same with so many of its test samples, evenly spread; None: all."""
        if samples is None or samples >= len(self.labels):
            return self
        chosen = np.arange(samples) * len(self.labels) // samples
        return self._replace(spikes=self.spikes[chosen], labels=self.labels[chosen])


def load_training(folder: Path) -> Training:
    """Read ``train.json``, ``network.npz`` and ``test.npz``.

    Raises
    ------
    NetworkError, InputError
        If one is missing or damaged, or they are not of one training.
    """
    file = folder / "train.json"
    record = _read_record(file)
    network = Network.load(folder / "network.npz")
    run = record["task"], record["seed"]
    if (network.metadata.get("task"), network.metadata.get("seed")) != run:
        raise InputError(
            f"{folder}: train.json is of task '{run[0]}', seed {run[1]}, network.npz of another training: "
            "take both from the same"
        )
    if wrong := _mismatch(record, network):
        raise InputError(f"{file}: {wrong}; train again")
    return Training(record, network, *_read_test(folder / "test.npz", network))


def _read_record(file: Path) -> dict[str, Any]:
    """``train.json``, as far as it can be checked without the network."""
    if file.exists() and not file.is_file():
        raise InputError(f"{file}: not a file")
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{file}: {error.strerror}; give a folder that 'lifline train TASK -o DIR' has written"
        ) from None
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise InputError(f"{file}: damaged, or of another version of lifline; train again")
    for name, (right, rule) in _FIELDS.items():
        if name not in record or not right(record[name]):
            raise InputError(
                f"{file}: '{name}' must be {rule}: damaged, or of another version of lifline; train again"
            )
    return record


#: Beyond it no number of a training is meant.
_MOST = 1e15


def _number(value: Any) -> bool:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return real and -_MOST <= value <= _MOST  # false for NaN, too


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST


def _curves(value: Any) -> bool:
    if not isinstance(value, dict) or not all(isinstance(curve, list) for curve in value.values()):
        return False
    lengths = {len(curve) for curve in value.values()}
    numbers = all(_number(entry) for curve in value.values() for entry in curve)
    return "loss" in value and numbers and len(lengths) == 1 and 0 not in lengths


def _delays(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("source"), str)
        and isinstance(entry.get("target"), str)
        and isinstance(entry.get("before"), list)
        and all(map(_count, entry["before"]))
        for entry in value
    )


def _settings(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _count(value.get("epochs"))
        and _number(value.get("quantised"))
        and 0 <= value["quantised"] <= 1
    )


#: What the report needs of ``train.json``: whether a value will do, and what it must be.
_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "task": (lambda value: isinstance(value, str) and value.isprintable(), "a name"),
    "seed": (_count, "an integer ≥ 0"),
    "test_accuracy": (lambda value: _number(value) and 0 <= value <= 1, "a number in 0 … 1"),
    "train_samples": (_count, "an integer ≥ 0"),
    "settings": (_settings, "an object with 'epochs' and 'quantised'"),
    "delays": (_delays, "a list of objects with 'source', 'target' and 'before'"),
    "curves": (_curves, "an object of lists of numbers, all as long, 'loss' among them"),
}


def _mismatch(record: dict[str, Any], network: Network) -> str | None:
    """What in a record does not fit the network; None where all does."""
    names = {population.name for population in network.populations}
    rates = {name.removeprefix("rate.") for name in record["curves"] if name.startswith("rate.")}
    for name in sorted(names - rates - {network.output}):
        return f"'curves' has no 'rate.{name}', a population of network.npz"
    for name in sorted(rates - names):
        return f"'curves' has the rate of {name!r}, which is no population of network.npz"
    return None


def _read_test(file: Path, network: Network) -> tuple[np.ndarray, np.ndarray]:
    """The spikes and labels of the test split."""
    spikes, labels = read_spikes(file, network.inputs, network.input_bits)
    if labels is None:
        raise InputError(f"{file}: no array 'labels'; train again")
    classes = network.size(network.output)
    if not 0 <= labels.min() <= labels.max() < classes:
        raise InputError(f"{file}: labels must be in 0 … {classes - 1}, the neurons of the output")
    return spikes, labels
