"""Which lane of which group each neuron of a population is.

::

    all neurons in one block                     a block for each position of a map, 3 channels, 2 lanes
    group 0: neurons 0 … lanes − 1               group 0: position 0, channels 0 and 1
    group 1: the next `lanes`                    group 1: position 0, channel 2, and a lane without a neuron
    …                                            group 2: position 1, channels 0 and 1

Groups do not cross a block.  So what an event does to a position of a map is a few whole groups, wherever
the position is, and the same row of weights serves all of them.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np


@dataclasses.dataclass(frozen=True)
class Layout:
    """The groups of a population, each of `lanes` neurons of one block."""

    size: int  #: neurons
    block: int  #: neurons of a block: it divides `size`
    lanes: int

    @property
    def groups_per_block(self) -> int:
        """Groups of a block; the last may be partly empty."""
        return -(-self.block // self.lanes)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return self.size // self.block * self.groups_per_block

    @property
    def linear(self) -> bool:
        """Whether neuron = group · lanes + lane: no lane is empty but in the last group."""
        return self.block == self.size or self.block % self.lanes == 0

    @functools.cached_property
    def slots(self) -> np.ndarray:
        """group · lanes + lane of each neuron, int64 (size,)."""
        block, inside = np.divmod(np.arange(self.size), self.block)
        return block * self.groups_per_block * self.lanes + inside

    def by_group(self, values: np.ndarray) -> np.ndarray:
        """Values of the neurons, (…, size), as int64 (…, groups, lanes); lanes without a neuron hold 0."""
        padded = np.zeros((*values.shape[:-1], self.groups * self.lanes), np.int64)
        padded[..., self.slots] = values
        return padded.reshape(*values.shape[:-1], self.groups, self.lanes)


def address_bits(count: int) -> int:
    """Bits of an address or index below `count`; at least one, so that no signal is empty."""
    return max(1, (count - 1).bit_length())
