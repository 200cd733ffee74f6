"""LIF neurons, ready to run: tick by tick on a loop, else over all ticks with a hand-written backward pass.

Each optional part costs only where it is there: the synaptic current is a filter of its own in front
(:class:`_Filter`), the noise of all ticks is drawn before, and only an adaptive threshold, which depends on the
spikes, has another scan (:class:`_AdaptiveScan`) than plain neurons (:class:`_Scan`).

No gradient flows through a reset (F. Zenke and T. P. Vogels, "The Remarkable Robustness of Surrogate Gradient Learning
for Instilling Complex Function in Spiking Neural Networks", Neural Computation 33(4), 2021), except to a learned
threshold that is subtracted.  It does flow from the adaptation to the spikes that raised it (Bellec et al., 2018).
"""

from __future__ import annotations

import dataclasses
import operator
from typing import Any

import torch
from torch import Tensor

from lifline.neurons import Reset

from .cell import Cell, Elementwise, States, rounded_down, spikes_of, stacked
from .noise import RandomThreshold

_STATES = ("membrane", "current", "adaptation", "noise")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LIFCell(Cell):
    """A population of LIF neurons; fractions are in 0 … 1, the rest in the units of the membrane.

    Each `high` is a state's greatest value, its least is −high − 1; infinite: it does not saturate.
    """

    size: int
    beta: Tensor  #: () or (size,), as all parameters
    threshold: Tensor
    bias: Tensor
    reset: Reset
    reset_delay: bool
    high: float = torch.inf
    floor: bool = False  #: whether leaks round down
    derivative: Elementwise | None = None  #: stands in for that of s by x − θ; None: no gradients
    alpha: Tensor | None = None
    current_high: float = torch.inf
    rho: Tensor | None = None
    jump: Tensor | None = None
    adaptation_high: float = torch.inf
    adaptation: Tensor | None = None  #: before the first tick, where it is not 0
    noise: RandomThreshold | None = None
    winners: int | None = None

    def start(self, like: Tensor) -> States:
        states = {"membrane": like}
        if self.alpha is not None:
            states["current"] = like
        if self.rho is not None:
            states["adaptation"] = like if self.adaptation is None else like + self.adaptation
        if self.noise is not None and (r := self.noise.start(like)) is not None:
            states["noise"] = r
        return states

    def tick(self, current: Tensor, state: States, spiked: Tensor) -> tuple[States, Tensor]:
        after = dict(state)
        if self.alpha is not None:
            current = after["current"] = self.filter(current, state["current"])
        limit = self.threshold
        if self.rho is not None:
            after["adaptation"] = self.adapt(state["adaptation"], spiked)
            limit = limit + after["adaptation"]
        if self.noise is not None:
            offset, r = self.noise.draw(state.get("noise"), current)
            limit = limit + offset
            if r is not None:
                after["noise"] = r
        x = self.charge(current, state["membrane"], spiked)
        spikes = spikes_of(x - limit, self.derivative, self.winners)
        after["membrane"] = self.discharge(x, spikes)
        return after, spikes

    def scan(self, currents: Tensor) -> tuple[States, Tensor]:
        if self.adaptation is not None or self.winners is not None:
            return super().scan(currents)
        states: States = {}
        if self.alpha is not None:
            currents = states["current"] = _Filter.apply(currents, self.alpha, self)  # type: ignore[no-untyped-call]
        offsets = None
        if self.noise is not None:
            offsets = self._offsets(currents, states)
        parameters = (self.beta, self.threshold)
        if self.rho is None:
            v, s = _Scan.apply(currents, *parameters, self, offsets)  # type: ignore[no-untyped-call]
        else:
            parameters += (self.rho, self.jump)  # type: ignore[assignment]
            v, s, a = _AdaptiveScan.apply(currents, *parameters, self, offsets)  # type: ignore[no-untyped-call]
            states["adaptation"] = a
        states["membrane"] = v
        return {state: states[state] for state in _STATES if state in states}, s

    def _offsets(self, currents: Tensor, states: States) -> Tensor:
        """What is added to the thresholds in all ticks, (ticks, 1 or samples, size)."""
        assert self.noise is not None
        r = self.noise.start(currents[0] if len(currents) else currents.new_zeros(currents.shape[1:]))
        offsets, drawn = [], []
        for current in currents:
            offset, r = self.noise.draw(r, current)
            offsets.append(offset)
            drawn.append(r)
        if r is not None:
            states["noise"] = stacked(drawn, currents)  # type: ignore[arg-type]
        return torch.stack(offsets) if offsets else torch.zeros_like(currents)

    def filter(self, current: Tensor, c: Tensor) -> Tensor:
        """c[t] from I[t] and c[t−1]."""
        assert self.alpha is not None
        return _saturated(self._leaked(c, self.alpha, current), self.current_high)

    def _leaked(self, state: Tensor, kept: Tensor, current: Tensor) -> Tensor:
        """A state that keeps a fraction of itself, and a current."""
        if self.floor:
            return rounded_down(state * kept) + current
        return torch.addcmul(current, state, kept)

    def adapt(self, a: Tensor, spiked: Tensor) -> Tensor:
        """a[t] from a[t−1] and s[t−1]."""
        assert self.rho is not None
        assert self.jump is not None
        kept = rounded_down(a * self.rho) if self.floor else a * self.rho
        return _saturated(torch.addcmul(kept, spiked, self.jump), self.adaptation_high)

    def charge(self, current: Tensor, v: Tensor, spiked: Tensor) -> Tensor:
        """x[t] from c[t], v[t−1], s[t−1]: the membrane that is compared with the threshold."""
        if self.reset_delay and self.reset is Reset.ZERO:
            v = v * (1 - spiked.detach())
        x = self._leaked(v, self.beta, current)
        if self.reset_delay and self.reset is Reset.SUBTRACT:
            x = torch.addcmul(x, spiked.detach(), self.threshold, value=-1)
        return _saturated(x, self.high)

    def discharge(self, x: Tensor, spikes: Tensor) -> Tensor:
        """v[t] from x[t] and s[t]."""
        if not self.reset_delay and self.reset is Reset.SUBTRACT:
            v = torch.addcmul(x, spikes.detach(), self.threshold, value=-1)
            return _saturated(v, self.high) if self.falls_short else v
        if not self.reset_delay and self.reset is Reset.ZERO:
            return x * (1 - spikes.detach())
        return x

    @property
    def falls_short(self) -> bool:
        """Whether a neuron may spike below its bare threshold, so that a reset at once may saturate."""
        at_once = self.reset is Reset.SUBTRACT and not self.reset_delay
        return at_once and (self.rho is not None or self.noise is not None)

    def to_membrane(self, x: Tensor, s: Tensor) -> Tensor | None:
        """dv[t]/dx[t]; None where it is 1."""
        if self.reset is Reset.ZERO and not self.reset_delay:
            return 1 - s
        if self.falls_short and self.high != torch.inf:
            return (x - s * self.threshold > -self.high - 1).to(x.dtype)
        return None

    def by_parameters(
        self, v: Tensor, s: Tensor, gradient: Tensor, by_v: Tensor | None, by_limit: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The gradients by beta and threshold.

        Parameters
        ----------
        v, s : Tensor (ticks, samples, size)
        gradient : Tensor, likewise
            By the current of each tick.
        by_v : Tensor, likewise, or None
            What comes in by the membranes, and passes their saturation.
        by_limit : Tensor (samples, size)
            By what a membrane is compared with, over all ticks.
        """
        later = gradient[1:]
        past = v[:-1] * (1 - s[:-1]) if self.reset_delay and self.reset is Reset.ZERO else v[:-1]
        by_beta = (later * past).sum((0, 1))
        total = by_limit
        if self.reset is Reset.SUBTRACT and self.reset_delay:
            total = total - (later * s[:-1]).sum(0)
        elif self.reset is Reset.SUBTRACT:
            taken = self.beta * later
            if self.falls_short and self.high != torch.inf:
                taken = taken * (v[:-1] > -self.high - 1)
            total = total - (taken * s[:-1]).sum(0)
            if by_v is not None:
                total = total - (by_v * s).sum(0)
        return by_beta.sum_to_size(self.beta.shape), total.sum(0).sum_to_size(self.threshold.shape)


def _saturated(values: Tensor, high: float) -> Tensor:
    return values if high == torch.inf else values.clamp(-high - 1, high)


def _inside(values: Tensor, high: float) -> Tensor:
    """1 where a state is not at its bounds, so that a gradient passes."""
    return ((values > -high - 1) & (values < high)).to(values.dtype)


def _backwards(own: Tensor, factor: Tensor) -> Tensor:
    """g with g[t] = own[t] + factor[t] · g[t + 1]."""
    if len(own) == 1:
        return own
    later = [own[-1]]
    for here, on in zip(reversed(own[:-1].unbind()), reversed(factor[:-1].unbind()), strict=True):
        later.append(torch.addcmul(here, on, later[-1]))
    return torch.stack(later[::-1])


class _Filter(torch.autograd.Function):
    """The synaptic current c from the current I.

    Backward, with g[t] the gradient by I[t], m[t] that which comes in by c[t], and "inside" 1 where c does not
    saturate: g[t] = inside[t] · (m[t] + alpha · g[t+1]).
    """

    @staticmethod
    def forward(ctx: Any, currents: Tensor, alpha: Tensor, cell: LIFCell) -> Tensor:
        cell = dataclasses.replace(cell, alpha=alpha)
        c = currents.new_zeros(currents.shape[1:])
        ticks = []
        for current in currents:
            c = cell.filter(current, c)
            ticks.append(c)
        filtered = stacked(ticks, currents)
        ctx.save_for_backward(filtered, alpha)
        ctx.high = cell.current_high
        return filtered

    @staticmethod
    def backward(ctx: Any, by_c: Tensor) -> tuple[Any, ...]:
        c, alpha = ctx.saved_tensors
        if len(c) == 0:
            return None, None, None
        factor = alpha.expand_as(c)
        if ctx.high != torch.inf:
            inside = _inside(c, ctx.high)
            by_c, factor = by_c * inside, factor * inside
        gradient = _backwards(by_c, factor)
        by_alpha = None
        if ctx.needs_input_grad[1]:
            by_alpha = (gradient[1:] * c[:-1]).sum((0, 1)).sum_to_size(alpha.shape)
        return gradient, by_alpha, None


class _Scan(torch.autograd.Function):
    """`charge`, the step and `discharge` over all ticks, with one multiply-add a tick backward.

    With g[t] the gradient by the current c[t], h[t] and m[t] those that come in by s[t] and v[t], σ' the
    surrogate's derivative, and "inside" 1 where the membrane does not saturate::

        g[t] = inside[t] · (σ'(x[t] − θ[t])·h[t] + dv/dx[t] · (m[t] + dx[t+1]/dv[t] · g[t+1]))

    where dv/dx is 1, or 0 after a reset to zero, and dx[t+1]/dv[t] is β, or likewise.
    """

    @staticmethod
    def forward(
        ctx: Any,
        currents: Tensor,
        beta: Tensor,
        threshold: Tensor,
        cell: LIFCell,
        offsets: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        cell = dataclasses.replace(cell, beta=beta, threshold=threshold)
        before_v = before_s = currents.new_zeros(currents.shape[1:])
        xs, vs, ss = [], [], []
        for t, current in enumerate(currents):
            x = cell.charge(current, before_v, before_s)
            limit = threshold if offsets is None else threshold + offsets[t]
            before_s = torch.gt(x, limit, out=torch.empty_like(x))
            before_v = cell.discharge(x, before_s)
            xs.append(x)
            vs.append(before_v)
            ss.append(before_s)
        x, s = stacked(xs, currents), stacked(ss, currents)
        v = x if all(map(operator.is_, xs, vs)) else stacked(vs, currents)
        ctx.save_for_backward(x, v, s, beta, threshold, offsets)
        ctx.cell = cell
        ctx.set_materialize_grads(False)
        return v, s

    @staticmethod
    def backward(ctx: Any, by_v: Tensor | None, by_s: Tensor | None) -> tuple[Any, ...]:
        x, v, s, beta, threshold, offsets = ctx.saved_tensors
        if len(x) == 0 or (by_v is None and by_s is None):
            return None, None, None, None, None
        cell: LIFCell = dataclasses.replace(ctx.cell, beta=beta, threshold=threshold)
        by_step = None
        if by_s is not None:
            distance = x - threshold if offsets is None else x - (threshold + offsets)
            by_step = by_s * cell.derivative(distance)  # type: ignore[misc]
        own = torch.zeros_like(x) if by_step is None else by_step
        passes = cell.to_membrane(x, s)
        if by_v is not None:
            by_v = by_v if passes is None else by_v * passes
            own = own + by_v
        factor = _onward(cell, x, s, passes)
        if cell.high != torch.inf:
            inside = _inside(x, cell.high)
            own, factor = own * inside, factor * inside
        gradient = _backwards(own, factor)

        by_beta = by_threshold = None
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            by_limit = torch.zeros_like(x[0]) if by_step is None else -by_step.sum(0)
            by_beta, by_threshold = cell.by_parameters(v, s, gradient, by_v, by_limit)
        return gradient, by_beta, by_threshold, None, None


class _AdaptiveScan(torch.autograd.Function):
    """Likewise with an adaptive threshold, whose gradient goes back through the spikes that raised it.

    With k[t] the gradient by what a[t] is before it saturates, n[t] that which comes in by a[t], and the rest as in
    :class:`_Scan`::

        d[t] = σ'(x[t] − θ[t]) · (h[t] + jump · k[t+1])
        g[t] = inside[t] · (d[t] + dv/dx[t] · (m[t] + dx[t+1]/dv[t] · g[t+1]))
        k[t] = inside_a[t] · (n[t] − d[t] + rho · k[t+1])
    """

    @staticmethod
    def forward(
        ctx: Any,
        currents: Tensor,
        beta: Tensor,
        threshold: Tensor,
        rho: Tensor,
        jump: Tensor,
        cell: LIFCell,
        offsets: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        cell = dataclasses.replace(cell, beta=beta, threshold=threshold, rho=rho, jump=jump)
        v = s = a = currents.new_zeros(currents.shape[1:])
        ticks = []
        for t, current in enumerate(currents):
            a = cell.adapt(a, s)
            limit = threshold + a
            if offsets is not None:
                limit = limit + offsets[t]
            x = cell.charge(current, v, s)
            s = torch.gt(x, limit, out=torch.empty_like(x))
            v = cell.discharge(x, s)
            ticks.append((x, v, s, a))
        columns = list(zip(*ticks, strict=True)) or [()] * 4
        x, v, s, a = (stacked(list(column), currents) for column in columns)
        ctx.save_for_backward(x, v, s, a, beta, threshold, rho, jump, offsets)
        ctx.cell = cell
        return v, s, a

    @staticmethod
    def backward(ctx: Any, by_v: Tensor, by_s: Tensor, by_a: Tensor) -> tuple[Any, ...]:
        x, v, s, a, beta, threshold, rho, jump, offsets = ctx.saved_tensors
        if len(x) == 0:
            return (None,) * 7
        cell: LIFCell = dataclasses.replace(
            ctx.cell, beta=beta, threshold=threshold, rho=rho, jump=jump
        )
        limit = threshold + a if offsets is None else threshold + a + offsets
        slope = cell.derivative(x - limit)  # type: ignore[misc]
        passes = cell.to_membrane(x, s)
        by_v = by_v if passes is None else by_v * passes
        factor = _onward(cell, x, s, passes)
        saturates = cell.high != torch.inf or cell.adaptation_high != torch.inf
        if saturates:
            inside = _inside(x, cell.high)
            own, factor = by_v * inside, factor * inside
            inner = _inside(a, cell.adaptation_high)
            by_a, keeps = by_a * inner, rho * inner
        else:
            own, keeps = by_v, rho.expand_as(a)
        g = k = torch.zeros_like(x[0])
        ticks = []
        for t in reversed(range(len(x))):
            d = slope[t] * torch.addcmul(by_s[t], jump, k)
            if saturates:
                g = torch.addcmul(torch.addcmul(own[t], inside[t], d), factor[t], g)
                k = torch.addcmul(torch.addcmul(by_a[t], keeps[t], k), inner[t], d, value=-1)
            else:
                g = torch.addcmul(own[t] + d, factor[t], g)
                k = torch.addcmul(by_a[t] - d, keeps[t], k)
            ticks.append((d, g, k))
        d, g, k = (torch.stack(gradient[::-1]) for gradient in zip(*ticks, strict=True))
        by_beta, by_threshold = cell.by_parameters(v, s, g, by_v, -d.sum(0))
        by_rho = (k[1:] * a[:-1]).sum((0, 1)).sum_to_size(rho.shape)
        by_jump = (k[1:] * s[:-1]).sum((0, 1)).sum_to_size(jump.shape)
        return g, by_beta, by_threshold, by_rho, by_jump, None, None


def _onward(cell: LIFCell, x: Tensor, s: Tensor, passes: Tensor | None) -> Tensor:
    """dx[t+1]/dx[t] where neither saturates."""
    factor = cell.beta.expand_as(x)
    if cell.reset is Reset.ZERO:
        return factor * (1 - s)
    return factor if passes is None else factor * passes
