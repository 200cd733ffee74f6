"""Populations of one kind in many samples at once, in NumPy: a file a kind.

A kind without a file here runs through the reference, neuron by neuron.
"""

from lifline.discovery import import_all

from .izhikevich import IzhikevichNeurons
from .lif import LIFNeurons
from .vectorised import ByReference, Vectorised, float_for, floats_of, neurons_of, vectorised

__all__ = [
    "ByReference",
    "IzhikevichNeurons",
    "LIFNeurons",
    "Vectorised",
    "float_for",
    "floats_of",
    "neurons_of",
    "vectorised",
]

import_all(__name__, __path__)  # a kind is a file here, and no edit
