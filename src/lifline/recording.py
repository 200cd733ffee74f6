"""What a witness returns: every spike and membrane of a network."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Recording:
    """Everything that a network did.

    The leading axis, samples, is absent where the input had none.
    """

    spikes: dict[str, np.ndarray]  #: for each population: uint8 (samples, ticks, size)
    membrane: dict[str, np.ndarray]  #: for each population: v[t], int32 (samples, ticks, size)
    classes: np.ndarray  #: int64 (samples,)
