"""Plasticity rules, vectorised: one small file a kind, found by the rule's type."""

from lifline.discovery import import_all

from .learner import Learner, learner

__all__ = ["Learner", "learner"]

import_all(__name__, __path__)  # a kind is a file here, and no edit
