"""Plasticity rules: how synapses learn while the network runs.  The contract has none yet."""

from .plasticity import Plasticity

__all__ = ["Plasticity"]
