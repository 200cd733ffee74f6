"""Latency code in integers: time to first spike."""

from __future__ import annotations

import dataclasses

import numpy as np

from lifline.fields import integer

from .encoder import MAX_TICKS, Encoder


def _top(encoder: Latency) -> int:
    """2^value_bits − 1."""
    return 2**encoder.value_bits - 1


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Latency(Encoder):
    """A channel spikes once, the sooner the greater its value; one at or below `threshold` never does.

    For channel i, exactly, with b = value_bits::

        when[i] = floor(((2^b − 1 − value[i]) · (ticks − 1) + 2^(b−1)) / 2^b)
        s[i][t] = t = when[i]  and  value[i] > threshold

    It is :func:`lifline.encoders.latency` of value / (2^b − 1), but that it divides by 2^b: of the 256 values of 8 bits
    2 come a tick earlier with 6 ticks, 7 with 16, so a network that was trained with the one runs with the other.
    Source: S. Thorpe, A. Delorme and R. Van Rullen, "Spike-based strategies for rapid processing", Neural Networks
    14(6–7), 2001.
    """

    ticks: int = integer("ticks of a sample, which is one frame", low=1, high=MAX_TICKS)
    threshold: int = integer("a greater value spikes", low=0, high=_top, default=0)
    value_bits: int = integer("width of a value", low=1, high=16, default=8)

    @property
    def frame_ticks(self) -> int | None:
        return self.ticks

    def _spikes(self, frames: np.ndarray) -> np.ndarray:
        values = frames[:, :1]
        when = (_top(self) - values) * (self.ticks - 1) + 2 ** (self.value_bits - 1) >> self.value_bits
        spikes = when == np.arange(self.ticks)[:, None]
        return (spikes & (values > self.threshold)).astype(np.uint8)
