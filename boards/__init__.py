"""Boards: from a network to a bitstream, and the host's end of the line to it."""

from .board import BOARDS, Board, find_board
from .device import Device
from .flow import build
from .line import BoardError, Faults
from .opening import connect
from .patching import patch
from .results import BoardRecording

__all__ = [
    "BOARDS",
    "Board",
    "BoardError",
    "BoardRecording",
    "Device",
    "Faults",
    "build",
    "connect",
    "find_board",
    "patch",
]
