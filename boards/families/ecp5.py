"""Lattice's ECP5."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .family import PLL, TOLERANCE, Area, BlockRAMs, Family, bits_of

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

        Of those, as ``ecppll`` does, the ones whose oscillator is nearest to 600 MHz, the middle of its range, and then
        the smallest.  The limits are those of Lattice's TN1263: phase detector at 3.125 … 400 MHz, oscillator at
        400 … 800 MHz, output at 3.125 … 400 MHz.
        """
        if not 3.125 <= output_mhz <= 400:
            return None
        found = []
        for input_divider in range(1, 129):
            detector = reference_mhz / input_divider
            feedback = round(output_mhz / detector)
            exact = feedback and abs(detector * feedback / output_mhz - 1) < TOLERANCE
            if 3.125 <= detector <= 400 and 1 <= feedback <= 80 and exact:
                found += [
                    cls(input_divider, feedback, output_divider)
                    for output_divider in range(1, 129)
                    if 400 <= output_mhz * output_divider <= 800
                ]
        return min(found, key=lambda pll: abs(output_mhz * pll.output_divider - 600), default=None)

    def drive_sync(self, m: Any, board: Board, clock_mhz: float, pin: Any) -> None:
        """Add the PLL, with the loop filter of ``ecppll``; the reset lasts until it has locked."""
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
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_OUTDIVIDER_MUXB="DIVB",
            p_OUTDIVIDER_MUXC="DIVC",
            p_OUTDIVIDER_MUXD="DIVD",
            p_FEEDBK_PATH="CLKOP",
            p_CLKI_DIV=self.input_divider,
            p_CLKFB_DIV=self.feedback_divider,
            p_CLKOP_DIV=self.output_divider,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_CPHASE=self.phase,
            p_CLKOP_FPHASE=0,
            i_CLKI=buffer.i,
            i_CLKFB=clock,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(1),
            i_PHASESTEP=Const(1),
            i_PHASELOADREG=Const(1),
            i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0),
            o_CLKOP=clock,
            o_LOCK=locked,
        )
        m.d.comb += ClockSignal().eq(clock)
        # Two flip-flops that a lost lock sets at once; whatever is in the block RAMs then is cleared by the reset.
        m.submodules.reset = ResetSynchronizer(~locked)

    @property
    def phase(self) -> int:
        """The output divider's start, at which the output is in phase with the reference."""
        return (self.output_divider - 1) // 2


class ECP5BlockRAMs(BlockRAMs):
    """A ``.config`` file has ``.bram_init WID`` and 2,048 words of 9 bits; nextpnr numbers the blocks (WID).

    Words of 9, 18 and 36 bits follow each other; of words of 4, 2 or 1 bits, 8 bits share 9, the ninth unused.
    """

    cells = ("DP16KD", "PDPW16KD")
    bits = 18432
    unpack = "ecpunpack"

    def unpack_arguments(self, bitstream: str, routed: str) -> list[str]:
        return ["--input", bitstream, "--textcfg", routed]

    def widths(self, parameters: Mapping[str, str]) -> set[int]:
        return {int(value, 2) for name, value in parameters.items() if name.startswith("DATA_WIDTH_")}

    def positions(self, width: int, words: int) -> np.ndarray:
        linear = np.arange(words * width).reshape(words, width)
        return linear if width >= 9 else linear // 8 * 9 + linear % 8

    def contents(self, parameters: Mapping[str, str]) -> np.ndarray:
        rows = [bits_of(parameters[f"INITVAL_{row:02X}"], 320) for row in range(64)]
        return np.concatenate(rows).reshape(-1, 20)[:, :18].ravel()

    def location(self, name: str, placed: Mapping[str, Any]) -> str | None:
        cell = placed.get(name)
        if cell is None or "WID" not in cell["attributes"]:
            return None
        return str(int(cell["attributes"]["WID"], 2))

    def read(self, routed: str) -> dict[str, np.ndarray]:
        contents = {}
        for match in self._BLOCK.finditer(routed):
            words = np.array([int(word, 16) for word in match[2].split()], np.uint16)
            contents[match[1]] = (words[:, None] >> np.arange(9) & 1).astype(np.uint8).ravel()
        return contents

    def write(self, routed: str, contents: Mapping[str, np.ndarray]) -> str:
        def block(match: re.Match[str]) -> str:
            if match[1] not in contents:
                return match[0]
            words = contents[match[1]].reshape(-1, 9) @ (1 << np.arange(9))
            rows = (" ".join(f"{word:03x}" for word in row) for row in words.reshape(-1, 8).tolist())
            return f".bram_init {match[1]}\n" + "".join(f"{row}\n" for row in rows)

        return self._BLOCK.sub(block, routed)

    _BLOCK = re.compile(r"^\.bram_init (\d+)\n((?:[0-9a-f]{3}(?: [0-9a-f]{3})* ?\n)+)", re.MULTILINE)


ECP5 = Family(
    name="ecp5",
    nextpnr="nextpnr-ecp5",
    routed="--textcfg",
    block_rams=ECP5BlockRAMs(),
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
    # Fitted by `python -m benchmarks area`; since then `base` and `ffs` moved by what builds with today's link take.
    area=Area(base=2700, sums=4.66, choices=0.0, adders=2.44, multiplier=387, ffs=0.60, learning=1.25),
    models="ecp5/cells_sim.v",
    own_models="ecp5_models.v",
    unread=("TRELLIS_COMB",),
)
