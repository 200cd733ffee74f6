"""Products of spikes and synapses, a file a kind that has a way of its own; any other goes as matrices."""

from lifline.discovery import import_all

from .convolution import Kernel
from .operator import Matrix, Operator, operators, split_by_delay
from .sparse import List

__all__ = ["Kernel", "List", "Matrix", "Operator", "operators", "split_by_delay"]

import_all(__name__, __path__)  # a kind is a file here, and no edit
