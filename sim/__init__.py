"""Simulation of the gateware in Verilator and Icarus, and its check against the golden model."""

from .divergence import Divergence, compare, explain
from .simulation import Recording, SimulationError, Simulator, simulate
from .verification import Report, verify

__all__ = [
    "Divergence",
    "Recording",
    "Report",
    "SimulationError",
    "Simulator",
    "compare",
    "explain",
    "simulate",
    "verify",
]
