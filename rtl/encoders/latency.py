"""Latency code: the tick of each channel's spike, from its value, as often as the value comes.

::

    value ──► register ──► floor((~value · (ticks − 1) + 2^(b−1)) / 2^b) ──► = tick, value > threshold ──► fired
"""

from amaranth.hdl import Const, Module, Signal

from lifline.encoders import Latency

from ..arithmetic import times
from .encoder import FrameEncoder, Slot, frame_encoder


class LatencyEncoder(FrameEncoder):
    """The equation of :class:`lifline.encoders.Latency`; parameters and the rest as of :class:`FrameEncoder`."""

    def stages(self, m: Module, slot: Slot):
        encoder = self.encoder
        tick = Signal(range(encoder.ticks))
        with m.If(slot.move & slot.at(2, "marker_enter")):
            m.d.sync += tick.eq(tick + 1)

        # 2^b − 1 − value is value with all bits inverted
        product = times(~slot.at(1, "value"), Const(encoder.ticks - 1))
        rounded = product + (1 << (encoder.value_bits - 1))
        when = slot.later(rounded.shift_right(encoder.value_bits), "when")
        fired = (when == tick) & (slot.at(2, "value") > encoder.threshold)
        return fired, slot.at(2, "channel")


@frame_encoder.register
def _(encoder: Latency, channels: int) -> FrameEncoder:
    return LatencyEncoder(encoder, channels)
