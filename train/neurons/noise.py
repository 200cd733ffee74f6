"""The random part of a threshold: the contract's generator, or torch's while a model learns."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Generated:
    """The contract's noise: each neuron's own xorshift16 draws from the table.

    ::

        r ← r ^ (r << 7),  r ← r ^ (r >> 9),  r ← r ^ (r << 8)      in 16 bits; the top k bits choose the entry
    """

    table: Tensor  #: (2^k,), of the membrane's type
    seed: Tensor  #: int32 () or (size,)

    @property
    def index_bits(self) -> int:
        """k."""
        return (len(self.table) - 1).bit_length()

    def start(self, like: Tensor) -> Tensor | None:
        """The generators' state before the first tick, int32 (1, size)."""
        return self.seed.expand(1, like.shape[-1])

    def draw(self, r: Tensor | None, like: Tensor) -> tuple[Tensor, Tensor | None]:
        """What is added to the thresholds in a tick, (1, size), and the generators' state after it."""
        assert r is not None
        r = torch.bitwise_xor(r, torch.bitwise_and(torch.bitwise_left_shift(r, 7), 0xFFFF))
        r = torch.bitwise_xor(r, torch.bitwise_right_shift(r, 9))
        r = torch.bitwise_xor(r, torch.bitwise_and(torch.bitwise_left_shift(r, 8), 0xFFFF))
        return self.table[torch.bitwise_right_shift(r, 16 - self.index_bits).long()], r


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A table's entries, drawn anew for each sample by torch's generator: what a model learns with."""

    table: Tensor

    def start(self, like: Tensor) -> Tensor | None:
        """There is no state."""
        return None

    def draw(self, r: Tensor | None, like: Tensor) -> tuple[Tensor, Tensor | None]:
        """What is added to the thresholds in a tick, (samples, size)."""
        index = torch.randint(len(self.table), like.shape, device=like.device)
        return self.table[index], None


RandomThreshold = Generated | Drawn
