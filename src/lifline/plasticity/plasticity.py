"""What every plasticity rule is."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import numpy as np

from lifline.errors import NetworkError
from lifline.fields import Family, array, integer
from lifline.synapses import Dense, Synapses

Self = TypeVar("Self", bound="Plasticity")


class Plasticity(Family):
    """A rule by which a projection's weights change at the end of each tick, when every spike of it is known.

    A subclass is a frozen dataclass of typed fields (:mod:`lifline.fields`), with `fraction_bits`, `low`,
    `high` and `fraction` among them (:func:`fraction_bits_field`, :func:`end_field`, :func:`fraction_field`), or
    with properties in their place.  A weight that learns is an integer with fraction_bits more bits than the
    synapse's own, w; the synapse delivers floor(w / 2^fraction_bits).
    """

    fraction_bits = 0
    low: Any = None
    high: Any = None
    fraction: Any = None

    #: What else a synapse keeps from tick to tick, by name; each is 0 at the start of a sample.
    traces: tuple[str, ...] = ()
    #: Whether the end of a sample needs a signal of the host's.
    rewarded = False

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
        for name in ("low", "high"):
            value, end = getattr(self, name), 1 << (synapses.weight_bits - 1)
            if value is not None and not -end <= value < end:
                raise NetworkError(
                    f"{self.label}: {name} must be in {-end} … {end - 1}, weights of {synapses.weight_bits} bits, "
                    f"not {value}"
                )
        if self.fraction.shape not in ((), synapses.shape):
            raise NetworkError(
                f"{self.label}: fraction must be one integer or have the shape {synapses.shape}, "
                f"not {self.fraction.shape}"
            )
        rule = self._with_fraction(np.broadcast_to(self.fraction, synapses.shape))
        low, high = self.range(synapses.weight_bits)
        w = rule.start(synapses)
        if low > high or w.min() < low or w.max() > high:
            scale = 1 << self.fraction_bits
            raise NetworkError(
                f"{self.label}: weights must be within low … high = {low / scale:g} … {high / scale:g}; "
                f"they are {w.min() / scale:g} … {w.max() / scale:g}"
            )
        return rule

    def range(self, weight_bits: int) -> tuple[int, int]:
        """The least and the greatest w of synapses of so many bits."""
        end = 1 << (weight_bits - 1 + self.fraction_bits)
        low = -end if self.low is None else self.low << self.fraction_bits
        high = end - 1 if self.high is None else self.high << self.fraction_bits
        return low, high

    def current_range(self, synapses: Synapses) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`lifline.synapses.Synapses.current_range`, whatever the synapses learn."""
        sources, targets = synapses.shape
        ends = (sources * (end >> self.fraction_bits) for end in self.range(synapses.weight_bits))
        low, high = (np.full(targets, end) for end in ends)
        return np.minimum(low, 0), np.maximum(high, 0)

    def start(self, synapses: Synapses) -> np.ndarray:
        """w before the first sample, int64 (source size, target size)."""
        weights, _ = synapses.dense()
        w: np.ndarray = (weights << self.fraction_bits) + self.fraction
        return w

    def taught(
        self: Self, synapses: Synapses, w: np.ndarray, samples: int = 1
    ) -> tuple[Self, Synapses]:
        """Rule and synapses that start with w, int64 (source size, target size): what is left after so many samples."""
        assert isinstance(synapses, Dense)  # `bound` has seen to it
        rule = self._with_fraction(w & ((1 << self.fraction_bits) - 1))
        return rule, dataclasses.replace(synapses, weights=w >> self.fraction_bits)

    def with_seed(self: Self, seed: int) -> Self:
        """The same rule with another seed; one that has none as it is."""
        return self

    def _with_fraction(self: Self, fraction: np.ndarray) -> Self:
        return dataclasses.replace(self, fraction=fraction)  # type: ignore[type-var]


def _largest_fraction(rule: Plasticity) -> int:
    """2^fraction_bits − 1."""
    return int(2**rule.fraction_bits) - 1


def fraction_bits_field() -> Any:
    """The field of this name."""
    return integer("binary places of w that a synapse does not deliver", low=0, high=12, default=8)


def end_field(meaning: str) -> Any:
    """A field: `low` or `high`."""
    return integer(meaning, low=-(2**15), high=2**15 - 1, default=None, optional=True)


def fraction_field() -> Any:
    """The field of this name."""
    return array(
        "what w has beyond the weight before the first sample, in 1/2^fraction_bits",
        per="synapse", axes=("source size", "target size"), low=0, high=_largest_fraction, default=0, storage="int16",
    )  # fmt: skip


def largest_trace(alpha: int, amplitude: int) -> int:
    """The fixed point of p ← floor(alpha · p / 256) + amplitude, which no trace exceeds."""
    p = 0
    while (following := (alpha * p >> 8) + amplitude) != p:
        p = following
    return p
