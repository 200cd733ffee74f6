"""Send-on-delta: the value that each channel last sent, in block RAM.

::

    channel ──► [ sent ] ──► register ──► value − sent, sent − value > threshold ──► fired, on or off
                   ▲                                   │
                   └──────────── value, where it fired, and in a sample's first frame
"""

from amaranth.hdl import Module, Mux, Signal

from lifline.encoders import SendOnDelta

from ..layout import address_bits
from ..memory import Ram, Rom
from ..plan import Memory
from .encoder import FrameEncoder, Slot, frame_encoder, per_channel, read


class SendOnDeltaEncoder(FrameEncoder):
    """The equation of :class:`lifline.encoders.SendOnDelta`; parameters and the rest as of :class:`FrameEncoder`."""

    def __init__(self, encoder: SendOnDelta, channels: int) -> None:
        self.threshold = per_channel("encoder.threshold", encoder, "threshold", channels)
        super().__init__(encoder, channels)

    @property
    def roms(self) -> list[Rom]:
        return [self.threshold] if isinstance(self.threshold, Rom) else []

    @property
    def memories(self) -> list[Memory]:
        return [*super().memories, Memory("ram", "memory", self.encoder.value_bits, self.channel_count)]

    def stages(self, m: Module, slot: Slot):
        encoder, channels = self.encoder, self.channel_count
        m.submodules.memory = memory = Ram(width=encoder.value_bits, depth=channels)
        index = address_bits(channels)
        sent = slot.later(memory.data, "sent")
        threshold = read(m, slot, self.threshold)
        value = slot.at(2, "value")
        on = Signal()
        off = Signal()
        m.d.comb += [
            on.eq(value - sent > threshold),
            off.eq(sent - value > threshold),
            memory.en.eq(slot.move),
            memory.address.eq(slot.at(0, "channel")[:index]),
            memory.write.eq(slot.move & slot.at(2, "value_enter") & (on | off | slot.first)),
            memory.write_address.eq(slot.at(2, "channel")[:index]),
            memory.write_data.eq(value),
        ]
        channel = slot.at(2, "channel")
        return (on | off) & ~slot.first, Mux(off, channel + channels, channel)


@frame_encoder.register
def _(encoder: SendOnDelta, channels: int) -> FrameEncoder:
    return SendOnDeltaEncoder(encoder, channels)
