"""What a model did: its spikes, its states, and the scores that follow."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from .neurons import States


@dataclasses.dataclass(frozen=True)
class Activity:
    """What a model did, as tensors; in training mode they carry gradients."""

    spikes: dict[str, Tensor]  #: for each population: 0 or 1, (samples, ticks, size)
    states: dict[str, States]  #: for each population: each state in the contract's units, likewise
    scale: dict[
        str, Tensor
    ]  #: for each population: the contract's units to one of the model's, () or (size,)
    output: str  #: the output population
    readout: bool  #: whether the output never resets, and so answers by its membrane

    @property
    def membrane(self) -> dict[str, Tensor]:
        """For each population v[t] in the contract's units, (samples, ticks, size)."""
        return {name: states["membrane"] for name, states in self.states.items()}

    @property
    def scores(self) -> Tensor:
        """(samples, outputs): spikes of each output neuron, or its membrane, in the model's units, summed."""
        if self.readout:
            return self.membrane[self.output].sum(dim=1) / self.scale[self.output]
        return self.spikes[self.output].sum(dim=1)

    @property
    def classes(self) -> Tensor:
        """(samples,): the output neuron of the highest score; a tie goes to the lower index."""
        values = self.membrane if self.readout else self.spikes
        return values[self.output].sum(dim=1).argmax(dim=1)
