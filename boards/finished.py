"""What a finished build says of itself: its report, read as a file that anybody may have changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lifline.errors import InputError
from lifline.files import check_regular

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
    weights = report.get(
        "weights", {"file": "none", "offset": 0}
    )  # where they are in the board's flash
    placed = isinstance(weights, dict) and is_plain_name(weights.get("file"))
    placed = placed and isinstance(weights.get("offset"), int)
    if not known or not placed or not (bitstream is None or is_plain_name(bitstream)):
        raise InputError(f"{path} is not {what}: build it anew")
    return report


def is_plain_name(value: object) -> bool:
    """Whether a value names a file in a folder, and none elsewhere."""
    return isinstance(value, str) and Path(value).name == value and value not in ("", ".", "..")


def write_sealed(path: Path, table: dict[str, Any], names: Sequence[str]) -> None:
    """Write a JSON object, with hashes of it and of files beside it, by which :func:`read_sealed` finds damage."""
    text = json.dumps(table | {"sha256": _hashes(path.parent, table, names)})
    path.write_text(text + "\n")


def read_sealed(path: Path, what: str, names: Sequence[str]) -> dict[str, Any]:
    """What :func:`write_sealed` wrote.

    Raises
    ------
    InputError
        If it is not there, or the object or one of the files has changed.
    """
    table = read_object(path, what)
    for name in names:
        check_regular(path.parent / name)
    if table.pop("sha256", None) != _hashes(path.parent, table, names):
        raise InputError(f"{path.parent}: damaged, or of another version of lifline: build it anew")
    return table


def _hashes(folder: Path, table: dict[str, Any], names: Sequence[str]) -> dict[str, str]:
    contents = {name: (folder / name).read_bytes() for name in names}
    contents[""] = json.dumps(table, sort_keys=True).encode()
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
