"""What a simulation learns: each bank of weights after each sample, from the words that were written into it."""

from __future__ import annotations

import dataclasses

import numpy as np

from lifline.network import Network
from lifline.rtl.layout import Layout
from lifline.rtl.plan import Lanes, plan
from lifline.rtl.rows import Content

#: Bits of a word's address in the trace of what is written.
ADDRESS_BITS = 32


@dataclasses.dataclass(frozen=True)
class LearnedBank:
    """The weights of a projection that learns."""

    name: str  #: of the trace: population and channel
    projection: int  #: its index in the network
    layout: Layout  #: of the target
    content: Content

    @property
    def words(self) -> int:
        return self.content.depth

    @property
    def word_bytes(self) -> int:
        return -(-self.content.width // 8)

    def initial(self) -> np.ndarray:
        """Its words before the first sample, uint8 (words, word_bytes)."""
        values = self.content.values()
        bits = values[..., None] >> np.arange(self.content.bits) & 1
        packed = np.packbits(bits.reshape(len(values), -1).astype(np.uint8), axis=1, bitorder="little")
        return packed[:, : self.word_bytes]

    def weights(self, words: np.ndarray) -> np.ndarray:
        """w, int32 (..., source size, target size), of words, uint8 (..., words, word_bytes)."""
        content, lead = self.content, words.shape[:-2]
        sources = self.words // self.layout.groups
        w = np.empty((int(np.prod(lead)), sources, self.layout.size), np.int32)
        place = 1 << np.arange(content.bits, dtype=np.int64)
        place[-1] = -place[-1]
        for to, image in zip(w, words.reshape(-1, *words.shape[-2:]), strict=True):
            bits = np.unpackbits(image, axis=1, count=content.width, bitorder="little")
            values = bits.reshape(self.words, content.entries, content.bits) @ place
            by_source = values.reshape(self.layout.groups, sources, -1).transpose(1, 0, 2)
            to[:] = by_source.reshape(sources, -1)[:, self.layout.slots]
        return w.reshape(*lead, *w.shape[1:])


def learned_banks(network: Network, lanes: Lanes) -> tuple[LearnedBank, ...]:
    """The banks of the projections that learn, in the order of the gateware's arrays and channels."""
    index = {id(projection): i for i, projection in enumerate(network.projections)}
    return tuple(
        LearnedBank(
            f"{name}_{number}",
            index[id(array.channels[number].projection)],
            array.layout,
            array.channels[number].contents["weights"],
        )
        for name, array in plan(network, lanes, learn=True).items()
        for number in array.plastic
    )
