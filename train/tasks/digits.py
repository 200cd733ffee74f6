"""The digits task: scikit-learn's 8×8 handwritten digits, each pixel spikes the more often the brighter it is.

Read it from top to bottom: settings, data, encoding, model.  The settings were chosen on validation splits
taken off the training images; the 360 test images are used once, by the caller, for the result.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch

from lifline import encoders

from .. import datasets
from ..model import SpikingNetwork
from ..neurons import LIF
from ..samples import Data, Samples, split_off
from ..settings import BELOW_ONE, FRACTION, SIZE, Range, setting
from .registry import Task, register
from .settings import MEMBRANE_BITS, TaskSettings

SIDE = 8  #: pixels of an image's side
TEST_IMAGES = 360


@dataclasses.dataclass(frozen=True, kw_only=True)
class DigitsSettings(TaskSettings):
    """The defaults of the digits task, and what only it has."""

    hidden: int = setting(64, "neurons of the hidden population", SIZE)
    ticks: int = setting(8, "of a sample", SIZE)
    max_rate: float = setting(0.5, "spikes a tick of the brightest pixels", Range(0, 1, above=True))
    beta: float = setting(248 / 256, "of all neurons; 1 − 1/32 is cheap in hardware", FRACTION)
    membrane_bits: int = setting(13, "of all neurons", MEMBRANE_BITS)
    epochs: int = 80
    batch: int = 64
    learning_rate: float = 5e-3
    label_smoothing: float = 0.05
    max_delay: int = 4
    shift: float = setting(
        0.4, "each epoch shifts each image by up to so many pixels both ways …", FRACTION
    )
    drop: float = setting(0.05, "… and leaves out this fraction of its spikes", BELOW_ONE)


def load(settings: DigitsSettings, folder: Path | None = None) -> Data:
    """Brightness 0 … 1, (samples, 64), and labels; always the same split, stratified."""
    images = datasets.digits()
    pixels = (images.images / 16).reshape(-1, SIDE * SIDE)
    training, test = split_off(Samples(pixels, images.labels), TEST_IMAGES / len(pixels))
    return Data(*split_off(training, settings.validation), test)


def encode(values: np.ndarray, settings: DigitsSettings) -> np.ndarray:
    """Spikes, uint8 (samples, ticks, 64), of images (samples, 64)."""
    return encoders.regular(values, settings.ticks, settings.max_rate)


def vary(values: np.ndarray, settings: DigitsSettings, rng: np.random.Generator) -> np.ndarray:
    """Spikes of the images, each shifted by its own fraction of a pixel, some spikes left out."""
    spikes = encode(shifted(values, settings.shift, rng), settings)
    return spikes * (rng.random(spikes.shape) >= settings.drop)


def shifted(values: np.ndarray, by_up_to: float, rng: np.random.Generator) -> np.ndarray:
    """Images (samples, 64), each shifted by its own fraction of a pixel both ways."""
    images = np.pad(values.reshape(-1, SIDE, SIDE), ((0, 0), (1, 1), (1, 1)))
    for axis in (1, 2):
        by = rng.uniform(-by_up_to, by_up_to, size=(len(images), 1, 1))
        neighbour = np.where(by > 0, np.roll(images, 1, axis), np.roll(images, -1, axis))
        images = (1 - np.abs(by)) * images + np.abs(by) * neighbour
    return images[:, 1:-1, 1:-1].reshape(-1, SIDE * SIDE).clip(0, 1)


def build(settings: DigitsSettings, data: Data) -> SpikingNetwork:
    """An untrained 64-hidden-10 network."""
    hidden, classes = settings.hidden, 10
    output = LIF(
        classes,
        settings.beta,
        bias=torch.zeros(classes),
        spike_grad=settings.spike_grad,
        reset_delay=False,
        membrane_bits=settings.membrane_bits,
    )
    return SpikingNetwork(
        SIDE * SIDE,
        {
            "hidden1": settings.hidden_layer(
                hidden, settings.beta, membrane_bits=settings.membrane_bits
            ),
            "output": output,
        },
        [
            ("input", "hidden1", settings.connect(SIDE * SIDE, hidden)),
            ("hidden1", "output", settings.connect(hidden, classes, delays="none")),
        ],
    )


register(
    Task(
        "digits",
        "scikit-learn's 8×8 handwritten digits",
        DigitsSettings(),
        load,
        build,
        encode,
        vary,
        data=False,
    )
)
