"""Rate code: a random number for each channel, in block RAM.

::

    channel ──► [ r of the tick before ] ──► first ? seed : r ──► xorshift16 ─┬─► value > r ──► fired
                          ▲                                                   │
                          └───────────────────────────────────────────────────┘
"""

from amaranth.hdl import Module, Mux, Signal

from lifline.encoders import Rate
from lifline.encoders.integer.rate import STEP

from ..layout import address_bits
from ..memory import Ram
from ..plan import Memory
from .encoder import FrameEncoder, Slot, frame_encoder


class RateEncoder(FrameEncoder):
    """The equation of :class:`lifline.encoders.Rate`; parameters, members and latency as of :class:`FrameEncoder`."""

    @property
    def memories(self) -> list[Memory]:
        return [*super().memories, Memory("ram", "numbers", 16, self.channel_count)]

    def stages(self, m: Module, slot: Slot):
        encoder, channels = self.encoder, self.channel_count
        m.submodules.numbers = numbers = Ram(width=16, depth=channels)
        index = address_bits(channels)

        # seed + STEP · channel, of stage 1: one more with each value of a sample's first frame
        sequence = Signal(16, init=encoder.seed)
        with m.If(slot.move & slot.at(1, "value_enter")):
            m.d.sync += sequence.eq(sequence + STEP)
        seed = slot.later(Mux(sequence == 0, STEP, sequence), "seed")

        # r ^= r << 7, r ^= r >> 9, r ^= r << 8
        kept = slot.later(numbers.data, "kept")
        r0 = Signal(16)
        r1 = Signal(16)
        r2 = Signal(16)
        r = Signal(16)
        m.d.comb += [
            r0.eq(Mux(slot.first, seed, kept)),
            r1.eq(r0 ^ (r0 << 7)),
            r2.eq(r1 ^ (r1 >> 9)),
            r.eq(r2 ^ (r2 << 8)),
            numbers.en.eq(slot.move),
            numbers.address.eq(slot.at(0, "channel")[:index]),
            numbers.write.eq(slot.move & slot.at(2, "value_enter")),
            numbers.write_address.eq(slot.at(2, "channel")[:index]),
            numbers.write_data.eq(r),
        ]
        return slot.at(2, "value") > r[16 - encoder.value_bits :], slot.at(2, "channel")


@frame_encoder.register
def _(encoder: Rate, channels: int) -> FrameEncoder:
    return RateEncoder(encoder, channels)
