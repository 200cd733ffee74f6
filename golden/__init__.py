"""The golden model: the contract in NumPy, integers only."""

from .model import Recording, simulate

__all__ = ["Recording", "simulate"]
