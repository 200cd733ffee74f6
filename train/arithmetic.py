"""How populations and synapses run together over time, for training and for evaluation.

What a neuron does with its current is its kind's :class:`~lifline.train.neurons.Cell`.  Evaluation fills the
tensors with integers that are small enough to be exact, so that the result *is* the integer contract; training
passes gradients through the same functions.

Populations that lie on no loop are run one after the other, each over all ticks at once: its current is one
product (:mod:`lifline.train.delays`), and only the few operations on its states go from tick to tick
(:meth:`Cell.scan`).  Populations on a loop go together, tick by tick: there a spike is delivered when it is
fired, to the ticks in which it will arrive::

    spikes s_source[t] --(· weights, one matrix per delay d)--> future[target][t + d]

Inside this module tensors are (ticks, samples, size), so that a tick is contiguous.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lifline.network import INPUT

from .delays import Kernel, delayed_product
from .neurons.cell import Cell, Elementwise, States, gathered


@dataclasses.dataclass(frozen=True)
class Neurons:
    """A population, ready to run."""

    name: str
    cell: Cell
    normalise: Elementwise | None = None  #: of the current that comes from outside of its loop
    passes: Tensor | None = None  #: (samples, size): a factor for the spikes that are passed on


class Prepared(NamedTuple):
    """A model, ready to run."""

    neurons: list[Neurons]  #: in the order of their evaluation within a tick
    kernels: list[Kernel]
    scales: dict[
        str, Tensor
    ]  #: for each population: what runs, in units of the model's, () or (channels,)


def run(
    inputs: Tensor, neurons: Sequence[Neurons], kernels: Sequence[Kernel]
) -> tuple[dict[str, Tensor], dict[str, States]]:
    """Run populations over all ticks, every sample from rest.

    Parameters
    ----------
    inputs : (samples, ticks, inputs), 0 or 1, or 0 … 255 where inputs are graded, of any dtype
    neurons : sequence of Neurons
        In the order of their evaluation within a tick.
    kernels : sequence of Kernel
        Their weights count what the target's cell has as its gain.

    Returns
    -------
    spikes : dict of Tensor
        For each population, (samples, ticks, size).
    states : dict of dict of Tensor
        For each population each of its states, likewise.
    """
    passed = {INPUT: inputs.transpose(0, 1).to(torch.uint8).contiguous()}  # spikes by their source
    spikes: dict[str, Tensor] = {}
    states: dict[str, States] = {}
    routes = [(kernel.source, kernel.target) for kernel in kernels]
    for names in loops([n.name for n in neurons], routes):
        together = [n for n in neurons if n.name in names]
        inner = [kernel for kernel in kernels if {kernel.source, kernel.target} <= set(names)]
        currents = {n.name: _current(n, kernels, passed) for n in together}
        if inner:
            ran = _in_step(together, inner, currents)
        else:
            (n,) = together
            ran = {n.name: n.cell.scan(currents[n.name])}
        for n in together:
            states[n.name], spikes[n.name] = ran[n.name]
            passed[n.name] = _passed(n, spikes[n.name])
    return (
        {n.name: spikes[n.name].transpose(0, 1) for n in neurons},
        {n.name: {k: v.transpose(0, 1) for k, v in states[n.name].items()} for n in neurons},
    )


def loops(names: Sequence[str], routes: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Populations that lie on a loop together, else alone; each group after those that drive it."""
    after: dict[str, set[str]] = {name: set() for name in names}  # what can be reached from it
    routes = [(source, target) for source, target in routes if source in after]
    for _ in names:
        for source, target in routes:
            after[source] |= {target} | after[target]
    groups: list[list[str]] = []
    for name in names:
        if not any(name in group for group in groups):
            both = {other for other in after[name] if name in after[other]} | {name}
            groups.append([other for other in names if other in both])
    # What leads to more of the others comes first.
    return sorted(groups, key=lambda group: -len(after[group[0]] | set(group)))


def _passed(n: Neurons, spikes: Tensor) -> Tensor:
    return spikes if n.passes is None else spikes * n.passes


def _current(n: Neurons, kernels: Sequence[Kernel], passed: dict[str, Tensor]) -> Tensor:
    """What reaches a population from outside of its loop, and its bias: (ticks, samples, size)."""
    total: Tensor | None = None
    for kernel in kernels:
        if kernel.target == n.name and kernel.source in passed:
            part = delayed_product(passed[kernel.source], kernel)
            total = part if total is None else total + part
    bias = n.cell.bias
    if total is None:
        ticks, samples, _ = passed[INPUT].shape
        shape = (ticks, samples, n.cell.size)
        if bias is not None:
            return bias.expand(shape)
        weights = next(kernel.weights for kernel in kernels if kernel.target == n.name)
        return weights.new_zeros(shape)
    total = n.normalise(total) if n.normalise else total
    return total if bias is None else total + bias


def _in_step(
    neurons: Sequence[Neurons], kernels: Sequence[Kernel], currents: dict[str, Tensor]
) -> dict[str, tuple[States, Tensor]]:
    """States and spikes of populations on a loop, tick by tick."""
    future = {name: list(current.unbind()) for name, current in currents.items()}
    rest = {name: current.new_zeros(current.shape[1:]) for name, current in currents.items()}
    before = {n.name: (n.cell.start(rest[n.name]), rest[n.name]) for n in neurons}
    steps: dict[str, list[tuple[States, Tensor]]] = {n.name: [] for n in neurons}
    ticks = len(next(iter(currents.values())))
    for t in range(ticks):
        for n in neurons:
            state, spikes = n.cell.tick(future[n.name][t], *before[n.name])
            before[n.name] = state, spikes
            steps[n.name].append((state, spikes))
            fired = _passed(n, spikes)
            for kernel in kernels:
                if kernel.source == n.name:
                    slots = future[kernel.target]
                    for delay, part in zip(kernel.delays, kernel.parts(fired), strict=True):
                        if t + delay < ticks:
                            slots[t + delay] = slots[t + delay] + part
    return {name: gathered(steps[name], before[name][0], currents[name]) for name in steps}
