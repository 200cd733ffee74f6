"""Losses by hand, and their gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from lifline import InputError
from lifline.train import (
    LIF,
    Activity,
    SpikingNetwork,
    losses,
)


def activity(spikes: Tensor, membrane: Tensor | None = None) -> Activity:
    values = {"output": spikes}
    return Activity(
        values,
        {"output": {"membrane": spikes if membrane is None else membrane}},
        {"output": torch.tensor(2.0)},
        "output",
        membrane is not None,
    )


def test_losses_by_hand() -> None:
    spikes = torch.tensor([[[0.0, 1], [1, 1], [1, 0]]])  # (1, 3 ticks, 2 neurons)
    labels = torch.tensor([0])
    assert losses.spike_count(activity(spikes), labels).item() == pytest.approx(np.log(2))  # 2 : 2
    # first spikes in ticks 1 and 0: 2 and 3 ticks are left
    expected = np.log(1 + np.e)
    assert losses.first_spike(activity(spikes), labels).item() == pytest.approx(expected)
    membrane = torch.tensor([[[2.0, 0], [4, 0], [6, 0]]])  # in the model's units 1, 2, 3: mean 2
    answer = activity(spikes, membrane)
    assert losses.membrane(answer, labels).item() == pytest.approx(np.log(1 + np.exp(-2)))
    each = np.mean([np.log(1 + np.exp(-v)) for v in (1, 2, 3)])
    assert losses.membrane_each_tick(answer, labels).item() == pytest.approx(each)
    # rates 2/3 and 2/3, above 0.5 by 1/6
    assert losses.rate_penalty(activity(spikes), high=0.5).item() == pytest.approx(1 / 36)
    assert losses.rate_penalty(activity(spikes), low=0.5).item() == 0
    assert losses.rate_penalty(answer, high=0.0).item() == 0  # a readout's spikes go nowhere
    with pytest.raises(InputError, match="no loss 'best'; the losses are spike_count, membrane"):
        losses.find_loss("best")


@pytest.mark.parametrize("name", list(losses.LOSSES))
def test_every_loss_has_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    reset = "none" if name.startswith("membrane") else "subtract"
    model = SpikingNetwork.feed_forward(
        5, LIF(8, beta=0.9), LIF(3, beta=0.9, threshold=0.5, reset_mechanism=reset)
    )
    spikes = (torch.rand(6, 10, 5) < 0.5).float()
    losses.find_loss(name)(model(spikes), torch.arange(6) % 3, 0.1).backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0
