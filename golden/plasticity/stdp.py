"""Pair STDP, vectorised: work is done where a spike arrives or a target spikes, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np

from lifline.plasticity import STDP, Pairing
from lifline.plasticity.stdp import FACTOR_BITS
from lifline.synapses import Synapses

from .learner import Arrivals, Learner, learner


class STDPSynapses:
    """The synapses of one projection.  All numbers are int64, and stay below 2^62."""

    def __init__(self, rule: STDP, synapses: Synapses) -> None:
        self.rule = rule
        self.low, self.high = rule.range(synapses.weight_bits)
        self.soft_shift = synapses.weight_bits + rule.fraction_bits
        self.w = rule.start(synapses)
        delays = synapses.dense()[1]
        self.with_delay = {int(d): delays == d for d in np.unique(delays)}
        self.delays = tuple(self.with_delay)
        self.uniform = len(self.with_delay) == 1
        self.start()

    def start(self) -> None:
        sources, targets = self.w.shape
        self.p = {delay: np.zeros(sources, np.int64) for delay in self.with_delay}
        self.q = np.zeros(targets, np.int64)

    def current(self, arrivals: Arrivals) -> np.ndarray:
        total = np.zeros(self.w.shape[1], np.int64)
        for delay, rows in arrivals.items():
            delivered = self.w[rows] >> self.rule.fraction_bits
            if not self.uniform:
                delivered *= self.with_delay[delay][rows]
            total += delivered.sum(axis=0)
        return total

    def tick(self, arrivals: Arrivals, fired: np.ndarray) -> None:
        rule = self.rule
        for delay, p in self.p.items():
            _decay(p, rule.alpha_pre)
            if rule.coincident:
                self._spiked(p, arrivals[delay])
        _decay(self.q, rule.alpha_post)
        if rule.coincident:
            self._spiked(self.q, fired)
        self._change(arrivals, fired)
        if not rule.coincident:
            for delay, p in self.p.items():
                self._spiked(p, arrivals[delay])
            self._spiked(self.q, fired)

    def _change(self, arrivals: Arrivals, fired: np.ndarray) -> None:
        """The weights of the synapses whose source or target has spiked, clipped once."""
        rule, w = self.rule, self.w
        changes: list[tuple[Any, np.ndarray]] = []  # where, and by how much
        for delay, p in self.p.items():
            if len(fired):
                rise = (rule.eta_plus * p >> rule.shift)[:, None]
                if rule.soft:
                    rise = rise * (self.high - w[:, fired]) >> self.soft_shift
                if not self.uniform:
                    rise = rise * self.with_delay[delay][:, fired]
                changes.append(((slice(None), fired), rise))
            rows = arrivals[delay]
            if len(rows):
                fall = (rule.eta_minus * self.q >> rule.shift)[None]
                if rule.soft:
                    fall = fall * (w[rows] - self.low) >> self.soft_shift
                if not self.uniform:
                    fall = fall * self.with_delay[delay][rows]
                changes.append(((rows, slice(None)), -fall))
        for where, change in changes:
            w[where] += change
        for where, _ in changes:
            w[where] = w[where].clip(self.low, self.high)

    def _spiked(self, trace: np.ndarray, who: np.ndarray) -> None:
        if self.rule.pairing is Pairing.ALL:
            trace[who] += self.rule.amplitude
        else:
            trace[who] = self.rule.amplitude

    def settle(self) -> None:
        total = self.rule.total
        sums = self.w.sum(axis=0)
        who = np.flatnonzero(sums > 0)
        if total is None or not len(who):
            return
        factors = (total << (self.rule.fraction_bits + FACTOR_BITS)) // sums[who]
        self.w[:, who] = (self.w[:, who] * factors >> FACTOR_BITS).clip(self.low, self.high)


@learner.register
def _(rule: STDP, synapses: Synapses) -> Learner:
    return STDPSynapses(rule, synapses)


def _decay(trace: np.ndarray, alpha: int) -> None:
    trace *= alpha
    trace >>= 8
