"""Networks that learn by a plasticity rule, in torch: the third witness of what they become."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from lifline.files import check_spikes
from lifline.network import INPUT, Network, Projection
from lifline.plasticity import STDP, Pairing, Plasticity
from lifline.plasticity.stdp import FACTOR_BITS
from lifline.recording import Recording
from lifline.synapses import Synapses
from lifline.teaching import learners, taught

from .integer import check_exact
from .neurons import integer_cell


@dataclasses.dataclass
class Rule:
    """A rule on all synapses of a projection at once.  A subclass is found by the rule's type, see :func:`rule_of`.

    Every matrix is int64 (source size, target size).
    """

    w: Tensor

    def start(self) -> None:
        """A sample starts."""
        raise NotImplementedError

    def delivered(self) -> Tensor:
        """The weights as they reach the targets."""
        raise NotImplementedError

    def tick(self, s_pre: Tensor, s_post: Tensor) -> None:
        """The end of a tick: which synapses a spike has arrived at, and whose target has spiked, 0 or 1 each."""
        raise NotImplementedError

    def settle(self) -> None:
        """The end of a sample."""


@functools.singledispatch
def rule_of(plasticity: Plasticity, synapses: Synapses, device: torch.device) -> Rule:
    """A rule before the first sample."""
    raise TypeError(
        f"torch has no {type(plasticity).__name__}: register its rule with lifline.train.learning.rule_of"
    )


@dataclasses.dataclass
class STDPRule(Rule):
    """Traces and changes of every synapse in every tick, whether it has a spike or not."""

    rule: STDP
    weight_bits: int

    def __post_init__(self) -> None:
        self.low, self.high = self.rule.range(self.weight_bits)
        self.start()

    def start(self) -> None:
        self.p = torch.zeros_like(self.w)
        self.q = torch.zeros_like(self.w)

    def delivered(self) -> Tensor:
        return torch.div(self.w, 2**self.rule.fraction_bits, rounding_mode="floor")

    def tick(self, s_pre: Tensor, s_post: Tensor) -> None:
        rule = self.rule
        p = self._leaked(self.p, rule.alpha_pre)
        q = self._leaked(self.q, rule.alpha_post)
        self.p, self.q = self._raised(p, s_pre), self._raised(q, s_post)
        if rule.coincident:
            p, q = self.p, self.q
        rise = torch.div(rule.eta_plus * p, 2**rule.shift, rounding_mode="floor")
        fall = torch.div(rule.eta_minus * q, 2**rule.shift, rounding_mode="floor")
        if rule.soft:
            span = 2 ** (self.weight_bits + rule.fraction_bits)
            rise = torch.div(rise * (self.high - self.w), span, rounding_mode="floor")
            fall = torch.div(fall * (self.w - self.low), span, rounding_mode="floor")
        self.w = (self.w + torch.where(s_post, rise, 0) - torch.where(s_pre, fall, 0)).clamp(
            self.low, self.high
        )

    @staticmethod
    def _leaked(trace: Tensor, alpha: int) -> Tensor:
        return torch.div(trace * alpha, 256, rounding_mode="floor")

    def _raised(self, trace: Tensor, spiked: Tensor) -> Tensor:
        after = trace if self.rule.pairing is Pairing.ALL else torch.zeros_like(trace)
        return torch.where(spiked, after + self.rule.amplitude, trace)

    def settle(self) -> None:
        if self.rule.total is None:
            return
        sums = self.w.sum(dim=0)
        goal = self.rule.total * 2 ** (self.rule.fraction_bits + FACTOR_BITS)
        factors = torch.div(torch.full_like(sums, goal), sums.clamp(min=1), rounding_mode="floor")
        scaled = torch.div(self.w * factors, 2**FACTOR_BITS, rounding_mode="floor")
        self.w = torch.where(sums > 0, scaled.clamp(self.low, self.high), self.w)


@rule_of.register
def _(plasticity: STDP, synapses: Synapses, device: torch.device) -> Rule:
    start = torch.from_numpy(plasticity.start(synapses)).to(device)
    return STDPRule(start, plasticity, synapses.weight_bits)


class _Projection:
    """The weights and delays of a projection; `rule` where it learns."""

    def __init__(self, projection: Projection, device: torch.device, learns: bool) -> None:
        weights, delays = projection.synapses.dense()
        self.source, self.target = projection.source, projection.target
        self.weights = torch.from_numpy(weights.astype(np.int64)).to(device)
        self.delays = torch.from_numpy(delays.astype(np.int64)).to(device)
        self.rule: Rule | None = None
        if learns:
            assert projection.plasticity is not None
            self.rule = rule_of(projection.plasticity, projection.synapses, device)

    def arriving(self, spikes: Tensor, t: int) -> Tensor:
        """What arrives at each synapse in tick t of the source's spikes (ticks, size)."""
        when = t - self.delays
        sources = torch.arange(len(when), device=when.device)[:, None].expand_as(when)
        return torch.where(when >= 0, spikes[when.clamp(min=0), sources], 0)


