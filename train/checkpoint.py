"""Checkpoints: what an interrupted training needs to go on, in one file."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from lifline.errors import InputError
from lifline.files import atomic_write, check_regular, made_folder

#: A checkpoint begins with this, and the SHA-256 of what follows: a flipped bit is not gone on from.
_MAGIC = b"lifline-checkpoint-2\n"
_DIGEST = hashlib.sha256().digest_size


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state`, whose "run" says which run it is of; the folder is made if it is not there."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    with made_folder(path.parent), atomic_write(path) as file:
        file.write(_MAGIC + hashlib.sha256(content).digest() + content)


def load(path: Path, run: Any) -> dict[str, Any] | None:
    """What :func:`save` wrote, or nothing where there is no file.

    Raises
    ------
    InputError
        If the file cannot be read, or is of another run than `run`.
    """
    if not path.exists():
        return None
    check_regular(path)
    try:
        head, content = _split(path.read_bytes())
        if head != _MAGIC + hashlib.sha256(content).digest():
            raise ValueError("not what was written")
        state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        same = state["run"] == run
    except Exception:  # a file of any content: torch meets one with nearly any exception
        raise InputError(f"{path}: damaged, or not a checkpoint; remove it to begin anew") from None
    if not same:
        raise InputError(
            f"{path}: the interrupted run had other settings, other data or another seed; give the same, or remove it "
            "to begin anew"
        )
    return state


def _split(content: bytes) -> tuple[bytes, bytes]:
    length = len(_MAGIC) + _DIGEST
    return content[:length], content[length:]
