"""Training in PyTorch: what is trained is the integer network that the gateware runs."""

from lifline.errors import MissingExtra
from lifline.recording import Recording

try:
    import torch  # noqa: F401
except ModuleNotFoundError:
    raise MissingExtra("torch", "train") from None

from lifline import encoders

from . import audio, datasets, losses, surrogate
from .fitting import Training, fit
from .integer import check_exact, integer_forward
from .model import Activity, SpikingNetwork, to_network
from .neurons import LIF, Izhikevich
from .samples import Data, Samples
from .settings import Settings
from .surrogate import Surrogate
from .synapses import DelayedLinear, Synapses

__all__ = [
    "LIF",
    "Activity",
    "Data",
    "DelayedLinear",
    "Izhikevich",
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
