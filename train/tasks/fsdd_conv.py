"""FSDD by feature maps: a 1-D convolution over the mel channels, whose kernel learns the delay of each position.

A kernel sees a few neighbouring channels, and by its delays what they were up to `max_delay` ticks ago: it is
a pattern in time and pitch, the same at every pitch.  Data, encoding and variation are the FSDD task's.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from ..model import SpikingNetwork
from ..samples import Data
from . import fsdd
from .convolutional import ConvolutionalSettings
from .registry import Task, register


@dataclasses.dataclass(frozen=True, kw_only=True)
class FSDDConvSettings(ConvolutionalSettings, fsdd.Spoken):
    """The defaults of the convolutional FSDD task, and what only it has."""

    maps: str = "16c7s2"
    hidden: int = 64
    beta: float = 0.5
    epochs: int = 60
    batch: int = 50
    learning_rate: float = 3e-3
    weight_decay: float = 1e-5
    label_smoothing: float = 0.05
    surrogate: str = "atan"
    dropout: float = 0.05
    delays: str = "learned"
    max_delay: int = 20


def load(settings: FSDDConvSettings, folder: Path | None) -> Data:
    """Loudness 0 … 1, float32 (clips, 100, 40), as the FSDD task has it."""
    return fsdd.load(settings, folder)


def encode(values: np.ndarray, settings: FSDDConvSettings) -> np.ndarray:
    """Spikes, uint8 (clips, ticks, 80), channels last: of each mel channel one input for each level."""
    frames = values[:, : settings.ticks]
    spikes = np.stack([frames > level for level in fsdd.LEVELS], axis=3)
    return spikes.reshape(*frames.shape[:2], -1).astype(np.uint8)


def vary(values: np.ndarray, settings: FSDDConvSettings, rng: np.random.Generator) -> np.ndarray:
    """Spikes of clips that are stretched and shifted, in time and pitch, disturbed, and masked a bit."""
    return encode(fsdd.disturbed(values, settings, rng), settings)


def build(settings: FSDDConvSettings, data: Data) -> SpikingNetwork:
    """An untrained 1-D stack over the mel channels, with a readout of ten."""
    return settings.stack((1, fsdd.CHANNELS, len(fsdd.LEVELS)), 10)


register(
    Task(
        "fsdd_conv", "spoken digits, by 1-D feature maps", FSDDConvSettings(), load, build, encode, vary
    )
)
