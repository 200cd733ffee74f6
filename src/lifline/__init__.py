"""lifline: LIF arrays and delay lines, from a PyTorch spiking network to an FPGA bitstream, exactly."""

from .errors import CheckError, InputError, LiflineError, MissingExtra, NetworkError, ToolError
from .network import INPUT, Network, Population, Projection
from .neurons import LIF, Adaptation, Izhikevich, Noise, Reset
from .recording import Divergence, Recording
from .synapses import Convolution, Dense, Sparse, average_pool, fuse, sum_pool

__version__ = "0.2.0"

__all__ = [
    "INPUT",
    "LIF",
    "Adaptation",
    "CheckError",
    "Convolution",
    "Dense",
    "Divergence",
    "InputError",
    "Izhikevich",
    "LiflineError",
    "MissingExtra",
    "Network",
    "NetworkError",
    "Noise",
    "Population",
    "Projection",
    "Recording",
    "Reset",
    "Sparse",
    "ToolError",
    "__version__",
    "average_pool",
    "fuse",
    "sum_pool",
]
