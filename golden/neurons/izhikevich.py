"""Izhikevich's neurons, vectorised, in 64-bit integers."""

from __future__ import annotations

import numpy as np

from lifline.neurons import Izhikevich
from lifline.neurons.izhikevich import A_BITS, B_BITS, QUADRATIC

from .vectorised import Vectorised, strongest, vectorised


class IzhikevichNeurons:
    """A population of Izhikevich's neurons in many samples at once.  In here, arrays are (samples, size)."""

    winners: int | None = None

    def __init__(self, neuron: Izhikevich, samples: int, size: int) -> None:
        self.neuron = neuron
        membrane, recovery = neuron.states
        self.v = np.broadcast_to(membrane.initial, (samples, size)).astype(np.int64)
        self.u = np.broadcast_to(recovery.initial, (samples, size)).astype(np.int64)
        self.v_range, self.u_range = membrane.range, recovery.range

    def tick(self, x: np.ndarray, fired: np.ndarray, states: dict[str, np.ndarray]) -> None:
        n, v, u = self.neuron, self.v, self.u
        current = n.bias + (x.astype(np.int64) << n.gain)
        quadratic = QUADRATIC * (v * v >> n.fraction_bits) >> 16
        slope = quadratic + 5 * v + (140 << n.fraction_bits) - u + current
        charged = (v + (slope >> n.step_bits)).clip(*self.v_range)
        pull = n.a * ((n.b * v >> B_BITS) - u) >> (A_BITS + n.step_bits)
        recovered = (u + pull).clip(*self.u_range)

        if self.winners is None:
            np.greater(charged, n.threshold, out=fired)
        else:
            fired[:] = strongest(charged - n.threshold, self.winners)
        self.v = np.where(fired, n.c, charged)
        self.u = np.where(fired, (recovered + n.d).clip(*self.u_range), recovered)
        x[:] = self.v
        states["recovery"][:] = self.u


@vectorised.register
def _(neuron: Izhikevich, samples: int, size: int, dtype: type[np.floating]) -> Vectorised:
    return IzhikevichNeurons(neuron, samples, size)
