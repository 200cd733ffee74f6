"""Rate code in integers: a random number for each channel and tick."""

from __future__ import annotations

import dataclasses

import numpy as np

from lifline.fields import integer

from .encoder import MAX_TICKS, Encoder

#: From one channel's seed to the next: odd, so that 65,536 channels differ, and 2^16 times the golden ratio, so
#: that neighbours are far apart.
STEP = 40503


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Rate(Encoder):
    """In each tick a channel spikes with a probability of about value / 2^value_bits.

    For channel i, exactly, with b = value_bits::

        r[i][t] = xorshift16(r[i][t−1]),   r[i][−1] = (seed + 40503 · i) mod 2^16, or 40503 where that is 0
        s[i][t] = value[i] > floor(r[i][t] / 2^(16 − b))

    xorshift16 is r ^= r << 7, r ^= r >> 9, r ^= r << 8, in 16 bits.  Its 65,535 states are all but 0, so that the
    probability is (value · 2^(16−b) − 1) / 65,535 for a value above 0: of 8-bit values exactly 255/65,535 for 1 and
    65,279/65,535 for 255.  The numbers belong to the channel: neither its neighbours nor earlier samples matter, and
    the same sample gives the same spikes.  Source of the generator: G. Marsaglia, "Xorshift RNGs", Journal of
    Statistical Software 8(14), 2003, with the shifts that the contract's noise has.
    """

    ticks: int = integer(
        "ticks of a sample, which is one frame; 0: a frame a tick, rates that vary in time",
        low=0,
        high=MAX_TICKS,
    )
    seed: int = integer("of the random numbers", low=0, high=2**16 - 1, default=1)
    value_bits: int = integer("width of a value", low=1, high=16, default=8)

    @property
    def frame_ticks(self) -> int | None:
        return self.ticks or None

    def seeds(self, channels: int) -> np.ndarray:
        """r[−1] of each channel, int64."""
        seeds = (self.seed + STEP * np.arange(channels, dtype=np.int64)) % 2**16
        return np.where(seeds == 0, STEP, seeds)

    def _spikes(self, frames: np.ndarray) -> np.ndarray:
        spikes = np.empty(frames.shape, np.uint8)
        r = self.seeds(frames.shape[2])
        for tick in range(frames.shape[1]):
            r = r ^ r << 7 & 0xFFFF
            r = r ^ r >> 9
            r = r ^ r << 8 & 0xFFFF
            spikes[:, tick] = frames[:, tick] > r >> 16 - self.value_bits
        return spikes
