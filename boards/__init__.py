"""Boards: from a network to a bitstream, and the host's end of the line to it."""

from .board import BOARDS, Board, find_board
from .flow import build
from .host import BoardError, classify, open_port
from .patching import patch

__all__ = ["BOARDS", "Board", "BoardError", "build", "classify", "find_board", "open_port", "patch"]
