"""The gateware: a network as a pipelined LIF array with a spike router and delay lines, in Amaranth."""

from lifline.errors import MissingExtra

try:
    import amaranth  # noqa: F401
except ImportError as error:
    raise MissingExtra("amaranth", "rtl") from error

from .accelerator import Accelerator
from .cycles import cycles
from .events import event_layout, trace_layout
from .export import export
from .plan import ArrayPlan, lanes_of, plan

__all__ = [
    "Accelerator",
    "ArrayPlan",
    "cycles",
    "event_layout",
    "export",
    "lanes_of",
    "plan",
    "trace_layout",
]
