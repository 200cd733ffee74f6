"""What lifline must know of an FPGA family: its tools, resources and memories, its PLL, and its area."""

from __future__ import annotations

import abc
import dataclasses
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from ..board import Board

TOLERANCE = 1e-6  #: of a PLL's frequency, relative


class PLL(abc.ABC):
    """The dividers of a family's PLL."""

    @classmethod
    @abc.abstractmethod
    def solve(cls, reference_mhz: float, output_mhz: float) -> Self | None:
        """The dividers that make exactly `output_mhz` of `reference_mhz`; None if there are none."""

    @abc.abstractmethod
    def drive_sync(self, m: Any, board: Board, clock_mhz: float, pin: Any) -> None:
        """Add the PLL to the module `m`, fed by `pin`, where it drives the clock and reset of ``sync``.

        The reset ends when the clock is stable and the block RAMs can be read.
        """


@dataclasses.dataclass(frozen=True)
class Area:
    """Coefficients of the estimate (:mod:`lifline.boards.estimate`), fitted to builds by least squares.

    The command that fits them, and prints how far each build is from the estimate::

        python -m benchmarks area
    """

    base: float  #: look-up tables of everything but the lanes and the scores
    sums: float  #: … of each lane, for each bit of its two sums (the accumulator and the membrane)
    choices: float  #: … of each lane and bit of its two sums, for each group in registers but the first
    adders: float  #: … of each adder of a lane's leak, for each bit of the membrane
    multiplier: float  #: … of a multiplier that is not in a DSP block
    ffs: float  #: flip-flops for each look-up table


@dataclasses.dataclass(frozen=True)
class Family:
    """An FPGA family."""

    name: str
    nextpnr: str
    routed: str  #: nextpnr's option that names the routed design
    placers: tuple[str, ...]  #: nextpnr's, the next where one fails
    pack: str
    suffix: str  #: of the bitstream's file
    resources: dict[str, str]  #: luts, ffs, brams, dsps -> their names in nextpnr's report
    ff_cells: str  #: how yosys's names of flip-flops start, for what nextpnr does not count
    with_dsps: str  #: option of yosys's synth command that makes multipliers of DSP blocks
    without_dsps: str  #: … and of logic
    pll: type[PLL]
    bram_shapes: tuple[tuple[int, int], ...]  #: (words, bits) that one block RAM can be
    block_bits: int  #: of a block RAM, whatever its shape
    ram_bits: int  #: a memory with fewer bits than these for each block RAM becomes logic
    rom_bits: int  #: the same where it is read-only
    area: Area
    models: str  #: yosys's simulation models of the cells, a file in its share folder
    own_models: str  #: lifline's, that stand in for yosys's or fill empty ones: a file in this package
    defines: tuple[str, ...] = ()  #: macros for those models
    unread: tuple[str, ...] = ()  #: those of yosys that no netlist has and Icarus cannot read

    def blocks(self, kind: str, width: int, depth: int) -> int:
        """Block RAMs of a memory ("rom" or "ram"); 0 where yosys makes it of logic, as they would be near empty."""
        blocks = min(-(-width // bits) * -(-depth // words) for words, bits in self.bram_shapes)
        least = self.rom_bits if kind == "rom" else self.ram_bits
        return blocks if width * depth >= least * blocks else 0
