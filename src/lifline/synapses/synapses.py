"""What every synapse structure is: which source drives which target, how strongly, and after how many ticks."""

from __future__ import annotations

import numpy as np

from lifline.fields import Family

MAX_DELAY = 255


class Synapses(Family):
    """All synapses from one source to one target.

    A subclass is a frozen dataclass of typed fields (:mod:`lifline.fields`).  By :meth:`dense` and
    :meth:`synapse` the reference and torch can run any structure; the gateware needs an address
    generator for it.
    """

    weight_bits: int

    @property
    def shape(self) -> tuple[int, int]:
        """(source size, target size)."""
        raise NotImplementedError

    def dense(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights and delays as int64 (source size, target size); where there is no synapse, both are 0."""
        raise NotImplementedError

    def synapse(self, j: int, i: int) -> tuple[int, int]:
        """Weight and delay from source neuron j to target neuron i; (0, 0) where there is none."""
        raise NotImplementedError

    @property
    def delay_range(self) -> tuple[int, int]:
        """The shortest and the longest delay, in ticks."""
        raise NotImplementedError

    @property
    def count(self) -> int:
        """Number of synapses."""
        raise NotImplementedError

    @property
    def memory_bits(self) -> int:
        """Bits that hold them: weights and, where they differ, delays."""
        raise NotImplementedError
