"""What training makes small: losses of a classifier, and the cost of spikes.

Each loss takes an :class:`~lifline.train.activity.Activity` and labels, int64 (samples,), and returns a
number, the mean over the samples of the cross-entropy between the labels and a softmax over the output neurons'
scores.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from lifline.errors import InputError
from lifline.network import INPUT

from .activity import Activity

if TYPE_CHECKING:
    from .model import SpikingNetwork

Loss = Callable[[Activity, Tensor, float], Tensor]


def spike_count(activity: Activity, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The score is the number of spikes.

    J. K. Eshraghian et al., "Training Spiking Neural Networks Using Lessons From Deep Learning", Proceedings
    of the IEEE 111(9), 2023.
    """
    counts = activity.spikes[activity.output].sum(dim=1)
    return cross_entropy(counts, labels, label_smoothing=label_smoothing)


def membrane(activity: Activity, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The score is the membrane's mean over all ticks, in the model's units: for a readout."""
    mean = (activity.membrane[activity.output] / activity.scale[activity.output]).mean(dim=1)
    return cross_entropy(mean, labels, label_smoothing=label_smoothing)


def membrane_each_tick(activity: Activity, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The membrane is a score in each tick, and the loss its mean over the ticks: for a readout.

    B. Cramer, Y. Stradmann, J. Schemmel and F. Zenke, "The Heidelberg Spiking Data Sets for the Systematic
    Evaluation of Spiking Neural Networks", IEEE TNNLS 33(7), 2022, compare such readouts.
    """
    scores = (activity.membrane[activity.output] / activity.scale[activity.output]).transpose(1, 2)
    ticks = scores.shape[2]
    return cross_entropy(scores, labels[:, None].expand(-1, ticks), label_smoothing=label_smoothing)


def first_spike(activity: Activity, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The score is the number of ticks that a neuron's first spike leaves, 0 where it never spikes.

    It is Σ_t (ticks − t) · s[t] · Π_{u < t} (1 − s[u]), through whose factors the surrogate's gradient flows.
    """
    spikes = activity.spikes[activity.output]
    ticks = spikes.shape[1]
    silent = torch.cumprod(1 - spikes, dim=1)
    silent = torch.cat([torch.ones_like(silent[:, :1]), silent[:, :-1]], dim=1)
    left = ticks - torch.arange(ticks, dtype=spikes.dtype, device=spikes.device)
    scores = (left[:, None] * spikes * silent).sum(dim=1)
    return cross_entropy(scores, labels, label_smoothing=label_smoothing)


LOSSES: dict[str, Loss] = {
    loss.__name__: loss for loss in (spike_count, membrane, membrane_each_tick, first_spike)
}


def find_loss(name: str) -> Loss:
    """The loss of this name.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in LOSSES:
        raise InputError(f"no loss '{name}'; the losses are {', '.join(LOSSES)}")
    return LOSSES[name]


def rate_penalty(activity: Activity, low: float = 0.0, high: float = 1.0) -> Tensor:
    """By how much the neurons' rates leave low … high spikes per tick: squared, their mean, summed.

    Over all populations but a readout.  A neuron's rate is that over all samples and ticks: a penalty from
    below wakes neurons that never spike, and one from above saves events.
    """
    total = next(iter(activity.spikes.values())).new_zeros(())
    for name, spikes in activity.spikes.items():
        if not (activity.readout and name == activity.output):
            rate = spikes.mean(dim=(0, 1))
            excess = (low - rate).clamp(min=0) + (rate - high).clamp(min=0)
            total = total + excess.square().mean()
    return total


def row_cost(model: SpikingNetwork, activity: Activity) -> Tensor:
    """The rows of synapses that a sample's spikes read, in the mean, in thousands; with a gradient by the spikes.

    A row is as wide as the target's channels: a spike reads one of a dense projection, and of a convolution one
    for each position of the map that its kernel lies on.  So many cycles they take in the gateware, with as many
    lanes as channels.  Events of the input are given, and cost what they cost.
    """
    total = next(iter(activity.spikes.values())).new_zeros(())
    for source, _, synapses in model.projections:
        if source != INPUT:
            spikes = activity.spikes[source]
            total = total + (spikes.sum(dim=1) @ synapses.rows().to(spikes)).mean()
    return total / 1000
