"""Plasticity rules: how synapses learn while the network runs.  The contract has none yet."""

from lifline.discovery import import_all

from .plasticity import Plasticity

__all__ = ["Plasticity"]

import_all(__name__, __path__)  # a kind is a file here, and no edit
