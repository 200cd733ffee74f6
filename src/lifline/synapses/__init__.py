"""Synapse structures: one small file a kind."""

from .dense import Dense
from .synapses import MAX_DELAY, Synapses

__all__ = ["MAX_DELAY", "Dense", "Synapses"]
