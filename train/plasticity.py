"""Plasticity rules in torch: every synapse of a projection in every tick, whether it has a spike or not."""

from __future__ import annotations

import dataclasses
import functools

import torch
from torch import Tensor

from lifline.plasticity import SDSP, STDP, Pairing, Plasticity, RewardSTDP, Rounding
from lifline.plasticity.stdp import FACTOR_BITS
from lifline.synapses import Synapses

_WORD = 2**32 - 1


@dataclasses.dataclass
class Rule:
    """A rule on all synapses of a projection at once.  A subclass is found by the rule's type, see :func:`rule_of`.

    Every matrix is int64 (source size, target size).
    """

    w: Tensor
    rule: Plasticity
    weight_bits: int

    def __post_init__(self) -> None:
        self.low, self.high = self.rule.range(self.weight_bits)
        self.start()

    def start(self) -> None:
        """A sample starts."""
        self.traces = {name: torch.zeros_like(self.w) for name in self.rule.traces}

    def delivered(self) -> Tensor:
        """The weights as they reach the targets."""
        return divided(self.w, self.rule.fraction_bits)

    def tick(self, s_pre: Tensor, s_post: Tensor, membrane: Tensor) -> None:
        """The end of a tick.

        Parameters
        ----------
        s_pre, s_post : bool Tensor
            Which synapses a spike has arrived at, and whose target has spiked.
        membrane : int64 Tensor
            Of each synapse's target, at the end of the tick before.
        """
        raise NotImplementedError

    def settle(self, reward: int) -> None:
        """The end of a sample, with the host's signal (0 where there is none)."""

    def changed(self, w: Tensor) -> None:
        """The weights are these, within their range."""
        self.w = w.clamp(self.low, self.high)


@functools.singledispatch
def rule_of(plasticity: Plasticity, synapses: Synapses, device: torch.device) -> Rule:
    """A rule before the first sample."""
    raise TypeError(
        f"torch has no {type(plasticity).__name__}: register its rule with lifline.train.plasticity.rule_of"
    )


@dataclasses.dataclass
class PairRule(Rule):
    """What rules of pairs of spikes share: traces, rise and fall, normalisation."""

    def __post_init__(self) -> None:
        pairs = self.rule.pairs if isinstance(self.rule, RewardSTDP) else self.rule
        assert isinstance(pairs, STDP)
        self.pairs = pairs
        self.seed = self.pairs.seed
        super().__post_init__()

    def start(self) -> None:
        super().start()
        self.t = 0

    def change(self, s_pre: Tensor, s_post: Tensor) -> Tensor:
        """What a tick's pairs are worth, and the traces after it."""
        rule = self.pairs
        p = divided(self.traces["p"] * rule.alpha_pre, 8)
        q = divided(self.traces["q"] * rule.alpha_post, 8)
        self.traces["p"], self.traces["q"] = self._raised(p, s_pre), self._raised(q, s_post)
        if rule.coincident:
            p, q = self.traces["p"], self.traces["q"]
        random = self.random(rule.shift)
        rise = divided(rule.eta_plus * p + random, rule.shift)
        fall = divided(rule.eta_minus * q + random, rule.shift)
        if rule.soft:
            span = self.weight_bits + rule.fraction_bits
            rise = divided(rise * (self.high - self.w), span)
            fall = divided(fall * (self.w - self.low), span)
        self.t += 1
        return torch.where(s_post, rise, 0) - torch.where(s_pre, fall, 0)

    def _raised(self, trace: Tensor, spiked: Tensor) -> Tensor:
        after = trace if self.pairs.pairing is Pairing.ALL else torch.zeros_like(trace)
        return torch.where(spiked, after + self.pairs.amplitude, trace)

    def random(self, bits: int) -> Tensor | int:
        """What is added to each synapse's change before it is shifted so far."""
        if self.pairs.rounding is Rounding.FLOOR:
            return 0
        sources, targets = (torch.arange(size, device=self.w.device) for size in self.w.shape)
        h = torch.zeros_like(self.w)
        for key in (self.seed, self.t, sources[:, None], targets[None]):
            h = torch.bitwise_and(h + key, _WORD)
            h = torch.bitwise_and(h * 1025, _WORD)
            h = torch.bitwise_xor(h, divided(h, 6))
        for _ in range(2):
            h = torch.bitwise_and(h * 9, _WORD)
            h = torch.bitwise_xor(h, divided(h, 11))
            h = torch.bitwise_and(h * 32769, _WORD)
        return divided(h, 32 - bits)

    def settle(self, reward: int) -> None:
        self.seed = (self.seed + 1) % 2**32
        if self.pairs.total is None:
            return
        sums = self.w.sum(dim=0)
        goal = self.pairs.total * 2 ** (self.pairs.fraction_bits + FACTOR_BITS)
        factors = torch.div(torch.full_like(sums, goal), sums.clamp(min=1), rounding_mode="floor")
        scaled = divided(self.w * factors, FACTOR_BITS)
        self.w = torch.where(sums > 0, scaled.clamp(self.low, self.high), self.w)


