"""The circuits of the neurons: a file a kind, each a :class:`Lane` that :func:`lane` finds by the neuron's type."""

from lifline.discovery import import_all

from .izhikevich import IzhikevichLane
from .lane import Lane, lane
from .lif import LIFLane

__all__ = ["IzhikevichLane", "LIFLane", "Lane", "lane"]

import_all(__name__, __path__)  # a kind is a file here, and no edit

import_all(__name__, __path__)  # a kind is a file here, and no edit
