"""The command ``lifline monitor``: a board at work, in the terminal or as a local page."""

from .command import monitor

__all__ = ["monitor"]
