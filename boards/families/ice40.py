"""Lattice's iCE40: HX, LP and UltraPlus."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .family import PLL, TOLERANCE, Area, BlockRAMs, Family, bits_of, drive_reset

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
        from amaranth.hdl import Const, Instance, Signal
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
        drive_reset(m, clock, locked, cycles=int(15 * clock_mhz))


class ICE40BlockRAMs(BlockRAMs):
    """An ``.asc`` file has ``.ram_data X Y`` and 16 lines of 256 bits, which are INIT_0 … INIT_F.

    yosys numbers the 16 bits of a row in a mixed order, so that word a of w bits is bits a · w … a · w + w − 1 of 4,096
    at every width: bit b of a row is at b with its four bits reversed (``ice40/brams_map.v``).
    """

    cells = ("SB_RAM40_4K", "SB_RAM40_4KNR", "SB_RAM40_4KNW", "SB_RAM40_4KNRNW")
    bits = 4096
    unpack = "iceunpack"

    def unpack_arguments(self, bitstream: str, routed: str) -> list[str]:
        return [bitstream, routed]

    _reversed = np.array([int(f"{bit:04b}"[::-1], 2) for bit in range(16)])

    def widths(self, parameters: Mapping[str, str]) -> set[int]:
        return {16 >> int(parameters["READ_MODE"], 2)}

    def positions(self, width: int, words: int) -> np.ndarray:
        linear = np.arange(words * width).reshape(words, width)
        return linear // 16 * 16 + self._reversed[linear % 16]

    def contents(self, parameters: Mapping[str, str]) -> np.ndarray:
        return np.concatenate([bits_of(parameters[f"INIT_{row:X}"], 256) for row in range(16)])

    def location(self, name: str, placed: Mapping[str, Any]) -> str | None:
        cell = placed.get(f"{name}_RAM")
        match = re.match(r"X(\d+)/Y(\d+)/", cell["attributes"]["NEXTPNR_BEL"]) if cell else None
        return f"{match[1]} {match[2]}" if match else None

    def read(self, routed: str) -> dict[str, np.ndarray]:
        return {
            match[1]: np.concatenate([_row_bits(row) for row in match[2].split()])
            for match in self._BLOCK.finditer(routed)
        }

    def write(self, routed: str, contents: Mapping[str, np.ndarray]) -> str:
        def block(match: re.Match[str]) -> str:
            if match[1] not in contents:
                return match[0]
            rows = (_row_text(row) for row in contents[match[1]].reshape(16, 256))
            return f".ram_data {match[1]}\n" + "".join(f"{row}\n" for row in rows)

        return self._BLOCK.sub(block, routed)

    _BLOCK = re.compile(r"^\.ram_data (\d+ \d+)\n((?:[0-9a-f]{64}\n){16})", re.MULTILINE)


def _row_bits(text: str) -> np.ndarray:
    """256 bits, the lowest first, of 64 hexadecimal digits."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8))[::-1]


def _row_text(bits: np.ndarray) -> str:
    """64 hexadecimal digits of 256 bits, the lowest first."""
    return np.packbits(bits[::-1]).tobytes().hex()


ICE40 = Family(
    name="ice40",
    nextpnr="nextpnr-ice40",
    routed="--asc",
    block_rams=ICE40BlockRAMs(),
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
    # Fitted by `python -m benchmarks area`; since then `base` and `ffs` moved by what a build with today's link takes.
    area=Area(base=2360, sums=6.43, choices=1.28, adders=1.70, multiplier=308, ffs=0.60, learning=2.5),
    models="ice40/cells_sim.v",
    own_models="ice40_models.v",
    multiplier_bits=16,
    defines=("NO_ICE40_DEFAULT_ASSIGNMENTS",),
)
