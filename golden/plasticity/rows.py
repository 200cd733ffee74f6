"""What every vectorised rule needs: the weights by their delays, what they deliver, and where spikes arrive."""

from __future__ import annotations

from typing import Any

import numpy as np

from lifline.plasticity import Plasticity
from lifline.synapses import Synapses

from .learner import Arrivals


class Rows:
    """The synapses of one projection: a row of weights for each source, a column for each target, all int64."""

    def __init__(self, rule: Plasticity, synapses: Synapses) -> None:
        self.fraction_bits = rule.fraction_bits
        self.low, self.high = rule.range(synapses.weight_bits)
        self.w = rule.start(synapses)
        delays = synapses.dense()[1]
        self.with_delay = {int(d): delays == d for d in np.unique(delays)}
        self.delays = tuple(self.with_delay)
        self.uniform = len(self.with_delay) == 1

    def current(self, arrivals: Arrivals) -> np.ndarray:
        total = np.zeros(self.w.shape[1], np.int64)
        for delay, rows in arrivals.items():
            total += self.only(delay, rows, self.w[rows] >> self.fraction_bits).sum(axis=0)
        return total

    def only(self, delay: int, where: Any, values: np.ndarray) -> np.ndarray:
        """`values` of some of the synapses, those at `where`, and 0 where their delay is another."""
        return values if self.uniform else values * self.with_delay[delay][where]

    def clip(self, where: Any) -> None:
        """Keep the weights there within their range."""
        self.w[where] = self.w[where].clip(self.low, self.high)
