"""Leaky integrate-and-fire neurons, with their optional parts: current, adaptive threshold, noise."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Any

import numpy as np

from lifline.errors import NetworkError
from lifline.fields import Kind, array, choice, flag, integer, part, per_neuron

from .neuron import Neuron, State

#: beta, alpha and rho are in 1 / 2**BETA_BITS.
BETA_BITS = 8

_INT32 = 2**31


class Reset(enum.Enum):
    """What a spike does to the membrane that fired it."""

    SUBTRACT = "subtract"  #: the threshold is taken off
    ZERO = "zero"  #: the membrane returns to 0
    NONE = "none"  #: nothing (a readout)


def _highest_membrane(neuron: LIF) -> int:
    """2^(membrane_bits − 1) − 1."""
    return int(2 ** (neuron.membrane_bits - 1)) - 1


def _lowest_adaptation(adaptation: Adaptation) -> int:
    """−2^(bits − 1)."""
    return -int(2 ** (adaptation.bits - 1))


def _highest_adaptation(adaptation: Adaptation) -> int:
    """2^(bits − 1) − 1."""
    return int(2 ** (adaptation.bits - 1)) - 1


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Adaptation(Kind):
    """A threshold that rises with each spike and decays: a[t] = sat_a(floor(rho · a[t−1] / 256) + jump · s[t−1]).

    a[−1] = initial.  With `keep`, a network that learns carries it from sample to sample, as a homeostatic
    threshold: of the spike of a sample's last tick, a sample's first tick knows nothing.

    Source: G. Bellec, D. Salaj, A. Subramoney, R. Legenstein and W. Maass, "Long short-term memory and
    learning-to-learn in networks of spiking neurons", NeurIPS 2018.
    """

    rho: Any = per_neuron(
        "the fraction of the adaptation that is kept each tick", low=0, high=256, unit="1/256"
    )
    jump: Any = per_neuron("what a spike adds to the adaptation", low=-(2**23), high=2**23 - 1)
    bits: int = integer("width of the adaptation", low=2, high=24, default=16)
    initial: Any = per_neuron(
        "the adaptation before the first tick",
        low=_lowest_adaptation,
        high=_highest_adaptation,
        default=0,
    )
    keep: bool = flag("whether a sample that learns starts from where the one before has ended", False)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Noise(Kind):
    """Escape noise: table[top k bits of r[t]] is added to the threshold, r[t] = xorshift16(r[t−1]), r[−1] = seed.

    xorshift16, in 16 bits, is r ^= r << 7, r ^= r >> 9, r ^= r << 8; its period is 65,535.  With a
    table of logistic quantiles (:meth:`logistic`) a neuron spikes with probability σ((x − threshold) /
    scale).  Sources: W. Gerstner and W. M. Kistler, "Spiking Neuron Models", 2002, chapter 5.3; G.
    Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8(14), 2003.

    Neurons with one seed draw the same numbers; :meth:`seeds` makes one for each.
    """

    table: Any = array(
        "2^k numbers, k = 0 … 16, of which each tick draws one to be added to the threshold",
        per="entry",
        axes=("entries",),
        low=-(2**23),
        high=2**23 - 1,
    )
    seed: Any = per_neuron("the generator's state before the first tick", low=1, high=2**16 - 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        entries = len(self.table)
        if entries & (entries - 1) or entries > 2**16:
            raise NetworkError(f"Noise: table must have 2^k entries, k = 0 … 16, not {entries}")

    @property
    def index_bits(self) -> int:
        """k: the bits of the random number that choose an entry."""
        return (len(self.table) - 1).bit_length()

    @classmethod
    def logistic(cls, scale: float, size: int, *, seed: int = 0, index_bits: int = 10) -> Noise:
        """Noise with which a neuron spikes with probability 1 / (1 + exp(−(x − threshold) / scale)).

        Parameters
        ----------
        scale : float
            In the membrane's units, above 0.
        size : int
            Neurons: each gets a seed of its own.
        seed : int
            Of the seeds.
        index_bits : int
            The table has 2^index_bits entries, 1 … 16: the probability is exact to 1 / 2^(index_bits
            + 1).
        """
        if not 0 < scale < math.inf:
            raise NetworkError(f"Noise: scale must be a number above 0, not {scale!r}")
        p = (np.arange(2**index_bits) + 0.5) / 2**index_bits
        quantiles = np.rint(scale * np.log(p / (1 - p))).astype(np.int64)
        return cls(quantiles, cls.seeds(size, seed))

    @staticmethod
    def seeds(size: int, seed: int = 0) -> np.ndarray:
        """A seed for each of `size` neurons, int64, distinct for up to 65,535 of them."""
        rng = np.random.default_rng(seed)
        rounds = -(-size // 65535)
        return np.concatenate([rng.permutation(65535) + 1 for _ in range(rounds)])[:size]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LIF(Neuron):
    """A leaky integrate-and-fire neuron, its membrane driven by a tick's current I[t] = bias + Σ w · s.

    ::

        c[t] = I[t]                        or, with alpha:  sat_c( floor(alpha · c[t−1] / 256) + I[t] )
        u    = floor(beta · v[t−1] / 256)
        θ[t] = threshold                   with adaptation: + a[t]       with noise: + table[top k bits of r[t]]

        reset_delay = False:   x = sat(u + c[t]);  s[t] = x > θ[t]
                               SUBTRACT: v[t] = sat(x − threshold·s[t])   ZERO: v[t] = 0 if s[t] else x   NONE: v[t] = x
        reset_delay = True:    SUBTRACT: x = sat(u + c[t] − threshold·s[t−1])
                               ZERO:     x = sat(floor(beta · (0 if s[t−1] else v[t−1]) / 256) + c[t])
                               s[t] = x > θ[t];  v[t] = x         (with NONE, reset_delay changes nothing)

    ``sat`` clips to membrane_bits, ``sat_c`` to current_bits.  A reset takes the bare threshold off,
    and changes neither c nor a.  `alpha` makes it a current-based (CUBA) neuron, as snnTorch's
    ``Synaptic`` and NIR's ``CubaLIF``; `adaptation` an adaptive one (ALIF, LSNN); `noise` a
    probabilistic one.  What is None is absent, and costs no logic.
    """

    beta: Any = per_neuron(
        "the fraction of the membrane that is kept each tick; 256 does not leak",
        low=0,
        high=256,
        unit="1/256",
    )
    threshold: Any = per_neuron(
        "a neuron spikes where its membrane is greater", low=0, high=_highest_membrane
    )
    reset: Reset = choice("what a spike does to its membrane", Reset, Reset.SUBTRACT)
    reset_delay: bool = flag("whether it does so one tick later", False)
    bias: Any = per_neuron("a constant input current", low=-_INT32, high=_INT32 - 1, default=0)
    membrane_bits: int = integer("width of the membrane", low=8, high=24, default=16)
    alpha: Any = per_neuron(
        "the fraction of the synaptic current that is kept each tick",
        low=0, high=256, default=None, unit="1/256", optional=True,
    )  # fmt: skip
    current_bits: int = integer(
        "width of the synaptic current, with `alpha`", low=8, high=24, default=16
    )
    adaptation: Any = part("an adaptive threshold", Adaptation)
    noise: Any = part("a random threshold", Noise)

    ranked = True

    @property
    def states(self) -> tuple[State, ...]:
        states = [State("membrane", self.membrane_bits)]
        if self.alpha is not None:
            states.append(State("current", self.current_bits))
        if self.adaptation is not None:
            states.append(State("adaptation", self.adaptation.bits, initial=self.adaptation.initial))
        if self.noise is not None:
            states.append(State("noise", 16, signed=False, initial=self.noise.seed))
        return tuple(states)

    @property
    def resets(self) -> tuple[str, ...]:
        return () if self.reset_delay or self.reset is Reset.NONE else ("membrane",)

    @property
    def margin_bits(self) -> int:
        least = 0 if self.adaptation is None else -(1 << (self.adaptation.bits - 1))
        if self.noise is not None:
            least += int(self.noise.table.min())
        return max(1, _highest_membrane(self) - least).bit_length()

    @property
    def keeps_spike(self) -> bool:
        late = self.reset_delay and self.reset is not Reset.NONE
        return late or self.adaptation is not None

    @property
    def readout(self) -> bool:
        return self.reset is Reset.NONE
