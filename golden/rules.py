"""The specification of learning: each plasticity rule in plain Python integers, a synapse at a time.

Read it beside ``docs/contract.md``, as :mod:`lifline.golden.reference`, which runs it.  A rule is a function,
registered by its type with :func:`learn`; one that needs the end of a sample registers with :func:`reward` or
:func:`settle`, too.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from lifline.plasticity import SDSP, STDP, Pairing, Plasticity, RewardSTDP, Rounding
from lifline.plasticity.stdp import FACTOR_BITS


class Synapse(NamedTuple):
    """A synapse that learns, between two ticks."""

    w: int  #: its weight with fraction_bits more bits
    traces: dict[str, int]  #: what else its rule keeps, by name


class Moment(NamedTuple):
    """A tick at one synapse."""

    t: int  #: of the sample
    j: int  #: its source neuron
    i: int  #: its target neuron
    s_pre: int  #: whether a spike of its source has arrived
    s_post: int  #: whether its target spiked
    v: int  #: the target's membrane at the end of the tick before


def start(rule: Plasticity, w: int) -> Synapse:
    """A synapse at the start of a sample."""
    return Synapse(w, dict.fromkeys(rule.traces, 0))


@functools.singledispatch
def learn(rule: Plasticity, weight_bits: int, before: Synapse, now: Moment) -> Synapse:
    """What the end of a tick makes of one synapse."""
    raise TypeError(
        f"the reference has no {type(rule).__name__}: register its learning with lifline.golden.rules.learn"
    )


@functools.singledispatch
def reward(
    rule: Plasticity, weight_bits: int, before: Synapse, signal: int, t: int, j: int, i: int
) -> Synapse:
    """What the host's signal makes of synapse j → i after a sample of t ticks."""
    return before


@functools.singledispatch
def settle(rule: Plasticity, weight_bits: int, weights: list[int]) -> list[int]:
    """What the end of a sample makes of w of all synapses that end at one neuron."""
    return weights


@learn.register
def _stdp(rule: STDP, weight_bits: int, before: Synapse, now: Moment) -> Synapse:
    rise, fall, traces = pair(rule, weight_bits, before, now)
    w = clip(rule, weight_bits, before.w + now.s_post * rise - now.s_pre * fall)
    return Synapse(w, traces)


def pair(rule: STDP, weight_bits: int, before: Synapse, now: Moment) -> tuple[int, int, dict[str, int]]:
    """rise, fall, and the traces p and q at the end of the tick."""
    w = before.w
    low, high = rule.range(weight_bits)
    p, q = rule.alpha_pre * before.traces["p"] >> 8, rule.alpha_post * before.traces["q"] >> 8
    raised = {
        "p": rule.amplitude + (p if rule.pairing is Pairing.ALL else 0) if now.s_pre else p,
        "q": rule.amplitude + (q if rule.pairing is Pairing.ALL else 0) if now.s_post else q,
    }
    if rule.coincident:
        p, q = raised["p"], raised["q"]
    r = random(rule, rule.shift, now.t, now.j, now.i)
    rise, fall = rule.eta_plus * p + r >> rule.shift, rule.eta_minus * q + r >> rule.shift
    if rule.soft:
        rise = rise * (high - w) >> (weight_bits + rule.fraction_bits)
        fall = fall * (w - low) >> (weight_bits + rule.fraction_bits)
    return rise, fall, raised


@settle.register
def _normalise(rule: STDP, weight_bits: int, weights: list[int]) -> list[int]:
    if rule.total is None or sum(weights) <= 0:
        return weights
    factor = (rule.total << (rule.fraction_bits + FACTOR_BITS)) // sum(weights)
    return [clip(rule, weight_bits, w * factor >> FACTOR_BITS) for w in weights]


@learn.register
def _reward_stdp(rule: RewardSTDP, weight_bits: int, before: Synapse, now: Moment) -> Synapse:
    rise, fall, traces = pair(rule.pairs, weight_bits, before, now)
    most = 2 ** (rule.eligibility_bits - 1) - 1
    e = rule.alpha * before.traces["eligibility"] >> 8
    e = max(-most - 1, min(most, e + now.s_post * rise - now.s_pre * fall))
    return Synapse(before.w, {**traces, "eligibility": e})


@reward.register
def _rewarded(
    rule: RewardSTDP, weight_bits: int, before: Synapse, signal: int, t: int, j: int, i: int
) -> Synapse:
    r = random(rule.pairs, rule.shift, t, j, i)
    change = signal * before.traces["eligibility"] + r >> rule.shift
    return Synapse(clip(rule, weight_bits, before.w + change), before.traces)


@settle.register
def _normalise_pairs(rule: RewardSTDP, weight_bits: int, weights: list[int]) -> list[int]:
    return _normalise(rule.pairs, weight_bits, weights)


@learn.register
def _sdsp(rule: SDSP, weight_bits: int, before: Synapse, now: Moment) -> Synapse:
    w, c = before.w, rule.alpha * before.traces["calcium"] >> 8
    change = rule.drift_up if w > rule.middle << rule.fraction_bits else -rule.drift_down
    if now.s_pre and now.v > rule.threshold and rule.up_low <= c < rule.up_high:
        change += rule.step_up
    if now.s_pre and now.v <= rule.threshold and rule.down_low <= c < rule.down_high:
        change -= rule.step_down
    c += rule.amplitude * now.s_post
    return Synapse(clip(rule, weight_bits, w + change), {"calcium": c})


def clip(rule: Plasticity, weight_bits: int, w: int) -> int:
    """w within its range."""
    low, high = rule.range(weight_bits)
    return max(low, min(high, w))


def random(rule: STDP, shift: int, t: int, j: int, i: int) -> int:
    """What is added before a shift: 0, or a number of 0 … 2^shift − 1 by the rule's seed."""
    if rule.rounding is Rounding.FLOOR:
        return 0
    h = 0
    for key in (rule.seed, t, j, i):
        h = (h + key) % 2**32
        h = (h + (h << 10)) % 2**32
        h ^= h >> 6
    for _ in range(2):
        h = (h + (h << 3)) % 2**32
        h ^= h >> 11
        h = (h + (h << 15)) % 2**32
    return h // 2 ** (32 - shift)
