"""Loading a finished bitstream onto its board, with whichever of the board's programs is found."""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import subprocess
from pathlib import Path

from lifline.errors import InputError, LiflineError

from .board import Board, find_board
from .finished import report_of


class FlashError(LiflineError):
    """The bitstream is not on the board: the program that loads it is missing, or has failed."""

    status = 1


@dataclasses.dataclass(frozen=True)
class Loading:
    """A command that loads a bitstream."""

    board: Board
    command: tuple[str, ...]
    found: bool  #: its program is on PATH

    @property
    def line(self) -> str:
        """The command as typed into a shell."""
        return shlex.join(self.command)


def loader(board: Board) -> str | None:
    """The program that would load a board; None if none of its programs is found."""
    programs = (command.split()[0] for command in board.flash)
    return next((program for program in programs if shutil.which(program)), None)


def loading(directory: str | os.PathLike[str]) -> Loading:
    """How the bitstream of a build is loaded.

    Raises
    ------
    InputError
        If the folder holds no build, or one without a bitstream.
    """
    folder = Path(directory)
    report = report_of(folder)
    board, name = find_board(report["board"]), report.get("bitstream")
    if name is None:
        raise InputError(
            f"{folder} holds a project for {board.name}, no bitstream: make it with the vendor's tools first"
        )
    if not (folder / name).is_file():
        raise InputError(f"{folder / name} is not there: build it anew")
    commands = [
        tuple(part.format(bitstream=str(folder / name)) for part in command.split())
        for command in board.flash
    ]
    program = loader(board)
    for command in commands:
        if command[0] == program:
            return Loading(board, command, True)
    return Loading(board, commands[0], False)


def flash(directory: str | os.PathLike[str]) -> Loading:
    """Load the bitstream of a build onto its board; the program's output goes to standard error.

    Raises
    ------
    InputError
        As :func:`loading`.
    FlashError
        If no program that loads this board is found, or it fails: the message has the command.
    """
    chosen = loading(directory)
    if not chosen.found:
        programs = " or ".join(command.split()[0] for command in chosen.board.flash)
        raise FlashError(f"{programs} is not on PATH: install it, then run  {chosen.line}")
    status = subprocess.run(chosen.command, stdout=2, check=False).returncode
    if status:
        raise FlashError(
            f"{chosen.command[0]} failed with {status}: is {chosen.board.name} plugged in?  It was run as  "
            f"{chosen.line}"
        )
    return chosen
