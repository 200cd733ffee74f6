"""The clock of a board's design: its crystal, or a PLL fed by it."""

import dataclasses

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Const,
    Elaboratable,
    Instance,
    Module,
    ResetSignal,
    Signal,
)
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer

from lifline.errors import InputError

from .board import ICE40, Board

_TOLERANCE = 1e-6  # of a frequency, relative


@dataclasses.dataclass(frozen=True)
class ICE40PLL:
    """Dividers of an iCE40 PLL: output = reference · (divf + 1) / ((divr + 1) · 2^divq)."""

    divr: int
    divf: int
    divq: int
    filter_range: int

    @classmethod
    def solve(cls, reference_mhz: float, output_mhz: float) -> "ICE40PLL | None":
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
                    and abs(oscillator / 2**divq / output_mhz - 1) < _TOLERANCE
                ):
                    return cls(divr, divf, divq, filter_range)
        return None


@dataclasses.dataclass(frozen=True)
class ECP5PLL:
    """Dividers of an ECP5 PLL: output = reference · feedback / input, oscillator = output · output divider."""

    input_divider: int
    feedback_divider: int
    output_divider: int

    @classmethod
    def solve(cls, reference_mhz: float, output_mhz: float) -> "ECP5PLL | None":
        """The dividers that give exactly `output_mhz`, or None.

        The limits are those of Lattice's TN1263: phase detector at 3.125 … 400 MHz, oscillator at
        400 … 800 MHz, output at 3.125 … 400 MHz.
        """
        if not 3.125 <= output_mhz <= 400:
            return None
        for input_divider in range(1, 129):
            detector = reference_mhz / input_divider
            feedback = round(output_mhz / detector)
            exact = feedback and abs(detector * feedback / output_mhz - 1) < _TOLERANCE
            if 3.125 <= detector <= 400 and 1 <= feedback <= 80 and exact:
                for output_divider in range(1, 129):
                    if 400 <= output_mhz * output_divider <= 800:
                        return cls(input_divider, feedback, output_divider)
        return None


def solve_pll(board: Board, clock_mhz: float) -> ICE40PLL | ECP5PLL | None:
    """The PLL that makes `clock_mhz` on a board; None if its crystal does without.

    Raises
    ------
    InputError
        If no PLL can make exactly this clock of the board's crystal.
    """
    if clock_mhz == board.crystal_mhz:
        return None
    kind: type[ICE40PLL] | type[ECP5PLL] = ICE40PLL if board.family is ICE40 else ECP5PLL
    pll = kind.solve(board.crystal_mhz, clock_mhz)
    if pll is None:
        choices = ", ".join(f"{clock:g}" for clock in board.clocks_mhz)
        raise InputError(
            f"{board.name} cannot make a clock of {clock_mhz:g} MHz from its crystal of "
            f"{board.crystal_mhz:g} MHz: choose {choices} MHz"
        )
    return pll


class ClockGenerator(Elaboratable):
    """Drives the domain ``sync`` with `clock_mhz`, in reset until the clock and the memories are ready.

    Whoever has it as a submodule defines the domain; without a PLL the platform does.
    """

    def __init__(self, board: Board, clock_mhz: float) -> None:
        self.board = board
        self.clock_mhz = clock_mhz
        self.pll = solve_pll(board, clock_mhz)

    def elaborate(self, platform):
        m = Module()
        if self.pll is None:
            return m  # the platform makes the domain by itself

        pin = platform.request(platform.default_clk, dir="-")
        clock = Signal()
        locked = Signal()
        m.d.comb += ClockSignal().eq(clock)
        # nextpnr derives the frequency of `clock` from that of the pin and the PLL's dividers.
        if isinstance(self.pll, ICE40PLL):
            m.submodules.pll = self._ice40_pll(m, self.pll, pin, clock, locked)
            # An iCE40's block RAMs read as zeros for some 3 µs after configuration: wait for 15 µs.
            ready = Signal()
            timer = Signal(range(int(15 * self.clock_mhz)), init=int(15 * self.clock_mhz) - 1)
            m.domains.por = por = ClockDomain(reset_less=True, local=True)
            m.d.comb += por.clk.eq(clock)
            with m.If(timer != 0):
                m.d.por += timer.eq(timer - locked)
            with m.Else():
                m.d.por += ready.eq(1)
            m.d.comb += ResetSignal().eq(~ready)
        else:
            m.submodules.pll = self._ecp5_pll(m, self.pll, pin, clock, locked)
            m.submodules.reset = ResetSynchronizer(~locked)
        return m

    def _ice40_pll(self, m, pll: ICE40PLL, pin, clock, locked):
        if self.board.pll_pad:
            kind, reference = "SB_PLL40_PAD", {"i_PACKAGEPIN": pin.io}
        else:
            m.submodules.pin = buffer = io.Buffer("i", pin)
            kind, reference = "SB_PLL40_CORE", {"i_REFERENCECLK": buffer.i}
        return Instance(
            kind,
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=Const(pll.divr, 4),
            p_DIVF=Const(pll.divf, 7),
            p_DIVQ=Const(pll.divq, 3),
            p_FILTER_RANGE=Const(pll.filter_range, 3),
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=clock,
            o_LOCK=locked,
            **reference,
        )

    def _ecp5_pll(self, m, pll: ECP5PLL, pin, clock, locked):
        m.submodules.pin = buffer = io.Buffer("i", pin)
        return Instance(
            "EHXPLLL",
            a_FREQUENCY_PIN_CLKI=f"{self.board.crystal_mhz:g}",
            a_FREQUENCY_PIN_CLKOP=f"{self.clock_mhz:g}",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            p_FEEDBK_PATH="CLKOP",
            p_CLKI_DIV=pll.input_divider,
            p_CLKFB_DIV=pll.feedback_divider,
            p_CLKOP_DIV=pll.output_divider,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_CPHASE=pll.output_divider - 1,
            p_CLKOP_FPHASE=0,
            i_CLKI=buffer.i,
            i_CLKFB=clock,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_ENCLKOP=Const(0),
            o_CLKOP=clock,
            o_LOCK=locked,
        )
