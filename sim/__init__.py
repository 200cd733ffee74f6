"""Simulation of the gateware in Verilator and Icarus, and its check against the golden model."""

from .divergence import explain
from .simulation import SimulationError, Simulator, simulate
from .verification import Report, verify

__all__ = ["Report", "SimulationError", "Simulator", "explain", "simulate", "verify"]
