"""lifline: LIF arrays and delay lines, from a PyTorch spiking network to an FPGA bitstream, exactly."""

import importlib
from typing import TYPE_CHECKING, Any

from .errors import CheckError, InputError, LiflineError, MissingExtra, NetworkError, ToolError
from .network import INPUT, Network, Population, Projection
from .neurons import LIF, Adaptation, Izhikevich, Noise, Reset
from .plasticity import SDSP, STDP, Pairing, RewardSTDP, Rounding
from .recording import Divergence, Recording
from .synapses import Convolution, Dense, Sparse, average_pool, fuse, sum_pool

if TYPE_CHECKING:
    from . import app, boards, convert, encoders, golden, rtl, sim, train  # noqa: F401

__version__ = "0.2.0"

#: Parts that are imported when they are first used, as `lifline.golden`, so that `import lifline` is quick.
_PARTS = ("app", "boards", "convert", "encoders", "golden", "rtl", "sim", "train")

__all__ = [
    "INPUT",
    "LIF",
    "SDSP",
    "STDP",
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
    "Pairing",
    "Population",
    "Projection",
    "Recording",
    "Reset",
    "RewardSTDP",
    "Rounding",
    "Sparse",
    "ToolError",
    "__version__",
    "average_pool",
    "fuse",
    "sum_pool",
]


def __getattr__(name: str) -> Any:
    """A part, imported now; of a package that it needs and that is missing, the extra is named."""
    if name in _PARTS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PARTS])
