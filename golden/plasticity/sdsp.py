"""Spike-driven synaptic plasticity, vectorised."""

from __future__ import annotations

import numpy as np

from lifline.plasticity import SDSP
from lifline.synapses import Synapses

from .learner import Arrivals, Learner, learner
from .rows import Rows


class SDSPSynapses(Rows):
    """The synapses of one projection."""

    def __init__(self, rule: SDSP, synapses: Synapses) -> None:
        super().__init__(rule, synapses)
        self.rule = rule
        self.start()

    def start(self) -> None:
        self.calcium = np.zeros(self.w.shape[1], np.int64)

    def tick(self, arrivals: Arrivals, fired: np.ndarray, membrane: np.ndarray) -> None:
        rule = self.rule
        calcium = rule.alpha * self.calcium >> 8
        above = membrane > rule.threshold
        up = above & (rule.up_low <= calcium) & (calcium < rule.up_high)
        down = ~above & (rule.down_low <= calcium) & (calcium < rule.down_high)
        steps = rule.step_up * up - rule.step_down * down  # of each target
        drifts = rule.drift_up or rule.drift_down
        if drifts:
            self.w += np.where(
                self.w > rule.middle << rule.fraction_bits, rule.drift_up, -rule.drift_down
            )
        for delay, rows in arrivals.items():
            if len(rows):
                self.w[rows] += self.only(delay, rows, steps[None])
                if not drifts:
                    self.clip(rows)
        if drifts:
            self.clip(slice(None))
        self.calcium = calcium
        self.calcium[fired] += rule.amplitude

    def traces(self) -> dict[str, np.ndarray]:
        return {"calcium": np.broadcast_to(self.calcium, self.w.shape)}

    def settle(self, reward: int) -> None:
        pass


@learner.register
def _(rule: SDSP, synapses: Synapses) -> Learner:
    return SDSPSynapses(rule, synapses)
