"""The digits task: scikit-learn's 8×8 handwritten digits, each pixel spikes the more often the brighter it is.

Read it from top to bottom: settings, data, model, training.  The settings were chosen on validation
splits taken off the training images; the 360 test images are used once, by the caller, for the result.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lifline.errors import InputError, MissingExtra

from . import encoders, surrogate
from .model import LIF, SpikingNetwork

SIDE = 8  #: pixels of an image's side
TEST_IMAGES = 360


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that training depends on, besides the seed."""

    hidden: int = 64  #: neurons of the hidden population
    ticks: int = 8  #: of a sample
    max_rate: float = 0.5  #: spikes a tick of the brightest pixels
    beta: float = 248 / 256  #: of all neurons; 1 − 1/32 is cheap in hardware
    weight_bits: int = 8
    membrane_bits: int = 13
    slope: float = 5.0  #: of the fast sigmoid that stands in for the derivative of a spike
    epochs: int = 80
    batch: int = 64
    learning_rate: float = 5e-3  #: the peak of a one-cycle schedule
    label_smoothing: float = 0.05
    shift: float = 0.4  #: each epoch shifts each image by up to so many pixels both ways …
    drop: float = 0.05  #: … and leaves out this fraction of its spikes
    validation: float = 0.0  #: fraction of the training images that is held out, to choose settings by

    def __post_init__(self) -> None:
        for field in ("max_rate", "beta", "label_smoothing", "shift", "drop", "validation"):
            value = getattr(self, field)
            if not 0 <= value <= 1:
                raise InputError(f"setting '{field}' must be in 0 … 1, not {value}")
        if self.validation == 1:
            raise InputError(
                "setting 'validation' must be less than 1: some images must be left to learn"
            )


@dataclasses.dataclass(frozen=True)
class Images:
    """A part of the data: brightness 0 … 1, (samples, 64), and labels 0 … 9, (samples,)."""

    values: np.ndarray
    labels: np.ndarray


def load(validation: float = 0.0) -> tuple[Images, Images, Images]:
    """The digits, split into training, validation and test; always the same, and stratified.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository, 1998 (its 1,797 test images), as `sklearn.datasets.load_digits` holds them.

    Parameters
    ----------
    validation : float
        Fraction of the 1,437 training images that becomes the validation split.

    Raises
    ------
    MissingExtra
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ModuleNotFoundError:
        raise MissingExtra("scikit-learn", "train") from None
    values, labels = load_digits(return_X_y=True)
    values, test_values, labels, test_labels = train_test_split(
        values / 16, labels.astype(np.int64), test_size=TEST_IMAGES, stratify=labels, random_state=0
    )
    held_values, held_labels = values[:0], labels[:0]
    if validation:
        values, held_values, labels, held_labels = train_test_split(
            values, labels, test_size=validation, stratify=labels, random_state=0
        )
    return Images(values, labels), Images(held_values, held_labels), Images(test_values, test_labels)


def encode(values: np.ndarray, settings: Settings) -> np.ndarray:
    """Spikes, uint8 (samples, ticks, 64), of images (samples, 64)."""
    return encoders.regular(values, settings.ticks, settings.max_rate)


def build(settings: Settings) -> SpikingNetwork:
    """An untrained 64-hidden-10 network, its weights drawn from torch's random numbers."""
    spike_grad = surrogate.fast_sigmoid(settings.slope)

    def lif(size: int, learn_bias: bool) -> LIF:
        return LIF(
            size,
            beta=settings.beta,
            bias=torch.zeros(size),
            learn_bias=learn_bias,
            spike_grad=spike_grad,
            reset_delay=False,
            membrane_bits=settings.membrane_bits,
        )

    return SpikingNetwork.feed_forward(
        SIDE * SIDE,
        lif(settings.hidden, learn_bias=True),
        lif(10, learn_bias=False),
        weight_bits=settings.weight_bits,
    )


def train(
    settings: Settings,
    seed: int,
    on_epoch: Callable[[int, float], None] = lambda epoch, loss: None,
) -> tuple[SpikingNetwork, dict[str, list[float]]]:
    """Train on the digits; the same settings and seed give the same weights.

    Parameters
    ----------
    settings : Settings
    seed : int
    on_epoch : callable
        Called after each epoch with its number, from 1, and the loss.

    Returns
    -------
    model : SpikingNetwork
        In evaluation mode.
    curves : dict
        For each epoch ``loss``, ``train_accuracy`` (on the shifted images, while learning) and, if there
        is a validation split, ``validation_accuracy`` (of the integer network).
    """
    rng = np.random.default_rng(seed)
    images, held_out, _ = load(settings.validation)
    labels = torch.from_numpy(images.labels)
    held_spikes = encode(held_out.values, settings)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(settings)
    optimizer = torch.optim.Adam(model.parameters(), settings.learning_rate)
    batches = -(-len(labels) // settings.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=max(settings.epochs * batches, 1)
    )
    curves: dict[str, list[float]] = {"loss": [], "train_accuracy": []}
    for epoch in range(settings.epochs):
        model.train()
        spikes = _augmented(images.values, settings, rng)
        losses, right = [], 0
        for chosen in torch.split(torch.from_numpy(rng.permutation(len(labels))), settings.batch):
            activity = model(spikes[chosen])
            loss = torch.nn.functional.cross_entropy(
                activity.scores, labels[chosen], label_smoothing=settings.label_smoothing
            )
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            losses.append(loss.item() * len(chosen))
            right += int((activity.classes == labels[chosen]).sum())
        model.eval()
        curves["loss"].append(sum(losses) / len(labels))
        curves["train_accuracy"].append(right / len(labels))
        if len(held_spikes):
            classes = model(held_spikes).classes.numpy()
            curves.setdefault("validation_accuracy", []).append(
                float((classes == held_out.labels).mean())
            )
        on_epoch(epoch + 1, curves["loss"][-1])
    return model.eval(), curves


def _augmented(values: np.ndarray, settings: Settings, rng: np.random.Generator) -> Tensor:
    """Spikes of the images, each shifted by its own fraction of a pixel, some spikes left out."""
    images = np.pad(values.reshape(-1, SIDE, SIDE), ((0, 0), (1, 1), (1, 1)))
    for axis in (1, 2):
        by = rng.uniform(-settings.shift, settings.shift, size=(len(images), 1, 1))
        neighbour = np.where(by > 0, np.roll(images, 1, axis), np.roll(images, -1, axis))
        images = (1 - np.abs(by)) * images + np.abs(by) * neighbour
    shifted = images[:, 1:-1, 1:-1].reshape(-1, SIDE * SIDE)
    spikes = encode(shifted.clip(0, 1), settings)
    return torch.from_numpy(spikes * (rng.random(spikes.shape) >= settings.drop))
