"""What lifline must know of an FPGA family: its tools, resources and memories, its PLL, and its area."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

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


def drive_reset(m: Any, clock: Any, locked: Any, cycles: int = 1) -> None:
    """Drive the clock and reset of ``sync``: in reset until a PLL has been locked for `cycles`, and after a lost lock.

    `locked` comes from no clock domain, so it passes through two flip-flops, which no reset reaches.
    """
    from amaranth.hdl import ClockDomain, ClockSignal, ResetSignal, Signal
    from amaranth.lib.cdc import FFSynchronizer

    ready = Signal()
    locked_sync = Signal()
    timer = Signal(range(cycles + 1), init=cycles)
    m.domains.por = por = ClockDomain(reset_less=True, local=True)
    m.submodules.locked = FFSynchronizer(locked, locked_sync, o_domain="por")
    m.d.comb += [ClockSignal().eq(clock), por.clk.eq(clock), ResetSignal().eq(~ready)]
    with m.If(~locked_sync):
        m.d.por += [timer.eq(cycles), ready.eq(0)]
    with m.Elif(timer != 0):
        m.d.por += timer.eq(timer - 1)
    with m.Else():
        m.d.por += ready.eq(1)


class BlockRAMs(abc.ABC):
    """Where a family's tools keep the contents of its block RAMs.

    A block RAM's contents are `bits` bits, uint8, in the order of the routed design's file.
    """

    cells: tuple[str, ...]  #: their types in yosys's netlist
    bits: int

    unpack: str  #: the tool that makes a routed design of a bitstream again

    @abc.abstractmethod
    def unpack_arguments(self, bitstream: str, routed: str) -> list[str]:
        """Its arguments."""

    @abc.abstractmethod
    def widths(self, parameters: Mapping[str, str]) -> set[int]:
        """Bits that a word can have, of a cell in yosys's netlist: those of its ports."""

    @abc.abstractmethod
    def positions(self, width: int, words: int) -> np.ndarray:
        """Where the bits of the first words are: integers (words, width)."""

    @abc.abstractmethod
    def contents(self, parameters: Mapping[str, str]) -> np.ndarray:
        """The contents that a cell of yosys's netlist asks for; bits that are undefined there are 0."""

    @abc.abstractmethod
    def location(self, name: str, placed: Mapping[str, Any]) -> str | None:
        """What the routed design calls the block RAM that the netlist calls `name`; None if it has none.

        `placed` are the cells in the netlist that nextpnr writes.
        """

    @abc.abstractmethod
    def read(self, routed: str) -> dict[str, np.ndarray]:
        """The contents of all block RAMs in the text of a routed design, by location."""

    @abc.abstractmethod
    def write(self, routed: str, contents: Mapping[str, np.ndarray]) -> str:
        """The text of a routed design with other contents at some locations."""


def bits_of(text: str, size: int) -> np.ndarray:
    """A constant of yosys's netlist, the highest bit first, as bits, the lowest first; what is not 1 is 0."""
    bits = (np.frombuffer(text.encode(), np.uint8)[::-1] == ord("1")).astype(np.uint8)
    return np.pad(bits, (0, max(0, size - len(bits))))[:size]


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
    learning: float  #: … for each bit of the adders, choices and registers of what learns


@dataclasses.dataclass(frozen=True)
class Family:
    """An FPGA family."""

    name: str
    nextpnr: str  #: "" where there is none: then a build makes a project for the vendor's tools
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
    own_models: str  #: lifline's, that stand in for yosys's or fill empty ones: a file in this package; "": no checks
    defines: tuple[str, ...] = ()  #: macros for those models
    unread: tuple[str, ...] = ()  #: those of yosys that no netlist has and Icarus cannot read
    block_rams: BlockRAMs | None = None  #: None: `lifline patch` cannot change them
    multiplier_bits: int = 18  #: of a DSP block's product, signed
    synth: str = ""  #: yosys's synth command, where Amaranth's platform runs none

    def blocks(self, kind: str, width: int, depth: int) -> int:
        """Block RAMs of a memory of the plan; 0 where yosys makes it of logic, as they would be near empty."""
        if kind == "spram":
            return 0
        blocks = min(-(-width // bits) * -(-depth // words) for words, bits in self.bram_shapes)
        least = self.rom_bits if kind == "rom" else self.ram_bits
        return blocks if width * depth >= least * blocks else 0
