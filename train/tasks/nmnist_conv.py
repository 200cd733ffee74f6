"""N-MNIST by feature maps: the events of a moving camera, counted into ticks, on a map of two polarities.

Settings were chosen on recordings taken off the training data; the test recordings are used once, for the result.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np

from lifline import encoders

from .. import datasets
from ..model import SpikingNetwork
from ..samples import Data, Samples, split_off
from ..settings import SIZE, Range, setting
from .convolutional import ConvolutionalSettings
from .nmnist import LENGTH_US, SENSOR, Thinned, shifted
from .registry import Task, register


@dataclasses.dataclass(frozen=True, kw_only=True)
class NMNISTConvSettings(ConvolutionalSettings, Thinned):
    """The defaults of the convolutional N-MNIST task, and what only it has."""

    maps: str = "12c5s2 32c5s2"
    ticks: int = setting(10, "of a sample", SIZE)
    cells: int = setting(1, "pixels of a cell's side", Range(1, 17))
    beta: float = 0.75
    epochs: int = 20
    batch: int = 50
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    label_smoothing: float = 0.05
    surrogate: str = "atan"
    dropout: float = 0.1
    max_delay: int = 4
    shift: int = 2


def load(settings: NMNISTConvSettings, folder: Path | None) -> Data:
    """Spikes, uint8 (recordings, ticks, inputs), channels last, and labels."""
    tick, side = LENGTH_US // settings.ticks, math.ceil(SENSOR[0] / settings.cells)

    def spikes(events: np.ndarray) -> np.ndarray:
        binned = encoders.bin_events(events, SENSOR, settings.ticks, tick, pool=settings.cells)
        maps = binned.reshape(settings.ticks, 2, side, side)
        return maps.transpose(0, 2, 3, 1).reshape(settings.ticks, -1)

    training, test = (
        Samples(np.stack([spikes(events) for events in part.events]), part.labels)
        for part in datasets.nmnist(folder)
    )
    return Data(*split_off(training, settings.validation), test)


def encode(values: np.ndarray, settings: NMNISTConvSettings) -> np.ndarray:
    """The spikes, as they are."""
    return values


def vary(values: np.ndarray, settings: NMNISTConvSettings, rng: np.random.Generator) -> np.ndarray:
    """Spikes of recordings that are shifted by whole cells, some spikes left out."""
    side = math.ceil(SENSOR[0] / settings.cells)
    maps = values.reshape(*values.shape[:2], side, side, 2)
    spikes = shifted(maps, settings.shift, rng).reshape(values.shape)
    return spikes * (rng.random(spikes.shape, np.float32) >= settings.drop)


def build(settings: NMNISTConvSettings, data: Data) -> SpikingNetwork:
    """An untrained stack of feature maps on the sensor's cells, with a readout of ten."""
    side = math.ceil(SENSOR[0] / settings.cells)
    return settings.stack((side, side, 2), 10)


register(
    Task(
        "nmnist_conv",
        "handwritten digits seen by an event camera, by feature maps",
        NMNISTConvSettings(),
        load,
        build,
        encode,
        vary,
    )
)
