"""What the local rules share: a batch as it ran, and eligibility traces that go forward in time.

A neuron's state h (membrane, synaptic current, adaptation, its last spike) depends on the state before and on the
current I, each neuron on its own::

    h[t] = f(h[t−1], I[t]),    I[t] = Σ_j w_j · s_j[t − d_j] + bias

so that the traces ε = dh/dw of a synapse, at its own neuron, can be carried along with the spikes that arrive::

    ε[t] = ∂h[t]/∂h[t−1] · ε[t−1] + ∂h[t]/∂I[t] · s_j[t − d_j]

(G. Bellec et al., "A solution to the learning dilemma for recurrent networks of spiking neurons", Nature
Communications 11, 2020, equation 13.)  The derivatives are those of a single tick of the population's
:class:`~lifline.train.neurons.Cell`, whatever its kind, the surrogate's among them.  The trace of the spike itself
is the *eligibility* e = ds/dw.  A local rule's gradient is Σ_t L[t] · e[t], with a learning signal L of each neuron.

In here tensors are (ticks, samples, size).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lifline.network import INPUT

from ..arithmetic import Neurons, Prepared
from ..delays import Kernel, delayed_product
from ..neurons import States

if TYPE_CHECKING:
    from ..activity import Activity
    from ..model import SpikingNetwork
    from .rule import Rule

_SPIKES = "spikes"

#: So many traces are carried along at once; more samples take turns.
_AT_ONCE = 1 << 21


class Signal:
    """What a population's spikes and membranes should change by: derivatives of a loss, (ticks, samples, size)."""

    def __init__(self, by_spikes: Tensor | None = None, by_membrane: Tensor | None = None) -> None:
        self.of = {_SPIKES: by_spikes, "membrane": by_membrane}

    def at_currents(self, steps: Steps) -> Tensor:
        """The signal by each tick's own current."""
        parts = [
            signal * steps.by_current[name]
            for name, signal in self.of.items()
            if signal is not None and name in steps.by_current
        ]
        return torch.stack(parts).sum(0) if parts else torch.zeros_like(steps.current)


