"""Networks from and to snnTorch, Norse and NIR.

::

    conversion = from_nir("model.nir", dt=1e-4, calibrate=spikes)
    print(conversion.report.text())
    conversion.network.save("network.npz")

Each of ``from_snntorch``, ``from_norse`` and ``from_nir`` gives a :class:`Conversion`: a
:class:`~lifline.network.Network` and a report of what became of each node and of how float and integer
agree.  What the contract cannot hold exactly is refused by name; see ``docs/convert.md``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lifline.errors import MissingExtra

if TYPE_CHECKING:
    from .conversion import Conversion, convert
    from .maps import ConversionError
    from .nir_reader import from_nir
    from .nir_writer import to_nir
    from .norse_reader import from_norse
    from .report import Report
    from .snntorch_reader import from_snntorch
    from .snntorch_writer import to_snntorch
    from .tuning import finetune

_MODULES = {
    "Conversion": "conversion",
    "ConversionError": "maps",
    "Report": "report",
    "convert": "conversion",
    "finetune": "tuning",
    "from_nir": "nir_reader",
    "from_norse": "norse_reader",
    "from_snntorch": "snntorch_reader",
    "to_nir": "nir_writer",
    "to_snntorch": "snntorch_writer",
}

__all__ = [
    "Conversion",
    "ConversionError",
    "Report",
    "convert",
    "finetune",
    "from_nir",
    "from_norse",
    "from_snntorch",
    "to_nir",
    "to_snntorch",
]


def __getattr__(name: str) -> Any:
    """What a producer's package is needed for is imported when it is asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    except MissingExtra:
        raise
    except ImportError as error:
        raise MissingExtra((error.name or str(error)).partition(".")[0], "convert") from None
    return getattr(module, name)
