"""The FPGA families that lifline builds for, a module each.  ``docs/boards.md`` says how to add one."""

from .ecp5 import ECP5
from .family import PLL, Area, Family
from .ice40 import ICE40

__all__ = ["ECP5", "ICE40", "PLL", "Area", "Family"]
