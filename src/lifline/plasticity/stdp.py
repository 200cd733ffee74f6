"""Spike-timing-dependent plasticity by traces."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

import numpy as np

from lifline.errors import NetworkError
from lifline.fields import array, choice, flag, integer
from lifline.synapses import Dense, Synapses

from .plasticity import Plasticity

#: The binary places of the factor by which weights are normalised.
FACTOR_BITS = 16


class Pairing(enum.Enum):
    """With which spikes of the other side a spike is paired."""

    ALL = "all"  #: with all earlier ones: a spike adds to its trace
    NEAREST = "nearest"  #: with the latest: a spike sets its trace


def _largest_fraction(rule: STDP) -> int:
    """2^fraction_bits − 1."""
    return int(2**rule.fraction_bits) - 1


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class STDP(Plasticity):
    """Pair STDP: a source's spike that arrives before a target's makes the synapse stronger, one after it weaker.

    At the end of each tick, for synapse j → i with the delay d, s_pre = s_source[j][t − d] and s_post =
    s_target[i][t], in unbounded integers::

        p ← floor(alpha_pre · p / 256);   q ← floor(alpha_post · q / 256)
        w ← clip( w + s_post · rise − s_pre · fall )                              clipped once
            rise = eta_plus · p >> shift;   fall = eta_minus · q >> shift
        p ← p + amplitude (all) or amplitude (nearest) where s_pre;   q likewise where s_post

    With `coincident` the last line comes before the second: spikes of one tick are a pair, as in BindsNET
    and SpikingJelly.  With `soft` bounds, of the range low … high of w::

        rise = (eta_plus · p >> shift) · (high − w) >> (weight_bits + fraction_bits)
        fall = (eta_minus · q >> shift) · (w − low) >> (weight_bits + fraction_bits)

    ``clip`` is to low · 2^fraction_bits … high · 2^fraction_bits or, without them, to the range of
    weight_bits + fraction_bits.  p and q are 0 at the start of each sample; w goes on.  With `total`, at
    the end of each sample the weights of each target whose sum S = Σ_j w[j, i] is above 0 are normalised::

        w ← clip( w · floor(total · 2^(fraction_bits + 16) / S) >> 16 )

    Sources: S. Song, K. D. Miller and L. F. Abbott, "Competitive Hebbian learning through spike-timing-
    dependent synaptic plasticity", Nature Neuroscience 3, 2000; A. Morrison, M. Diesmann and W. Gerstner,
    "Phenomenological models of synaptic plasticity based on spike timing", Biological Cybernetics 98, 2008;
    the normalisation: P. U. Diehl and M. Cook, "Unsupervised learning of digit recognition using
    spike-timing-dependent plasticity", Frontiers in Computational Neuroscience 9, 2015.
    """

    alpha_pre: int = integer(
        "the fraction of a source's trace that is kept each tick, in 1/256", low=0, high=255
    )
    alpha_post: int = integer(
        "the fraction of a target's trace that is kept each tick, in 1/256", low=0, high=255
    )
    amplitude: int = integer("what a spike adds to its trace, or sets it to", low=1, high=2**12 - 1)
    eta_plus: int = integer(
        "how much stronger a target's spike makes a synapse", low=-(2**12), high=2**12 - 1
    )
    eta_minus: int = integer("how much weaker a source's spike makes it", low=-(2**12), high=2**12 - 1)
    shift: int = integer("binary places of both", low=0, high=31)
    pairing: Pairing = choice("with which spikes a spike is paired", Pairing, Pairing.ALL)
    coincident: bool = flag("whether spikes of one tick are a pair", False)
    fraction_bits: int = integer(
        "binary places of w that a synapse does not deliver", low=0, high=12, default=8
    )
    low: Any = integer("the least weight", low=-(2**15), high=2**15 - 1, default=None, optional=True)
    high: Any = integer(
        "the greatest weight", low=-(2**15), high=2**15 - 1, default=None, optional=True
    )
    soft: bool = flag(
        "whether a weight changes less, the nearer it is to the end that it goes to", False
    )
    total: Any = integer(
        "what the weights of each target sum to after each sample",
        low=1,
        high=2**24 - 1,
        default=None,
        optional=True,
    )
    fraction: Any = array(
        "what w has beyond the weight before the first sample, in 1/2^fraction_bits",
        per="synapse", axes=("source size", "target size"), low=0, high=_largest_fraction, default=0, storage="int16",
    )  # fmt: skip

    def range(self, weight_bits: int) -> tuple[int, int]:
        """The least and the greatest w of synapses of so many bits."""
        end = 1 << (weight_bits - 1 + self.fraction_bits)
        low = -end if self.low is None else self.low << self.fraction_bits
        high = end - 1 if self.high is None else self.high << self.fraction_bits
        return low, high

    @property
    def largest_trace(self) -> int:
        """No trace is ever greater: the fixed point of all spikes, 256 · amplitude at most."""
        if self.pairing is Pairing.NEAREST:
            return int(self.amplitude)
        trace = 0
        for alpha in (self.alpha_pre, self.alpha_post):
            p = 0
            while (following := (alpha * p >> 8) + self.amplitude) != p:
                p = following
            trace = max(trace, p)
        return trace

    def bound(self, synapses: Synapses) -> STDP:
        super().bound(synapses)
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
        rule = dataclasses.replace(self, fraction=np.broadcast_to(self.fraction, synapses.shape))
        low, high = self.range(synapses.weight_bits)
        w = rule.start(synapses)
        if low > high or w.min() < low or w.max() > high:
            scale = 1 << self.fraction_bits
            raise NetworkError(
                f"{self.label}: weights must be within low … high = {low / scale:g} … {high / scale:g}; "
                f"they are {w.min() / scale:g} … {w.max() / scale:g}"
            )
        return rule

    def start(self, synapses: Synapses) -> np.ndarray:
        weights, _ = synapses.dense()
        return (weights << self.fraction_bits) + self.fraction

    def taught(self, synapses: Synapses, w: np.ndarray) -> tuple[STDP, Synapses]:
        assert isinstance(synapses, Dense)  # `bound` has seen to it
        rule = dataclasses.replace(self, fraction=w & ((1 << self.fraction_bits) - 1))
        return rule, dataclasses.replace(synapses, weights=w >> self.fraction_bits)
