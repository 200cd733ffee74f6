"""Neuron models: one small file a kind.  ``docs/contract.md`` has their equations."""

from .izhikevich import PATTERNS, Izhikevich
from .lif import BETA_BITS, LIF, Adaptation, Noise, Reset
from .neuron import Neuron, State, xorshift16

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
    "xorshift16",
]
