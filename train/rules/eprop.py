"""e-prop: eligibility traces that go forward in time, and a learning signal from the output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .feedback import Feedback
from .local import LocalRun, Signal, output_signal
from .rule import Batch, Rule, check_local, plain, register

if TYPE_CHECKING:
    from ..activity import Activity
    from ..model import SpikingNetwork
    from ..settings import Settings


@register
class EProp(Rule):
    """Online learning of recurrent networks of LIF and adaptive (ALIF) neurons.

    G. Bellec, F. Scherr, A. Subramoney, E. Hajek, D. Salaj, R. Legenstein and W. Maass, "A solution to the learning
    dilemma for recurrent networks of spiking neurons", Nature Communications 11:3625, 2020, equations 1, 4, 13 and 25.
    For the synapse from i to j, with the eligibility e of :mod:`~lifline.train.rules.local`::

        dE/dw_ji = Σ_t L_j[t] · ē_ji[t]        L_j[t] = Σ_k B_jk · δ_k[t]        ē[t] = κ · ē[t−1] + e[t]

    κ is the output's beta, and δ_k[t] the derivative of the loss by the current of output neuron k in tick t, by what
    that tick alone does (a spike's derivative is the surrogate's).  Weights into the output learn by its own
    eligibility.  What is left out is the way of a hidden spike to the output through other hidden spikes: without
    recurrence, and with symmetric feedback, it is the gradient of the surrogate rule exactly, in a network with one
    hidden layer.  With ``feedback=random`` and ``adaptive`` B are other weights, see
    :class:`~lifline.train.rules.feedback.Feedback`.

    The output is a population of LIF neurons, spiking or a readout, with one beta, and one alpha (a second filter) if
    it has any; it has no adaptive threshold, resets by subtraction or never, and its synapses have no delay.
    """

    name = "eprop"
    title = "e-prop"

    def __init__(self, model: SpikingNetwork, settings: Settings, seed: int = 0) -> None:
        super().__init__(model, settings, seed)
        self.feedback = Feedback(self)

    def check(self) -> None:
        check_local(self)
        output = self.model.output
        population = plain(self, output, "the output", alpha=True)
        if population.reset.value == "zero":
            raise self.refused(
                f"the output '{output}', which a spike resets to zero",
                "give it reset_mechanism='subtract' or 'none'",
            )
        if any(source == output for source, _ in self.model.routes):
            raise self.refused(f"synapses from the output '{output}'", "leave them out")
        for source, target, synapses in self.model.projections:
            if target == output and int(synapses.rounded_delays().max()) and source in self.model.names:
                raise self.refused(
                    f"delays from {source} to the output",
                    "give delays to the synapses of hidden populations only",
                )

    @torch.no_grad()
    def gradients(self, batch: Batch) -> tuple[Activity, Tensor]:
        run = LocalRun(self.model, batch.spikes)
        output = self.model.output
        signal, loss = output_signal(self, run.activity, batch.labels)
        steps = run.steps(output)
        run.backward(output, steps.by_weights(run.arrived(output), signal) * batch.share)
        errors = signal.at_currents(steps) * run.prepared.scales[output]
        filters = tuple(
            float(kept)
            for kept in (run.neurons[output].cell.alpha, run.neurons[output].cell.beta)  # type: ignore[attr-defined]
            if kept is not None
        )
        for name in self.feedback.hidden:
            learning = Signal(self.feedback.signal(name, errors, run))
            by_rows = run.steps(name).by_weights(run.arrived(name), learning, filters)
            run.backward(name, by_rows * batch.share)
        self.feedback.learn()
        return run.activity, loss
