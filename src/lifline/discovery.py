"""Kinds register themselves when their modules are imported; a folder of kinds imports all of its modules."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable


def import_all(package: str, path: Iterable[str]) -> None:
    """Import every module of a package: call it at the end of its ``__init__``, with ``__name__, __path__``."""
    for module in pkgutil.iter_modules(path):
        importlib.import_module(f"{package}.{module.name}")
