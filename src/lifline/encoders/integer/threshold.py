"""The simplest code: a value above a threshold is a spike."""

from __future__ import annotations

import dataclasses

import numpy as np

from lifline.fields import array, integer

from .encoder import Encoder


def _top(encoder: Threshold) -> int:
    """2^value_bits − 1."""
    return 2**encoder.value_bits - 1


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Threshold(Encoder):
    """In each tick a channel spikes if its value exceeds `threshold`: ``s[i][t] = value[i][t] > threshold[i]``."""

    threshold: np.ndarray = array(
        "a greater value spikes", per="channel", axes=("channels",), low=0, high=_top, default=127
    )
    value_bits: int = integer("width of a value", low=1, high=16, default=8)

    def _spikes(self, frames: np.ndarray) -> np.ndarray:
        return (frames > self.per_channel("threshold", frames.shape[2])).astype(np.uint8)
