"""LIF neurons, vectorised; integers are held in floats that hold them exactly."""

from __future__ import annotations

import numpy as np

from lifline.neurons import BETA_BITS, LIF, Reset

from .vectorised import Vectorised, float_for, spread, strongest, vectorised

_ONE = 1 << BETA_BITS


class LIFNeurons:
    """A population of LIF neurons in many samples at once.  In here, arrays are (samples, size)."""

    winners: int | None = None

    def __init__(self, neuron: LIF, samples: int, size: int, dtype: type[np.floating]) -> None:
        shape = (samples, size)
        self.neuron = neuron
        self.range = neuron.states[0].range
        self.beta = spread(neuron.beta, shape, dtype) / dtype(_ONE)
        self.threshold = spread(neuron.threshold, shape, dtype)
        self.bias = spread(neuron.bias, shape, dtype) if neuron.bias.any() else None
        self.v: np.ndarray = np.zeros(shape, dtype)
        self.s: np.ndarray = np.zeros(shape, bool)
        self.work: np.ndarray = np.empty(shape, dtype)
        if neuron.alpha is not None:
            self.alpha = spread(neuron.alpha, shape, np.int64)
            self.current = np.zeros(shape, np.int64)
        if neuron.adaptation is not None:
            self.rho = spread(neuron.adaptation.rho, shape, np.int64)
            self.jump = spread(neuron.adaptation.jump, shape, np.int64)
            self.adaptation = spread(neuron.adaptation.initial, shape, np.int64)
        if neuron.noise is not None:
            self.random = np.broadcast_to(neuron.noise.seed, shape).astype(np.uint16)

    def tick(self, x: np.ndarray, fired: np.ndarray, states: dict[str, np.ndarray]) -> None:
        neuron, work = self.neuron, self.work
        reset, delayed = neuron.reset, neuron.reset_delay
        if self.bias is not None:
            x += self.bias
        if neuron.alpha is not None:
            x[:] = states["current"][:] = self._filtered(x)
        limit = self._limit(states)
        if delayed and reset is Reset.ZERO:
            self.v = np.where(self.s, 0, self.v)
        x += np.floor(np.multiply(self.v, self.beta, out=work), out=work)
        if delayed and reset is Reset.SUBTRACT:
            x -= np.multiply(self.s, self.threshold, out=work)
        x.clip(*self.range, out=x)
        if self.winners is None:
            np.greater(x, limit, out=fired)
        else:
            fired[:] = strongest(x - limit, self.winners)
        if not delayed and reset is Reset.SUBTRACT:
            x -= np.multiply(fired, self.threshold, out=work)
            if limit is not self.threshold:  # else x > θ ≥ 0 where something is taken off
                x.clip(*self.range, out=x)
        elif not delayed and reset is Reset.ZERO:
            x[fired] = 0
        self.v, self.s = x, fired

    def _filtered(self, current: np.ndarray) -> np.ndarray:
        """c[t] from I[t]."""
        bits = self.neuron.current_bits
        kept = self.alpha * self.current >> BETA_BITS
        self.current = _sat(kept + current.astype(np.int64), bits)
        return self.current

    def _limit(self, states: dict[str, np.ndarray]) -> np.ndarray:
        """θ[t]: the threshold with its adaptation and noise."""
        limit = self.threshold
        if self.neuron.adaptation is not None:
            kept = self.rho * self.adaptation >> BETA_BITS
            self.adaptation = _sat(kept + self.jump * self.s, self.neuron.adaptation.bits)
            states["adaptation"][:] = self.adaptation
            limit = limit + self.adaptation
        if (noise := self.neuron.noise) is not None:
            r = self.random
            r ^= r << np.uint16(7)
            r ^= r >> np.uint16(9)
            r ^= r << np.uint16(8)
            states["noise"][:] = r
            limit = limit + noise.table[r.astype(np.int64) >> (16 - noise.index_bits)]
        return limit


@vectorised.register
def _(neuron: LIF, samples: int, size: int, dtype: type[np.floating]) -> Vectorised:
    return LIFNeurons(neuron, samples, size, dtype)


@float_for.register
def _(neuron: LIF, drive: int) -> type[np.floating]:
    """Every integer up to 2^24 in a float32, and every such integer / 256; in a float64 2^53.

    The latter the contract's ranges do not reach with weights that fit into any memory.
    """
    membrane = 2 ** (neuron.membrane_bits - 1)
    drive += int(abs(neuron.bias).max())
    if neuron.alpha is not None:
        drive += 2 ** (neuron.current_bits - 1)
    largest = max(drive + 2 * membrane, membrane << BETA_BITS)  # 2: the leaked membrane and θ
    return np.float32 if largest <= 2**24 else np.float64


def _sat(values: np.ndarray, bits: int) -> np.ndarray:
    return values.clip(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
