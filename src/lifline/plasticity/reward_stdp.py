"""Spike-timing-dependent plasticity that a reward turns into a change of weights."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from lifline.fields import integer, part
from lifline.synapses import Synapses

from .plasticity import Plasticity
from .stdp import STDP


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RewardSTDP(Plasticity):
    """Reward-modulated STDP: pairs of spikes leave a trace in each synapse, which a later reward makes a change.

    With rise, fall and the traces p and q of `pairs` (:class:`STDP`), at the end of each tick::

        e ← sat( floor(alpha · e / 256) + s_post · rise − s_pre · fall )

    and at the end of a sample, with the host's integer signal `reward`::

        w ← clip( w + (reward · e >> shift) )                                     clipped once

    e is 0 at the start of a sample; ``sat`` clips it to eligibility_bits.  The ends of w, its fraction, `soft`,
    `total` (after the reward) and rounding are those of `pairs`; with stochastic rounding the last shift is
    rounded so, too, with t the number of the sample's ticks.

    Sources: E. M. Izhikevich, "Solving the distal reward problem through linkage of STDP and dopamine
    signaling", Cerebral Cortex 17, 2007; R. V. Florian, "Reinforcement learning through modulation of
    spike-timing-dependent synaptic plasticity", Neural Computation 19, 2007.
    """

    pairs: STDP = part("what a pair of spikes adds to the eligibility", STDP, optional=False)
    alpha: int = integer(
        "the fraction of the eligibility that is kept each tick, in 1/256", low=0, high=256
    )
    shift: int = integer("binary places of reward · eligibility", low=0, high=31)
    eligibility_bits: int = integer("width of the eligibility", low=8, high=24, default=16)

    traces = ("p", "q", "eligibility")
    rewarded = True

    @property
    def fraction_bits(self) -> int:  # type: ignore[override]
        return self.pairs.fraction_bits

    @property
    def low(self) -> Any:
        return self.pairs.low

    @property
    def high(self) -> Any:
        return self.pairs.high

    @property
    def fraction(self) -> np.ndarray:
        fraction: np.ndarray = self.pairs.fraction
        return fraction

    def taught(
        self, synapses: Synapses, w: np.ndarray, samples: int = 1
    ) -> tuple[RewardSTDP, Synapses]:
        pairs, learned = self.pairs.taught(synapses, w, samples)
        return dataclasses.replace(self, pairs=pairs), learned

    def with_seed(self, seed: int) -> RewardSTDP:
        return dataclasses.replace(self, pairs=self.pairs.with_seed(seed))

    def _with_fraction(self, fraction: np.ndarray) -> RewardSTDP:
        return dataclasses.replace(self, pairs=dataclasses.replace(self.pairs, fraction=fraction))
