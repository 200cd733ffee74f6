"""Lattice's iCE40: HX, LP and UltraPlus."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from .family import PLL, TOLERANCE, Area, Family

if TYPE_CHECKING:
    from ..board import Board


@dataclasses.dataclass(frozen=True)
class ICE40PLL(PLL):
    """Dividers of an iCE40 PLL: output = reference · (divf + 1) / ((divr + 1) · 2^divq)."""

    divr: int
    divf: int
    divq: int
    filter_range: int

    @classmethod
    def solve(cls, reference_mhz: float, output_mhz: float) -> ICE40PLL | None:
        """The dividers that give exactly `output_mhz`, or None.

        The limits are those of Lattice's TN1251: phase detector at 10 … 133 MHz, oscillator at
        533 … 1066 MHz, output at 16 … 275 MHz.
        """
        if not 16 <= output_mhz <= 275:
            return None
        for divr in range(16):
            detector = reference_mhz / (divr + 1)
            if not 10 <= detector <= 133:
                continue
            filter_range = 1 + sum(detector >= limit for limit in (17, 26, 44, 66, 101))
            for divq in range(1, 7):
                divf = round(output_mhz * 2**divq / detector) - 1
                oscillator = detector * (divf + 1)
                if (
                    0 <= divf < 128
                    and 533 <= oscillator <= 1066
                    and abs(oscillator / 2**divq / output_mhz - 1) < TOLERANCE
                ):
                    return cls(divr, divf, divq, filter_range)
        return None

    def drive_sync(self, m: Any, board: Board, clock_mhz: float, pin: Any) -> None:
        """Add the PLL; the reset lasts 15 µs longer, since block RAMs read as zeros for some 3 µs at first."""
        from amaranth.hdl import ClockDomain, ClockSignal, Const, Instance, ResetSignal, Signal
        from amaranth.lib import io

        clock = Signal()
        locked = Signal()
        if board.pll_pad:
            kind, reference = "SB_PLL40_PAD", {"i_PACKAGEPIN": pin.io}
        else:
            m.submodules.pin = buffer = io.Buffer("i", pin)
            kind, reference = "SB_PLL40_CORE", {"i_REFERENCECLK": buffer.i}
        m.submodules.pll = Instance(
            kind,
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=Const(self.divr, 4),
            p_DIVF=Const(self.divf, 7),
            p_DIVQ=Const(self.divq, 3),
            p_FILTER_RANGE=Const(self.filter_range, 3),
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=clock,
            o_LOCK=locked,
            **reference,
        )
        ready = Signal()
        timer = Signal(range(int(15 * clock_mhz)), init=int(15 * clock_mhz) - 1)
        m.domains.por = por = ClockDomain(reset_less=True, local=True)
        m.d.comb += [ClockSignal().eq(clock), por.clk.eq(clock), ResetSignal().eq(~ready)]
        with m.If(timer != 0):
            m.d.por += timer.eq(timer - locked)
        with m.Else():
            m.d.por += ready.eq(1)


ICE40 = Family(
    name="ice40",
    nextpnr="nextpnr-ice40",
    routed="--asc",
    placers=("heap",),
    pack="icepack",
    suffix=".bin",
    # A logic cell holds a look-up table and a flip-flop, and nextpnr counts cells.
    resources={"luts": "ICESTORM_LC", "brams": "ICESTORM_RAM", "dsps": "ICESTORM_DSP"},
    ff_cells="SB_DFF",
    with_dsps="-dsp",
    without_dsps="",
    pll=ICE40PLL,
    bram_shapes=((256, 16), (512, 8), (1024, 4), (2048, 2)),
    block_bits=4096,
    ram_bits=75,
    rom_bits=1024,
    # Fitted by `python -m benchmarks area`.
    area=Area(base=1213, sums=6.43, choices=1.28, adders=1.70, multiplier=308, ffs=0.53),
    models="ice40/cells_sim.v",
    own_models="ice40_models.v",
    defines=("NO_ICE40_DEFAULT_ASSIGNMENTS",),
)
