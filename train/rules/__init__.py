"""Learning rules: how the gradients of a batch are computed.  Each module of this package that registers one adds it.

A rule fills the gradients; optimiser, schedule, quantisation, checkpoints and export are the same for all.  One from
outside the package calls :func:`register` where it is imported before it is named.
"""

from lifline.discovery import import_all

from .rule import RULES, Batch, Rule, find_rule, register

__all__ = ["RULES", "Batch", "Rule", "find_rule", "register"]

import_all(__name__, __path__)  # a rule is a file here, and no edit
