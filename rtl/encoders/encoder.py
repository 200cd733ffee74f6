"""What every encoder's circuit is: a frame of values in, a tick of events out, one value a cycle.

::

    i ──► channel, value ──► [ stages of the kind, LATENCY − 1 ] ──► fired, address ──► output register ──► o
                                  ▲ memory of the kind ▲

All stages move together, whenever the output register is free.  A frame enters when the marker of the frame before has
left, so that what the kind keeps for a channel is written before it is read again.
"""

import functools
from typing import Any

from amaranth.hdl import Module, ResetInserter, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.encoders.integer import Encoder

from ..events import event_layout
from ..layout import address_bits
from ..memory import Rom
from ..plan import Memory


def value_layout(encoder: Encoder) -> data.StructLayout:
    """One raw value of a frame, or its end.

    Members: ``value``, unsigned, `encoder.value_bits` wide (without meaning in a marker); ``marker``, end of the frame.
    """
    return data.StructLayout({"value": unsigned(encoder.value_bits), "marker": unsigned(1)})


class FrameEncoder(wiring.Component):
    """Base of the kinds' circuits: makes a tick of events of each frame.

    Parameters
    ----------
    encoder : Encoder
    channels : int

    Members
    -------
    i : In(stream of value_layout(encoder))
        A frame: the values of channel 0, 1, … `channels` − 1, then a marker.
    o : Out(stream of event_layout(inputs))
        The spikes of the tick, by channel, then a marker.
    clear : In(1)
        Return to the start of a sample; what is in flight is dropped.

    Latency: the spike of a value accepted in cycle c is valid in cycle c + `LATENCY`, and so is the marker.
    Throughput: a value a cycle; without stalls a frame takes channels + 1 + `LATENCY` cycles.
    """

    LATENCY = 3

    def __init__(self, encoder: Encoder, channels: int) -> None:
        self.encoder: Any = encoder  # a kind has its own fields
        self.channel_count = channels
        self.inputs = encoder.inputs(channels)
        super().__init__(
            {
                "i": In(stream.Signature(value_layout(encoder))),
                "o": Out(stream.Signature(event_layout(self.inputs))),
                "clear": In(1),
            }
        )

    @property
    def roms(self) -> list[Rom]:
        """The memories that hold a file."""
        return []

    @property
    def memories(self) -> list[Memory]:
        """All its memories."""
        return [Memory("rom", rom.name, rom.width, len(rom.words)) for rom in self.roms]

    def stages(self, m: Module, slot: "Slot") -> tuple[Value, Value]:
        """Add what the kind does with a slot; return whether it spikes, and the input that does, for the last stage."""
        raise NotImplementedError

    def elaborate(self, platform):
        m = Module()
        inside = Module()
        move = Signal()
        enter = Signal()  # a slot of this frame comes: a value, or the marker
        waiting = Signal()  # the marker is on its way out
        first = Signal(init=1)  # of a sample: this frame
        channel = Signal(range(self.channel_count + 1))
        inside.d.comb += [
            move.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(move & ~waiting),
            enter.eq(self.i.valid & ~waiting),
        ]
        slot = Slot(inside, move, enter, channel, self.i.payload, first)
        fired, address = self.stages(inside, slot)
        o = Signal(self.o.payload.shape(), reset_less=True)
        last = self.LATENCY - 1
        value_is_there = slot.at(last, "value_enter")
        marker_is_there = slot.at(last, "marker_enter")
        inside.d.comb += self.o.payload.eq(o)
        with inside.If(move):
            inside.d.sync += [
                self.o.valid.eq(marker_is_there | (value_is_there & fired)),
                o.marker.eq(marker_is_there),
                o.address.eq(address),
            ]
            with inside.If(enter):
                inside.d.sync += [
                    channel.eq(channel + 1),
                    waiting.eq(self.i.payload.marker),
                ]
        with inside.If(self.o.valid & self.o.ready & o.marker):
            inside.d.sync += [waiting.eq(0), channel.eq(0), first.eq(0)]
        m.submodules.inside = ResetInserter(self.clear)(inside)
        return m


class Slot:
    """A value on its way through the stages, and registers that move with it.

    Stage 0 is what comes in; `at(n, name)` is a signal of stage 0 in stage n, made when it is first asked for.
    """

    def __init__(
        self, m: Module, move: Signal, enter: Signal, channel: Signal, payload, first: Signal
    ) -> None:
        self.m = m
        self.move = move
        value_enter = Signal()
        marker_enter = Signal()
        m.d.comb += [
            value_enter.eq(enter & ~payload.marker),
            marker_enter.eq(enter & payload.marker),
        ]
        self.first = first
        self._stages: dict[str, list[Value]] = {
            "value_enter": [value_enter],
            "marker_enter": [marker_enter],
            "channel": [channel],
            "value": [payload.value],
        }

    def at(self, stage: int, name: str) -> Value:
        """A signal of the slot, in a later stage; what says that there is a slot is reset, the rest is not."""
        signals = self._stages[name]
        while len(signals) <= stage:
            signals.append(self.later(signals[-1], name, reset_less=not name.endswith("_enter")))
        return signals[stage]

    def later(self, value: Value, name: str, *, reset_less: bool = True) -> Signal:
        """`value`, a stage later."""
        later = Signal(value.shape(), name=f"{name}_later", reset_less=reset_less)
        with self.m.If(self.move):
            self.m.d.sync += later.eq(value)
        return later


def per_channel(name: str, encoder: Encoder, field: str, channels: int) -> "Rom | int":
    """A field of a number for all channels, or for each: a constant, or a memory that `channel` addresses."""
    values = encoder.per_channel(field, channels)
    if (values == values[0]).all():
        return int(values[0])
    return Rom(name=name, width=encoder.value_bits, words=values.tolist())


def read(m: Module, slot: Slot, numbers: "Rom | int") -> Value | int:
    """A number of :func:`per_channel` in stage 2."""
    if isinstance(numbers, int):
        return numbers
    m.submodules += numbers
    m.d.comb += [
        numbers.en.eq(slot.move),
        numbers.address.eq(slot.at(0, "channel")[: address_bits(len(numbers.words))]),
    ]
    return slot.later(numbers.data, numbers.name.replace(".", "_"))


@functools.singledispatch
def frame_encoder(encoder: Encoder, channels: int) -> FrameEncoder:
    """The circuit of an encoder: register one for each type.

    Raises
    ------
    TypeError
        If the kind has none.
    """
    raise TypeError(
        f"the encoder {type(encoder).__name__} has no circuit: register one with frame_encoder"
    )
