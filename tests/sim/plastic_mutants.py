"""Mutants of the gateware that learns at random, or by rewards; as those of :mod:`.mutants`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lifline import STDP, Network, RewardSTDP, Rounding
from lifline.plasticity import Plasticity

from ..plastic import of_gateware, random_plastic_network
from .mutants import Mutant


def _first_with(wanted: Callable[[Plasticity], bool]) -> Callable[[np.random.Generator], Network]:
    """The first of those that are drawn in which a synapse learns by such a rule."""

    def draw(rng: np.random.Generator) -> Network:
        while True:
            network = of_gateware(rng, random_plastic_network(rng, names="n_"))
            if any(p.plasticity is not None and wanted(p.plasticity) for p in network.projections):
                return network

    return draw


def _at_random(rule: Plasticity) -> bool:
    return isinstance(rule, STDP) and rule.rounding is Rounding.STOCHASTIC and rule.shift > 3


def _rewarded(rule: Plasticity) -> bool:
    return isinstance(rule, RewardSTDP) and rule.shift < 12


def _normalised(rule: Plasticity) -> bool:
    return _rewarded(rule) and rule.pairs.total is not None  # type: ignore[attr-defined]


def _wide(rule: Plasticity) -> bool:
    return _rewarded(rule) and rule.eligibility_bits > 18  # type: ignore[attr-defined]


PLASTIC_NETWORKS: dict[str, tuple[Callable[[np.random.Generator], Network], str]] = {
    "at random": (_first_with(_at_random), "any"),
    "rewarded": (_first_with(_rewarded), "any"),
    "rewarded and normalised": (_first_with(_normalised), "any"),
    "rewarded, wide": (_first_with(_wide), "any"),
}

PLASTIC_MUTANTS: dict[str, Mutant] = {
    "random rounding: the same in every tick": Mutant(
        "rtl/plasticity/stdp.py", "m.d.sync += tick.eq(tick + 1)", "pass", "at random"
    ),
    "random rounding: ticks of the sample before": Mutant(
        "rtl/plasticity/stdp.py", "m.d.sync += tick.eq(-1)", "pass", "at random"
    ),
    "random rounding: the same in every lane": Mutant(
        "rtl/plasticity/random.py", "first + lane", "first", "at random"
    ),
    "random rounding: the same in every group": Mutant(
        "rtl/plasticity/stdp.py", "Mux(group == array.groups - 1, 0, following)", "0", "at random"
    ),
    "random rounding: the seed of the sample before": Mutant(
        "rtl/plasticity/random.py", "write_data.eq(self.seed + 1)", "write_data.eq(self.seed)", "at random"
    ),
    "random rounding: the last mixing": Mutant(
        "rtl/plasticity/random.py", "risen >> 11", "risen >> 12", "at random"
    ),
    "random rounding: a shift before the number": Mutant(
        "rtl/plasticity/stdp.py",
        "(product + number if rule.shift else product) >> rule.shift",
        "product >> rule.shift",
        "at random",
    ),
    "reward: eligibility of the sample before": Mutant(
        "rtl/plasticity/reward_stdp.py", "Mux(first, 0, ram.data)", "ram.data", "rewarded"
    ),
    "reward: eligibility that does not fall": Mutant(
        "rtl/plasticity/reward_stdp.py", "times(e, Const(self.rule.alpha)) >> 8", "e", "rewarded", 5
    ),
    "reward: sources without a spike": Mutant(
        "rtl/plasticity/traces.py", "return Const(1)", "return spiked", "rewarded"
    ),
    "reward: sources that there are not": Mutant(
        "rtl/plasticity/traces.py", "return word_before != (words - 2) % words", "return Const(1)", "rewarded"
    ),
    "reward: what the port has later": Mutant(
        "rtl/accelerator.py", "self.clear & ~closing & ~clearing & ~sample.busy", "Const(1)", "rewarded", 5
    ),
    "reward: weights are normalised first": Mutant(
        "rtl/plasticity/stdp.py", "rest if owed is None else rest & ~owed\n", "rest\n", "rewarded and normalised"
    ),
    "reward: the sign of the upper part": Mutant(
        "rtl/plasticity/reward_stdp.py", "e[self.LOW :].as_signed()", "e[self.LOW :]", "rewarded, wide"
    ),
    "reward: a group's words": Mutant(
        "rtl/plasticity/reward_stdp.py", 'delay(m, word, 3, "paid")', 'delay(m, word, 2, "paid")', "rewarded"
    ),
}  # fmt: skip
