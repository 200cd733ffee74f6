"""Learning: what changes the weights of a channel at the end of each tick, one file a rule.

A rule of plasticity registers its rows (:mod:`lifline.rtl.rows.learned`), and here its circuit and its cycles::

    @learner.register
    def _(rule: Oja) -> type[Learner]:
        return OjaLearner
"""

from lifline.discovery import import_all

from .learner import Learner, LearningCycles, learner, learning_cycles

__all__ = ["Learner", "LearningCycles", "learner", "learning_cycles"]

import_all(__name__, __path__)  # a kind is a file here, and no edit
