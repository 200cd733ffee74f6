"""SpikeProp: exact derivatives of spike times."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from lifline.network import INPUT

from ..neurons.lif_cell import LIFCell
from .local import LocalRun
from .rule import Batch, Rule, check_feedforward, check_local, plain, register

if TYPE_CHECKING:
    from ..activity import Activity

#: A hidden neuron fires once a sample where its first spike raises its threshold by this many thresholds, for good.
ONCE = 50.0

#: The least slope of a membrane at its threshold, in thresholds a tick, that a derivative is divided by; one near 0
#: would change the weights without bounds.
LEAST_SLOPE = 0.02


def potential(s: Tensor, alpha: float, beta: float) -> tuple[Tensor, Tensor]:
    """K(s) and its derivative: what a spike adds to the membrane s ticks later, by a weight of 1.

    K(s) = (alpha^(s+1) − beta^(s+1)) / (alpha − beta) for s > −1, else 0; where the two are equal, (s + 1) · alpha^s.
    For integers s it is the contract's, without rounding: a spike counts in the tick in which it arrives.
    """
    after = s > -1
    s = s.clamp(min=-1)
    if abs(alpha - beta) < 1e-4:
        rate = math.log(alpha)
        decay = torch.exp(rate * s)
        value, slope = (s + 1) * decay, (1 + rate * (s + 1)) * decay
    else:
        a, b = math.log(alpha), math.log(beta)
        first, second = torch.exp(a * (s + 1)), torch.exp(b * (s + 1))
        value, slope = ((x - y) / (alpha - beta) for x, y in ((first, second), (a * first, b * second)))
    return value, slope * after


def spike_times(
    times: Tensor,
    weights: Tensor,
    threshold: Tensor,
    *,
    alpha: float,
    beta: float,
    ticks: int,
    rounded: bool = False,
) -> Tensor:
    """When each target spikes first, with exact derivatives by the sources' times and the weights.

    In the float limit of the contract the membrane is a function of real time, u_i(t) = Σ_r w_ri · K(t − t_r), with
    K of :func:`potential`; at the ticks it is the contract's membrane before its first spike, without rounding.  The
    spike is where u crosses the threshold upwards, in the tick before the first one that is above it::

        u_i(t_i) = θ_i       ∂t_i/∂w_ri = −K(t_i − t_r) / u_i'(t_i)       ∂t_i/∂t_r = w_ri · K'(t_i − t_r) / u_i'(t_i)

    A target that is above its threshold in no tick has the time `ticks`, which is after the sample.  So that it can
    wake, where a loss wants it earlier its derivatives are as if it crossed in the last tick, with a slope of a
    threshold a tick; where it wants it later they are 0.

    Parameters
    ----------
    times : Tensor (samples, rows)
        When the sources' spikes arrive; `ticks` or later: never.
    weights : Tensor (rows, targets)
    threshold : Tensor () or (targets,)
    alpha, beta : float
        Above 0, at most 1.
    ticks : int
        Of a sample.
    rounded : bool
        Whether times are rounded up to the tick in which the contract's neuron spikes; derivatives pass through.

    Returns
    -------
    Tensor (samples, targets)
    """
    found: Tensor = _SpikeTimes.apply(times, weights, threshold, alpha, beta, ticks, rounded)  # type: ignore[no-untyped-call]
    return found


class _SpikeTimes(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        times: Tensor,
        weights: Tensor,
        threshold: Tensor,
        alpha: float,
        beta: float,
        ticks: int,
        rounded: bool,
    ) -> Tensor:
        grid = torch.arange(ticks, dtype=weights.dtype, device=weights.device)
        values, _ = potential(grid[:, None] - times[:, None, :], alpha, beta)
        above = values @ weights > threshold
        fires, last = above.any(1), above.to(torch.uint8).argmax(1).to(weights.dtype)

        def at(t: Tensor) -> tuple[Tensor, Tensor]:
            value, slope = potential(t[:, None, :] - times[:, :, None], alpha, beta)
            return (value * weights).sum(1) - threshold, (slope * weights).sum(1)

        low, high = last - 1, last.clone()
        for _ in range(6):
            middle = (low + high) / 2
            over = at(middle)[0] > 0
            low, high = torch.where(over, low, middle), torch.where(over, middle, high)
        crossing = high
        for _ in range(3):  # Newton's steps, from within 1/64 of a tick
            value, slope = at(crossing)
            step = torch.where(slope > 0, value / slope, torch.zeros_like(value))
            crossing = torch.minimum(torch.maximum(crossing - step, low), high)
        crossing = torch.where(fires, crossing, torch.full_like(crossing, ticks - 1))
        ctx.save_for_backward(times, weights, threshold, crossing, fires)
        ctx.constants = alpha, beta
        return torch.where(fires, last if rounded else crossing, torch.full_like(last, ticks))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        times, weights, threshold, crossing, fires = ctx.saved_tensors
        value, by_time = potential(crossing[:, None, :] - times[:, :, None], *ctx.constants)
        slope = (by_time * weights).sum(1)
        slope = torch.where(fires, torch.maximum(slope, LEAST_SLOPE * threshold), threshold)
        gradient = torch.where(fires, gradient, gradient.clamp(min=0)) / slope
        by_times = by_weights = None
        if ctx.needs_input_grad[0]:
            by_times = torch.einsum("ni,nri->nr", gradient, weights * by_time)
        if ctx.needs_input_grad[1]:
            by_weights = -torch.einsum("ni,nri->ri", gradient, value)
        return by_times, by_weights, None, None, None, None, None


@register
class SpikeProp(Rule):
    """Back-propagation through the times of first spikes, exact in the float limit of the contract.

    S. M. Bohte, J. N. Kok and H. La Poutré, "Error-backpropagation in temporally encoded networks of spiking neurons",
    Neurocomputing 48, 2002, with the exponential kernels of the contract's neurons in place of t/τ · e^(1 − t/τ); see
    :func:`spike_times`.  The loss is ``first_spike``: the cross-entropy of a softmax over the ticks that the outputs'
    first spikes leave (as in I. M. Comșa et al., "Temporal Coding in Spiking Neural Networks with Alpha Synaptic
    Function", ICASSP 2020).  Forward, a spike counts from the tick that the contract gives it, so that the times are
    those of the exported network but for the rounding of its leaks.

    Neurons need a synaptic current (alpha): without one a membrane jumps, and a spike's time does not change with a
    weight.  Hidden neurons fire once a sample, by an adaptive threshold that stays (rho=1, a large jump); of the
    output's spikes the first ones are trained.
    """

    name = "spikeprop"
    title = "SpikeProp"

    def check(self) -> None:
        check_local(self)
        check_feedforward(self)
        model = self.model
        if self.settings.loss != "first_spike":
            raise self.refused(
                f"with the loss {self.settings.loss}, since it trains spike times",
                "give loss=first_spike",
            )
        if model.population(model.output).readout:
            raise self.refused(
                f"the readout '{model.output}', which answers by its membrane",
                "give it reset_mechanism='subtract' or 'zero'",
            )
        for name in model.names:
            hidden = name != model.output
            population = plain(self, name, "the population", alpha=True, rho=hidden)
            if population.alpha is None or not population.alpha or not population.beta:
                raise self.refused(
                    f"'{name}', whose membrane jumps when a spike arrives",
                    "give it alpha and beta above 0 (tasks: digits_latency)",
                )
            jump, rho, limit = population.jump, population.rho, ONCE * population.threshold
            if hidden and (
                jump is None or rho is None or float(rho) < 1 or not bool((jump >= limit).all())
            ):
                raise self.refused(
                    f"'{name}', whose neurons may fire more than once a sample",
                    f"give it rho=1 and a jump of {ONCE:g} thresholds or more (tasks: neuron=once)",
                )

    def gradients(self, batch: Batch) -> tuple[Activity, Tensor]:
        run = LocalRun(self.model, batch.spikes)
        ticks = run.inputs.shape[1]
        times = {INPUT: arrivals(run.passed[INPUT])}
        for neurons in run.prepared.neurons:
            times[neurons.name] = first_spikes(run, neurons.name, times, ticks)[:, None]
        scores = ticks - times[self.model.output][:, 0]
        loss = cross_entropy(scores, batch.labels, label_smoothing=self.settings.label_smoothing)
        torch.autograd.backward(loss * batch.share)
        return run.activity, loss.detach()


def first_spikes(run: LocalRun, name: str, times: dict[str, Tensor], ticks: int) -> Tensor:
    """The first spikes of a population, by the spikes of its sources, each at its delay."""
    cell = run.neurons[name].cell
    assert isinstance(cell, LIFCell)
    assert cell.alpha is not None
    arriving, weights = [], []
    for kernel in run.kernels(name):
        source = times[kernel.source]  # (samples, spikes, source size)
        for delay, matrix in zip(kernel.delays, kernel.weights, strict=True):
            arriving.append((source + delay).flatten(1))
            weights.append(matrix.repeat(source.shape[1], 1))
    samples = len(run.inputs)
    # A constant current is a spike in every tick.
    always = torch.arange(ticks, dtype=weights[0].dtype, device=weights[0].device)
    arriving.append(always.expand(samples, ticks))
    weights.append(cell.bias.expand(ticks, cell.size))
    return spike_times(
        torch.cat(arriving, dim=1),
        torch.cat(weights),
        cell.threshold,
        alpha=float(cell.alpha),
        beta=float(cell.beta),
        ticks=ticks,
        rounded=True,
    )


def arrivals(spikes: Tensor) -> Tensor:
    """The ticks of spikes (ticks, samples, size), in order: (samples, most spikes of a neuron, size); else `ticks`."""
    ticks = len(spikes)
    grid = torch.arange(ticks, dtype=spikes.dtype, device=spikes.device)[:, None, None]
    times = torch.where(spikes > 0, grid, torch.full_like(grid, ticks)).sort(dim=0).values
    most = max(1, int((spikes > 0).sum(0).max()))
    return times[:most].transpose(0, 1)
