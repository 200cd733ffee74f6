"""Lattice's ECP5."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from .family import PLL, TOLERANCE, Area, Family

if TYPE_CHECKING:
    from ..board import Board


@dataclasses.dataclass(frozen=True)
class ECP5PLL(PLL):
    """Dividers of an ECP5 PLL: output = reference · feedback / input, oscillator = output · output divider."""

    input_divider: int
    feedback_divider: int
    output_divider: int

    @classmethod
    def solve(cls, reference_mhz: float, output_mhz: float) -> ECP5PLL | None:
        """The dividers that give exactly `output_mhz`, or None.

        The limits are those of Lattice's TN1263: phase detector at 3.125 … 400 MHz, oscillator at
        400 … 800 MHz, output at 3.125 … 400 MHz.
        """
        if not 3.125 <= output_mhz <= 400:
            return None
        for input_divider in range(1, 129):
            detector = reference_mhz / input_divider
            feedback = round(output_mhz / detector)
            exact = feedback and abs(detector * feedback / output_mhz - 1) < TOLERANCE
            if 3.125 <= detector <= 400 and 1 <= feedback <= 80 and exact:
                for output_divider in range(1, 129):
                    if 400 <= output_mhz * output_divider <= 800:
                        return cls(input_divider, feedback, output_divider)
        return None

    def drive_sync(self, m: Any, board: Board, clock_mhz: float, pin: Any) -> None:
        """Add the PLL; the reset lasts until it has locked."""
        from amaranth.hdl import ClockSignal, Const, Instance, Signal
        from amaranth.lib import io
        from amaranth.lib.cdc import ResetSynchronizer

        clock = Signal()
        locked = Signal()
        m.submodules.pin = buffer = io.Buffer("i", pin)
        m.submodules.pll = Instance(
            "EHXPLLL",
            a_FREQUENCY_PIN_CLKI=f"{board.crystal_mhz:g}",
            a_FREQUENCY_PIN_CLKOP=f"{clock_mhz:g}",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            p_FEEDBK_PATH="CLKOP",
            p_CLKI_DIV=self.input_divider,
            p_CLKFB_DIV=self.feedback_divider,
            p_CLKOP_DIV=self.output_divider,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_CPHASE=self.output_divider - 1,
            p_CLKOP_FPHASE=0,
            i_CLKI=buffer.i,
            i_CLKFB=clock,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_ENCLKOP=Const(0),
            o_CLKOP=clock,
            o_LOCK=locked,
        )
        m.d.comb += ClockSignal().eq(clock)
        m.submodules.reset = ResetSynchronizer(~locked)


ECP5 = Family(
    name="ecp5",
    nextpnr="nextpnr-ecp5",
    routed="--textcfg",
    # With 64 wide block RAMs the one reached 108, 109 and 116 MHz with three seeds, the other 100, 107 and 110.
    placers=("static", "heap"),
    pack="ecppack",
    suffix=".bit",
    resources={"luts": "TRELLIS_COMB", "ffs": "TRELLIS_FF", "brams": "DP16KD", "dsps": "MULT18X18D"},
    ff_cells="TRELLIS_FF",
    with_dsps="",
    without_dsps="-nodsp",
    pll=ECP5PLL,
    bram_shapes=((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
    block_bits=16384,
    ram_bits=1200,
    rom_bits=1200,
    # Fitted by `python -m benchmarks area`.
    area=Area(base=1074, sums=4.66, choices=0.0, adders=2.44, multiplier=387, ffs=0.47),
    models="ecp5/cells_sim.v",
    own_models="ecp5_models.v",
    unread=("TRELLIS_COMB",),
)
