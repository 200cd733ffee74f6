"""The task for one's own data: spikes and labels in train.npz and test.npz, whatever they mean."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from lifline.errors import InputError

from .. import datasets
from ..model import SpikingNetwork
from ..samples import Data, Samples, split_off
from ..settings import BELOW_ONE, FRACTION, SIZE, Range, setting
from .registry import Task, register
from .settings import TaskSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArraysSettings(TaskSettings):
    """The defaults for one's own data, and what only this task has."""

    hidden: int = setting(64, "neurons of each hidden population", SIZE)
    layers: int = setting(2, "hidden populations", Range(1, 64))
    beta: float = setting(0.75, "of hidden neurons", FRACTION)
    readout_beta: float = setting(248 / 256, "of the output population", FRACTION)
    loss: str = "membrane"
    surrogate: str = "atan"
    dropout: float = 0.1
    delays: str = "learned"
    quantised: float = 0.3
    drop: float = setting(0.05, "each epoch leaves out this fraction of the spikes", BELOW_ONE)


def load(settings: ArraysSettings, folder: Path | None) -> Data:
    """Spikes, uint8 (samples, ticks, inputs), and labels."""
    if folder is None:
        raise InputError("task 'arrays' needs --data DIR, a folder with train.npz and test.npz")
    training, test = (Samples(part.spikes, part.labels) for part in datasets.arrays(folder))
    return Data(*split_off(training, settings.validation), test)


def encode(values: np.ndarray, settings: ArraysSettings) -> np.ndarray:
    """The spikes, as they are."""
    return values


def vary(values: np.ndarray, settings: ArraysSettings, rng: np.random.Generator) -> np.ndarray:
    """The spikes without some of them."""
    return values * (rng.random(values.shape, np.float32) >= settings.drop)


def build(settings: ArraysSettings, data: Data) -> SpikingNetwork:
    """An untrained chain of hidden populations, with a readout of one neuron for each label."""
    classes = 1 + max(int(part.labels.max(initial=0)) for part in data)
    names = [f"hidden{i + 1}" for i in range(settings.layers)]
    sizes = [data.training.values.shape[2], *[settings.hidden] * settings.layers]
    hidden = zip(["input", *names], names, sizes, sizes[1:], strict=False)
    return SpikingNetwork(
        sizes[0],
        {name: settings.hidden_layer(settings.hidden, settings.beta) for name in names}
        | {"output": settings.readout(classes, settings.readout_beta)},
        [
            *((source, target, settings.connect(m, n)) for source, target, m, n in hidden),
            (names[-1], "output", settings.connect(settings.hidden, classes, delays="none")),
        ],
    )


register(Task("arrays", "your own spikes and labels", ArraysSettings(), load, build, encode, vary))
