"""Raw samples in place of spikes, in gateware: their bytes become values, which an encoder in front of the core takes.

::

    bytes ──► values, a marker after each frame ──► EncoderCircuit ──► events
"""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.encoders import Encoder
from lifline.errors import InputError
from lifline.network import Network
from lifline.rtl.encoders import EncoderCircuit
from lifline.rtl.events import event_layout

from .protocol import MAX_TICKS, value_bytes


def check_encoder(encoder: Encoder, network: Network, max_ticks: int = MAX_TICKS) -> None:
    """Refuse an encoder that does not fit a network.

    Raises
    ------
    InputError
    """
    if network.input_bits > 1:
        raise InputError(
            f"{encoder!r} makes spikes, the network's inputs are values of {network.input_bits} bits: "
            "leave the encoder out and send them as they are"
        )
    if (encoder.frame_ticks or 0) > max_ticks:
        raise InputError(f"{encoder!r}: a board takes at most {max_ticks} ticks")
    encoder.check_channels(encoder.channels(network.inputs))


class RawDecoder(wiring.Component):
    """In the place of a :class:`lifline.boards.decoder.SampleDecoder`, with its members; of raw samples.

    Parameters
    ----------
    circuit : EncoderCircuit
    max_ticks : int

    Members
    -------
    i : In(stream)
        Bytes: of each frame the values of all channels, each in as few bytes as hold it, the lowest first.
    o : Out(stream of event_layout)
        Events and the markers that end ticks.
    between : Out(1)
        All bytes so far have become whole ticks, or are void.
    address_fault, ticks_fault : Out(1)
        Never; a tick was one too many: from there on all bytes are void.

    A byte is taken when all before it have become ticks or wait for the rest of their frame.  Where a sample is one
    frame, bytes after it are no whole frame, whatever they are.
    """

    def __init__(self, circuit: EncoderCircuit, *, max_ticks: int = MAX_TICKS) -> None:
        self.circuit = circuit
        self.max_ticks = max_ticks
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(event_layout(circuit.frames.inputs))),
                "between": Out(1),
                "address_fault": Out(1),
                "ticks_fault": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.circuit = circuit = self.circuit
        encoder = circuit.encoder
        size = value_bytes(encoder.value_bits)
        value = Signal(8 * size)
        digit = Signal(range(size + 1))  # bytes of the value that have come
        count = Signal(range(circuit.channels + 1))  # values of the frame
        frames = Signal(range(self.max_ticks + 1))
        left = Signal(range((encoder.frame_ticks or 1) + 1))  # markers that the frame will still give
        taken = Signal()
        wiring.connect(m, circuit.o, wiring.flipped(self.o))
        m.d.comb += [
            taken.eq(self.i.valid & self.i.ready),
            circuit.i.payload.value.eq(value),
        ]
        with m.If(self.o.valid & self.o.ready & self.o.payload.marker):
            m.d.sync += left.eq(left - 1)
        with m.FSM():
            with m.State("bytes"):
                m.d.comb += [self.i.ready.eq(1), self.between.eq((count == 0) & (digit == 0))]
                with m.If(taken):
                    m.d.sync += [value.eq(Cat(value, self.i.payload)[8:]), digit.eq(digit + 1)]
                    with m.If(digit == size - 1):
                        m.next = "value"
                    if encoder.frame_ticks is None:
                        with m.If(frames == self.max_ticks):
                            m.d.sync += self.ticks_fault.eq(1)
                            m.next = "void"
            with m.State("value"):
                m.d.comb += circuit.i.valid.eq(1)
                with m.If(circuit.i.ready):
                    m.d.sync += [count.eq(count + 1), digit.eq(0)]
                    m.next = "bytes"
                    with m.If(count == circuit.channels - 1):
                        m.next = "marker"
            with m.State("marker"):
                m.d.comb += [circuit.i.valid.eq(1), circuit.i.payload.marker.eq(1)]
                with m.If(circuit.i.ready):
                    m.d.sync += [left.eq(encoder.frame_ticks or 1), frames.eq(frames + 1), count.eq(0)]
                    m.next = "ticks"
            with m.State("ticks"), m.If(left == 0):
                m.next = "bytes" if encoder.frame_ticks is None else "done"
            with m.State("done"):
                m.d.comb += [self.i.ready.eq(1), self.between.eq(1)]
                with m.If(taken):
                    m.next = "beyond"
            with m.State("beyond"):
                m.d.comb += self.i.ready.eq(1)
            with m.State("void"):
                m.d.comb += [self.i.ready.eq(1), self.between.eq(1)]
        return m
