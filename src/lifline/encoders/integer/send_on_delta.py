"""Send-on-delta in integers: events of changes."""

from __future__ import annotations

import dataclasses

import numpy as np

from lifline.errors import InputError
from lifline.fields import array, integer

from .encoder import Encoder


def _top(encoder: SendOnDelta) -> int:
    """2^value_bits − 1."""
    return 2**encoder.value_bits - 1


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SendOnDelta(Encoder):
    """A channel spikes when its value differs from the one that was last sent by more than `threshold`.

    For channel i of n, exactly::

        t = 0:   sent = value[i][0], no spike
        t > 0:   on = value[i][t] − sent > threshold,   off = sent − value[i][t] > threshold
                 s[i][t] = on,   s[n + i][t] = off,     sent = value[i][t] where on or off

    So it gives what :func:`lifline.encoders.send_on_delta` gives of the same integers; the sources are there.
    """

    threshold: np.ndarray = array(
        "a greater difference spikes", per="channel", axes=("channels",), low=0, high=_top, default=8
    )
    value_bits: int = integer("width of a value", low=1, high=16, default=8)

    def inputs(self, channels: int) -> int:
        return 2 * channels

    def channels(self, inputs: int) -> int:
        if inputs % 2:
            raise InputError(
                f"SendOnDelta: the network has {inputs} inputs, which are not as many on as off; "
                "it needs two for each channel"
            )
        return inputs // 2

    def _spikes(self, frames: np.ndarray) -> np.ndarray:
        samples, ticks, channels = frames.shape
        threshold = self.per_channel("threshold", channels)
        spikes = np.zeros((samples, ticks, 2 * channels), np.uint8)
        sent = frames[:, 0]
        for tick in range(1, ticks):
            change = frames[:, tick] - sent
            on, off = change > threshold, -change > threshold
            spikes[:, tick, :channels] = on
            spikes[:, tick, channels:] = off
            sent = np.where(on | off, frames[:, tick], sent)
        return spikes
