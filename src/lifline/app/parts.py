"""Importing the parts of lifline whose packages come with an extra."""

from __future__ import annotations

import importlib
from types import ModuleType

from lifline.errors import MissingExtra


def part(name: str) -> ModuleType:
    """Import ``lifline.NAME``; the extra that brings its packages is called like the part.

    Raises
    ------
    MissingExtra
        If a package that the part needs is not installed.
    """
    extra = name.partition(".")[0]
    try:
        return importlib.import_module(f"lifline.{name}")
    except MissingExtra:
        raise
    except ImportError as error:
        package = (error.name or str(error)).partition(".")[0]
        if package == "lifline":
            raise
        raise MissingExtra(package, extra) from None
