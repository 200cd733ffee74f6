"""The boards that lifline builds for, each a short record.  ``docs/boards.md`` says how to add one."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

from lifline.errors import InputError, MissingExtra

from .families import ECP5, GOWIN, ICE40, PLL, XILINX, Family

#: Where in a board's flash an image of weights is, in bytes: behind the bitstream.
WEIGHTS_OFFSET = 0x100000


@dataclasses.dataclass(frozen=True)
class Board:
    """A board: where its FPGA, clock, UART and LEDs are is known to its Amaranth platform."""

    name: str
    title: str
    platform: str  #: "module:class", of amaranth-boards or :mod:`lifline.boards.platforms`
    family: Family
    device: str
    luts: int  #: what the FPGA has
    ffs: int
    brams: int
    dsps: int
    crystal_mhz: float  #: the clock on the platform's default clock pin
    clocks_mhz: tuple[float, ...]  #: clocks to choose from, the default first
    leds: tuple[int, ...]  #: numbers of the LEDs that show the class, the lowest bit first
    bridge: str  #: what is between the UART and the host
    bridge_baud: int  #: the fastest that it can
    #: "vendor:product" of its USB port, hexadecimal; none where it is an adapter of the user's.
    usb: tuple[str, ...]
    #: Commands that load a ``{bitstream}``, of which the first whose program is found is run.
    flash: tuple[str, ...]
    baud: int = 3_000_000
    synth_opts: str = ""  #: added to yosys's synth command
    pll_pad: bool = False  #: iCE40: the crystal is on the pad of the PLL
    extra_resources: str = ""  #: attribute of the platform with resources to add
    sprams: int = 0  #: single-port RAMs of 256 Kbit, for memories that are loaded
    #: Commands that write ``{weights}`` to the flash at ``{offset}``, likewise; none where they cannot be read from it.
    flash_weights: tuple[str, ...] = ()
    weights_offset: int = WEIGHTS_OFFSET
    held: tuple[str, ...] = ()  #: output pins, resources of the platform, that are held high

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
        """A new platform object of Amaranth.

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

#: What several boards have in common.
_UP5K: dict[str, Any] = {
    "family": ICE40,
    "device": "iCE40UP5K-SG48",
    "luts": 5280,
    "ffs": 5280,
    "brams": 30,
    "dsps": 8,
    "sprams": 4,
    "synth_opts": "-device u",
}
_ECP5: dict[str, dict[str, Any]] = {
    size: {"family": ECP5, "luts": luts, "ffs": luts, "brams": brams, "dsps": dsps}
    for size, luts, brams, dsps in (
        ("12", 24288, 56, 28),  # the die of the 25F, all of which the open tools use
        ("25", 24288, 56, 28),
        ("45", 43848, 108, 72),
        ("85", 83640, 208, 156),
    )
}
#: Gowin: nextpnr finds no places for more than some of its LUT RAMs, so a few words become flip-flops, as on an iCE40.
_NO_LUT_RAM = "-nolutram"


def _ulx3s(size: str) -> Board:
    return Board(
        name="ulx3s" if size == "85" else f"ulx3s_{size}f",
        title=f"Radiona ULX3S with an ECP5-{size}F",
        platform=f"amaranth_boards.ulx3s:ULX3S_{size}F_Platform",
        device=f"LFE5U-{size}F-6BG381C",
        crystal_mhz=25,
        clocks_mhz=(80, 100, 60, 50, 25),
        leds=(0, 1, 2, 3, 4, 5, 6, 7),
        bridge="FT231X",
        bridge_baud=3_000_000,
        usb=("0403:6015",),
        flash=("openFPGALoader -b ulx3s {bitstream}", "fujprog {bitstream}"),
        **_ECP5[size],
    )


