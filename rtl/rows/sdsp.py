"""Dense synapses that learn by SDSP."""

from __future__ import annotations

from lifline.plasticity import SDSP

from .learned import LearnedRows, learned_rows


class SDSPRows(LearnedRows):
    """With a bit for each source, several a word, and the calcium of the targets, a group a word."""

    #: Sources in a word, at most: among so many the next one to visit is found in a cycle.
    MOST_SOURCES = 16

    hears_membranes = True

    rule: SDSP

    @property
    def calcium_bits(self) -> int:
        """Width of a calcium."""
        return int(self.rule.largest_calcium).bit_length()

    @property
    def drifts(self) -> bool:
        """Whether weights change without a spike."""
        return self.rule.drift_up > 0 or self.rule.drift_down > 0

    @property
    def sources_of_word(self) -> int:
        """Sources that share a word: a power of two."""
        return min(self.MOST_SOURCES, 1 << (int(self.synapses.shape[0]) - 1).bit_length())

    @property
    def source_words(self) -> int:
        return -(-int(self.synapses.shape[0]) // self.sources_of_word)

    @property
    def traces(self) -> dict[str, tuple[int, int]]:
        lanes, groups = self.layout.lanes, self.layout.groups
        return {
            "sources": (self.sources_of_word, self.source_words),
            # and whether weights rise, or fall
            "targets": ((self.calcium_bits + 2) * lanes, groups),
            "found": (lanes, groups),
        }


@learned_rows.register
def _(rule: SDSP) -> type[LearnedRows]:
    return SDSPRows
