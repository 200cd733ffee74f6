"""DECOLLE: every population learns by a readout of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from .local import LocalRun, Signal, output_signal
from .rule import Batch, Rule, check_local, register, seeded

if TYPE_CHECKING:
    from ..activity import Activity
    from ..model import SpikingNetwork
    from ..settings import Settings


@register
class DECOLLE(Rule):
    """Deep continuous local learning: a fixed random readout of each hidden population, and no gradient between them.

    J. Kaiser, H. Mostafa and E. Neftci, "Synaptic Plasticity Dynamics for Deep Continuous Local Learning (DECOLLE)",
    Frontiers in Neuroscience 14:424, 2020.  With the random matrix G of population l, the one-hot label y, and the
    eligibility e of :mod:`~lifline.train.rules.local`::

        Y[t] = s[t] · G        E_l = mean over ticks of ½ |Y[t] − y|²        dE_l/dw_ji = Σ_t (dE_l/ds_j[t]) · e_ji[t]

    The error is of each tick on its own, so that nothing waits for the end of a sample; spikes that reach a population
    are given to it.  The output population is its own readout, and learns by the settings' loss.
    """

    name = "decolle"
    title = "DECOLLE"

    def __init__(self, model: SpikingNetwork, settings: Settings, seed: int = 0) -> None:
        super().__init__(model, settings, seed)
        self.classes = model.population(model.output).size
        self.hidden = [name for name in model.names if name != model.output]
        for i, name in enumerate(self.hidden):
            size = model.population(name).size
            self.register_buffer(f"g{i}", seeded(seed * 64 + i, self.classes, size).T.contiguous())

    def check(self) -> None:
        check_local(self)

    def readout(self, name: str) -> Tensor:
        """(size, classes): the fixed random readout of a hidden population."""
        matrix: Tensor = getattr(self, f"g{self.hidden.index(name)}")
        return matrix

    @torch.no_grad()
    def gradients(self, batch: Batch) -> tuple[Activity, Tensor]:
        run = LocalRun(self.model, batch.spikes)
        signal, loss = output_signal(self, run.activity, batch.labels)
        signals = {self.model.output: signal}
        answer = one_hot(batch.labels, self.classes)
        for name in self.hidden:
            spikes = run.activity.spikes[name].transpose(0, 1)
            matrix = self.readout(name).to(spikes)
            errors = spikes @ matrix - answer
            signals[name] = Signal(errors @ matrix.T / spikes.shape[:2].numel())
        for name, learning in signals.items():
            by_rows = run.steps(name).by_weights(run.arrived(name), learning)
            run.backward(name, by_rows * batch.share)
        return run.activity, loss
