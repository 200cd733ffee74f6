"""The FSDD task: spoken digits, whose log-mel spectrum spikes wherever it is louder than a level.

Read it from top to bottom: settings, data, encoding, model.  Settings were chosen on clips taken off the training
data; the test clips, of the publisher's split or of a speaker left out, are used once, for the result.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from .. import audio, datasets
from ..model import SpikingNetwork
from ..samples import Data, Samples, split_off
from ..settings import FRACTION, SIZE, Range, setting
from .registry import Task, register
from .settings import TaskSettings

CHANNELS = 40  #: mel filters
TICK_MS = 10
RANGE = 9.0  #: of ln(energy) below a clip's loudest channel and tick that is heard, about 39 dB
LEVELS = (0.45, 0.65)  #: of loudness; a channel spikes on an input of its own for each that it exceeds
FRAMES = 100  #: of a clip that are kept: the longest sample


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spoken(TaskSettings):
    """Which clips are learned from, how long they are, and how much each epoch varies them."""

    ticks: int = setting(70, "of a sample, 10 ms each", Range(1, FRAMES))
    vary: float = setting(
        0.5, "how much each epoch stretches, shifts and disturbs each clip", Range(0, 2)
    )
    speaker: str = setting("", "the speaker left out for the test; empty: the publisher's split")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FSDDSettings(Spoken):
    """The defaults of the FSDD task, and what only it has."""

    hidden: int = setting(64, "neurons of each of the two hidden populations", SIZE)
    beta: float = setting(
        0.5, "of hidden neurons: time is told by delays, not by long memories", FRACTION
    )
    readout_beta: float = setting(248 / 256, "of the output population", FRACTION)
    epochs: int = 60
    batch: int = 50
    learning_rate: float = 3e-3
    weight_decay: float = 1e-5
    loss: str = "membrane"
    label_smoothing: float = 0.05
    surrogate: str = "atan"
    dropout: float = 0.05
    delays: str = "learned"
    quantised: float = 0.3


def load(settings: Spoken, folder: Path | None) -> Data:
    """Loudness 0 … 1, float32 (clips, 100, 40), of 10 ms and a mel channel, and labels.

    0 is silence, and 1/2 the mean of the channel, wherever it is heard in the clips that are not the test's; four
    standard deviations are 1.
    """
    clips = datasets.fsdd(folder)
    learned, test = clips.split(settings.speaker or None)
    energy = audio.log_mels(clips.samples, FRAMES, clips.rate, CHANNELS, hop_ms=TICK_MS)
    energy = (energy - energy.max(axis=(1, 2), keepdims=True) + RANGE).clip(0)
    heard = energy[learned] > 0
    mean, spread = (
        statistic(energy[learned], axis=(0, 1), where=heard) for statistic in (np.mean, np.std)
    )
    loudness = (0.5 + (energy - mean) / (4 * spread)).clip(0, 1) * (energy > 0)
    training = Samples(loudness[learned], clips.labels[learned])
    return Data(*split_off(training, settings.validation), Samples(loudness[test], clips.labels[test]))


def encode(values: np.ndarray, settings: FSDDSettings) -> np.ndarray:
    """Spikes, uint8 (clips, ticks, 80): in each tick, of each channel that is louder than a level."""
    frames = values[:, : settings.ticks]
    return np.concatenate([frames > level for level in LEVELS], axis=2).astype(np.uint8)


def vary(values: np.ndarray, settings: FSDDSettings, rng: np.random.Generator) -> np.ndarray:
    """Spikes of clips that are stretched and shifted, in time and pitch, disturbed, and masked a bit."""
    return encode(disturbed(values, settings, rng), settings)


def disturbed(values: np.ndarray, settings: Spoken, rng: np.random.Generator) -> np.ndarray:
    """Clips that are stretched and shifted, in time and pitch, disturbed, and masked a bit: (clips, ticks, 40)."""
    clips, frames, channels = values.shape
    much = settings.vary

    def between(low: float, high: float) -> np.ndarray:
        return rng.uniform(low * much, high * much, (clips, 1))

    time = np.arange(settings.ticks) * np.exp(between(-0.15, 0.15)) + between(-6, 2)
    pitch = np.arange(channels) * np.exp(between(-0.06, 0.06)) + between(-1, 1)
    padded = np.pad(values, ((0, 0), (1, 1), (0, 0)))  # silence around the clip
    result = _between(padded, (time + 1).clip(0, frames + 1))
    result = _between(result.transpose(0, 2, 1), pitch.clip(0, channels - 1)).transpose(0, 2, 1)
    noise = (
        rng.standard_normal((clips, 1, channels), np.float32) * 0.05
        + rng.standard_normal((clips, 1, 1), np.float32) * 0.03
    )
    result = result + much * noise * (result > 0)
    result += rng.standard_normal(result.shape, np.float32) * (0.03 * much)
    # A band of up to 4 channels and a stretch of up to 5 ticks fall silent in half of the clips.
    for axis, width in ((2, 5), (1, 6)):
        size = result.shape[axis]
        begin = rng.integers(0, size, (clips, 1))
        end = begin + rng.integers(1, width, (clips, 1)) * (rng.random((clips, 1)) < much)
        masked = (np.arange(size) >= begin) & (np.arange(size) < end)
        result[np.broadcast_to(np.expand_dims(masked, 3 - axis), result.shape)] = 0
    return result


def _between(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values (clips, n, m) at fractional places (clips, k) of the axis n: float32 (clips, k, m)."""
    before = np.minimum(places.astype(np.int64), values.shape[1] - 2)
    share = (places - before).astype(np.float32)[..., None]
    clip = np.arange(len(values))[:, None]
    return (1 - share) * values[clip, before] + share * values[clip, before + 1]


def build(settings: FSDDSettings, data: Data) -> SpikingNetwork:
    """An untrained 80-hidden-hidden-10 network, with a readout, whose hidden populations have delays."""
    inputs, hidden, classes = CHANNELS * len(LEVELS), settings.hidden, 10

    return SpikingNetwork(
        inputs,
        {
            "hidden1": settings.hidden_layer(hidden, settings.beta),
            "hidden2": settings.hidden_layer(hidden, settings.beta),
            "output": settings.readout(classes, settings.readout_beta),
        },
        [
            ("input", "hidden1", settings.connect(inputs, hidden)),
            ("hidden1", "hidden2", settings.connect(hidden, hidden)),
            ("hidden2", "output", settings.connect(hidden, classes, delays="none")),
        ],
    )


register(Task("fsdd", "spoken digits", FSDDSettings(), load, build, encode, vary))
