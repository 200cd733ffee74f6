"""Weights from the board's flash when it starts, in gateware: the flash is the board's first host.

::

    flash ──SPI──► ImageReader ──► bytes of frames ──► HostLink, as if they came over the line

Of an SPI flash it takes what all have: 0xab wakes it, for an FPGA may have put it to sleep after configuration, and
0x03 with three bytes of an address reads from there on, in SPI's mode 0.
"""

import operator
from typing import Any

from amaranth.hdl import Array, Cat, Elaboratable, Module, Mux, Signal
from amaranth.lib import io, stream, wiring
from amaranth.lib.wiring import In, Out

from .image import BUILD_BYTES, LENGTH_BYTES, MAGIC

WAKE, READ = 0xAB, 0x03

#: Clock cycles of a byte: four for each bit, and as many more as the link needs between two bytes.
BYTE_CYCLES = 40
#: Clock cycles after waking it; a W25Q128JV needs 3 µs, others up to 30.
WAKE_CYCLES = 1023


def ready_cycles(image: bytes) -> int:
    """Clock cycles from a board's reset until it has read an image."""
    commands = 1 + 4  # wake; read, and an address
    return BYTE_CYCLES * (commands + len(image)) + WAKE_CYCLES + 1


class FlashPins(wiring.Signature):
    """An SPI flash, as the FPGA has it.

    Members
    -------
    select : Out(1)
        High while a command goes on; the pin is the inverse.
    clk, copi : Out(1)
    cipo : In(1)
    """

    def __init__(self) -> None:
        super().__init__({"select": Out(1), "clk": Out(1), "copi": Out(1), "cipo": In(1)})


class ImageReader(wiring.Component):
    """Reads an image of :mod:`lifline.boards.image`, once, after reset.

    Parameters
    ----------
    offset : int
        Where in the flash it is, in bytes.
    start : bytes
        Its first bytes: magic and build.  What begins otherwise is not read.
    most : int
        Bytes after the header, at most: what the header says beyond that is cut off.

    Members
    -------
    flash : Out(FlashPins)
    o : Out(stream, always ready)
        The bytes after the header.
    busy : Out(1)
        Until all is read, or nothing is there.

    Latency: :func:`ready_cycles` of an image.

    Raises
    ------
    ValueError
        If `offset` is beyond three bytes.
    """

    def __init__(self, *, offset: int, start: bytes, most: int) -> None:
        self.offset = operator.index(offset)
        if not 0 <= self.offset < 1 << 24:
            raise ValueError(f"offset must be in 0 … 2^24 - 1, not {offset!r}")
        if len(start) != len(MAGIC) + BUILD_BYTES:
            raise ValueError(f"start must have {len(MAGIC) + BUILD_BYTES} bytes, not {start!r}")
        self.start = bytes(start)
        self.most = operator.index(most)
        super().__init__(
            {
                "flash": Out(FlashPins()),
                "o": Out(stream.Signature(8, always_ready=True)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        flash = self.flash
        running = Signal()  # a byte goes out and one comes in
        cycle = Signal(range(BYTE_CYCLES))
        shift = Signal(8, init=WAKE)  # out of its top, into its bottom
        ended = Signal()
        index = Signal(range(len(self.start) + LENGTH_BYTES))
        left = Signal(range(max(self.most, WAKE_CYCLES) + 1), init=WAKE_CYCLES)
        address = Array(self.offset.to_bytes(3, "big"))
        expected = Array(self.start)

        m.d.comb += [
            self.busy.eq(1),
            flash.select.eq(running),
            flash.copi.eq(shift[7]),
            ended.eq(cycle == BYTE_CYCLES - 1),
            self.o.payload.eq(shift),
        ]
        # A bit takes four cycles: the clock is low in two, and rises when either side has the other's bit.
        bit = Signal()
        m.d.comb += bit.eq(running & (cycle < 4 * len(shift)))
        m.d.sync += flash.clk.eq(bit & cycle[1])
        with m.If(running):
            m.d.sync += cycle.eq(Mux(ended, 0, cycle + 1))
        with m.If(bit & cycle[:2].all()):
            m.d.sync += shift.eq(Cat(flash.cipo, shift[:7]))

        with m.FSM():
            with m.State("wake"):
                m.d.comb += running.eq(1)
                with m.If(ended):
                    m.next = "pause"
            with m.State("pause"):
                m.d.sync += [left.eq(left - 1), shift.eq(READ)]
                with m.If(left == 0):
                    m.next = "address"
            with m.State("address"):
                m.d.comb += running.eq(1)
                with m.If(ended):
                    m.d.sync += [index.eq(index + 1), shift.eq(address[index])]
                    with m.If(index == len(address)):
                        m.d.sync += index.eq(0)
                        m.next = "header"
            with m.State("header"):
                m.d.comb += running.eq(1)
                with m.If(ended):
                    m.d.sync += index.eq(index + 1)
                    with m.If((index < len(self.start)) & (shift != expected[index])):
                        m.next = "done"
                    with m.Switch(index):
                        for byte in range(LENGTH_BYTES):
                            with m.Case(len(self.start) + byte):
                                m.d.sync += left[8 * byte : 8 * byte + 8].eq(shift)
                    with m.If(index == len(self.start) + LENGTH_BYTES - 1):
                        m.next = "frames"
            with m.State("frames"):
                m.d.comb += [running.eq(1), self.o.valid.eq(ended)]
                with m.If(ended):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left <= 1):
                        m.next = "done"
            with m.State("done"):
                m.d.comb += self.busy.eq(0)
        return m


class FlashBuffers(Elaboratable):
    """Joins FlashPins to the pins of the board's ``spi_flash_1x``; holds its other pins idle."""

    def __init__(self, flash: Any) -> None:
        self.flash = flash

    def elaborate(self, platform):
        m = Module()
        pins = platform.request("spi_flash_1x", 0, dir="-")
        m.submodules.cipo = cipo = io.Buffer("i", pins.cipo)
        m.d.comb += self.flash.cipo.eq(cipo.i)
        for name, value in (
            ("cs", self.flash.select),
            ("clk", self.flash.clk),
            ("copi", self.flash.copi),
            ("wp", 0),
            ("hold", 0),
        ):
            if hasattr(pins, name):
                m.submodules[name] = pin = io.Buffer("o", getattr(pins, name))
                m.d.comb += pin.o.eq(value)
        return m
