"""Spike-timing-dependent plasticity by traces."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

import numpy as np

from lifline.fields import choice, flag, integer
from lifline.synapses import Synapses

from .plasticity import (
    Plasticity,
    end_field,
    fraction_bits_field,
    fraction_field,
    largest_trace,
)

#: The binary places of the factor by which weights are normalised.
FACTOR_BITS = 16


class Pairing(enum.Enum):
    """With which spikes of the other side a spike is paired."""

    ALL = "all"  #: with all earlier ones: a spike adds to its trace
    NEAREST = "nearest"  #: with the latest: a spike sets its trace


class Rounding(enum.Enum):
    """How x / 2^shift becomes an integer.

    Stochastic: floor((x + r) / 2^shift) with r = h // 2^(32 − shift), which is uniform in 0 … 2^shift − 1, so
    that the mean is exact.  h depends on the synapse j → i, the tick t of the sample and the rule's seed alone,
    in 32 bits without sign, after Jenkins' "one at a time"::

        h = 0;  for k in (seed, t, j, i):   h += k;        h += h << 10;  h ^= h >> 6
                twice:                      h += h << 3;   h ^= h >> 11;  h += h << 15

    Sources: S. Gupta, A. Agrawal, K. Gopalakrishnan and P. Narayanan, "Deep learning with limited numerical
    precision", ICML 2015; B. Jenkins, "Algorithm Alley: Hash functions", Dr. Dobb's Journal, September 1997.
    """

    FLOOR = "floor"
    STOCHASTIC = "stochastic"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class STDP(Plasticity):
    """Pair STDP: a source's spike that arrives before a target's makes the synapse stronger, one after it weaker.

    At the end of each tick, for synapse j → i with the delay d, s_pre = s_source[j][t − d] and s_post =
    s_target[i][t], in unbounded integers::

        p ← floor(alpha_pre · p / 256);   q ← floor(alpha_post · q / 256)
        w ← clip( w + s_post · rise − s_pre · fall )                              clipped once
            rise = eta_plus · p >> shift;   fall = eta_minus · q >> shift         or rounded at random
        p ← p + amplitude (all) or amplitude (nearest) where s_pre;   q likewise where s_post

    With `coincident` the last line comes before the second: spikes of one tick are a pair, as in BindsNET
    and SpikingJelly.  With `soft` bounds, of the range low … high of w::

        rise = (eta_plus · p >> shift) · (high − w) >> (weight_bits + fraction_bits)
        fall = (eta_minus · q >> shift) · (w − low) >> (weight_bits + fraction_bits)

    ``clip`` is to low · 2^fraction_bits … high · 2^fraction_bits or, without them, to the range of
    weight_bits + fraction_bits.  p and q are 0 at the start of each sample; w goes on.  With `total`, at
    the end of each sample the weights of each target whose sum S = Σ_j w[j, i] is above 0 are normalised::

        w ← clip( w · floor(total · 2^(fraction_bits + 16) / S) >> 16 )

    With ``rounding="stochastic"`` both shifts by `shift` add a random number first (:class:`Rounding`); the shift
    of soft bounds stays a floor.

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
    fraction_bits: int = fraction_bits_field()
    low: Any = end_field("the least weight")
    high: Any = end_field("the greatest weight")
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
    fraction: Any = fraction_field()
    rounding: Rounding = choice("of what is shifted by `shift`", Rounding, Rounding.FLOOR)
    seed: int = integer(
        "of stochastic rounding; each sample counts it up", low=0, high=2**32 - 1, default=0
    )

    traces = ("p", "q")

    @property
    def largest_trace(self) -> int:
        """No trace is ever greater: the fixed point of all spikes, 256 · amplitude at most."""
        if self.pairing is Pairing.NEAREST:
            return int(self.amplitude)
        return max(largest_trace(alpha, self.amplitude) for alpha in (self.alpha_pre, self.alpha_post))

    def taught(self, synapses: Synapses, w: np.ndarray, samples: int = 1) -> tuple[STDP, Synapses]:
        rule, learned = super().taught(synapses, w, samples)
        if self.rounding is Rounding.STOCHASTIC:
            rule = rule.with_seed((self.seed + samples) % 2**32)
        return rule, learned

    def with_seed(self, seed: int) -> STDP:
        return dataclasses.replace(self, seed=seed)
