"""Surrogate gradients back through time: the default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .. import distributed
from ..losses import rate_penalty, row_cost
from .rule import Batch, Rule, register

if TYPE_CHECKING:
    from ..activity import Activity


@register
class SurrogateGradients(Rule):
    """The gradient of the loss through all ticks and populations, with a smooth stand-in for the derivative of a spike.

    E. O. Neftci, H. Mostafa and F. Zenke, "Surrogate Gradient Learning in Spiking Neural Networks", IEEE Signal
    Processing Magazine 36(6), 2019.  It trains whatever can be trained: delays, thresholds, decays, convolutions.
    """

    name = "surrogate"
    title = "surrogate gradients through time"

    def gradients(self, batch: Batch) -> tuple[Activity, Tensor]:
        model, settings = self.model, self.settings
        activity = model(batch.spikes)
        loss = self.loss(activity, batch.labels)
        cost = loss * batch.counted / batch.size
        if settings.rate_cost:
            penalty = rate_penalty(activity, settings.rate_low, settings.rate_high)
            cost = cost + settings.rate_cost / distributed.world() * penalty
        if settings.delay_cost:
            cost = cost + settings.delay_cost / distributed.world() * model.delay_cost()
        if settings.row_cost:
            cost = cost + settings.row_cost / distributed.world() * row_cost(model, activity)
        torch.autograd.backward(cost)
        return activity, loss.detach()
