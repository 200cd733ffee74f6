"""The golden model: the contract in NumPy, integers only; :mod:`.reference` is the specification that it follows."""

from . import reference
from .model import Model, simulate

__all__ = ["Model", "reference", "simulate"]
