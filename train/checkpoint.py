"""Checkpoints: what an interrupted training needs to go on, in one file."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from lifline.errors import InputError
from lifline.files import atomic_write


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state`, whose "run" says which run it is of; the folder is made if it is not there."""
    make_folder(path.parent)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with atomic_write(path) as file:
        file.write(buffer.getvalue())


def load(path: Path, run: Any) -> dict[str, Any] | None:
    """What :func:`save` wrote, or nothing where there is no file.

    Raises
    ------
    InputError
        If the file cannot be read, or is of another run than `run`.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        same = state["run"] == run
    except (OSError, RuntimeError, KeyError, EOFError, ValueError, pickle.UnpicklingError):
        raise InputError(f"{path}: damaged, or not a checkpoint; remove it to begin anew") from None
    if not same:
        raise InputError(
            f"{path}: the interrupted run had other settings or another seed; give the same, or remove it "
            "to begin anew"
        )
    return state


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it.

    Raises
    ------
    InputError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot make this folder: {error.strerror}") from None
