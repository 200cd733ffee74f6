"""What the arithmetic asks of a kind: a population that is ready to run, from a tick's current to spikes and states.

Training and the integer forward go through the same :class:`Cell`.  A kind from outside the package registers
its own and needs nothing else to be evaluated in torch::

    @integer_cell.register
    def _(neuron: Perfect, size: int, like: Tensor) -> Cell:
        return PerfectCell(size, like.new_tensor(neuron.threshold), neuron.states[0].range)
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lifline.errors import NetworkError
from lifline.neurons import Neuron
from lifline.population import Population

from ..surrogate import step

Elementwise = Callable[[Tensor], Tensor]
States = dict[str, Tensor]


class Cell:
    """A population of a kind, ready to run.  In here tensors are (samples, size), or (ticks, samples, size)."""

    size: int
    #: A constant current, () or (size,), which is added to what the synapses deliver; None: there is none.
    bias: Tensor | None = None
    #: What a weight of 1 adds to the current.
    gain: float = 1.0
    #: None, or how many neurons may spike in a tick, see :func:`winning`.  A dataclass that is `ranked` has the field.
    winners: int | None = None

    def start(self, like: Tensor) -> States:
        """The states before the first tick, each by its name, the membrane among them.

        Parameters
        ----------
        like : Tensor (samples, size)
            Zeros, of the type and on the device of the currents.
        """
        raise NotImplementedError

    def tick(self, current: Tensor, state: States, spiked: Tensor) -> tuple[States, Tensor]:
        """One tick.

        Parameters
        ----------
        current : Tensor (samples, size)
            Gain · Σ w · s + bias.
        state : dict of str to Tensor
            The states at the end of the tick before.
        spiked : Tensor (samples, size)
            s[t−1], 0 or 1.

        Returns
        -------
        state, spikes : dict of str to Tensor, Tensor
            The states at the end of the tick, and s[t], of the type of `current`.
        """
        raise NotImplementedError

    def scan(self, currents: Tensor) -> tuple[States, Tensor]:
        """All ticks at once, from rest: :meth:`tick` over `currents`; a kind may have a faster way.

        Parameters
        ----------
        currents : Tensor (ticks, samples, size)

        Returns
        -------
        states, spikes : dict of str to Tensor, Tensor
            Each (ticks, samples, size).
        """
        spiked = currents.new_zeros(currents.shape[1:])
        state = self.start(spiked)
        steps = []
        for current in currents:
            state, spiked = self.tick(current, state, spiked)
            steps.append((state, spiked))
        return gathered(steps, state, currents)


@functools.singledispatch
def integer_cell(neuron: Neuron, size: int, like: Tensor) -> Cell:
    """The cell that computes the contract's integers exactly.

    Parameters
    ----------
    neuron : Neuron
        The kind and its parameters; of their type the cell is found.
    size : int
    like : Tensor
        Of the type (float64 or float32) and on the device of the currents.
    """
    name = type(neuron).__name__
    raise NetworkError(
        f"torch has no {name}: register a cell for it with lifline.train.neurons.integer_cell"
    )


def cell_of(population: Population, like: Tensor) -> Cell:
    """The cell of a population, as :func:`integer_cell`, with its winners."""
    cell = integer_cell(population.neuron, population.size, like)
    if population.winners is not None:
        cell = dataclasses.replace(cell, winners=population.winners)  # type: ignore[type-var]
    return cell


def spikes_of(margin: Tensor, derivative: Elementwise | None, winners: int | None) -> Tensor:
    """1 where a neuron spikes, else 0, of the type of `margin`; only without winners there are gradients."""
    return step(margin, derivative) if winners is None else winning(margin, winners).to(margin.dtype)


def winning(margin: Tensor, winners: int) -> Tensor:
    """Which neurons spike of those whose x − θ is `margin`, (…, size): at most so many, the greatest; bool."""
    order = torch.argsort(margin, dim=-1, descending=True, stable=True)
    rank = torch.empty_like(order)
    rank.scatter_(-1, order, torch.arange(margin.shape[-1], device=margin.device).expand_as(order))
    return (margin > 0) & (rank < winners)


@functools.singledispatch
def largest_integer(neuron: Neuron, drive: np.ndarray) -> int:
    """The largest magnitude of an integer that the cell of a kind holds in a floating-point number.

    By default the current and all states together, which is right for a kind that adds and compares them; one that
    multiplies in floating point registers its own bound, and so may one that computes in int64 tensors.

    Parameters
    ----------
    neuron : Neuron
    drive : int64 (size,)
        For each neuron the sum of the magnitudes of all weights that end at it: no partial sum of its current
        is larger.
    """
    return int(drive.max()) + sum(max(-low, high) for low, high in (s.range for s in neuron.states))


def gathered(steps: list[tuple[States, Tensor]], start: States, like: Tensor) -> tuple[States, Tensor]:
    """States and spikes of all ticks, each (ticks, samples, size), of a list with a tick's."""
    states = {name: stacked([state[name] for state, _ in steps], like) for name in start}
    return states, stacked([spikes for _, spikes in steps], like)


def stacked(ticks: list[Tensor], like: Tensor) -> Tensor:
    """(ticks, samples, size), of the shape of `like` where there are no ticks."""
    if not ticks:
        return torch.zeros_like(like)
    # of a single tick nothing is copied
    return (torch.stack(ticks) if len(ticks) > 1 else ticks[0][None]).expand_as(like)


def rounded_down(values: Tensor) -> Tensor:
    """The floor; the gradient passes straight through."""
    if values.requires_grad:
        return values + (values.floor() - values).detach()
    return values.floor_()


def instead(value: Tensor, gradient: Tensor) -> Tensor:
    """`value` in the forward pass, whose gradient is that of `gradient`."""
    result: Tensor = _Instead.apply(value, gradient)  # type: ignore[no-untyped-call]
    return result


class _Instead(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, gradient: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, gradient
