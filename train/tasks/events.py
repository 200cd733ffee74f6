"""Any event data set that tonic has stored in a folder, by feature maps; nothing of it is tuned to one of them."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np

from lifline import encoders

from .. import datasets
from ..datasets import EventRecordings
from ..model import SpikingNetwork
from ..samples import Data, Samples, split_off
from ..settings import SIZE, Range, setting
from .convolutional import ConvolutionalSettings
from .nmnist import Thinned, shifted
from .registry import Task, register


@dataclasses.dataclass(frozen=True, kw_only=True)
class EventsSettings(ConvolutionalSettings, Thinned):
    """The defaults for event data sets, and what only this task has."""

    dataset: str = setting("NMNIST", "tonic's name of it, such as DVSGesture or POKERDVS")
    maps: str = "12c5s2 32c5s2"
    ticks: int = setting(20, "of a sample", SIZE)
    tick_us: int = setting(
        0,
        "µs of a tick; 0: a recording is split evenly from its first event to its last",
        Range(0, 10**9),
    )
    cells: int = setting(2, "pixels of a cell's side", Range(1, 64))
    epochs: int = 30
    batch: int = 50
    weight_decay: float = 1e-4
    label_smoothing: float = 0.05
    surrogate: str = "atan"
    dropout: float = 0.1
    max_delay: int = 4


def load(settings: EventsSettings, folder: Path | None) -> Data:
    """Spikes, uint8 (recordings, ticks, rows, columns, 2), and labels."""
    train, test = datasets.tonic(settings.dataset, folder)
    training = Samples(_binned(train, settings), train.labels)
    return Data(
        *split_off(training, settings.validation), Samples(_binned(test, settings), test.labels)
    )


def _binned(part: EventRecordings, settings: EventsSettings) -> np.ndarray:
    columns, rows = (math.ceil(side / settings.cells) for side in part.size)
    return np.stack(
        [
            encoders.bin_events(
                events, part.size, settings.ticks, settings.tick_us or None, pool=settings.cells
            )
            .reshape(settings.ticks, 2, rows, columns)
            .transpose(0, 2, 3, 1)
            for events in part.events
        ]
    )


def encode(values: np.ndarray, settings: EventsSettings) -> np.ndarray:
    """The spikes, uint8 (recordings, ticks, inputs), channels last."""
    return values.reshape(*values.shape[:2], -1)


def vary(values: np.ndarray, settings: EventsSettings, rng: np.random.Generator) -> np.ndarray:
    """Spikes of recordings that are shifted by whole cells, some spikes left out."""
    spikes = encode(shifted(values, settings.shift, rng), settings)
    return spikes * (rng.random(spikes.shape, np.float32) >= settings.drop)


def build(settings: EventsSettings, data: Data) -> SpikingNetwork:
    """An untrained stack of feature maps on the sensor's cells, with a readout of one neuron for each label."""
    classes = 1 + max(int(part.labels.max(initial=0)) for part in data)
    rows, columns, polarities = data.training.values.shape[2:]
    return settings.stack((rows, columns, polarities), classes)


register(
    Task(
        "events",
        "an event data set that tonic stored, by feature maps",
        EventsSettings(),
        load,
        build,
        encode,
        vary,
    )
)
