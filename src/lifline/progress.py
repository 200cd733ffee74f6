"""How long work says how far it is."""

from __future__ import annotations

from collections.abc import Callable

#: Called as ``progress(done, total, text)``: so many of so many steps, and what is being done.
Progress = Callable[[int, int, str], None]


def silent(done: int, total: int, text: str) -> None:
    """A `Progress` that says nothing."""
