"""Boards: from a network to a bitstream, and the host's end of the line to it."""

from .board import BOARDS, Board, find_board
from .flow import build
from .patching import patch

__all__ = ["BOARDS", "Board", "build", "find_board", "patch"]
