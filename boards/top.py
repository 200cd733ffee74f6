"""The whole design of a board: UART, the exported accelerator, classifier, LEDs and clock.

::

    rx ──► UARTReceiver ──► HostLink ◄──► Accelerator ──trace──► Classifier
    tx ◄── UARTTransmitter ◄─────┘ ▲──────────── scores, class ──────┘

With weights in the board's flash, an :class:`.ImageReader` is in the place of the receiver at first.
"""

import re
from collections.abc import Mapping
from typing import Any

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Elaboratable,
    Instance,
    Module,
    Mux,
    ResetSignal,
    Signal,
    Value,
    unsigned,
)
from amaranth.lib import io, stream, wiring
from amaranth.lib.wiring import In, Out

from lifline import __version__
from lifline.encoders import Encoder
from lifline.network import Network
from lifline.rtl.events import event_layout, trace_layout
from lifline.rtl.load import load_layout, loadable
from lifline.rtl.plan import ArrayPlan
from lifline.rtl.plasticity.learner import REWARD
from lifline.rtl.port import PART_BITS
from lifline.storage import digest

from .board import Board
from .boot import FlashBuffers, FlashPins, ImageReader
from .classifier import Classifier
from .clock import ClockGenerator, HeldPins
from .image import NO_IMAGE, Images
from .link import HostLink, LinkOptions
from .protocol import DIGEST_BYTES, Identity, score_bits
from .uart import UARTReceiver, UARTTransmitter, divisor


class ExportedCore(wiring.Component):
    """The accelerator as :func:`lifline.rtl.export` has written it: an instance of that Verilog's top module.

    Parameters
    ----------
    network : Network
    arrays : dict of ArrayPlan
    top : str
        The module's name.

    Members
    -------
    i, o, clear, fault, load, loaded, learn, reward, trace_<output>
        As of :class:`lifline.rtl.Accelerator`, `load` and `loaded` where the arrays can be loaded, `learn` where one of
        them learns, `reward` where one needs it; traces of other populations, and of what is learned, are left open.
    """

    def __init__(self, network: Network, arrays: dict[str, ArrayPlan], top: str) -> None:
        self.top = top
        banks = [bank for array in arrays.values() if array.load for bank in loadable(array)]
        more = {"fault": Out(3 if banks else 2)}
        if banks:
            more["load"] = In(stream.Signature(load_layout(banks)))
            more["loaded"] = Out(stream.Signature(unsigned(PART_BITS)))
        if learns(arrays):
            more["learn"] = In(1)
        if rewarded(arrays):
            more["reward"] = In(REWARD)
        output = arrays[network.output]
        trace = stream.Signature(trace_layout(output), always_ready=True)
        super().__init__(
            {
                "i": In(stream.Signature(event_layout(network.inputs, network.input_bits))),
                "o": Out(stream.Signature(event_layout(output.population.size))),
                "clear": In(1),
                f"trace_{network.output}": Out(trace),
            }
            | more
        )

    def elaborate(self, platform):
        m = Module()
        ports = {"i_clk": ClockSignal(), "i_rst": ResetSignal(allow_reset_less=True)}
        for path, member, value in self.signature.flatten(self):
            signal = Value.cast(value)
            if isinstance(signal, Signal):  # not the constant `ready` of a trace
                ports[f"{'i' if member.flow is In else 'o'}_{'__'.join(path)}"] = signal
        m.submodules.core = Instance(self.top, **ports)
        return m


def learns(arrays: Mapping[str, ArrayPlan]) -> bool:
    """Whether the gateware of one of a network's populations learns."""
    return any(array.learns for array in arrays.values())


def rewarded(arrays: Mapping[str, ArrayPlan]) -> bool:
    """Whether one of them ends a sample with a signal of the host's."""
    return any(array.rewarded for array in arrays.values())


