"""A UART, 8 data bits, no parity, one stop bit, as two stream components.

A frame on the line, each bit `divisor` clock cycles long, the least significant data bit first; where these are no
whole number, each edge is rounded to the nearest cycle, so that no error adds up::

    ──┐     ┌────┬────┬─   ─┬────┬──────
      └─────┤ d0 │ d1 │  …  │ d7 │ stop
       start└────┴────┴─   ─┴────┘
"""

import itertools

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from lifline.errors import InputError

_FRAME = 10  # start, eight data bits, stop

#: A bit is at least so many clock cycles.
LEAST_CYCLES = 4


def divisor(clock_hz: float, baud: int) -> float:
    """Clock cycles of a bit, which need not be a whole number: an edge is then at most half a cycle off.

    Raises
    ------
    InputError
        If they are fewer than 4.
    """
    cycles = clock_hz / baud
    if cycles < LEAST_CYCLES:
        raise InputError(
            f"a clock of {clock_hz / 1e6:g} MHz cannot give {baud} baud, of which a bit must be at least "
            f"{LEAST_CYCLES} clock cycles: choose a faster clock, or at most {int(clock_hz / LEAST_CYCLES)} baud"
        )
    return cycles


def _check_divisor(value: float) -> float:
    if not value >= LEAST_CYCLES:
        raise ValueError(f"divisor must be at least {LEAST_CYCLES}, not {value!r}")
    return value


def _periods(divisor: float, first: float) -> list[int]:
    """Cycles from one point of a frame to the next, each rounded: `first` bits after its start, then a bit each."""
    points = [0, *(int(divisor * (first + bit) + 0.5) for bit in range(_FRAME))]
    return [after - before for before, after in itertools.pairwise(points)]


def _next_period(remaining: Signal, periods: list[int]):
    """The period after the point at which so many points, itself among them, are still to come."""
    least = min(periods[1:])
    longer = Const(
        sum((period > least) << (_FRAME + 1 - k) for k, period in enumerate(periods) if k), _FRAME + 1
    )
    return least + longer.bit_select(remaining, 1) if longer.value else Const(least)


class UARTReceiver(wiring.Component):
    """Receives bytes, sampling each bit in its middle.

    Parameters
    ----------
    divisor : float
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

    def __init__(self, *, divisor: float) -> None:
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
        periods = _periods(self.divisor, 0.5)
        timer = Signal(range(max(periods)))  # cycles to the next sample
        bits = Signal(_FRAME - 1)  # the samples; the oldest lowest

        m.d.sync += [self.o.valid.eq(0), self.error.eq(0)]
        with m.If(remaining == 0):
            m.d.sync += armed.eq(rx)
            with m.If(armed & ~rx):
                m.d.sync += [remaining.eq(_FRAME), timer.eq(periods[0] - 1)]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [
                timer.eq(_next_period(remaining, periods) - 1),
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
    divisor : float
        Clock cycles of a bit, at least 4.

    Members
    -------
    i : In(stream)
        The bytes; one is accepted each 10 bits and a cycle.
    tx : Out(1)
        The line.
    """

    def __init__(self, *, divisor: float) -> None:
        self.divisor = _check_divisor(divisor)
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()

        remaining = Signal(range(_FRAME + 1))
        periods = _periods(self.divisor, 1)
        timer = Signal(range(max(periods)))
        bits = Signal(_FRAME, init=(1 << _FRAME) - 1)

        m.d.comb += [self.tx.eq(bits[0]), self.i.ready.eq(remaining == 0)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                bits.eq(Cat(Const(0, 1), self.i.payload, Const(1, 1))),
                remaining.eq(_FRAME),
                timer.eq(periods[0] - 1),
            ]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(remaining != 0):
            m.d.sync += [
                bits.eq(Cat(bits[1:], Const(1, 1))),
                remaining.eq(remaining - 1),
                timer.eq(_next_period(remaining, periods) - 1),
            ]
        return m
