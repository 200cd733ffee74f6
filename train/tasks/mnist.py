"""The MNIST task: 28×28 handwritten digits, each bright pixel spikes once, the sooner the brighter it is.

Settings were chosen on images taken off the training data; the 10,000 test images are used once, for the result.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import affine_grid, grid_sample

from lifline import encoders

from .. import datasets
from ..model import SpikingNetwork
from ..samples import Data, Samples, split_off
from ..settings import BELOW_ONE, FRACTION, SIZE, Range, setting
from .registry import Task, register
from .settings import MEMBRANE_BITS, TaskSettings

SIDE = 28  #: pixels of an image's side


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deformed(TaskSettings):
    """How much each epoch varies images of digits."""

    turn: float = setting(8.0, "each epoch turns each image by up to so many degrees, …", Range(0, 180))
    shift: float = setting(1.5, "… shifts it by up to so many pixels …", Range(0, SIDE))
    stretch: float = setting(
        0.1, "… and stretches it by up to this fraction, along each axis", BELOW_ONE
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MNISTSettings(Deformed):
    """The defaults of the MNIST task, and what only it has."""

    hidden: int = setting(128, "neurons of the hidden population", SIZE)
    ticks: int = setting(6, "of a sample", SIZE)
    darkest: float = setting(0.2, "brightness that pixels must exceed to spike", BELOW_ONE)
    beta: float = setting(240 / 256, "of all neurons; 1 − 1/16 is cheap in hardware", FRACTION)
    membrane_bits: int = setting(12, "of the hidden neurons", MEMBRANE_BITS)
    epochs: int = 40
    learning_rate: float = 3e-3
    loss: str = "membrane"
    quantised: float = 0.3
    max_delay: int = 3


def load(settings: TaskSettings, folder: Path | None) -> Data:
    """Brightness 0 … 1, float32 (samples, 28, 28), and labels."""
    parts = datasets.mnist(folder)
    training, test = (Samples(p.images / np.float32(255), p.labels) for p in parts)
    return Data(*split_off(training, settings.validation), test)


def encode(values: np.ndarray, settings: MNISTSettings) -> np.ndarray:
    """Spikes, uint8 (samples, ticks, 784), of images (samples, 28, 28)."""
    return encoders.latency(values.reshape(len(values), -1), settings.ticks, settings.darkest)


def vary(values: np.ndarray, settings: MNISTSettings, rng: np.random.Generator) -> np.ndarray:
    """Spikes of the images, each turned, shifted and stretched a bit."""
    return encode(deform(values, settings, rng), settings)


def deform(values: np.ndarray, settings: Deformed, rng: np.random.Generator) -> np.ndarray:
    """The images, each turned, shifted and stretched a bit, float32 (samples, 28, 28) in 0 … 1."""
    count = len(values)
    angle = rng.uniform(-1, 1, count) * math.radians(settings.turn)
    wide, high = 1 + rng.uniform(-1, 1, (2, count)) * settings.stretch
    right, down = rng.uniform(-1, 1, (2, count)) * settings.shift * 2 / SIDE
    cosine, sine = np.cos(angle), np.sin(angle)
    maps = np.stack([wide * cosine, -high * sine, right, wide * sine, high * cosine, down], axis=1)
    grid = affine_grid(
        torch.from_numpy(maps.reshape(count, 2, 3).astype(np.float32)),
        [count, 1, SIDE, SIDE],
        align_corners=False,
    )
    images = grid_sample(torch.from_numpy(values)[:, None], grid, align_corners=False)
    result: np.ndarray = images[:, 0].clamp(0, 1).numpy()
    return result


def build(settings: MNISTSettings, data: Data) -> SpikingNetwork:
    """An untrained 784-hidden-10 network, with a readout."""
    inputs, hidden, classes = SIDE * SIDE, settings.hidden, 10
    return SpikingNetwork(
        inputs,
        {
            "hidden1": settings.hidden_layer(
                hidden, settings.beta, membrane_bits=settings.membrane_bits
            ),
            "output": settings.readout(classes, settings.beta),
        },
        [
            ("input", "hidden1", settings.connect(inputs, hidden)),
            ("hidden1", "output", settings.connect(hidden, classes, delays="none")),
        ],
    )


register(Task("mnist", "28×28 handwritten digits", MNISTSettings(), load, build, encode, vary))
