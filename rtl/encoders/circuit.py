"""A whole encoder: any frames in, the events of a sample out.

::

    i ──► FrameFitter ──► FrameRepeater ──► FrameEncoder ──► o
          n values each   `ticks` times,    of the kind
                          where a sample is one frame
"""

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.encoders.integer import Encoder

from ..events import event_layout
from ..layout import address_bits
from ..memory import Ram
from ..plan import Memory
from .encoder import FrameEncoder, frame_encoder, value_layout


class FrameFitter(wiring.Component):
    """Gives every frame exactly `channels` values: values that are missing are 0, values too many are dropped.

    So what follows cannot lose its place; `misfit` says that it happened.

    Parameters
    ----------
    encoder : Encoder
    channels : int

    Members
    -------
    i, o : streams of value_layout(encoder)
    misfit : Out(1)
        A frame since reset had too few or too many values.

    Latency: none.  Throughput: a value a cycle.
    """

    def __init__(self, encoder: Encoder, channels: int) -> None:
        self.channel_count = channels
        layout = value_layout(encoder)
        super().__init__(
            {"i": In(stream.Signature(layout)), "o": Out(stream.Signature(layout)), "misfit": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        count = Signal(range(self.channel_count + 1))
        full = Signal()
        missing = Signal()
        excess = Signal()
        marker = self.i.payload.marker
        m.d.comb += [
            full.eq(count == self.channel_count),
            missing.eq(self.i.valid & marker & ~full),
            excess.eq(self.i.valid & ~marker & full),
            self.o.valid.eq(self.i.valid & ~excess),
            self.o.payload.value.eq(Mux(missing, 0, self.i.payload.value)),
            self.o.payload.marker.eq(marker & full),
            self.i.ready.eq(Mux(full & ~marker, 1, self.o.ready & ~missing)),
        ]
        with m.If(missing | excess):
            m.d.sync += self.misfit.eq(1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += count.eq(Mux(full, 0, count + 1))
        return m


class FrameRepeater(wiring.Component):
    """Keeps one frame and gives it again and again.

    Parameters
    ----------
    encoder : Encoder
        Whose `frame_ticks` is how often.
    channels : int

    Members
    -------
    i, o : streams of value_layout(encoder)
        Frames of `channels` values and a marker.

    Latency: the first value is valid 2 cycles after the marker was accepted.  Throughput: a value, or marker, a cycle.
    """

    LATENCY = 2

    def __init__(self, encoder: Encoder, channels: int) -> None:
        if encoder.frame_ticks is None:
            raise ValueError(f"{encoder!r} takes a frame a tick: there is none to repeat")
        self.encoder = encoder
        self.channel_count = channels
        self.times = encoder.frame_ticks
        layout = value_layout(encoder)
        super().__init__({"i": In(stream.Signature(layout)), "o": Out(stream.Signature(layout))})

    def elaborate(self, platform):
        m = Module()
        channels = self.channel_count
        m.submodules.frame = frame = Ram(width=self.encoder.value_bits, depth=channels)
        giving = Signal()  # the frame is whole
        index = Signal(
            range(channels + 1)
        )  # of the value that comes, or is read; `channels`: the marker
        given = Signal(range(self.times))  # whole frames
        last = Signal()
        move = Signal()
        marker = Signal()
        m.d.comb += [
            last.eq(index == channels),
            move.eq(giving & (~self.o.valid | self.o.ready)),
            self.i.ready.eq(~giving & ~self.o.valid),
            frame.write.eq(self.i.valid & self.i.ready & ~self.i.payload.marker),
            frame.write_address.eq(index[: address_bits(channels)]),
            frame.write_data.eq(self.i.payload.value),
            frame.en.eq(move),
            frame.address.eq(Mux(last, 0, index)[: address_bits(channels)]),
            self.o.payload.value.eq(frame.data),
            self.o.payload.marker.eq(marker),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += index.eq(Mux(self.i.payload.marker, 0, index + 1))
            m.d.sync += giving.eq(self.i.payload.marker)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(move):
            m.d.sync += [self.o.valid.eq(1), marker.eq(last), index.eq(Mux(last, 0, index + 1))]
            with m.If(last):
                m.d.sync += given.eq(Mux(given == self.times - 1, 0, given + 1))
                with m.If(given == self.times - 1):
                    m.d.sync += giving.eq(0)
        return m


class EncoderCircuit(wiring.Component):
    """An encoder in front of an accelerator: raw values in, input events out, those of `encoder.encode`.

    Parameters
    ----------
    encoder : Encoder
    inputs : int
        Of the network.

    Members
    -------
    i : In(stream of value_layout(encoder))
        A frame: the values of channel 0, 1, … `channels` − 1, then a marker.  One frame a sample where
        `encoder.frame_ticks` is a number, else one a tick.
    o : Out(stream of event_layout(inputs))
        The spikes of a tick, each once, in an order that is fixed, then a marker; tick after tick.
    clear : In(1)
        Return to the start of a sample; what is in flight is dropped.  It comes before each sample but the first.
    misfit : Out(1)
        A frame since `clear` had too few values, which count as 0, or too many, which were dropped.

    Raises
    ------
    InputError
        If the encoder's fields do not fit the number of channels, or the number of inputs.

    Latency and throughput, where neither side stalls; L is `FrameEncoder.LATENCY`: with a frame a tick, the marker of a
    frame accepted in cycle c is valid at `o` in cycle c + L, and the next frame is accepted from c + L + 1 on, so that
    a tick takes channels + 1 + L cycles.  With a frame a sample, the marker of tick t is valid at `o` in cycle
    c + 2 + channels + L + t · (channels + 1 + L): :func:`cycles`.
    """

    def __init__(self, encoder: Encoder, inputs: int) -> None:
        self.encoder = encoder
        self.channels = encoder.channels(inputs)
        self.fitter = FrameFitter(encoder, self.channels)
        self.repeater: FrameRepeater | None = None
        if encoder.frame_ticks is not None:
            self.repeater = FrameRepeater(encoder, self.channels)
        self.frames: FrameEncoder = frame_encoder(encoder, self.channels)
        super().__init__(
            {
                "i": In(stream.Signature(value_layout(encoder))),
                "o": Out(stream.Signature(event_layout(inputs))),
                "clear": In(1),
                "misfit": Out(1),
            }
        )

    def cycles(self, ticks: int | None = None) -> int:
        """Cycles from the first value accepted to the last marker valid, of a sample, where neither side stalls.

        Parameters
        ----------
        ticks : int, optional
            Of the sample; by default the encoder's.
        """
        ticks = ticks or self.encoder.frame_ticks
        if ticks is None:
            raise ValueError("ticks must be given: the encoder takes a frame a tick")
        frame = self.channels + 1 + FrameEncoder.LATENCY
        if self.repeater is None:
            return ticks * frame - 1
        return self.channels + FrameRepeater.LATENCY + ticks * frame - 1

    @property
    def memories(self) -> list[Memory]:
        """All its memories."""
        frame = Memory("ram", "frame", self.encoder.value_bits, self.channels)
        return [*self.frames.memories, *([] if self.repeater is None else [frame])]

    def memory_files(self) -> dict[str, str]:
        """The files that the Verilog of this design needs beside it: path to text."""
        return {path: text for rom in self.frames.roms for path, text in rom.files.items()}

    def elaborate(self, platform):
        m = Module()
        inside = Module()
        inside.submodules.fitter = fitter = self.fitter
        m.submodules.encoder = encoder = self.frames
        values = fitter.o
        if self.repeater is not None:
            inside.submodules.repeater = repeater = self.repeater
            wiring.connect(inside, fitter.o, repeater.i)
            values = repeater.o
        wiring.connect(m, values, encoder.i)
        wiring.connect(m, wiring.flipped(self.i), fitter.i)
        wiring.connect(m, encoder.o, wiring.flipped(self.o))
        m.d.comb += [encoder.clear.eq(self.clear), self.misfit.eq(fitter.misfit)]
        m.submodules.frames = ResetInserter(self.clear)(inside)
        return m


def make(encoder: Encoder, inputs: int) -> EncoderCircuit:
    """The circuit of an encoder for a network with so many inputs."""
    return EncoderCircuit(encoder, inputs)
