"""The N-MNIST task: MNIST's digits as a moving event camera saw them, its events counted into ticks.

Settings were chosen on recordings taken off the training data; the test recordings are used once, for the result.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from lifline import encoders

from .. import datasets
from ..model import SpikingNetwork
from ..samples import Data, Samples, split_off
from ..settings import BELOW_ONE, FRACTION, SIZE, Range, setting
from .registry import Task, register
from .settings import TaskSettings

SENSOR = (34, 34)  #: pixels
LENGTH_US = 300_000  #: of a recording: three saccades of 100 ms
POOL = 2  #: pixels of a cell's side
_CELLS = 17  #: of a row, and of a column


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thinned(TaskSettings):
    """How much each epoch varies recordings."""

    shift: int = setting(
        1, "each epoch shifts each recording by up to so many cells …", Range(0, SENSOR[0])
    )
    drop: float = setting(0.1, "… and leaves out this fraction of its spikes", BELOW_ONE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NMNISTSettings(Thinned):
    """The defaults of the N-MNIST task, and what only it has."""

    shift: int = setting(
        1, "each epoch shifts each recording by up to so many cells …", Range(0, _CELLS)
    )
    hidden: int = setting(128, "neurons of the hidden population", SIZE)
    ticks: int = setting(30, "of a sample", SIZE)
    beta: float = setting(0.75, "of hidden neurons", FRACTION)
    readout_beta: float = setting(248 / 256, "of the output population", FRACTION)
    epochs: int = 60
    batch: int = 50
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    loss: str = "membrane"
    label_smoothing: float = 0.05
    surrogate: str = "atan"
    dropout: float = 0.3
    delays: str = "learned"
    max_delay: int = 10
    quantised: float = 0.3


def load(settings: NMNISTSettings, folder: Path | None) -> Data:
    """Spikes, uint8 (recordings, ticks, 578), and labels."""
    tick = LENGTH_US // settings.ticks
    training, test = (
        Samples(
            np.stack(
                [
                    encoders.bin_events(events, SENSOR, settings.ticks, tick, pool=POOL)
                    for events in part.events
                ]
            ),
            part.labels,
        )
        for part in datasets.nmnist(folder)
    )
    return Data(*split_off(training, settings.validation), test)


def encode(values: np.ndarray, settings: NMNISTSettings) -> np.ndarray:
    """The spikes, as they are."""
    return values


def vary(values: np.ndarray, settings: NMNISTSettings, rng: np.random.Generator) -> np.ndarray:
    """Spikes of recordings that are shifted by whole cells, some spikes left out."""
    count, ticks, _ = values.shape
    cells = values.reshape(count, ticks, 2, _CELLS, _CELLS).transpose(0, 1, 3, 4, 2)
    spikes = shifted(cells, settings.shift, rng).transpose(0, 1, 4, 2, 3).reshape(values.shape)
    return spikes * (rng.random(spikes.shape, np.float32) >= settings.drop)


def shifted(maps: np.ndarray, far: int, rng: np.random.Generator) -> np.ndarray:
    """Recordings (recordings, ticks, rows, columns, polarities), each shifted by up to `far` cells each way."""
    rows, columns = maps.shape[2:4]
    padded = np.pad(maps, ((0, 0), (0, 0), (far, far), (far, far), (0, 0)))
    down, right = rng.integers(0, 2 * far + 1, (2, len(maps)))
    return np.stack(
        [
            recording[:, y : y + rows, x : x + columns]
            for recording, y, x in zip(padded, down, right, strict=True)
        ]
    )


def build(settings: NMNISTSettings, data: Data) -> SpikingNetwork:
    """An untrained 578-hidden-10 network, with a readout."""
    inputs, hidden, classes = data.training.values.shape[2], settings.hidden, 10
    return SpikingNetwork(
        inputs,
        {
            "hidden1": settings.hidden_layer(hidden, settings.beta),
            "output": settings.readout(classes, settings.readout_beta),
        },
        [
            ("input", "hidden1", settings.connect(inputs, hidden)),
            ("hidden1", "output", settings.connect(hidden, classes, delays="none")),
        ],
    )


register(
    Task(
        "nmnist",
        "handwritten digits seen by an event camera",
        NMNISTSettings(),
        load,
        build,
        encode,
        vary,
    )
)
