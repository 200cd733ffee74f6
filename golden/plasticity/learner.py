"""What the engine asks of a rule, and what serves where a rule does not have it: the reference."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from lifline.golden import rules
from lifline.plasticity import Plasticity
from lifline.synapses import Synapses

#: For each delay that the synapses hold: the sources whose spikes of so many ticks ago arrive, ascending.
Arrivals = Mapping[int, np.ndarray]


class Learner(Protocol):
    """The synapses of a projection in one sample after the other."""

    w: np.ndarray  #: int64 (source size, target size)
    delays: tuple[int, ...]  #: all that there are

    def start(self) -> None:
        """A sample starts."""
        ...

    def current(self, arrivals: Arrivals) -> np.ndarray:
        """Σ w · s of a tick, int64 (target size,)."""
        ...

    def tick(self, arrivals: Arrivals, fired: np.ndarray, membrane: np.ndarray) -> None:
        """The end of a tick.

        Parameters
        ----------
        arrivals : Arrivals
        fired : int64
            The neurons that have spiked, ascending indices.
        membrane : int64 (target size,)
            Of the targets, at the end of the tick before.
        """
        ...

    def traces(self) -> dict[str, np.ndarray]:
        """What else each synapse keeps, by name, (source size, target size)."""
        ...

    def settle(self, reward: int) -> None:
        """The end of a sample, with the host's signal (0 where there is none)."""
        ...


@functools.singledispatch
def learner(rule: Plasticity, synapses: Synapses) -> Learner:
    """The synapses of a projection with this rule, before the first sample."""
    return ByReference(rule, synapses)


class ByReference:
    """Any rule, by the reference's functions: slow, and right."""

    def __init__(self, rule: Plasticity, synapses: Synapses) -> None:
        self.rule, self.synapses = rule, synapses
        self.bits = synapses.weight_bits
        _, self.delay = synapses.dense()
        self.delays = tuple(int(d) for d in np.unique(self.delay))
        self.w = rule.start(synapses)
        self.start()

    def start(self) -> None:
        self.t = 0
        self.kept = {(j, i): rules.start(self.rule, int(w)) for (j, i), w in np.ndenumerate(self.w)}

    def _arrived(self, arrivals: Arrivals, j: int, i: int) -> int:
        return int(j in arrivals[int(self.delay[j, i])])

    def current(self, arrivals: Arrivals) -> np.ndarray:
        total = np.zeros(self.w.shape[1], np.int64)
        for (j, i), synapse in self.kept.items():
            total[i] += (synapse.w >> self.rule.fraction_bits) * self._arrived(arrivals, j, i)
        return total

    def tick(self, arrivals: Arrivals, fired: np.ndarray, membrane: np.ndarray) -> None:
        for (j, i), synapse in self.kept.items():
            s_pre, s_post = self._arrived(arrivals, j, i), int(i in fired)
            now = rules.Moment(self.t, j, i, s_pre, s_post, int(membrane[i]))
            self.kept[j, i] = rules.learn(self.rule, self.bits, synapse, now)
        self.t += 1

    def traces(self) -> dict[str, np.ndarray]:
        traces = {name: np.zeros(self.w.shape, np.int64) for name in self.rule.traces}
        for (j, i), synapse in self.kept.items():
            for name, value in synapse.traces.items():
                traces[name][j, i] = value
        return traces

    def settle(self, reward: int) -> None:
        for i in range(self.w.shape[1]):
            of = [
                rules.reward(self.rule, self.bits, self.kept[j, i], reward, self.t, j, i).w
                for j in range(self.w.shape[0])
            ]
            self.w[:, i] = rules.settle(self.rule, self.bits, of)
        self.rule, _ = self.rule.taught(self.synapses, self.w)
