"""The contract's equations in floating-point numbers, for training and for evaluation.

All values are in the contract's units (weights, thresholds and membranes of an integer network), held in
floating-point tensors.  Evaluation fills them with integers that are small enough to be exact, so
that the result *is* the integer contract; training passes gradients through the same functions.

Populations that lie on no loop are run one after the other, each over all ticks at once: its current is one
product (:mod:`lifline.train.delays`), and only the few operations on the membrane itself go from tick to
tick, with a backward pass of one multiply-add a tick (:class:`_Scan`).  Populations on a loop go together, tick by
tick: there a spike is delivered when it is fired, to the ticks in which it will arrive::

    spikes s_source[t] --(· weights, one matrix per delay d)--> future[target][t + d]

Inside this module tensors are (ticks, samples, size), so that a tick is contiguous.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from lifline.network import INPUT
from lifline.neurons import Reset

from .delays import Kernel, delayed_product
from .surrogate import step

Elementwise = Callable[[Tensor], Tensor]


@dataclasses.dataclass(frozen=True)
class Neurons:
    """A population, ready to run."""

    name: str
    size: int
    beta: Tensor  #: () or (size,), the fraction that is kept, a multiple of 1/256
    threshold: Tensor  #: () or (size,)
    bias: Tensor  #: () or (size,)
    reset: Reset
    reset_delay: bool
    low: float  #: the membrane's least value
    high: float  #: the membrane's greatest value
    floor: bool  #: whether the leak rounds down
    derivative: Elementwise | None = None  #: stands in for that of s by x − θ; None: no gradients
    normalise: Elementwise | None = None  #: of the current that comes from outside of its loop
    passes: Tensor | None = None  #: (samples, size): a factor for the spikes that are passed on


def run(
    inputs: Tensor, neurons: Sequence[Neurons], kernels: Sequence[Kernel]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Run populations over all ticks, every sample from rest.

    Parameters
    ----------
    inputs : (samples, ticks, inputs), 0 or 1, of any dtype
    neurons : sequence of Neurons
        In the order of their evaluation within a tick.
    kernels : sequence of Kernel

    Returns
    -------
    spikes, membrane : dict of Tensor
        For each population, (samples, ticks, size).
    """
    passed = {INPUT: inputs.transpose(0, 1).to(torch.uint8).contiguous()}  # spikes by their source
    spikes: dict[str, Tensor] = {}
    membrane: dict[str, Tensor] = {}
    routes = [(kernel.source, kernel.target) for kernel in kernels]
    for names in loops([n.name for n in neurons], routes):
        together = [n for n in neurons if n.name in names]
        inner = [kernel for kernel in kernels if {kernel.source, kernel.target} <= set(names)]
        currents = {n.name: _current(n, kernels, passed) for n in together}
        if inner:
            ran = _in_step(together, inner, currents)
        else:
            (n,) = together
            ran = {n.name: _scan(n, currents[n.name])}
        for n in together:
            membrane[n.name], spikes[n.name] = ran[n.name]
            passed[n.name] = _passed(n, spikes[n.name])
    return (
        {n.name: spikes[n.name].transpose(0, 1) for n in neurons},
        {n.name: membrane[n.name].transpose(0, 1) for n in neurons},
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
    ticks, samples, _ = passed[INPUT].shape
    if total is None:
        return n.bias.expand(ticks, samples, n.size)
    return (n.normalise(total) if n.normalise else total) + n.bias


def _in_step(
    neurons: Sequence[Neurons], kernels: Sequence[Kernel], currents: dict[str, Tensor]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Membranes and spikes of populations on a loop, tick by tick."""
    future = {name: list(current.unbind()) for name, current in currents.items()}
    wide = [torch.cat(list(kernel.weights), dim=1) for kernel in kernels]
    state = {n.name: (currents[n.name].new_zeros(currents[n.name].shape[1:]),) * 2 for n in neurons}
    ran: dict[str, list[tuple[Tensor, Tensor]]] = {n.name: [] for n in neurons}
    ticks = len(next(iter(currents.values())))
    for t in range(ticks):
        for n in neurons:
            v, s = state[n.name]
            x = charge(n, future[n.name][t], v, s)
            s = step(x - n.threshold, n.derivative)
            state[n.name] = discharge(n, x, s), s
            ran[n.name].append(state[n.name])
            fired = _passed(n, s)
            for kernel, weights in zip(kernels, wide, strict=True):
                if kernel.source == n.name:
                    parts = (fired @ weights).chunk(len(kernel.delays), dim=-1)
                    slots = future[kernel.target]
                    for delay, part in zip(kernel.delays, parts, strict=True):
                        if t + delay < ticks:
                            slots[t + delay] = slots[t + delay] + part
    return {
        name: (
            _stacked([v for v, _ in steps], currents[name]),
            _stacked([s for _, s in steps], currents[name]),
        )
        for name, steps in ran.items()
    }


def _stacked(ticks: list[Tensor], like: Tensor) -> Tensor:
    """(ticks, samples, size), of the shape of `like` where there are no ticks."""
    return torch.stack(ticks) if ticks else torch.zeros_like(like)


def charge(n: Neurons, current: Tensor, v: Tensor, s: Tensor) -> Tensor:
    """x[t] from I[t], v[t−1], s[t−1]: the membrane that is compared with the threshold.

    No gradient flows through the reset (F. Zenke and T. P. Vogels, "The Remarkable Robustness of Surrogate
    Gradient Learning for Instilling Complex Function in Spiking Neural Networks", Neural Computation
    33(4), 2021), except to a learned threshold that is subtracted.
    """
    if n.reset_delay and n.reset is Reset.ZERO:
        v = v * (1 - s.detach())
    if n.floor:
        u = v * n.beta
        u = u + (u.floor() - u).detach() if u.requires_grad else u.floor_()
        x = u + current
    else:
        x = torch.addcmul(current, v, n.beta)
    if n.reset_delay and n.reset is Reset.SUBTRACT:
        x = torch.addcmul(x, s.detach(), n.threshold, value=-1)
    return x if n.high == torch.inf else x.clamp(n.low, n.high)


def discharge(n: Neurons, x: Tensor, s: Tensor) -> Tensor:
    """v[t] from x[t] and s[t]."""
    if not n.reset_delay and n.reset is Reset.SUBTRACT:
        return torch.addcmul(x, s.detach(), n.threshold, value=-1)
    if not n.reset_delay and n.reset is Reset.ZERO:
        return x * (1 - s.detach())
    return x


def _scan(n: Neurons, currents: Tensor) -> tuple[Tensor, Tensor]:
    """Membranes and spikes of a population on no loop, from its current in all ticks."""
    membrane, spikes = _Scan.apply(currents, n.beta, n.threshold, n)  # type: ignore[no-untyped-call]
    return membrane, spikes


class _Scan(torch.autograd.Function):
    """`charge`, the step and `discharge` over all ticks, with one multiply-add a tick backward.

    With g[t] the gradient by the current I[t], h[t] and m[t] those that come in by s[t] and v[t], σ' the
    surrogate's derivative, and "inside" 1 where the membrane does not saturate::

        g[t] = inside[t] · (σ'(x[t] − θ)·h[t] + dv/dx[t] · (m[t] + dx[t+1]/dv[t] · g[t+1]))

    where dv/dx is 1, or 0 after a reset to zero, and dx[t+1]/dv[t] is β, or likewise.
    """

    @staticmethod
    def forward(
        ctx: Any, currents: Tensor, beta: Tensor, threshold: Tensor, n: Neurons
    ) -> tuple[Tensor, Tensor]:
        n = dataclasses.replace(n, beta=beta, threshold=threshold)
        before_v = before_s = currents.new_zeros(currents.shape[1:])
        xs, vs, ss = [], [], []
        for current in currents:
            x = charge(n, current, before_v, before_s)
            before_s = torch.gt(x, threshold, out=torch.empty_like(x))
            before_v = discharge(n, x, before_s)
            xs.append(x)
            vs.append(before_v)
            ss.append(before_s)
        x, s = _stacked(xs, currents), _stacked(ss, currents)
        v = x if all(map(operator.is_, xs, vs)) else _stacked(vs, currents)
        ctx.save_for_backward(x, v, s, beta, threshold)
        ctx.n = n
        ctx.set_materialize_grads(False)
        return v, s

    @staticmethod
    def backward(ctx: Any, by_v: Tensor | None, by_s: Tensor | None) -> tuple[Any, ...]:
        x, v, s, beta, threshold = ctx.saved_tensors
        n: Neurons = ctx.n
        if len(x) == 0 or (by_v is None and by_s is None):
            return None, None, None, None
        zero_at_once = n.reset is Reset.ZERO and not n.reset_delay
        zero_later = n.reset is Reset.ZERO and n.reset_delay
        by_step = None if by_s is None else by_s * n.derivative(x - threshold)  # type: ignore[misc]
        # gradient[t] = own[t] + back[t] · gradient[t + 1]
        own = torch.zeros_like(x) if by_step is None else by_step
        if by_v is not None:
            own = own + (by_v * (1 - s) if zero_at_once else by_v)
        back = beta.expand_as(x)
        if n.reset is Reset.ZERO:
            back = back * (1 - s)
        if n.high != torch.inf:
            inside = ((x > n.low) & (x < n.high)).to(x.dtype)
            own, back = own * inside, back * inside
        later = [own[-1]]
        for here, on in zip(reversed(own[:-1].unbind()), reversed(back[:-1].unbind()), strict=True):
            later.append(torch.addcmul(here, on, later[-1]))
        gradient = torch.stack(later[::-1])

        by_beta = by_threshold = None
        if ctx.needs_input_grad[1]:
            past = v[:-1] * (1 - s[:-1]) if zero_later else v[:-1]
            by_beta = (gradient[1:] * past).sum((0, 1)).sum_to_size(beta.shape)
        if ctx.needs_input_grad[2]:
            total = torch.zeros_like(x[0]) if by_step is None else -by_step.sum(0)
            if n.reset is Reset.SUBTRACT and n.reset_delay:
                total = total - (gradient[1:] * s[:-1]).sum(0)
            elif n.reset is Reset.SUBTRACT:
                total = total - (beta * gradient[1:] * s[:-1]).sum(0)
                if by_v is not None:
                    total = total - (by_v * s).sum(0)
            by_threshold = total.sum(0).sum_to_size(threshold.shape)
        return gradient, by_beta, by_threshold, None
