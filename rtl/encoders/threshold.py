"""Threshold: a comparison with a number of each channel, or one for all."""

from amaranth.hdl import Module

from lifline.encoders import Threshold

from ..memory import Rom
from .encoder import FrameEncoder, Slot, frame_encoder, per_channel, read


class ThresholdEncoder(FrameEncoder):
    """The equation of :class:`lifline.encoders.Threshold`; parameters and the rest as of :class:`FrameEncoder`."""

    def __init__(self, encoder: Threshold, channels: int) -> None:
        self.threshold = per_channel("encoder.threshold", encoder, "threshold", channels)
        super().__init__(encoder, channels)

    @property
    def roms(self) -> list[Rom]:
        return [self.threshold] if isinstance(self.threshold, Rom) else []

    def stages(self, m: Module, slot: Slot):
        threshold = read(m, slot, self.threshold)
        return slot.at(2, "value") > threshold, slot.at(2, "channel")


@frame_encoder.register
def _(encoder: Threshold, channels: int) -> FrameEncoder:
    return ThresholdEncoder(encoder, channels)
