"""Neuron models: one small file a kind.  ``docs/contract.md`` has their equations."""

from lifline.discovery import import_all

from .izhikevich import PATTERNS, Izhikevich
from .lif import BETA_BITS, LIF, Adaptation, Noise, Reset
from .neuron import Neuron, State

__all__ = [
    "BETA_BITS",
    "LIF",
    "PATTERNS",
    "Adaptation",
    "Izhikevich",
    "Neuron",
    "Noise",
    "Reset",
    "State",
]

import_all(__name__, __path__)  # a kind is a file here, and no edit
