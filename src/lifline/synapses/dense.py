"""Dense synapses: every source neuron drives every target neuron."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from lifline.errors import NetworkError
from lifline.fields import array, integer

from .synapses import MAX_DELAY, Synapses, highest_weight, lowest_weight


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Dense(Synapses):
    """I[t, i] = Σ_j w[j, i] · s[t − d[j, i], j]: a matrix of weights, and a delay for each or for all."""

    weights: Any = array(
        "two's complement", per="synapse", axes=("source size", "target size"),
        low=lowest_weight, high=highest_weight, storage="int16",
    )  # fmt: skip
    delays: Any = array(
        "ticks that a spike takes", per="synapse", axes=("source size", "target size"),
        low=0, high=MAX_DELAY, default=0, unit="ticks", storage="uint8",
    )  # fmt: skip
    weight_bits: int = integer("width of the weights", low=2, high=16, default=8)

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = self.weights.shape
        if self.delays.shape not in ((), shape):
            raise NetworkError(
                f"{self.label}: delays must be one integer or have the shape {shape}, not {self.delays.shape}"
            )
        object.__setattr__(self, "delays", np.broadcast_to(self.delays, shape))

    @property
    def shape(self) -> tuple[int, int]:
        sources, targets = self.weights.shape
        return sources, targets

    def dense(self) -> tuple[np.ndarray, np.ndarray]:
        return self.weights, self.delays

    def synapse(self, j: int, i: int) -> tuple[int, int]:
        return int(self.weights[j, i]), int(self.delays[j, i])

    @property
    def delay_range(self) -> tuple[int, int]:
        return int(self.delays.min()), int(self.delays.max())

    @property
    def count(self) -> int:
        return int(self.weights.size)

    @property
    def memory_bits(self) -> int:
        least, most = self.delay_range
        return self.count * (self.weight_bits + (most - least).bit_length())
