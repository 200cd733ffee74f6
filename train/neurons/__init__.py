"""Neurons in torch, a file a kind: a module that learns, and a cell that computes the contract's integers.

What a kind registers, by the contract's type, so that nothing else has to know it:

- :func:`integer_cell`: the integer forward, which every kind needs;
- :func:`largest_integer`: how large the integers can be that its cell holds in floating-point numbers;
- :func:`trainable`: the module that :meth:`SpikingNetwork.from_network` makes of a population.
"""

from lifline.discovery import import_all

from .cell import Cell, States, cell_of, integer_cell, largest_integer
from .izhikevich import Izhikevich
from .lif import LIF
from .trainable import SCALES, Scale, Trainable, trainable, trainable_of

__all__ = [
    "LIF",
    "SCALES",
    "Cell",
    "Izhikevich",
    "Scale",
    "States",
    "Trainable",
    "cell_of",
    "integer_cell",
    "largest_integer",
    "trainable",
    "trainable_of",
]

import_all(__name__, __path__)  # a kind is a file here, and no edit

import_all(__name__, __path__)  # a kind is a file here, and no edit
