"""Synapse structures: one small file a kind."""

from lifline.discovery import import_all

from .dense import Dense
from .synapses import MAX_DELAY, Synapses

__all__ = ["MAX_DELAY", "Dense", "Synapses"]

import_all(__name__, __path__)  # a kind is a file here, and no edit
