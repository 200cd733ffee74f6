"""What every plasticity rule is."""

from __future__ import annotations

from lifline.fields import Family


class Plasticity(Family):
    """A rule by which a projection's weights change at the end of each tick.

    A subclass is a frozen dataclass of typed fields (:mod:`lifline.fields`).
    """
