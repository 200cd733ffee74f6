"""A UART, 8 data bits, no parity, one stop bit, as two stream components.

A frame on the line, each bit `divisor` clock cycles long, the least significant data bit first::

    ──┐     ┌────┬────┬─   ─┬────┬──────
      └─────┤ d0 │ d1 │  …  │ d7 │ stop
       start└────┴────┴─   ─┴────┘
"""

import operator

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from lifline.errors import InputError

_FRAME = 10  # start, eight data bits, stop


def divisor(clock_hz: float, baud: int) -> int:
    """Clock cycles of a bit.

    Raises
    ------
    InputError
        If no integer comes within 2 % of the wanted rate, which is what a UART tolerates.
    """
    cycles = round(clock_hz / baud)
    if cycles < 4 or abs(clock_hz / cycles / baud - 1) > 0.02:
        raise InputError(
            f"a clock of {clock_hz / 1e6:g} MHz cannot give {baud} baud within 2 %: choose another clock"
        )
    return cycles


def _check_divisor(value: int) -> int:
    cycles = operator.index(value)
    if cycles < 4:
        raise ValueError(f"divisor must be at least 4, not {value!r}")
    return cycles


class UARTReceiver(wiring.Component):
    """Receives bytes, sampling each bit in its middle.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit, at least 4.

    Members
    -------
    rx : In(1)
        The line, asynchronous to the clock.
    o : Out(stream)
        Each byte, for one cycle; there is no back-pressure.
    error : Out(1)
        For one cycle: a frame without its stop bit came, and no byte of it.

    Latency: 9.5 bits and 4 cycles from the start bit's edge to the byte.
    """

    def __init__(self, *, divisor: int) -> None:
        self.divisor = _check_divisor(divisor)
        super().__init__(
            {
                "rx": In(1, init=1),
                "o": Out(stream.Signature(8, always_ready=True)),
                "error": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()

        rx = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, rx, init=1)
        armed = Signal()  # the line has been idle since the last frame: a start bit may come
        remaining = Signal(range(_FRAME + 1))  # bits of the frame still to be sampled
        timer = Signal(range(self.divisor))  # cycles to the next sample
        bits = Signal(_FRAME - 1)  # the samples; the oldest lowest

        m.d.sync += [self.o.valid.eq(0), self.error.eq(0)]
        with m.If(remaining == 0):
            m.d.sync += armed.eq(rx)
            with m.If(armed & ~rx):
                m.d.sync += [remaining.eq(_FRAME), timer.eq(self.divisor // 2 - 1)]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [
                timer.eq(self.divisor - 1),
                bits.eq(Cat(bits[1:], rx)),
                remaining.eq(remaining - 1),
            ]
            with m.If((remaining == _FRAME) & rx):  # a glitch, no start bit
                m.d.sync += remaining.eq(0)
            with m.If(remaining == 1):
                m.d.sync += [
                    self.o.payload.eq(bits[1:]),
                    self.o.valid.eq(rx),
                    self.error.eq(~rx),
                    armed.eq(rx),
                ]
        return m


class UARTTransmitter(wiring.Component):
    """Sends bytes.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit, at least 4.

    Members
    -------
    i : In(stream)
        The bytes; one is accepted each 10 · `divisor` + 1 cycles.
    tx : Out(1)
        The line.
    """

    def __init__(self, *, divisor: int) -> None:
        self.divisor = _check_divisor(divisor)
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()

        remaining = Signal(range(_FRAME + 1))
        timer = Signal(range(self.divisor))
        bits = Signal(_FRAME, init=(1 << _FRAME) - 1)

        m.d.comb += [self.tx.eq(bits[0]), self.i.ready.eq(remaining == 0)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                bits.eq(Cat(Const(0, 1), self.i.payload, Const(1, 1))),
                remaining.eq(_FRAME),
                timer.eq(self.divisor - 1),
            ]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(remaining != 0):
            m.d.sync += [
                bits.eq(Cat(bits[1:], Const(1, 1))),
                remaining.eq(remaining - 1),
                timer.eq(self.divisor - 1),
            ]
        return m
