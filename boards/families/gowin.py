"""Gowin's LittleBee (GW1N) and Arora (GW2A), through nextpnr's himbaechel and apycula."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from .family import PLL, TOLERANCE, Area, Family, drive_reset

if TYPE_CHECKING:
    from ..board import Board


@dataclasses.dataclass(frozen=True)
class GowinPLL(PLL):
    """Dividers of an rPLL: output = reference · (feedback + 1) / (input + 1), oscillator = output · output divider."""

    input_select: int  #: IDIV_SEL
    feedback_select: int  #: FBDIV_SEL
    output_divider: int  #: ODIV_SEL

    @classmethod
    def solve(cls, reference_mhz: float, output_mhz: float) -> GowinPLL | None:
        """The dividers that give exactly `output_mhz`, or None; the oscillator as near to 850 MHz as can be.

        The limits hold for the GW1N-9C in speed grade 6 and the GW2A-18 in grade 8 (``gowin_pll``): phase detector
        at 3 … 400 MHz, oscillator at 500 … 1200 MHz, output at 3.9 … 600 MHz.
        """
        if not 3.90625 <= output_mhz <= 600:
            return None
        found = []
        for divider in range(1, 65):
            detector = reference_mhz / divider
            feedback = round(output_mhz / detector)
            exact = feedback and abs(detector * feedback / output_mhz - 1) < TOLERANCE
            if 3 <= detector <= 400 and 1 <= feedback <= 64 and exact:
                found += [
                    cls(divider - 1, feedback - 1, output)
                    for output in (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)
                    if 500 <= output_mhz * output <= 1200
                ]
        return min(found, key=lambda pll: abs(output_mhz * pll.output_divider - 850), default=None)

    def drive_sync(self, m: Any, board: Board, clock_mhz: float, pin: Any) -> None:
        """Add the PLL; the reset lasts until it has locked."""
        from amaranth.hdl import Const, Instance, Signal
        from amaranth.lib import io

        clock = Signal()
        locked = Signal()
        m.submodules.pin = buffer = io.Buffer("i", pin)
        m.submodules.pll = Instance(
            "rPLL",
            p_FCLKIN=f"{board.crystal_mhz:g}",
            p_IDIV_SEL=self.input_select,
            p_FBDIV_SEL=self.feedback_select,
            p_ODIV_SEL=self.output_divider,
            i_CLKIN=buffer.i,
            i_CLKFB=Const(0),
            i_RESET=Const(0),
            i_RESET_P=Const(0),
            i_FBDSEL=Const(0, 6),
            i_IDSEL=Const(0, 6),
            i_ODSEL=Const(0, 6),
            i_PSDA=Const(0, 4),
            i_DUTYDA=Const(0, 4),
            i_FDLY=Const(0, 4),
            o_CLKOUT=clock,
            o_LOCK=locked,
        )
        drive_reset(m, clock, locked)


GOWIN = Family(
    name="gowin",
    nextpnr="nextpnr-himbaechel-gowin",
    routed="--write",
    placers=("heap",),
    pack="gowin_pack",
    suffix=".fs",
    resources={"luts": "LUT4", "ffs": "DFF", "brams": "BSRAM", "dsps": "MULT18X18"},
    ff_cells="DFF",
    with_dsps="",
    without_dsps="-nodsp",
    pll=GowinPLL,
    bram_shapes=((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
    block_bits=16384,
    ram_bits=1200,
    rom_bits=1200,
    # Not fitted: the iCE40's, which has look-up tables of four inputs, too; `base` and `ffs` are those of one build.
    area=Area(base=1720, sums=6.43, choices=1.28, adders=1.70, multiplier=308, ffs=0.73, learning=2.5),
    models="gowin/cells_sim.v",
    own_models="",  # yosys has none of the DPX9B, which its block RAMs are
)