class Steps:
    """The derivatives of one population's ticks.

    Parameters
    ----------
    neurons : Neurons
    current : Tensor (ticks, samples, size)
    states, spikes : dict of str to Tensor, Tensor
        What came of it, likewise.
    """

    #: For each state, the spikes among them, its derivatives by each of the tick before; those that are 0 are left out.
    by_state: dict[str, dict[str, Tensor]]
    #: For each, its derivative by the tick's current.
    by_current: dict[str, Tensor]

    def __init__(self, neurons: Neurons, current: Tensor, states: States, spikes: Tensor) -> None:
        self.current = current
        start = neurons.cell.start(current.new_zeros(current.shape[1:]))
        before = {name: torch.cat([start[name][None], s[:-1]]) for name, s in states.items()}
        before[_SPIKES] = torch.cat([torch.zeros_like(spikes[:1]), spikes[:-1]])
        leaves = {
            name: s.detach().requires_grad_() for name, s in before.items() if s.is_floating_point()
        }
        drive = current.detach().requires_grad_()
        with torch.enable_grad():
            given = {name: leaves.get(name, s) for name, s in before.items() if name != _SPIKES}
            after, fired = neurons.cell.tick(drive, given, leaves[_SPIKES])
            sums = {name: after[name].sum() for name in leaves if name != _SPIKES}
            sums[_SPIKES] = fired.sum()
        self.by_state, self.by_current = {}, {}
        for name, total in sums.items():
            found = torch.autograd.grad(
                total, [*leaves.values(), drive], retain_graph=True, allow_unused=True
            )
            *by, by_current = [None if g is None or not g.any() else _narrow(g) for g in found]
            self.by_state[name] = {k: g for k, g in zip(leaves, by, strict=True) if g is not None}
            if by_current is not None:
                self.by_current[name] = by_current
        #: the states whose traces are carried along: those that any derivative is by
        self.carried = {k for by_state in self.by_state.values() for k in by_state}

    def by_weights(self, arrived: Tensor, signal: Signal, filters: tuple[float, ...] = ()) -> Tensor:
        """Σ_t Σ_samples of the signal times the traces: (rows, size).

        Parameters
        ----------
        arrived : Tensor (ticks, samples, rows)
            The spikes that arrive at the synapses.
        signal : Signal
        filters : tuple of float
            Low-pass filters that the eligibility goes through, one after the other, before the signal meets it:
            each is what it keeps of itself in a tick.
        """
        ticks, samples, rows = arrived.shape
        size = self.current.shape[2]
        total = arrived.new_zeros(rows, size)
        several = max(1, _AT_ONCE // max(1, rows * size))
        for first in range(0, samples, several):
            chunk = slice(first, first + several)
            traces: dict[str, Tensor] = {}
            filtered: list[Tensor] = []
            for t in range(ticks):
                after = {name: self._trace(name, t, chunk, traces, arrived) for name in self.carried}
                for name, by in signal.of.items():
                    if by is None:
                        continue
                    if not filters:
                        self._add(total, by[t, chunk], name, t, chunk, traces, arrived)
                        continue
                    passing = self._trace(name, t, chunk, traces, arrived)
                    filtered = filtered or [torch.zeros_like(passing)] * len(filters)
                    for i, kept in enumerate(filters):
                        passing = filtered[i] = torch.add(passing, filtered[i], alpha=kept)
                    total += _outer(passing, by[t, chunk])
                traces = after
        return total

    def _trace(
        self, name: str, t: int, chunk: slice, traces: dict[str, Tensor], arrived: Tensor
    ) -> Tensor:
        """ε[t] of a state: (samples, rows, size), or (…, 1) where it is the same for all neurons."""
        total: Tensor | None = None
        for other, by in self.by_state[name].items():
            if other in traces:
                part = by[t, chunk, None] * traces[other]
                total = part if total is None else total + part
        if name in self.by_current:
            part = self.by_current[name][t, chunk, None] * arrived[t, chunk, :, None]
            total = part if total is None else total + part
        if total is None:
            total = arrived.new_zeros(len(arrived[t, chunk]), arrived.shape[2], 1)
        return total

    def _add(
        self,
        total: Tensor,
        signal: Tensor,
        name: str,
        t: int,
        chunk: slice,
        traces: dict[str, Tensor],
        arrived: Tensor,
    ) -> None:
        """Add Σ_samples signal · ε[t], without making ε where its parts are the same for all neurons."""
        for other, by in self.by_state[name].items():
            if other in traces:
                total += _outer(traces[other], signal * by[t, chunk])
        if name in self.by_current:
            total += _outer(arrived[t, chunk, :, None], signal * self.by_current[name][t, chunk])


def _narrow(values: Tensor) -> Tensor:
    """(…, 1) where all neurons have the same values."""
    return values[..., :1] if bool((values == values[..., :1]).all()) else values


def _outer(trace: Tensor, signal: Tensor) -> Tensor:
    """Σ_samples trace (samples, rows, size or 1) · signal (samples, size): (rows, size)."""
    if trace.shape[2] == 1:
        return trace[:, :, 0].T @ signal
    return torch.einsum("nri,ni->ri", trace, signal)


class LocalRun:
    """A batch as a model ran it, without gradients: what each rule starts from.

    Parameters
    ----------
    model : SpikingNetwork
    spikes : Tensor (samples, ticks, inputs)
    """

    def __init__(self, model: SpikingNetwork, spikes: Tensor) -> None:
        self.model = model
        self.inputs = model.checked(spikes)
        with torch.enable_grad():  # by which a gradient by rounded weights is one by the parameters
            self.prepared: Prepared = model.prepared(len(self.inputs))
        with torch.no_grad():
            self.activity: Activity = model.ran(self.inputs, self.prepared)
        self.neurons = {n.name: n for n in self.prepared.neurons}
        like = self.prepared.kernels[0].weights
        #: by source: its spikes as they are passed on
        self.passed = {INPUT: self.inputs.transpose(0, 1).to(like.dtype)}
        for name, fired in self.activity.spikes.items():
            passes = self.neurons[name].passes
            self.passed[name] = fired.transpose(0, 1) * (1 if passes is None else passes)

    def kernels(self, name: str) -> list[Kernel]:
        """The kernels that end at a population."""
        return [kernel for kernel in self.prepared.kernels if kernel.target == name]

    @torch.no_grad()
    def steps(self, name: str) -> Steps:
        """The derivatives of a population's ticks."""
        neurons = self.neurons[name]
        current = sum(delayed_product(self.passed[k.source], k) for k in self.kernels(name))
        if neurons.cell.bias is not None:
            current = current + neurons.cell.bias
        states = {k: v.transpose(0, 1) for k, v in self.activity.states[name].items()}
        ticks, samples, _ = self.passed[INPUT].shape
        current = torch.as_tensor(current).expand(ticks, samples, neurons.cell.size)
        return Steps(neurons, current, states, self.activity.spikes[name].transpose(0, 1))

    @torch.no_grad()
    def arrived(self, name: str) -> Tensor:
        """(ticks, samples, rows): the spikes that arrive at every synapse of a population, and a 1 for its bias.

        A row for each delay and source of each kernel, one kernel after the other; the bias is the last.
        """
        parts = []
        for kernel in self.kernels(name):
            spikes = self.passed[kernel.source]
            ticks = len(spikes)
            for delay in kernel.delays:
                late = torch.zeros_like(spikes)
                late[delay:] = spikes[: max(ticks - delay, 0)]
                parts.append(late)
        spikes = self.passed[INPUT]
        return torch.cat([*parts, spikes.new_ones(*spikes.shape[:2], 1)], dim=2)

    def backward(self, name: str, by_rows: Tensor) -> None:
        """Add the gradients by the weights and the bias of a population, through their rounding, to the parameters'."""
        tensors, gradients = [], []
        first = 0
        for kernel in self.kernels(name):
            rows = kernel.weights.shape[0] * kernel.weights.shape[1]
            tensors.append(kernel.weights)
            gradients.append(by_rows[first : first + rows].view_as(kernel.weights))
            first += rows
        bias = self.neurons[name].cell.bias
        if bias is not None:
            tensors.append(bias)
            gradients.append(by_rows[first].sum_to_size(bias.shape))
        pairs = [(t, g) for t, g in zip(tensors, gradients, strict=True) if t.requires_grad]
        if pairs:
            torch.autograd.backward([t for t, _ in pairs], [g for _, g in pairs])


def output_signal(rule: Rule, activity: Activity, labels: Tensor) -> tuple[Signal, Tensor]:
    """The derivatives of the loss by the output's spikes and membranes, and the loss."""
    name = activity.output
    spikes = activity.spikes[name].detach().requires_grad_()
    membrane = activity.membrane[name].detach().requires_grad_()
    leaf = dataclasses.replace(
        activity,
        spikes={**activity.spikes, name: spikes},
        states={**activity.states, name: {**activity.states[name], "membrane": membrane}},
    )
    with torch.enable_grad():
        loss = rule.loss(leaf, labels)
        found = torch.autograd.grad(loss, [spikes, membrane], allow_unused=True)
    by_spikes, by_membrane = (None if g is None else g.transpose(0, 1) for g in found)
    return Signal(by_spikes, by_membrane), loss.detach()
