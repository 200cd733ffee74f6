"""Plasticity rules, how synapses learn while the network runs: one small file a kind."""

from lifline.discovery import import_all

from .plasticity import Plasticity
from .stdp import STDP, Pairing

__all__ = ["STDP", "Pairing", "Plasticity"]

import_all(__name__, __path__)  # a kind is a file here, and no edit
