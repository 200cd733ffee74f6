"""What every neuron model is: fields, and the states that it keeps from tick to tick."""

from __future__ import annotations

import dataclasses

import numpy as np

from lifline.errors import NetworkError
from lifline.fields import Family


@dataclasses.dataclass(frozen=True)
class State:
    """A number that each neuron keeps from one tick to the next, and that every witness records."""

    name: str
    bits: int  #: its width
    signed: bool = True  #: two's complement, or unsigned
    initial: np.ndarray | int = (
        0  #: its value before the first tick of a sample, for all neurons or each
    )

    @property
    def range(self) -> tuple[int, int]:
        """The smallest and the largest value that it can hold."""
        if self.signed:
            return -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1
        return 0, 2**self.bits - 1


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Neuron(Family):
    """A neuron model: from a tick's current and the states of the tick before to a spike and new states.

    A subclass is a frozen dataclass of typed fields (:mod:`lifline.fields`) with its equation in its
    docstring.  Each witness has its own implementation, found by the type: ``golden.reference.tick``,
    ``golden.neurons.vectorised`` (optional), ``train.neurons.integer_cell``, ``rtl.neurons.lane``.
    README, "How to add a neuron", shows all of them.
    """

    #: Whether the witnesses can say how far a neuron is above its threshold, and hold its spike back, as
    #: :class:`lifline.Population` needs it for `winners`.
    ranked = False

    @property
    def states(self) -> tuple[State, ...]:
        """The states, the membrane first."""
        raise NotImplementedError

    @property
    def resets(self) -> tuple[str, ...]:
        """Of a ranked kind: the states of a tick that the spike of that tick changes."""
        return ()

    @property
    def margin_bits(self) -> int:
        """Of a ranked kind: bits of the greatest x − θ that its fields' ranges allow.

        Raises
        ------
        NetworkError
            If it does not say.
        """
        raise NetworkError(
            f"{self.label} neurons have no winners in gateware: their kind needs the properties `margin_bits` and "
            "`resets`"
        )

    @property
    def keeps_spike(self) -> bool:
        """Whether the update needs the neuron's own spike of the tick before."""
        return False

    @property
    def readout(self) -> bool:
        """Whether a spike resets nothing, so that a population of these answers by its membranes."""
        return False