_BOARDS = (
    Board(
        name="icebreaker",
        title="1BitSquared iCEBreaker",
        platform="amaranth_boards.icebreaker:ICEBreakerPlatform",
        crystal_mhz=12,
        clocks_mhz=(24, 12),
        leds=(2, 3, 4, 5, 6),  # the five of the break-off section
        pll_pad=True,
        extra_resources="break_off_pmod",
        bridge="FT2232H",
        bridge_baud=12_000_000,
        usb=("0403:6010",),
        flash=("iceprog {bitstream}", "openFPGALoader -b ice40_generic {bitstream}"),
        flash_weights=(
            "iceprog -o {offset} {weights}",
            "openFPGALoader -b ice40_generic -o {offset} {weights}",
        ),
        **_UP5K,
    ),
    Board(
        name="upduino3",
        title="tinyVision UPduino 3 (jumper OSC closed)",
        platform="lifline.boards.platforms:UPduino3",
        crystal_mhz=12,
        clocks_mhz=(24, 12),
        leds=(0, 1, 2),  # red, green, blue
        held=("flash_select",),
        bridge="FT232H",
        bridge_baud=12_000_000,
        usb=("0403:6014",),
        flash=("iceprog -d i:0x0403:0x6014 {bitstream}",),
        **_UP5K,
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
        bridge="FT2232H",
        bridge_baud=12_000_000,
        usb=("0403:6010",),
        flash=("iceprog -S {bitstream}",),
    ),
    *(_ulx3s(size) for size in ("85", "45", "25", "12")),
    *(
        Board(
            name=f"orangecrab{size}",
            title=f"OrangeCrab r0.2 with an ECP5-{size}F (UART: an adapter on pins 0 and 1)",
            platform=f"lifline.boards.platforms:OrangeCrab{size}F",
            device=f"LFE5U-{size}F-8MG285C",
            crystal_mhz=48,
            clocks_mhz=(80, 96, 60, 48),
            leds=(0, 1, 2),  # red, green, blue
            bridge="a 3.3 V adapter",
            bridge_baud=3_000_000,
            usb=(),
            flash=("dfu-util -d 1209:5af0 -a 0 -D {bitstream}",),
            **_ECP5[size],
        )
        for size in ("25", "85")
    ),
    *(
        Board(
            name=name,
            title=f"Colorlight {name[-2:]} on Muse Lab's extension board",
            platform=f"lifline.boards.platforms:Colorlight{name[-2:].upper()}",
            device=f"LFE5U-{size}F-6BG381C",
            crystal_mhz=25,
            clocks_mhz=(80, 100, 60, 50, 25),
            leds=(0,),
            bridge="DAPLink",
            bridge_baud=1_000_000,
            baud=1_000_000,
            usb=("0d28:0204",),
            flash=(
                f"openFPGALoader -b colorlight-{name[-2:]} {{bitstream}}",
                "ecpdap program {bitstream}",
            ),
            **_ECP5[size],
        )
        for name, size in (("colorlighti5", "25"), ("colorlighti9", "45"))
    ),
    Board(
        name="tangnano9k",
        title="Sipeed Tang Nano 9K",
        platform="lifline.boards.platforms:TangNano9K",
        family=GOWIN,
        device="GW1NR-LV9QN88PC6/I5",
        luts=8640,
        ffs=6480,
        brams=26,
        dsps=20,
        crystal_mhz=27,
        clocks_mhz=(27, 54),
        synth_opts=_NO_LUT_RAM,
        leds=(0, 1, 2, 3, 4, 5),
        bridge="BL702",
        bridge_baud=3_000_000,
        usb=("0403:6010",),  # it presents itself as an FT2232
        flash=("openFPGALoader -b tangnano9k {bitstream}",),
    ),
    Board(
        name="tangnano20k",
        title="Sipeed Tang Nano 20K",
        platform="lifline.boards.platforms:TangNano20K",
        family=GOWIN,
        device="GW2AR-LV18QN88C8/I7",
        luts=20736,
        ffs=15552,
        brams=46,
        dsps=48,
        crystal_mhz=27,
        clocks_mhz=(54, 27),
        synth_opts=_NO_LUT_RAM,
        leds=(0, 1, 2, 3, 4, 5),
        bridge="BL616",
        bridge_baud=3_000_000,
        usb=("0403:6010",),
        flash=("openFPGALoader -b tangnano20k {bitstream}",),
    ),
    Board(
        name="arty_a7",
        title="Digilent Arty A7-35T (a project for Vivado)",
        platform="amaranth_boards.arty_a7:ArtyA7_35Platform",
        family=XILINX,
        device="xc7a35ticsg324-1L",
        luts=20800,
        ffs=41600,
        brams=100,
        dsps=90,
        crystal_mhz=100,
        clocks_mhz=(100, 80, 50),
        leds=(0, 1, 2, 3),
        bridge="FT2232H",
        bridge_baud=12_000_000,
        usb=("0403:6010",),
        flash=("openFPGALoader -b arty_a7_35t {bitstream}",),
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


def check_flash(board: Board) -> None:
    """Refuse a board that cannot read weights from its flash.

    Raises
    ------
    InputError
    """
    if not board.flash_weights:
        able = ", ".join(other.name for other in BOARDS.values() if other.flash_weights)
        why = (
            "the pins of its flash are those of its UART"
            if board.held
            else "its bitstream holds what its block RAMs start with"
        )
        raise InputError(
            f"{board.name} reads no weights from its flash ({why}): boards that do are {able}"
        )


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
