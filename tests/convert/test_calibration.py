"""Calibration data and fine-tuning: what they are told, and convolutions and graded inputs that are tuned."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lifline import Network, golden
from lifline.convert import ConversionError, finetune, from_snntorch


def test_convolutions_and_graded_inputs_are_tuned() -> None:
    import snntorch as snn

    torch.manual_seed(1)
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), snn.Leaky(beta=0.5, init_hidden=True), nn.Flatten(), nn.Linear(64, 2),
        snn.Leaky(beta=0.5, init_hidden=True),
    )  # fmt: skip
    module[3].weight.data *= 6  # so that the output spikes
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 32)
    images = rng.integers(0, 4, (32, 1, 6, 6))
    images[labels == 1, :, :, 3:] = 0  # one class is dark at the right
    values = np.repeat(images[:, None], 6, axis=1)
    conversion = from_snntorch(module, (1, 6, 6), calibrate=values, labels=labels)
    assert conversion.network.input_bits == 2
    tuned = finetune(conversion, values, labels, epochs=10, learning_rate=0.2)

    def accuracy(network: Network) -> float:
        return float((golden.simulate(network, conversion.inputs(values)).classes == labels).mean())

    assert accuracy(tuned.network) > accuracy(conversion.network)
    assert tuned.network.input_bits == 2
    kinds = [type(p.synapses).__name__ for p in tuned.network.projections]
    assert kinds == ["Convolution", "Dense"]


def test_labels_are_asked_for() -> None:
    import snntorch as snn

    module = nn.Sequential(nn.Linear(3, 2), snn.Leaky(beta=0.5, init_hidden=True))
    values = np.zeros((2, 3, 3), np.uint8)
    with pytest.raises(ConversionError, match="give labels"):
        finetune(from_snntorch(module, (3,)), values, None)


def test_images_are_told_how_they_come_in() -> None:
    import snntorch as snn

    module = nn.Sequential(nn.Linear(3, 2), snn.Leaky(beta=0.5, init_hidden=True))
    values = np.full((2, 3, 3), 0.5)
    with pytest.raises(ConversionError, match=r"real numbers, 0.5 … 0.5.*input_unit=1 / 255"):
        from_snntorch(module, (3,), calibrate=values)
    values = np.full((2, 3, 3), 200, np.uint8)
    assert any("input_unit" in n for n in from_snntorch(module, (3,), calibrate=values).report.notes)
    given = from_snntorch(module, (3,), calibrate=values, input_unit=1 / 255)
    assert not any("input_unit" in n for n in given.report.notes)
