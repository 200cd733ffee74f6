"""The golden model: the contract in NumPy, integers only."""

from lifline.recording import Recording

from .model import simulate

__all__ = ["Recording", "simulate"]