class STDPRule(PairRule):
    """Pairs change the weights."""

    def tick(self, s_pre: Tensor, s_post: Tensor, membrane: Tensor) -> None:
        self.changed(self.w + self.change(s_pre, s_post))


class RewardSTDPRule(PairRule):
    """Pairs change the eligibility, and a reward the weights."""

    def tick(self, s_pre: Tensor, s_post: Tensor, membrane: Tensor) -> None:
        assert isinstance(self.rule, RewardSTDP)
        limit = 2 ** (self.rule.eligibility_bits - 1)
        kept = divided(self.traces["eligibility"] * self.rule.alpha, 8)
        e = (kept + self.change(s_pre, s_post)).clamp(-limit, limit - 1)
        self.traces["eligibility"] = e

    def settle(self, reward: int) -> None:
        assert isinstance(self.rule, RewardSTDP)
        product = self.traces["eligibility"] * reward + self.random(self.rule.shift)
        self.changed(self.w + divided(product, self.rule.shift))
        super().settle(reward)


class SDSPRule(Rule):
    """Spike-driven synaptic plasticity."""

    def tick(self, s_pre: Tensor, s_post: Tensor, membrane: Tensor) -> None:
        rule = self.rule
        assert isinstance(rule, SDSP)
        c = divided(self.traces["calcium"] * rule.alpha, 8)
        above = membrane > rule.threshold
        up = s_pre & above & (c >= rule.up_low) & (c < rule.up_high)
        down = s_pre & ~above & (c >= rule.down_low) & (c < rule.down_high)
        high = self.w > rule.middle * 2**rule.fraction_bits
        self.changed(
            self.w
            + up * rule.step_up
            - down * rule.step_down
            + high * rule.drift_up
            - ~high * rule.drift_down
        )
        self.traces["calcium"] = c + s_post * rule.amplitude


def divided(values: Tensor, bits: int) -> Tensor:
    """floor(values / 2^bits)."""
    return torch.div(values, 2**bits, rounding_mode="floor")


def _start(plasticity: Plasticity, synapses: Synapses, device: torch.device) -> Tensor:
    return torch.from_numpy(plasticity.start(synapses)).to(device)


@rule_of.register
def _(plasticity: STDP, synapses: Synapses, device: torch.device) -> Rule:
    return STDPRule(_start(plasticity, synapses, device), plasticity, synapses.weight_bits)


@rule_of.register
def _(plasticity: RewardSTDP, synapses: Synapses, device: torch.device) -> Rule:
    return RewardSTDPRule(_start(plasticity, synapses, device), plasticity, synapses.weight_bits)


@rule_of.register
def _(plasticity: SDSP, synapses: Synapses, device: torch.device) -> Rule:
    return SDSPRule(_start(plasticity, synapses, device), plasticity, synapses.weight_bits)
