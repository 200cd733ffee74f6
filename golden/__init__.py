"""The golden model: the contract in NumPy, integers only."""

from lifline.recording import Recording

from .model import Model, simulate

__all__ = ["Model", "Recording", "simulate"]
