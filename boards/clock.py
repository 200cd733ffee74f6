"""What a board's design has whatever is in it: its clock, a crystal or a PLL fed by it, and pins that are held."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import io

from .board import Board, solve_pll


class ClockGenerator(Elaboratable):
    """Drives the domain ``sync`` with `clock_mhz`, in reset until the clock and the memories are ready.

    Whoever has it as a submodule defines the domain; without a PLL the platform does.
    """

    def __init__(self, board: Board, clock_mhz: float) -> None:
        self.board = board
        self.clock_mhz = clock_mhz
        self.pll = solve_pll(board, clock_mhz)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.pll is not None:
            pin = platform.request(platform.default_clk, dir="-")
            # nextpnr derives the frequency of the clock from that of the pin and the PLL's dividers.
            self.pll.drive_sync(m, self.board, self.clock_mhz, pin)
        return m


class HeldPins(Elaboratable):
    """Holds the pins high that a board must not leave open, such as the select of a flash on the UART's pins."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for name in self.board.held:
            m.submodules[name] = pin = io.Buffer("o", platform.request(name, 0, dir="-"))
            m.d.comb += pin.o.eq(1)
        return m
