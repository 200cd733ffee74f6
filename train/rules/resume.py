"""ReSuMe: an output population learns given spike trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .local import LocalRun
from .rule import Batch, Rule, check_local, register
from .targets import low_pass, target_trains

if TYPE_CHECKING:
    from ..activity import Activity

#: What a spike changes a synapse by without any presynaptic spike, relative to a spike at the same tick.
NON_HEBBIAN = 0.05


def weight_changes(arrived: Tensor, fired: Tensor, taught: Tensor, trace: float) -> Tensor:
    """Σ_t (Ŝ_i[t] − S_i[t]) · (a + x_j[t]), summed over the samples: (rows, size).

    Parameters
    ----------
    arrived : Tensor (ticks, samples, rows)
        The spikes S_j that arrive at the synapses; their trace is x_j[t] = trace · x_j[t−1] + S_j[t].
    fired, taught : Tensor (ticks, samples, size)
        S_i and Ŝ_i, 0 or 1.
    trace : float
    """
    hebbian = NON_HEBBIAN + low_pass(arrived, trace)
    return torch.einsum("tnr,tni->ri", hebbian, taught - fired)


@register
class ReSuMe(Rule):
    """The remote supervised method: a spike that is wanted adds to the weights, one that is there takes off.

    F. Ponulak and A. Kasiński, "Supervised Learning in Spiking Neural Networks with ReSuMe: Sequence Learning,
    Classification, and Spike Shifting", Neural Computation 22(2), 2010, equation 2.14, with the learning window
    trace^s, s ≥ 0, and the non-Hebbian term a = 0.05::

        Δw_ij = η Σ_t (Ŝ_i[t] − S_i[t]) · (a + Σ_{s ≥ 0} trace^s · S_j[t − d − s])

    −Δw / η, as the mean over samples and ticks, is what the optimiser takes for the gradient.  It needs no derivative
    of a neuron, and trains a single layer: the synapses that end at the output.  Hidden populations stay as they were
    made, a random network that is read out, as the liquids that the paper's authors train.

    As a classifier the label's neuron is to spike regularly, ``target_rate`` a tick, and the others never.
    """

    name = "resume"
    title = "ReSuMe, the last layer only"

    def check(self) -> None:
        check_local(self)
        if self.model.population(self.model.output).readout:
            raise self.refused(
                f"the readout '{self.model.output}', which answers by its membrane",
                "give it reset_mechanism='subtract' or 'zero'",
            )

    @torch.no_grad()
    def gradients(self, batch: Batch) -> tuple[Activity, Tensor]:
        run = LocalRun(self.model, batch.spikes)
        output = self.model.output
        fired = run.activity.spikes[output].transpose(0, 1)
        ticks, samples, classes = fired.shape
        taught = target_trains(batch.labels, ticks, classes, self.settings.target_rate).to(fired)
        changes = weight_changes(run.arrived(output), fired, taught, self.settings.trace)
        # The gradient by the model's weights, of which the run's are `scale` times as large.
        run.backward(output, -changes / (ticks * samples) / run.prepared.scales[output] * batch.share)
        return run.activity, (taught - fired).abs().sum() / (ticks * samples)
