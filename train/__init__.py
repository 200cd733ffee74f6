"""Training in PyTorch: what is trained is the integer network that the gateware runs."""

from lifline.errors import MissingExtra, ToolError
from lifline.recording import Recording

try:
    import torch
except ModuleNotFoundError:
    raise MissingExtra("torch", "train") from None

if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 4):
    raise ToolError(
        f"PyTorch {torch.__version__} is installed, lifline.train needs 2.4 or later: install one for your machine, "
        "see pytorch.org"
    )

from lifline import encoders

from . import audio, datasets, losses, surrogate
from .activity import Activity
from .connection import Connection
from .convolution import Conv2d, DelayedConv2d, Pool2d
from .fitting import Training, fit
from .integer import check_exact, integer_forward
from .model import SpikingNetwork, to_network
from .neurons import LIF, Izhikevich
from .samples import Data, Samples
from .settings import Settings
from .surrogate import Surrogate
from .synapses import DelayedLinear, Synapses

__all__ = [
    "LIF",
    "Activity",
    "Connection",
    "Conv2d",
    "Data",
    "DelayedConv2d",
    "DelayedLinear",
    "Izhikevich",
    "Pool2d",
    "Recording",
    "Samples",
    "Settings",
    "SpikingNetwork",
    "Surrogate",
    "Synapses",
    "Training",
    "audio",
    "check_exact",
    "datasets",
    "encoders",
    "fit",
    "integer_forward",
    "losses",
    "surrogate",
    "to_network",
]
