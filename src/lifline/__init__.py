"""lifline: LIF arrays and delay lines, from a PyTorch spiking network to an FPGA bitstream, exactly."""

from .errors import InputError, LiflineError, MissingExtra, NetworkError, ToolError
from .network import INPUT, Network, Population, Projection, Reset
from .recording import Recording

__version__ = "0.2.0"

__all__ = [
    "INPUT",
    "InputError",
    "LiflineError",
    "MissingExtra",
    "Network",
    "NetworkError",
    "Population",
    "Projection",
    "Recording",
    "Reset",
    "ToolError",
    "__version__",
]
