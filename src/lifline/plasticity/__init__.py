"""Plasticity rules, how synapses learn while the network runs: one small file a kind."""

from lifline.discovery import import_all

from .plasticity import Plasticity
from .reward_stdp import RewardSTDP
from .sdsp import SDSP
from .stdp import STDP, Pairing, Rounding

__all__ = ["SDSP", "STDP", "Pairing", "Plasticity", "RewardSTDP", "Rounding"]

import_all(__name__, __path__)  # a kind is a file here, and no edit
