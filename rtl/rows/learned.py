"""Dense synapses that learn: as :class:`DenseRows`, of words w with the fraction that no synapse delivers.

A rule of plasticity has gateware if its synapses have rows here, and a circuit in :mod:`lifline.rtl.plasticity`::

    @learned_rows.register
    def _(rule: Oja) -> type[LearnedRows]:
        return LearnedRows
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import numpy as np

from lifline.errors import InputError
from lifline.plasticity import STDP, Plasticity, RewardSTDP, Rounding

from ..layout import Layout
from .dense import DenseRows
from .rows import Content, Rows

if TYPE_CHECKING:
    from lifline.network import Projection


#: Width of the seed of random rounding.
SEED_BITS = 32


class LearnedRows(DenseRows):
    """A word for each source and group, of w = weight · 2^fraction_bits + fraction for each lane.

    Parameters
    ----------
    projection : Projection
        Whose synapses all have one delay.
    layout, lag
        As of :class:`Rows`.
    """

    #: Whether the circuit of the rule hears the membranes that spikes have found, beside the spikes.
    hears_membranes = False

    def __init__(self, projection: Projection, layout: Layout, lag: int) -> None:
        assert projection.plasticity is not None
        self.rule: Plasticity = projection.plasticity
        super().__init__(projection.synapses, layout, lag)

    def of(self, projection: Projection) -> Rows:
        return type(self)(projection, self.layout, self.lag)

    @property
    def w_bits(self) -> int:
        """Width of w."""
        return int(self.synapses.weight_bits + self.rule.fraction_bits)

    @property
    def traces(self) -> dict[str, tuple[int, int]]:
        """The memories beside w, by name: bits of a word and words."""
        return {}

    @property
    def contents(self) -> dict[str, Content]:
        words = functools.partial(self._words, lambda: self.rule.start(self.synapses))
        content = super().contents["weights"]
        return {"weights": dataclasses.replace(content, bits=self.w_bits, values=words)}


class STDPRows(LearnedRows):
    """With the traces of sources, several a word, and of the targets, a group a word."""

    #: Bits of a word of sources, at most, where several are in one; and how many at most.
    WORD_BITS, MOST_SOURCES = 84, 8

    @property
    def pairs(self) -> STDP:
        """By which pairs of spikes change something."""
        assert isinstance(self.rule, STDP)
        return self.rule

    @property
    def random(self) -> bool:
        """Whether it rounds at random."""
        return self.pairs.rounding is Rounding.STOCHASTIC

    @property
    def contents(self) -> dict[str, Content]:
        """With the seed, which counts the samples, where it rounds at random."""
        if not self.random:
            return super().contents
        seed = np.array([[self.pairs.seed]], np.int64)
        content = Content(1, 1, SEED_BITS, False, "seed of the sample", lambda: seed, own=True)
        return super().contents | {"seed": content}

    @property
    def trace_bits(self) -> int:
        """Width of a trace."""
        return int(self.pairs.largest_trace).bit_length()

    @property
    def sources_of_word(self) -> int:
        """Sources that share a word: a power of two."""
        needed = 1 << (int(self.synapses.shape[0]) - 1).bit_length()
        most = min(self.MOST_SOURCES, needed)
        while most > 1 and most * (self.trace_bits + 1) > self.WORD_BITS:
            most //= 2
        return most

    @property
    def source_words(self) -> int:
        return -(-int(self.synapses.shape[0]) // self.sources_of_word)

    @property
    def traces(self) -> dict[str, tuple[int, int]]:
        bits = self.trace_bits + 1  # and whether it has spiked
        return {
            "sources": (bits * self.sources_of_word, self.source_words),
            "targets": (bits * self.layout.lanes, self.layout.groups),
        }


class RewardRows(STDPRows):
    """With the eligibility of each synapse, in words as those of w."""

    @property
    def pairs(self) -> STDP:
        assert isinstance(self.rule, RewardSTDP)
        return self.rule.pairs

    @property
    def traces(self) -> dict[str, tuple[int, int]]:
        words = int(self.synapses.shape[0]) * self.layout.groups
        assert isinstance(self.rule, RewardSTDP)
        bits = self.rule.eligibility_bits * self.layout.lanes
        return super().traces | {"eligibility": (bits, words)}


@functools.singledispatch
def learned_rows(rule: Plasticity) -> type[LearnedRows]:
    """The rows of synapses that learn by a rule.

    Raises
    ------
    InputError
        If the gateware does not have it.
    """
    raise InputError(
        f"the gateware cannot learn by {type(rule).__name__}: learn in golden, or register rows and a circuit with "
        "lifline.rtl.rows.learned_rows and lifline.rtl.plasticity.learner"
    )


@learned_rows.register
def _(rule: STDP) -> type[LearnedRows]:
    return STDPRows


@learned_rows.register
def _(rule: RewardSTDP) -> type[LearnedRows]:
    return RewardRows


def check_learning(projection: Projection) -> None:
    """Refuse synapses that learn and have delays of their own.

    Raises
    ------
    InputError
    """
    least, most = projection.synapses.delay_range
    if least != most:
        raise InputError(
            f"projection '{projection}': its delays are {least} … {most}, and synapses that learn in gateware share "
            "one: give them one delay, or learn in golden"
        )
