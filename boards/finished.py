"""What a finished build says of itself: its report, read as a file that anybody may have changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lifline.errors import InputError

from .board import BOARDS

#: Written last, so that a folder without it holds no finished build.
REPORT = "report.json"


def read_object(path: Path, what: str) -> dict[str, Any]:
    """The object in a JSON file that a build has written.

    Parameters
    ----------
    path : Path
    what : str
        What it should be, for the message.

    Raises
    ------
    InputError
        If it holds no JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{path} is not {what}: build it anew")
    return found


def report_of(folder: Path) -> dict[str, Any]:
    """The report of the build in a folder: of a board that there is, and of a bitstream in the folder, or none.

    Raises
    ------
    InputError
    """
    path = folder / REPORT
    if not path.is_file():
        raise InputError(f"{folder} holds no finished build: there is no {REPORT}")
    what = "the report of a build"
    report = read_object(path, what)
    board, bitstream = report.get("board"), report.get("bitstream")
    known = isinstance(board, str) and board in BOARDS
    if not known or not (bitstream is None or is_plain_name(bitstream)):
        raise InputError(f"{path} is not {what}: build it anew")
    return report


def is_plain_name(value: object) -> bool:
    """Whether a value names a file in a folder, and none elsewhere."""
    return isinstance(value, str) and Path(value).name == value and value not in ("", ".", "..")
