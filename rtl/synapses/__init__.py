"""Synapse memories: from the events of an array's channels to rows of weights and delays.

An array all of whose events take every group in order has an :class:`OrderedMemory`; every other has a
:class:`RowMemory`, with an address generator for each channel, one file a kind of rows.
"""

from lifline.discovery import import_all

from ..plan import ArrayPlan
from .generator import Generator, generator
from .memory import RowMemory
from .ordered import OrderedMemory

__all__ = ["Generator", "OrderedMemory", "RowMemory", "generator", "read_memory"]


def read_memory(array: ArrayPlan, block_bits: int | None = None) -> OrderedMemory | RowMemory:
    """The synapse memory that an array needs, without what learns."""
    return (OrderedMemory if array.in_order else RowMemory)(array, block_bits)


import_all(__name__, __path__)  # a kind is a file here, and no edit
