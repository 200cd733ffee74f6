"""AMD's 7 series: synthesised here for its size; a project with constraints for Vivado, which places and routes it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from .family import PLL, TOLERANCE, Area, Family

if TYPE_CHECKING:
    from ..board import Board


@dataclasses.dataclass(frozen=True)
class XilinxPLL(PLL):
    """Dividers of a PLLE2_BASE: oscillator = reference · multiplier / input, output = oscillator / output divider."""

    input_divider: int
    multiplier: int
    output_divider: int

    @classmethod
    def solve(cls, reference_mhz: float, output_mhz: float) -> XilinxPLL | None:
        """The dividers that give exactly `output_mhz`, or None; the oscillator as near to 1200 MHz as can be.

        The limits are those of DS181 for speed grade 1: phase detector at 19 … 450 MHz, oscillator at 800 … 1600 MHz,
        output at 6.25 … 464 MHz (the clock buffer's).
        """
        if not 6.25 <= output_mhz <= 464:
            return None
        found = []
        for divider in range(1, 57):
            detector = reference_mhz / divider
            if not 19 <= detector <= 450:
                continue
            for output in range(1, 129):
                oscillator = output_mhz * output
                multiplier = round(oscillator / detector)
                exact = multiplier and abs(detector * multiplier / oscillator - 1) < TOLERANCE
                if 800 <= oscillator <= 1600 and 2 <= multiplier <= 64 and exact:
                    found.append(cls(divider, multiplier, output))
        return min(found, key=lambda pll: abs(output_mhz * pll.output_divider - 1200), default=None)

    def drive_sync(self, m: Any, board: Board, clock_mhz: float, pin: Any) -> None:
        """Add the PLL and a clock buffer; the reset lasts until it has locked."""
        from amaranth.hdl import ClockSignal, Const, Instance, Signal
        from amaranth.lib import io
        from amaranth.lib.cdc import ResetSynchronizer

        output = Signal()
        clock = Signal()
        feedback = Signal()
        locked = Signal()
        m.submodules.pin = buffer = io.Buffer("i", pin)
        m.submodules.pll = Instance(
            "PLLE2_BASE",
            p_CLKIN1_PERIOD=1000 / board.crystal_mhz,
            p_DIVCLK_DIVIDE=self.input_divider,
            p_CLKFBOUT_MULT=self.multiplier,
            p_CLKOUT0_DIVIDE=self.output_divider,
            i_CLKIN1=buffer.i,
            i_CLKFBIN=feedback,
            i_RST=Const(0),
            i_PWRDWN=Const(0),
            o_CLKFBOUT=feedback,
            o_CLKOUT0=output,
            o_LOCKED=locked,
        )
        m.submodules.global_clock = Instance("BUFG", i_I=output, o_O=clock)
        m.d.comb += ClockSignal().eq(clock)
        m.submodules.reset = ResetSynchronizer(~locked)


XILINX = Family(
    name="xilinx",
    nextpnr="",
    routed="",
    placers=(),
    pack="",
    suffix=".bit",
    # Cells of yosys's netlist; a RAMB36 is two of the blocks that are counted here.
    resources={"luts": "LUT", "ffs": "FD", "brams": "RAMB18", "dsps": "DSP48"},
    ff_cells="FD",
    with_dsps="",
    without_dsps="-nodsp",
    pll=XilinxPLL,
    bram_shapes=((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
    block_bits=16384,
    ram_bits=1200,
    rom_bits=1200,
    # Not fitted: half of the ECP5's, as one design that yosys made for both; look-up tables have six inputs here.
    area=Area(base=1350, sums=2.33, choices=0.0, adders=1.22, multiplier=200, ffs=1.20, learning=0.65),
    models="xilinx/cells_sim.v",
    own_models="",  # yosys has none of the PLL and the block RAMs
    synth="synth_xilinx -family xc7 -flatten",
)
