"""What every synapse structure is: which source drives which target, how strongly, and after how many ticks."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any, TypeVar

import numpy as np

from lifline.errors import NetworkError
from lifline.fields import Family

MAX_DELAY = 255

#: Larger matrices are not made of a structure that has none.
MAX_DENSE_BYTES = 2 << 30

Self = TypeVar("Self", bound="Synapses")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Synapses(Family):
    """All synapses from one source to one target.

    A subclass is a frozen dataclass of typed fields (:mod:`lifline.fields`).  By :meth:`dense` and
    :meth:`synapse` the reference and torch can run any structure; the gateware needs an address
    generator for it.

    The shapes of source and target are the populations', so a :class:`lifline.Network` gives them
    (:meth:`bound`) when it is made; a structure that does not say its sizes itself has none before.
    """

    #: (size,) or (height, width, channels) of the source and of the target, once bound
    source_shape: Any = dataclasses.field(default=None, kw_only=True, compare=False)
    target_shape: Any = dataclasses.field(default=None, kw_only=True, compare=False)

    weight_bits = 0  # each kind has a field for it

    def bound(self: Self, source_shape: tuple[int, ...], target_shape: tuple[int, ...]) -> Self:
        """The same synapses between a source and a target of these shapes.

        Raises
        ------
        NetworkError
            If they do not fit.
        """
        between = copy.copy(self)
        object.__setattr__(between, "source_shape", source_shape)
        object.__setattr__(between, "target_shape", target_shape)
        between.check_fit()
        return between

    def check_fit(self) -> None:
        """Refuse, as a `NetworkError`, the shapes of source and target if these synapses do not fit between them."""
        sizes = math.prod(self.source_shape), math.prod(self.target_shape)
        if self.shape != sizes:
            raise NetworkError(
                f"weights have the shape {self.shape}, must have (source size, target size) = {sizes}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(source size, target size)."""
        if self.source_shape is None:
            raise NetworkError(
                f"{self.label}: the shapes of its source and target are not known: take it from a network, "
                "or call bound(source_shape, target_shape)"
            )
        return math.prod(self.source_shape), math.prod(self.target_shape)

    def dense(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights and delays as int64 (source size, target size); where there is no synapse, both are 0."""
        raise NotImplementedError

    def synapse(self, j: int, i: int) -> tuple[int, int]:
        """Weight and delay from source neuron j to target neuron i; (0, 0) where there is none."""
        raise NotImplementedError

    def into(self, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The synapses that end at target neuron i: source neurons, weights and delays, int64 (synapses,)."""
        weights, delays = self.dense()
        return np.arange(len(weights)), weights[:, i], delays[:, i]

    def stored(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights and delays as they are kept, both of one shape, the structure's own; by default the matrix."""
        return self.dense()

    def per_source(self, values: np.ndarray) -> np.ndarray:
        """For each source neuron Σ `values` over its synapses, int64 (source size,).

        `values` has a number for each stored weight, in their shape (:meth:`stored`).
        """
        sums: np.ndarray = values.sum(axis=1, dtype=np.int64)
        return sums

    def per_target(self, values: np.ndarray) -> np.ndarray:
        """Likewise for each target neuron, int64 (target size,)."""
        sums: np.ndarray = values.sum(axis=0, dtype=np.int64)
        return sums

    def current_range(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest Σ_j w[j, i] over any set of sources j, for each target: int64 (target size,)."""
        weights, _ = self.stored()
        return self.per_target(np.minimum(weights, 0)), self.per_target(np.maximum(weights, 0))

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
        """Bits that hold them: weights and, where they differ, delays and what else says where they are."""
        raise NotImplementedError

    def empty_matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """Zeros for :meth:`dense`; matrices of more than 2 GiB are refused as a `NetworkError`."""
        needed = 16 * math.prod(self.shape)
        if needed > MAX_DENSE_BYTES:
            sources, targets = self.shape
            raise NetworkError(
                f"{self.label}: as a matrix of {sources:,} × {targets:,} it would take "
                f"{needed / 2**30:,.0f} GiB, more than the limit of {MAX_DENSE_BYTES / 2**30:g} GiB: "
                "this needs a smaller map"
            )
        return np.zeros(self.shape, np.int64), np.zeros(self.shape, np.int64)


def lowest_weight(synapses: Synapses) -> int:
    """−2^(weight_bits − 1)."""
    return -int(2 ** (synapses.weight_bits - 1))


def highest_weight(synapses: Synapses) -> int:
    """2^(weight_bits − 1) − 1."""
    return int(2 ** (synapses.weight_bits - 1)) - 1
