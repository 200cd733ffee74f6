"""Synapse structures: one small file a kind."""

from lifline.discovery import import_all

from .convolution import Convolution
from .dense import Dense
from .pooling import average_pool, fuse, sum_pool
from .sparse import Sparse
from .synapses import MAX_DELAY, Synapses

__all__ = [
    "MAX_DELAY",
    "Convolution",
    "Dense",
    "Sparse",
    "Synapses",
    "average_pool",
    "fuse",
    "sum_pool",
]

import_all(__name__, __path__)  # a kind is a file here, and no edit
