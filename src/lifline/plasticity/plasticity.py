"""What every plasticity rule is."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from lifline.errors import NetworkError
from lifline.fields import Family
from lifline.synapses import Dense, Synapses

Self = TypeVar("Self", bound="Plasticity")


class Plasticity(Family):
    """A rule by which a projection's weights change at the end of each tick, when every spike of it is known.

    A subclass is a frozen dataclass of typed fields (:mod:`lifline.fields`).  A weight that learns is an
    integer with fraction_bits more bits than the synapse's own, w; the synapse delivers floor(w /
    2^fraction_bits).
    """

    fraction_bits = 0  # each kind has a field for it

    def bound(self: Self, synapses: Synapses) -> Self:
        """The same rule for these synapses.

        Raises
        ------
        NetworkError
            If it does not fit them.
        """
        if not isinstance(synapses, Dense):
            raise NetworkError(
                f"{self.label}: only dense synapses can learn, not {synapses.label}: "
                "give the weights as a matrix"
            )
        return self

    def range(self, weight_bits: int) -> tuple[int, int]:
        """The least and the greatest w of synapses of so many bits."""
        raise NotImplementedError

    def current_range(self, synapses: Synapses) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`lifline.synapses.Synapses.current_range`, whatever the synapses learn."""
        sources, targets = synapses.shape
        ends = (sources * (end >> self.fraction_bits) for end in self.range(synapses.weight_bits))
        low, high = (np.full(targets, end) for end in ends)
        return np.minimum(low, 0), np.maximum(high, 0)

    def start(self, synapses: Synapses) -> np.ndarray:
        """w before the first sample, int64 (source size, target size)."""
        raise NotImplementedError

    def taught(self: Self, synapses: Synapses, w: np.ndarray) -> tuple[Self, Synapses]:
        """Rule and synapses that start with w, int64 (source size, target size): what is left when a run has ended."""
        raise NotImplementedError
