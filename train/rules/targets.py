"""Spike trains that an output population is taught."""

from __future__ import annotations

import torch
from torch import Tensor


def target_trains(labels: Tensor, ticks: int, classes: int, rate: float) -> Tensor:
    """0 or 1, (ticks, samples, classes): the label's neuron spikes at regular distances, `rate` a tick; others never.

    It spikes in the ticks t in which floor((t + 1) · rate) grows, as :func:`lifline.encoders.regular` has it.
    """
    counts = (torch.arange(ticks + 1, dtype=torch.float64, device=labels.device) * rate + 1e-9).floor()
    train = counts.diff()
    mine = torch.nn.functional.one_hot(labels, classes)
    return (train[:, None, None] * mine).to(torch.get_default_dtype())


def low_pass(values: Tensor, kept: float) -> Tensor:
    """y[t] = kept · y[t−1] + x[t], over the first axis."""
    y = torch.zeros_like(values[0])
    ticks = []
    for x in values:
        y = torch.add(x, y, alpha=kept)
        ticks.append(y)
    return torch.stack(ticks)
