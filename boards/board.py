"""The boards that lifline builds for, each a short record.  ``docs/boards.md`` says how to add one."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

from lifline.errors import InputError, MissingExtra

from .families import ECP5, ICE40, PLL, Family


@dataclasses.dataclass(frozen=True)
class Board:
    """A board: where its FPGA, clock, UART and LEDs are is known to its amaranth-boards platform."""

    name: str
    title: str
    platform: str  #: "module:class" of amaranth-boards
    family: Family
    device: str
    luts: int  #: what the FPGA has
    ffs: int
    brams: int
    dsps: int
    crystal_mhz: float  #: the clock on the platform's default clock pin
    clocks_mhz: tuple[float, ...]  #: clocks to choose from, the default first
    leds: tuple[int, ...]  #: numbers of the LEDs that show the class, the lowest bit first
    baud: int = 3_000_000
    synth_opts: str = ""  #: added to yosys's synth command
    pll_pad: bool = False  #: iCE40: the crystal is on the pad of the PLL
    extra_resources: str = ""  #: attribute of the platform with resources to add

    @property
    def totals(self) -> dict[str, int]:
        """What the FPGA has: luts, ffs, brams, dsps."""
        return {"luts": self.luts, "ffs": self.ffs, "brams": self.brams, "dsps": self.dsps}

    def shortage(self, need: Mapping[str, int], *, fewer_lanes: bool = True) -> str | None:
        """One line that says which resource is short, by how much, and what to change; None if none is.

        Parameters
        ----------
        need : mapping
            What a design takes: luts, ffs, brams, dsps.
        fewer_lanes : bool
            Whether fewer lanes are a way out.
        """
        for name, total in self.totals.items():
            if need.get(name, 0) > total:
                what, remedy = _SHORT[name]
                remedy = f"fewer lanes, {remedy}" if fewer_lanes else remedy
                return (
                    f"the design does not fit on {self.name}: it needs {need[name]} {what}, the "
                    f"{self.device} has {total} ({need[name] - total} too many): choose {remedy}"
                )
        return None

    def make_platform(self) -> Any:
        """A new platform object of amaranth-boards.

        Raises
        ------
        MissingExtra
            If amaranth-boards is not installed.
        """
        module, name = self.platform.split(":")
        try:
            platform = getattr(importlib.import_module(module), name)()
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0].replace("_", "-")
            raise MissingExtra(package, "boards") from None
        if self.extra_resources:
            platform.add_resources(getattr(platform, self.extra_resources))
        return platform


#: What a resource is called, and what takes less of it.
_SHORT = {
    "luts": ("look-up tables", "fewer neurons or a bigger board"),
    "ffs": ("flip-flops", "fewer neurons or a bigger board"),
    "brams": ("block RAMs", "smaller weight_bits, fewer neurons or a bigger board"),
    "dsps": ("multipliers", "one beta for all neurons of a population or a bigger board"),
}

_BOARDS = (
    Board(
        name="icebreaker",
        title="1BitSquared iCEBreaker",
        platform="amaranth_boards.icebreaker:ICEBreakerPlatform",
        family=ICE40,
        device="iCE40UP5K-SG48",
        luts=5280,
        ffs=5280,
        brams=30,
        dsps=8,
        crystal_mhz=12,
        clocks_mhz=(24, 12),
        leds=(2, 3, 4, 5, 6),  # the five of the break-off section
        synth_opts="-device u",
        pll_pad=True,
        extra_resources="break_off_pmod",
    ),
    Board(
        name="hx8k",
        title="Lattice iCE40-HX8K breakout (iCE40HX8K-B-EVN)",
        platform="amaranth_boards.ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform",
        family=ICE40,
        device="iCE40HX8K-CT256",
        luts=7680,
        ffs=7680,
        brams=32,
        dsps=0,
        crystal_mhz=12,
        clocks_mhz=(48, 36, 24, 12),
        leds=(0, 1, 2, 3, 4, 5, 6, 7),
        synth_opts="-device hx",
    ),
    Board(
        name="ulx3s",
        title="Radiona ULX3S with an ECP5-85F",
        platform="amaranth_boards.ulx3s:ULX3S_85F_Platform",
        family=ECP5,
        device="LFE5U-85F-6BG381C",
        luts=83640,
        ffs=83640,
        brams=208,
        dsps=156,
        crystal_mhz=25,
        clocks_mhz=(80, 100, 60, 50, 25),
        leds=(0, 1, 2, 3, 4, 5, 6, 7),
    ),
)

#: Every board, by name.
BOARDS: dict[str, Board] = {board.name: board for board in _BOARDS}


def find_board(name: str) -> Board:
    """The board of that name.

    Raises
    ------
    InputError
        If there is none; the message lists those that there are.
    """
    if name not in BOARDS:
        raise InputError(f"unknown board {name!r}: choose one of {', '.join(BOARDS)}")
    return BOARDS[name]


def solve_pll(board: Board, clock_mhz: float) -> PLL | None:
    """The PLL that makes `clock_mhz` on a board; None if its crystal does without.

    Raises
    ------
    InputError
        If no PLL can make exactly this clock of the board's crystal.
    """
    if clock_mhz == board.crystal_mhz:
        return None
    pll = board.family.pll.solve(board.crystal_mhz, clock_mhz)
    if pll is None:
        choices = ", ".join(f"{clock:g}" for clock in board.clocks_mhz)
        raise InputError(
            f"{board.name} cannot make a clock of {clock_mhz:g} MHz from its crystal of "
            f"{board.crystal_mhz:g} MHz: choose {choices} MHz"
        )
    return pll