class System(wiring.Component):
    """An accelerator that speaks the protocol of :mod:`lifline.boards.protocol` over a UART.

    Parameters
    ----------
    network : Network
    core : Component
        The accelerator, with the trace of the output population.
    array : ArrayPlan
        The output population's gateware.
    divisor : float
        Clock cycles of a bit of the UART.
    identity : Identity
        What the board says that it is.
    options : LinkOptions
    images : Images, optional
        Of which the board reads one from its flash, at `offset`, before it listens to its UART.

    Members
    -------
    rx : In(1), tx : Out(1)
        The UART.
    result : Out
        The class of the last sample; 0 before the first.
    busy : Out(1)
        A sample has begun, and is not answered yet.
    flash : Out(FlashPins), booting : Out(1)
        With `images`: the flash, and whether it is read.
    """

    def __init__(
        self,
        network: Network,
        core: Any,
        array: ArrayPlan,
        *,
        divisor: float,
        identity: Identity,
        options: LinkOptions,
        images: Images | None = None,
        offset: int = 0,
    ) -> None:
        self.core = core
        load = getattr(core, "load", None)
        layout = None if load is None else load.payload.shape()
        self.receiver = UARTReceiver(divisor=divisor)
        self.transmitter = UARTTransmitter(divisor=divisor)
        self.classifier = Classifier(array, max_ticks=options.max_ticks)
        self.link = HostLink(
            network, self.classifier, identity=identity.data, options=options, load=layout,
            learns=identity.learns, rewarded=identity.rewarded,
        )  # fmt: skip
        self.reader = None
        if images is not None:
            self.reader = ImageReader(offset=offset, start=images.start, most=images.most)
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "result": Out(self.link.result.shape()),
                "busy": Out(1),
            }
            | ({} if images is None else {"flash": Out(FlashPins()), "booting": Out(1)})
        )

    def memory_files(self) -> dict[str, str]:
        """The files that its Verilog needs beside those of the core: path to text."""
        return {} if self.link.circuit is None else self.link.circuit.memory_files()

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = self.receiver
        m.submodules.link = link = self.link
        m.submodules.core = core = self.core
        m.submodules.classifier = classifier = self.classifier
        m.submodules.transmitter = transmitter = self.transmitter
        damaged = receiver.error
        if self.reader is None:
            wiring.connect(m, receiver.o, link.i)
        else:
            m.submodules.reader = reader = self.reader
            wiring.connect(m, reader.flash, wiring.flipped(self.flash))
            damaged = receiver.error & ~reader.busy
            m.d.comb += [
                self.booting.eq(reader.busy),
                link.i.payload.eq(Mux(reader.busy, reader.o.payload, receiver.o.payload)),
                link.i.valid.eq(Mux(reader.busy, reader.o.valid, receiver.o.valid)),
            ]
        wiring.connect(m, link.events, core.i)
        wiring.connect(m, core.o, link.spikes)
        if self.reader is None:
            wiring.connect(m, link.o, transmitter.i)
        else:  # the answers to what comes from the flash go nowhere
            m.d.comb += [
                transmitter.i.payload.eq(link.o.payload),
                transmitter.i.valid.eq(link.o.valid & ~self.booting),
                link.o.ready.eq(transmitter.i.ready | self.booting),
            ]
        if link.load_layout is not None:
            wiring.connect(m, link.load, core.load)
            wiring.connect(m, core.loaded, link.loaded)
        if link.learns:
            m.d.comb += core.learn.eq(link.learn)
        if link.rewarded:
            m.d.comb += core.reward.eq(link.reward)
        # The classifier reads the trace, which tells membranes as well.
        wiring.connect(m, getattr(core, f"trace_{classifier.array.population.name}"), classifier.trace)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            link.damaged.eq(damaged),
            core.clear.eq(link.clear),
            classifier.clear.eq(link.clear),
            classifier.step.eq(link.step),
            link.score.eq(classifier.score),
            link.scored.eq(classifier.done),
            link.winner.eq(classifier.o),
            self.result.eq(link.result),
            self.busy.eq(link.busy),
        ]
        return m


def identity_of(
    network: Network,
    arrays: Mapping[str, ArrayPlan],
    options: LinkOptions,
    *,
    clock_mhz: float,
    board: str = "",
    any_weights: bool = False,
    flash: bool = False,
) -> Identity:
    """What a board with this network says that it is; of no network where memories are empty at first.

    With `flash`, it then says that it has not found an image there.
    """
    output = network[network.output]
    major, minor, patch = map(int, re.findall(r"\d+", __version__)[:3])
    empty = any(array.spram for array in arrays.values())
    nothing = NO_IMAGE if flash else bytes(DIGEST_BYTES)
    return Identity(
        digest=nothing if empty else digest(network)[:DIGEST_BYTES],
        inputs=network.inputs,
        input_bits=network.input_bits,
        outputs=output.size,
        score_bytes=-(-score_bits(output, options.max_ticks) // 8),
        buffer=options.buffer,
        clock_khz=round(clock_mhz * 1000),
        loads=any(array.load for array in arrays.values()),
        learns=learns(arrays),
        rewarded=rewarded(arrays),
        any_weights=any_weights,
        populations=tuple((p.size, arrays[p.name].lanes) for p in network.populations),
        board=board,
        encoder="" if options.encoder is None else options.encoder.text,
        version=(major, minor, patch),
    )


class Top(Elaboratable):
    """A :class:`System` on a board's pins, under a clock of its choice.

    Parameters
    ----------
    board : Board
    network, core, arrays
        As for :class:`System`.
    clock_mhz : float
        The clock of everything.
    any_weights : bool
        As for :class:`lifline.rtl.Accelerator`.
    encoder : Encoder, optional
        Samples are raw values for it.
    images : Images, optional
        One is read from the board's flash when it starts.
    """

    def __init__(
        self,
        board: Board,
        network: Network,
        core: Any,
        arrays: Mapping[str, ArrayPlan],
        *,
        clock_mhz: float,
        any_weights: bool = False,
        encoder: Encoder | None = None,
        images: Images | None = None,
    ) -> None:
        self.board = board
        self.clock_mhz = clock_mhz
        options = LinkOptions.of_blocks(board.family.block_bits, encoder)
        self.system = System(
            network,
            core,
            arrays[network.output],
            divisor=divisor(clock_mhz * 1e6, board.baud),
            identity=identity_of(
                network, arrays, options, clock_mhz=clock_mhz, board=board.name,
                any_weights=any_weights, flash=images is not None,
            ),
            options=options,
            images=images,
            offset=board.weights_offset,
        )  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        m.submodules.clock = clock = ClockGenerator(self.board, self.clock_mhz)
        if clock.pll is not None:
            m.domains.sync = ClockDomain()
        m.submodules.system = system = self.system
        if self.board.held:
            m.submodules.held = HeldPins(self.board)

        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx_pin = rx = io.Buffer("i", uart.rx)
        m.submodules.tx_pin = tx = io.Buffer("o", uart.tx)
        m.d.comb += [system.rx.eq(rx.i), tx.o.eq(system.tx)]
        if system.reader is not None:
            m.submodules.flash = FlashBuffers(system.flash)
        for bit, number in enumerate(self.board.leds):
            led = platform.request("led", number, dir="-")
            m.submodules[f"led{bit}"] = pin = io.Buffer("o", led)
            m.d.comb += pin.o.eq(system.result.bit_select(bit, 1) if bit < len(system.result) else 0)
        return m
