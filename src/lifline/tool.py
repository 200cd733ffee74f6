"""What `lifline doctor` lists: an external tool, where it comes from, and what to do if it is missing."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Tool:
    """An external tool or Python package that some command needs."""

    name: str
    purpose: str  #: what lifline uses it for, as a short phrase
    version: str | None  #: None: not found, or not usable
    origin: str  #: "system", "PyPI", …
    remedy: str  #: the command that installs it
