"""Spike-driven synaptic plasticity."""

from __future__ import annotations

import dataclasses
from typing import Any

from lifline.fields import integer

from .plasticity import (
    Plasticity,
    end_field,
    fraction_bits_field,
    fraction_field,
    largest_trace,
)

#: No calcium is greater.
_MOST = 2**20
#: Steps are at most half of the widest w's range.
_STEP = 2**27


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SDSP(Plasticity):
    """Spike-driven synaptic plasticity: a source's spike moves w by a step, up where its target is close to a spike.

    At the end of each tick t, for synapse j → i with the delay d, s_pre = s_source[j][t − d], the target's
    membrane v = v[t−1] that the spike has found, and its calcium c, which its spikes before this tick have left::

        c ← floor(alpha · c / 256)
        up   = s_pre and v > threshold and up_low ≤ c < up_high
        down = s_pre and v ≤ threshold and down_low ≤ c < down_high
        w ← clip( w + up · step_up − down · step_down + (drift_up if w > middle · 2^fraction_bits else −drift_down) )
        c ← c + amplitude · s_post

    c is 0 at the start of a sample, and v[−1] is what the neuron starts from.  Steps and drifts are in
    1/2^fraction_bits of a weight; ``clip`` is STDP's.  Without drift a weight moves on a source's spike only.

    Sources: J. M. Brader, W. Senn and S. Fusi, "Learning real-world stimuli in a neural network with
    spike-driven synaptic dynamics", Neural Computation 19, 2007; as in ODIN: C. Frenkel, M. Lefebvre, J.-D. Legat
    and D. Bol, "A 0.086-mm² 12.7-pJ/SOP 64k-synapse 256-neuron online-learning digital spiking neuromorphic
    processor in 28-nm CMOS", IEEE Transactions on Biomedical Circuits and Systems 13, 2019.
    """

    alpha: int = integer(
        "the fraction of the calcium that is kept each tick, in 1/256", low=0, high=255
    )
    amplitude: int = integer("what a target's spike adds to its calcium", low=1, high=2**12 - 1)
    threshold: int = integer(
        "a weight rises where the target's membrane is greater, else it falls",
        low=-(2**23),
        high=2**23 - 1,
    )
    step_up: int = integer("by how much it rises", low=0, high=_STEP)
    step_down: int = integer("by how much it falls", low=0, high=_STEP)
    up_low: int = integer("the least calcium with which it rises", low=0, high=_MOST, default=0)
    up_high: int = integer("with less calcium than this it rises", low=0, high=_MOST, default=_MOST)
    down_low: int = integer("the least calcium with which it falls", low=0, high=_MOST, default=0)
    down_high: int = integer("with less calcium than this it falls", low=0, high=_MOST, default=_MOST)
    drift_up: int = integer(
        "by how much a weight above `middle` rises each tick", low=0, high=_STEP, default=0
    )
    drift_down: int = integer("by how much another falls", low=0, high=_STEP, default=0)
    middle: int = integer(
        "the weight from which drift goes apart", low=-(2**15), high=2**15 - 1, default=0
    )
    fraction_bits: int = fraction_bits_field()
    low: Any = end_field("the least weight")
    high: Any = end_field("the greatest weight")
    fraction: Any = fraction_field()

    traces = ("calcium",)

    @property
    def largest_calcium(self) -> int:
        """No calcium is ever greater."""
        return largest_trace(self.alpha, self.amplitude)
