"""What memories hold of a projection, and the rows that its events take: one file a kind of synapses."""

from lifline.discovery import import_all

from .learned import LearnedRows, RewardRows, STDPRows, check_learning, learned_rows
from .rows import Content, Rows, rows
from .sdsp import SDSPRows

__all__ = [
    "Content",
    "LearnedRows",
    "RewardRows",
    "Rows",
    "SDSPRows",
    "STDPRows",
    "check_learning",
    "learned_rows",
    "rows",
]

import_all(__name__, __path__)  # a kind is a file here, and no edit
