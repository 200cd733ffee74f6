"""SuperSpike: a three-factor rule that brings output spike trains near given ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .feedback import Feedback
from .local import LocalRun, Signal
from .rule import Batch, Rule, check_feedforward, check_local, register
from .targets import low_pass, target_trains

if TYPE_CHECKING:
    from ..activity import Activity
    from ..model import SpikingNetwork
    from ..settings import Settings


@register
class SuperSpike(Rule):
    """Errors of spike trains times filtered eligibilities, online, in networks without loops.

    F. Zenke and S. Ganguli, "SuperSpike: Supervised Learning in Multilayer Spiking Neural Networks", Neural
    Computation 30(6), 2018, equations 2.1, 2.4 and 2.7.  With target trains Ŝ and the filter α (two low-pass filters,
    one after the other), the loss of van Rossum is E = ½ Σ_t Σ_i (α ∗ (S_i − Ŝ_i))²[t], and::

        dE/dw_ij = Σ_t  e_i[t] · (α ∗ (σ'(x_i − θ_i) · ε_ij))[t]       e_i = α ∗ (S_i − Ŝ_i)

    where σ' is the surrogate's derivative, in the paper ``fast_sigmoid`` 1 / (1 + β|x|)², and ε the presynaptic
    spikes as the membrane filters them (:mod:`~lifline.train.rules.local`).  Hidden neurons get the errors
    Σ_k B_ik · e_k, with a ``feedback`` B.  The filters keep ``trace`` and ``trace``² of themselves in a tick.

    As a classifier the label's neuron is to spike regularly, ``target_rate`` a tick, and the others never.
    """

    name = "superspike"
    title = "SuperSpike"

    def __init__(self, model: SpikingNetwork, settings: Settings, seed: int = 0) -> None:
        super().__init__(model, settings, seed)
        self.feedback = Feedback(self)
        self.filters = (settings.trace, settings.trace**2)

    def check(self) -> None:
        check_local(self)
        check_feedforward(self)
        output = self.model.population(self.model.output)
        if output.readout:
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
        errors = fired - target_trains(batch.labels, ticks, classes, self.settings.target_rate).to(
            fired
        )
        for kept in self.filters:
            errors = low_pass(errors, kept)
        loss = 0.5 * errors.square().sum() / (ticks * samples)
        for name in self.model.names:
            learned = errors if name == output else self.feedback.signal(name, errors, run)
            signal = Signal(learned / (ticks * samples))
            by_rows = run.steps(name).by_weights(run.arrived(name), signal, self.filters)
            run.backward(name, by_rows * batch.share)
        self.feedback.learn()
        return run.activity, loss
