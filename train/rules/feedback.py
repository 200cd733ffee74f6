"""How the output's errors reach hidden populations without a way back through time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .rule import Rule, seeded

if TYPE_CHECKING:
    from .local import LocalRun

FEEDBACK = ("symmetric", "random", "adaptive")


class Feedback(nn.Module):
    """From errors of output neurons k to learning signals of hidden neurons j: L_j[t] = Σ_k B_jk · δ_k[t].

    B is in the model's units, and

    - ``symmetric``: the weights from j to k themselves;
    - ``random``: drawn once, and fixed (T. P. Lillicrap et al., "Random synaptic feedback weights support error
      backpropagation for deep learning", Nature Communications 7, 2016);
    - ``adaptive``: drawn at random, and changed as the weights from j to k are; with ``weight_decay`` the two become
      alike (J. F. Kolen and J. B. Pollack, "Backpropagation without weight transport", ICNN 1994).

    Parameters
    ----------
    rule : Rule
        Whose settings say which.

    Raises
    ------
    InputError
        If a hidden population has no synapses to the output, whose weights the feedback could be.
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        model, self.kind = rule.model, rule.settings.feedback
        self.hidden = [name for name in model.names if name != model.output]
        self.direct = {
            source: synapses for source, target, synapses in model.projections if target == model.output
        }
        classes = model.population(model.output).size
        for i, name in enumerate(self.hidden):
            if self.kind != "random" and name not in self.direct:
                raise rule.refused(
                    f"with {self.kind} feedback '{name}', which has no synapses to the output",
                    "give feedback=random",
                )
            if self.kind == "symmetric":
                continue
            drawn = seeded(rule.seed * 64 + i, classes, model.population(name).size).T.contiguous()
            if self.kind == "adaptive":
                self.register_parameter(f"b{i}", nn.Parameter(drawn))
            else:
                self.register_buffer(f"b{i}", drawn)

    @torch.no_grad()
    def signal(self, name: str, errors: Tensor, run: LocalRun) -> Tensor:
        """L (ticks, samples, size) of a hidden population, of the errors (ticks, samples, outputs)."""
        if self.kind == "symmetric":
            output = run.model.output
            kernels = [kernel for kernel in run.kernels(output) if kernel.source == name]
            weights = torch.stack([kernel.weights.sum(0) for kernel in kernels]).sum(0)
            matrix = weights / run.prepared.scales[output]
        else:
            matrix = getattr(self, f"b{self.hidden.index(name)}")
        learned: Tensor = errors @ matrix.T.to(errors)
        passes = run.neurons[name].passes
        return learned if passes is None else learned * passes

    def learn(self) -> None:
        """Give what is adaptive the gradients of the weights that it stands for."""
        if self.kind == "adaptive":
            for i, name in enumerate(self.hidden):
                gradient = self.direct[name].weights.grad
                matrix = getattr(self, f"b{i}")
                matrix.grad = None if gradient is None else gradient.to(matrix, copy=True)
