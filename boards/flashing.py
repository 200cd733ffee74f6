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
    """The commands that load a build: its weights, where they are in the board's flash, and then its bitstream."""

    board: Board
    commands: tuple[tuple[str, ...], ...]
    found: bool  #: their program is on PATH

    @property
    def line(self) -> str:
        """The commands as typed into a shell."""
        return " && ".join(shlex.join(command) for command in self.commands)


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
    weights = report.get("weights")
    image, offset = (None, 0) if weights is None else (weights["file"], weights["offset"])
    if name is None:
        raise InputError(
            f"{folder} holds a project for {board.name}, no bitstream: make it with the vendor's tools first"
        )
    for file in (name, image):
        if file is not None and not (folder / file).is_file():
            raise InputError(f"{folder / file} is not there: build it anew")
    found = loader(board)
    program = found or board.flash[0].split()[0]
    templates = [*(() if image is None else board.flash_weights), *board.flash]
    values = {
        "bitstream": str(folder / name),
        "weights": str(folder / (image or "")),
        "offset": str(offset),
    }
    commands = [
        tuple(part.format(**values) for part in template.split())
        for template in templates
        if template.split()[0] == program
    ]
    return Loading(board, tuple(commands), found is not None)


def flash(directory: str | os.PathLike[str]) -> Loading:
    """Load a build onto its board; the program's output goes to standard error.

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
    for command in chosen.commands:
        status = subprocess.run(command, stdout=2, check=False).returncode
        if status:
            raise FlashError(
                f"{command[0]} failed with {status}: is {chosen.board.name} plugged in?  It was run as  "
                f"{shlex.join(command)}"
            )
    return chosen
