"""Pruning while training: the smallest weights of a matrix go, a few more with every step, and stay away.

Gradual magnitude pruning: M. Zhu and S. Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model
compression", ICLR workshop 2018 (arXiv:1710.01878).  Of a final sparsity s, n of N steps into the pruning, the smallest

    s · (1 − (1 − n / N)³)

of each projection's weights are zero; many go early, while there is much to choose from.  A weight that is zero
stays so, by which an interrupted training knows what was pruned.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .model import SpikingNetwork
from .synapses import Synapses

#: More weights are pruned every so many steps.
EVERY = 20


class Pruning:
    """The pruning of a model's matrices, kernels of convolutions left alone: they are shared, and few.

    Parameters
    ----------
    model : SpikingNetwork
    sparsity : float
        0 … 1, less than 1: of each matrix in the end; 0 prunes nothing.
    steps : int
        Of the training, from the first to that with which the last weights go.
    """

    def __init__(self, model: SpikingNetwork, sparsity: float, steps: int) -> None:
        self.sparsity = sparsity
        self.steps = max(steps, 1)
        matrices = [synapses for _, _, synapses in model.projections if isinstance(synapses, Synapses)]
        self._weights = [synapses.weights for synapses in matrices] if sparsity else []
        for synapses in matrices:
            synapses.pruned = sparsity > 0
        self._masks: list[Tensor] = []

    def at(self, step: int) -> float:
        """The sparsity after so many steps."""
        left = 1 - min(step / self.steps, 1)
        return self.sparsity * (1 - left**3)

    def begin(self) -> None:
        """Before the first step, or the first of a training that goes on: what is zero was pruned."""
        self._masks = [weights.detach() != 0 for weights in self._weights]

    @torch.no_grad()
    def step(self, step: int) -> None:
        """After the optimiser's step of this number, from 1: pruned weights are zero."""
        if step <= self.steps and (step % EVERY == 0 or step == self.steps):
            self._masks = [kept(weights, self.at(step)) for weights in self._weights]
        for weights, mask in zip(self._weights, self._masks, strict=True):
            weights.mul_(mask)


def kept(weights: Tensor, sparsity: float) -> Tensor:
    """Which weights stay when this fraction of them, the smallest, goes: bool, of their shape."""
    count = round(sparsity * weights.numel())
    if not count:
        return torch.ones_like(weights, dtype=torch.bool)
    magnitude = weights.abs()
    return magnitude > magnitude.flatten().kthvalue(count).values
