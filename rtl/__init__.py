"""The gateware: a network as a pipelined LIF array with a spike router and delay lines, in Amaranth.

The plan needs NumPy alone; all else needs Amaranth, and without it says so when it is asked for.
"""

from typing import Any

from lifline.errors import MissingExtra

from .fit import check_same_shape
from .plan import ArrayPlan, Memory, check_learns, check_size, lanes_of, memory_bits, plan

try:
    import amaranth  # noqa: F401
except ImportError:

    def __getattr__(name: str) -> Any:
        if name in __all__:
            raise MissingExtra("amaranth", "rtl")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

else:
    from .accelerator import Accelerator
    from .cycles import cycles, mean_rows, settling
    from .events import event_layout, trace_layout
    from .export import export
    from .kit import Vectors


__all__ = [
    "Accelerator",
    "ArrayPlan",
    "Memory",
    "Vectors",
    "check_learns",
    "check_same_shape",
    "check_size",
    "cycles",
    "event_layout",
    "export",
    "lanes_of",
    "mean_rows",
    "memory_bits",
    "plan",
    "settling",
    "trace_layout",
]
