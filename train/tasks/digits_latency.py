"""The digits task in time: each pixel of scikit-learn's 8×8 handwritten digits spikes once, the earlier the brighter.

Read it from top to bottom: settings, encoding, model.  The images and their split are those of the task ``digits``.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch

from lifline import encoders

from ..model import SpikingNetwork
from ..neurons import LIF
from ..samples import Data
from ..settings import FRACTION, SIZE, Range, setting
from . import digits
from .digits import SIDE, DigitsSettings
from .registry import Task, register
from .settings import TaskSettings

#: Of the weights into hidden and output neurons at first; their thresholds are 1.
MEANS = (0.04, 0.02)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatencySettings(TaskSettings):
    """The defaults of the task, and what only it has."""

    hidden: int = setting(64, "neurons of the hidden population", SIZE)
    ticks: int = setting(16, "of a sample; the brightest pixel spikes in the first", Range(2, 255))
    darkest: float = setting(0.1, "brightness below which a pixel does not spike", FRACTION)
    beta: float = setting(0.9, "of all neurons", FRACTION)
    neuron: str = "cuba"
    alpha: float = 0.8
    epochs: int = 60
    batch: int = 64
    learning_rate: float = 5e-3
    max_delay: int = 4
    shift: float = setting(
        0.4, "each epoch shifts each image by up to so many pixels both ways", FRACTION
    )


def load(settings: LatencySettings, folder: Path | None = None) -> Data:
    """Brightness 0 … 1, (samples, 64), and labels; those of the task ``digits``."""
    return digits.load(DigitsSettings(validation=settings.validation), folder)


def encode(values: np.ndarray, settings: LatencySettings) -> np.ndarray:
    """Spikes, uint8 (samples, ticks, 64), of images (samples, 64): none, or one, of each pixel."""
    return encoders.latency(values, settings.ticks, settings.darkest)


def vary(values: np.ndarray, settings: LatencySettings, rng: np.random.Generator) -> np.ndarray:
    """Spikes of the images, each shifted by its own fraction of a pixel."""
    return encode(digits.shifted(values, settings.shift, rng), settings)


def build(settings: LatencySettings, data: Data) -> SpikingNetwork:
    """An untrained 64-hidden-10 network, whose output has a synaptic current, too.

    Its weights start around means above 0, by which most neurons spike: one that never does has no spike time.
    """
    hidden, classes = settings.hidden, 10
    output = LIF(
        classes,
        settings.beta,
        alpha=settings.alpha,
        bias=torch.zeros(classes),
        learn_bias=True,
        spike_grad=settings.spike_grad,
        reset_delay=False,
    )
    into_hidden = settings.connect(SIDE * SIDE, hidden)
    into_output = settings.connect(hidden, classes, delays="none")
    with torch.no_grad():
        into_hidden.weights.add_(MEANS[0])
        into_output.weights.add_(MEANS[1])
    return SpikingNetwork(
        SIDE * SIDE,
        {"hidden1": settings.hidden_layer(hidden, settings.beta), "output": output},
        [("input", "hidden1", into_hidden), ("hidden1", "output", into_output)],
    )


register(
    Task(
        "digits_latency",
        "scikit-learn's 8×8 handwritten digits, one spike a pixel",
        LatencySettings(),
        load,
        build,
        encode,
        vary,
        data=False,
    )
)
