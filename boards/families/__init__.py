"""The FPGA families that lifline builds for, a module each.  ``docs/boards.md`` says how to add one."""

from .ecp5 import ECP5
from .family import PLL, Area, BlockRAMs, Family
from .gowin import GOWIN
from .ice40 import ICE40
from .xilinx import XILINX

__all__ = ["ECP5", "GOWIN", "ICE40", "PLL", "XILINX", "Area", "BlockRAMs", "Family"]
