"""Izhikevich's simple model in fixed point: a quadratic membrane and a recovery variable."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from lifline.fields import integer, per_neuron

from .neuron import Neuron, State

_INT32 = 2**31

#: 0.04 in 1/65536, the model's quadratic coefficient.
QUADRATIC = 2621
#: `a` is in 1 / 2**A_BITS, `b` in 1 / 2**B_BITS.
A_BITS, B_BITS = 12, 10


def _lowest_membrane(neuron: Izhikevich) -> int:
    """−2^(membrane_bits − 1)."""
    return -int(2 ** (neuron.membrane_bits - 1))


def _highest_membrane(neuron: Izhikevich) -> int:
    """2^(membrane_bits − 1) − 1."""
    return int(2 ** (neuron.membrane_bits - 1)) - 1


def _lowest_recovery(neuron: Izhikevich) -> int:
    """−2^(recovery_bits − 1)."""
    return -int(2 ** (neuron.recovery_bits - 1))


def _highest_recovery(neuron: Izhikevich) -> int:
    """2^(recovery_bits − 1) − 1."""
    return int(2 ** (neuron.recovery_bits - 1)) - 1


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Izhikevich(Neuron):
    """A quadratic membrane and its recovery: v' = 0.04 v² + 5 v + 140 − u + I, u' = a (b v − u).

    A tick is one Euler step of 2^−step_bits ms.

    v, u and I are in 2^−fraction_bits mV (F below), a in 1/4096, b in 1/1024::

        I = bias + 2^gain · Σ w · s
        q = floor(v[t−1]² / 2^F)                        y = floor(2621 · q / 65536)                     (0.04 v²)
        x = sat( v[t−1] + floor((y + 5 · v[t−1] + 140 · 2^F − u[t−1] + I) / 2^step_bits) )
        r = sat_u( u[t−1] + floor(a · (floor(b · v[t−1] / 1024) − u[t−1]) / 2^(12 + step_bits)) )
        s[t] = x > threshold;   v[t] = c if s[t] else x;   u[t] = sat_u(r + d) if s[t] else r

    ``sat`` clips to membrane_bits, ``sat_u`` to recovery_bits.  :meth:`of` takes the parameters in mV
    and ms, as papers give them.  Source: E. M. Izhikevich, "Simple Model of Spiking Neurons", IEEE
    Transactions on Neural Networks 14(6), 2003.
    """

    a: Any = per_neuron("the rate of the recovery", low=0, high=2**A_BITS, unit="1/4096")
    b: Any = per_neuron(
        "the recovery's sensitivity to the membrane", low=-(2**12), high=2**12 - 1, unit="1/1024"
    )
    c: Any = per_neuron("the membrane after a spike", low=_lowest_membrane, high=_highest_membrane)
    d: Any = per_neuron(
        "what a spike adds to the recovery", low=_lowest_recovery, high=_highest_recovery
    )
    threshold: Any = per_neuron(
        "a neuron spikes where its membrane is greater", low=_lowest_membrane, high=_highest_membrane
    )
    bias: Any = per_neuron("a constant input current", low=-_INT32, high=_INT32 - 1, default=0)
    initial_membrane: Any = per_neuron(
        "the membrane before the first tick", low=_lowest_membrane, high=_highest_membrane, default=0
    )
    initial_recovery: Any = per_neuron(
        "the recovery before the first tick", low=_lowest_recovery, high=_highest_recovery, default=0
    )
    gain: int = integer("weights count 2^gain", low=0, high=16, default=0)
    step_bits: int = integer("a tick is 2^−step_bits ms", low=0, high=6, default=1)
    fraction_bits: int = integer("fraction of the membrane, F", low=0, high=14, default=12)
    membrane_bits: int = integer("width of the membrane", low=8, high=24, default=20)
    recovery_bits: int = integer("width of the recovery", low=8, high=24, default=20)

    ranked = True

    @property
    def states(self) -> tuple[State, ...]:
        return (
            State("membrane", self.membrane_bits, initial=self.initial_membrane),
            State("recovery", self.recovery_bits, initial=self.initial_recovery),
        )

    @property
    def resets(self) -> tuple[str, ...]:
        return "membrane", "recovery"

    @property
    def margin_bits(self) -> int:
        return int(self.membrane_bits)

    @classmethod
    def of(
        cls,
        a: Any = 0.02,
        b: Any = 0.2,
        c: Any = -65.0,
        d: Any = 8.0,
        *,
        current: Any = 0.0,
        rest: Any = -65.0,
        peak: float = 30.0,
        weight: float = 1 / 16,
        step_bits: int = 1,
        fraction_bits: int = 12,
    ) -> Izhikevich:
        """The neuron with parameters as papers give them, rounded.

        Parameters
        ----------
        a, b, c, d : float or float[size]
            In 1/ms, 1, mV, mV.
        current : float or float[size]
            A constant input, in the paper's units (mV/ms).
        rest : float or float[size]
            The membrane before the first tick, in mV; the recovery then is b · rest.
        peak : float
            The membrane at which a spike is cut off, in mV.
        weight : float
            What a weight of 1 adds to the current; rounded to a power of two.
        step_bits, fraction_bits : int
            As the fields.
        """
        one = 2**fraction_bits

        def fixed(values: Any, scale: int) -> np.ndarray:
            return np.rint(np.asarray(values, np.float64) * scale).astype(np.int64)

        return cls(
            a=fixed(a, 2**A_BITS),
            b=fixed(b, 2**B_BITS),
            c=fixed(c, one),
            d=fixed(d, one),
            threshold=fixed(peak, one) - 1,  # v >= peak, as in the paper
            bias=fixed(current, one),
            initial_membrane=fixed(rest, one),
            initial_recovery=fixed(np.asarray(b) * np.asarray(rest), one),
            gain=max(0, round(np.log2(weight * one))),
            step_bits=step_bits,
            fraction_bits=fraction_bits,
            membrane_bits=fraction_bits + 8,
            recovery_bits=fraction_bits + 8,
        )


#: a, b, c, d of the firing patterns in figure 2 of the paper.
PATTERNS: dict[str, tuple[float, float, float, float]] = {
    "regular spiking": (0.02, 0.2, -65, 8),
    "intrinsically bursting": (0.02, 0.2, -55, 4),
    "chattering": (0.02, 0.2, -50, 2),
    "fast spiking": (0.1, 0.2, -65, 2),
    "low-threshold spiking": (0.02, 0.25, -65, 2),
    "resonator": (0.1, 0.26, -65, 2),
}
