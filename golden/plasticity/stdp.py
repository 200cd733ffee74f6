"""Pair STDP, vectorised: work is done where a spike arrives or a target spikes, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np

from lifline.plasticity import STDP, Pairing, RewardSTDP, Rounding
from lifline.plasticity.stdp import FACTOR_BITS
from lifline.synapses import Synapses

from .learner import Arrivals, Learner, learner
from .rounding import random
from .rows import Rows

#: Where weights change, and by how much: an index of the matrix, and what is added there.
Changes = list[tuple[Any, np.ndarray]]


class STDPSynapses(Rows):
    """The synapses of one projection.  All numbers are int64, and stay below 2^62."""

    def __init__(self, rule: STDP, synapses: Synapses) -> None:
        super().__init__(rule, synapses)
        self.rule, self.seed = rule, rule.seed
        self.soft_shift = synapses.weight_bits + rule.fraction_bits
        self.start()

    def start(self) -> None:
        sources, targets = self.w.shape
        self.t = 0
        self.p = {delay: np.zeros(sources, np.int64) for delay in self.with_delay}
        self.q = np.zeros(targets, np.int64)

    def tick(self, arrivals: Arrivals, fired: np.ndarray, membrane: np.ndarray) -> None:
        rule = self.rule
        for delay, p in self.p.items():
            _decay(p, rule.alpha_pre)
            if rule.coincident:
                self._spiked(p, arrivals[delay])
        _decay(self.q, rule.alpha_post)
        if rule.coincident:
            self._spiked(self.q, fired)
        self._change(self._pairs(arrivals, fired))
        if not rule.coincident:
            for delay, p in self.p.items():
                self._spiked(p, arrivals[delay])
            self._spiked(self.q, fired)
        self.t += 1

    def _pairs(self, arrivals: Arrivals, fired: np.ndarray) -> Changes:
        """rise and −fall of the synapses whose source or target has spiked."""
        rule, w = self.rule, self.w
        changes: Changes = []
        everyone = slice(None)
        for delay, p in self.p.items():
            if len(fired):
                rise = self._shifted((rule.eta_plus * p)[:, None], everyone, fired)
                if rule.soft:
                    rise = rise * (self.high - w[:, fired]) >> self.soft_shift
                columns = (everyone, fired)
                changes.append((columns, self.only(delay, columns, rise)))
            rows = arrivals[delay]
            if len(rows):
                fall = self._shifted((rule.eta_minus * self.q)[None], rows, everyone)
                if rule.soft:
                    fall = fall * (w[rows] - self.low) >> self.soft_shift
                where = (rows, everyone)
                changes.append((where, -self.only(delay, where, fall)))
        return changes

    def _shifted(self, values: np.ndarray, sources: Any, targets: Any) -> np.ndarray:
        """`values` / 2^shift, rounded, at the synapses of these sources and targets."""
        if self.rule.rounding is Rounding.STOCHASTIC:
            values = values + self._random(self.rule.shift, sources, targets)
        return values >> self.rule.shift

    def _random(self, bits: int, sources: Any = slice(None), targets: Any = slice(None)) -> np.ndarray:
        j, i = (
            np.arange(size)[some] for size, some in zip(self.w.shape, (sources, targets), strict=True)
        )
        return random(self.seed, self.t, j, i, bits)

    def _change(self, changes: Changes) -> None:
        """The weights, clipped once."""
        for where, change in changes:
            self.w[where] += change
        for where, _ in changes:
            self.clip(where)

    def _spiked(self, trace: np.ndarray, who: np.ndarray) -> None:
        if self.rule.pairing is Pairing.ALL:
            trace[who] += self.rule.amplitude
        else:
            trace[who] = self.rule.amplitude

    def traces(self) -> dict[str, np.ndarray]:
        p = np.zeros(self.w.shape, np.int64)
        for delay, trace in self.p.items():
            p += trace[:, None] * self.with_delay[delay]
        return {"p": p, "q": np.broadcast_to(self.q, self.w.shape)}

    def settle(self, reward: int) -> None:
        self.seed = (self.seed + 1) % 2**32
        total = self.rule.total
        sums = self.w.sum(axis=0)
        who = np.flatnonzero(sums > 0)
        if total is None or not len(who):
            return
        factors = (total << (self.rule.fraction_bits + FACTOR_BITS)) // sums[who]
        self.w[:, who] = (self.w[:, who] * factors >> FACTOR_BITS).clip(self.low, self.high)


class RewardSTDPSynapses(STDPSynapses):
    """The same where pairs go to an eligibility, and a reward to the weights."""

    def __init__(self, rule: RewardSTDP, synapses: Synapses) -> None:
        self.reward_rule = rule
        super().__init__(rule.pairs, synapses)

    def start(self) -> None:
        super().start()
        self.e = np.zeros(self.w.shape, np.int64)

    def _change(self, changes: Changes) -> None:
        most = 1 << (self.reward_rule.eligibility_bits - 1)
        _decay(self.e, self.reward_rule.alpha)
        for where, change in changes:
            self.e[where] += change
        self.e.clip(-most, most - 1, out=self.e)

    def traces(self) -> dict[str, np.ndarray]:
        return {**super().traces(), "eligibility": self.e}

    def settle(self, reward: int) -> None:
        change = self.e * reward
        if self.rule.rounding is Rounding.STOCHASTIC:
            change += self._random(self.reward_rule.shift)
        self.w += change >> self.reward_rule.shift
        self.w.clip(self.low, self.high, out=self.w)
        super().settle(reward)


@learner.register
def _(rule: STDP, synapses: Synapses) -> Learner:
    return STDPSynapses(rule, synapses)


@learner.register
def _(rule: RewardSTDP, synapses: Synapses) -> Learner:
    return RewardSTDPSynapses(rule, synapses)


def _decay(trace: np.ndarray, alpha: int) -> None:
    trace *= alpha
    trace >>= 8
