"""The trace of a population as the accelerator shows it: one word for each group of neurons and tick.

A word holds, from its low end: the group, a spike bit for each lane, a membrane for each lane.  In files and
in comparisons it is bytes, little endian.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from lifline.network import Network
from lifline.rtl.plan import address_bits


@dataclasses.dataclass(frozen=True)
class Trace:
    """Shape of one population's trace."""

    name: str
    size: int
    lanes: int
    membrane_bits: int

    @property
    def groups(self) -> int:
        """Words in a tick."""
        return -(-self.size // self.lanes)

    @property
    def group_bits(self) -> int:
        return address_bits(self.groups)

    @property
    def bits(self) -> int:
        """Width of a word."""
        return self.group_bits + self.lanes * (1 + self.membrane_bits)

    @property
    def word_bytes(self) -> int:
        return -(-self.bits // 8)

    def pack(self, spikes: np.ndarray, membrane: np.ndarray) -> np.ndarray:
        """The words that show these values: uint8 (..., ticks, groups, word_bytes).

        Parameters
        ----------
        spikes : (..., ticks, size), 0 or 1
        membrane : (..., ticks, size)
        """
        padding = [(0, 0)] * (spikes.ndim - 1) + [(0, self.groups * self.lanes - self.size)]
        shape = (*spikes.shape[:-1], self.groups, self.lanes)
        spike = np.pad(spikes, padding).reshape(shape).astype(np.uint8)
        value = np.pad(membrane, padding).reshape(shape)
        group = np.broadcast_to(
            _to_bits(np.arange(self.groups), self.group_bits), (*shape[:-1], self.group_bits)
        )
        values = _to_bits(value, self.membrane_bits).reshape(*shape[:-1], -1)
        return np.packbits(np.concatenate([group, spike, values], axis=-1), axis=-1, bitorder="little")

    def mask(self) -> np.ndarray:
        """The bits of a tick's words that mean something, uint8 (groups, word_bytes): lanes without a neuron do not."""
        used = np.zeros((1, self.size), np.int64)
        words = self.pack(used + 1, used - 1)[0]
        low = np.packbits(np.arange(self.word_bytes * 8) < self.group_bits, bitorder="little")
        return words | low

    def unpack(self, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Spikes, uint8 (..., ticks, size), and membranes, int32 (..., ticks, size).

        Parameters
        ----------
        words : uint8 (..., ticks, groups, word_bytes)
        """
        lead = words.shape[:-2]
        spikes = np.empty((int(np.prod(lead)), self.size), np.uint8)
        membrane = np.empty(spikes.shape, np.int32)
        rows = words.reshape(len(spikes), self.groups, self.word_bytes)
        step = max(1, 2**24 // (self.groups * self.word_bytes))  # bounds the memory that the bits take
        weights = 1 << np.arange(self.membrane_bits, dtype=np.int32)
        weights[-1] = -weights[-1]
        for start in range(0, len(spikes), step):
            part = slice(start, start + step)
            bits = np.unpackbits(rows[part], axis=-1, count=self.bits, bitorder="little")[
                ..., self.group_bits :
            ]
            spikes[part] = bits[..., : self.lanes].reshape(len(bits), -1)[:, : self.size]
            values = bits[..., self.lanes :].reshape(len(bits), -1, self.membrane_bits) @ weights
            membrane[part] = values[:, : self.size]
        return spikes.reshape(*lead, self.size), membrane.reshape(*lead, self.size)


def traces_of(network: Network, lanes: Mapping[str, int]) -> tuple[Trace, ...]:
    """The traces of a network's populations, in the order of their evaluation."""
    return tuple(
        Trace(population.name, population.size, lanes[population.name], population.membrane_bits)
        for population in network.order
    )


def _to_bits(values: np.ndarray, width: int) -> np.ndarray:
    """Two's complement, low bit first, along a new last axis; uint8."""
    return ((np.asarray(values)[..., None] >> np.arange(width)) & 1).astype(np.uint8)