@torch.no_grad()
def learn(network: Network, spikes: np.ndarray, *, device: torch.device | str = "cpu") -> Recording:
    """Run `network` on the samples in order, while its synapses learn; as ``golden.simulate(…, learn=True)``.

    Parameters
    ----------
    network : Network
    spikes : (ticks, inputs) or (samples, ticks, inputs), integers 0 … 2^input_bits − 1
    device : torch.device or str

    Returns
    -------
    Recording
        With the weights after each sample, and the network after the last.

    Raises
    ------
    InputError
        If `spikes` has another shape, type or value.
    NetworkError
        If floating-point numbers cannot hold the network's integers exactly.
    """
    check_exact(network)
    device = torch.device(device)
    spikes = check_spikes(spikes, network.inputs, network.input_bits)
    batch = spikes if spikes.ndim == 3 else spikes[None]
    samples, ticks, _ = batch.shape
    plastic = learners(network)
    between = [
        _Projection(projection, device, index in plastic)
        for index, projection in enumerate(network.projections)
    ]
    rules = {index: rule for index in plastic if (rule := between[index].rule) is not None}
    fired = {p.name: np.zeros((samples, ticks, p.size), np.uint8) for p in network.populations}
    states = {
        p.name: {s.name: np.zeros((samples, ticks, p.size), np.int32) for s in p.neuron.states}
        for p in network.populations
    }
    weights = {index: np.zeros((samples, *rule.w.shape), np.int32) for index, rule in rules.items()}
    after = network
    for sample in range(samples):
        last = _run(
            after,
            between,
            torch.from_numpy(batch[sample].astype(np.int64)).to(device),
            {name: array[sample] for name, array in fired.items()},
            {name: {s: array[sample] for s, array in of.items()} for name, of in states.items()},
        )
        for index, rule in rules.items():
            rule.settle()
            weights[index][sample] = rule.w.cpu().numpy()
        if ticks:
            after = taught(after, {}, last)
    after = taught(after, {index: rule.w.cpu().numpy() for index, rule in rules.items()}, {})
    recording = Recording.of(network, fired, states)
    recording = dataclasses.replace(recording, weights=weights, network=after)
    return recording if spikes.ndim == 3 else recording[0]


def _run(
    network: Network,
    between: list[_Projection],
    inputs: Tensor,
    fired: Mapping[str, np.ndarray],
    states: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, dict[str, np.ndarray]]:
    """One sample, tick by tick; the states at its end."""
    like = torch.zeros((), dtype=torch.float64, device=inputs.device)
    cells = {p.name: integer_cell(p.neuron, p.size, like) for p in network.order}
    rest = {p.name: like.new_zeros(1, p.size) for p in network.order}
    kept = {name: cell.start(rest[name]) for name, cell in cells.items()}
    now = dict(rest)  # s[t − 1], then s[t]
    s = {INPUT: inputs} | {p.name: inputs.new_zeros(len(inputs), p.size) for p in network.populations}
    for projection in between:
        if projection.rule is not None:
            projection.rule.start()
    for t in range(len(inputs)):
        for name, cell in cells.items():
            total = torch.zeros_like(rest[name][0], dtype=torch.int64)
            for projection in between:
                if projection.target == name:
                    rule = projection.rule
                    weights = projection.weights if rule is None else rule.delivered()
                    total += (weights * projection.arriving(s[projection.source], t)).sum(dim=0)
            current = total[None].to(like.dtype) * cell.gain
            if cell.bias is not None:
                current = current + cell.bias
            kept[name], now[name] = cell.tick(current, kept[name], now[name])
            s[name][t] = now[name][0].to(torch.int64)
            fired[name][t] = s[name][t].cpu().numpy()
            for state, values in kept[name].items():
                states[name][state][t] = values[0].to(torch.int32).cpu().numpy()
        for projection in between:
            if projection.rule is not None:
                s_pre = projection.arriving(s[projection.source], t) > 0
                s_post = (s[projection.target][t] > 0).expand_as(s_pre)
                projection.rule.tick(s_pre, s_post)
    return (
        {name: {k: array[-1] for k, array in of.items()} for name, of in states.items()}
        if len(inputs)
        else {}
    )
