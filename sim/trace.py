"""The trace of a population as the accelerator shows it: one word for each group of neurons and tick.

A word holds, from its low end: the group, a spike bit for each lane, then for each state of the kind a
number for each lane.  In files and in comparisons it is bytes, little endian.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from lifline.network import Network
from lifline.neurons import State
from lifline.rtl.layout import Layout, address_bits
from lifline.rtl.plan import block_of


@dataclasses.dataclass(frozen=True)
class Trace:
    """Shape of one population's trace."""

    name: str
    layout: Layout
    states: tuple[State, ...]

    @property
    def size(self) -> int:
        """Neurons."""
        return self.layout.size

    @property
    def lanes(self) -> int:
        """Neurons of a word."""
        return self.layout.lanes

    @property
    def groups(self) -> int:
        """Words in a tick."""
        return self.layout.groups

    @property
    def group_bits(self) -> int:
        return address_bits(self.groups)

    @property
    def bits(self) -> int:
        """Width of a word."""
        return self.group_bits + self.lanes * (1 + sum(state.bits for state in self.states))

    @property
    def word_bytes(self) -> int:
        return -(-self.bits // 8)

    def pack(self, spikes: np.ndarray, states: Mapping[str, np.ndarray]) -> np.ndarray:
        """The words that show these values: uint8 (..., ticks, groups, word_bytes).

        Parameters
        ----------
        spikes : (..., ticks, size), 0 or 1
        states : mapping of str to (..., ticks, size)
        """
        shape = (*spikes.shape[:-1], self.groups, self.lanes)

        def bits(values: np.ndarray, width: int) -> np.ndarray:
            return _to_bits(self.layout.by_group(values), width).reshape(*shape[:-1], -1)

        group = np.broadcast_to(
            _to_bits(np.arange(self.groups), self.group_bits), (*shape[:-1], self.group_bits)
        )
        parts = [bits(states[state.name], state.bits) for state in self.states]
        return np.packbits(
            np.concatenate([group, bits(spikes, 1), *parts], axis=-1), axis=-1, bitorder="little"
        )

    def mask(self) -> np.ndarray:
        """The bits of a tick's words that mean something, uint8 (groups, word_bytes): lanes without a neuron do not."""
        ones = np.full((1, self.size), -1, np.int64)
        words = self.pack(-ones, {state.name: ones for state in self.states})[0]
        low = np.packbits(np.arange(self.word_bytes * 8) < self.group_bits, bitorder="little")
        return words | low

    def unpack(self, words: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Spikes, uint8 (..., ticks, size), and of each state its values, int32 likewise.

        Parameters
        ----------
        words : uint8 (..., ticks, groups, word_bytes)
        """
        lead = words.shape[:-2]
        spikes = np.empty((int(np.prod(lead)), self.size), np.uint8)
        states = {state.name: np.empty(spikes.shape, np.int32) for state in self.states}
        rows = words.reshape(len(spikes), self.groups, self.word_bytes)
        step = max(1, 2**24 // (self.groups * self.word_bytes))  # bounds the memory that the bits take
        for start in range(0, len(spikes), step):
            part = slice(start, start + step)
            bits = np.unpackbits(rows[part], axis=-1, count=self.bits, bitorder="little")
            for where, state in self._places():
                lanes = bits[..., where].reshape(len(bits), self.groups * self.lanes, -1)
                field = lanes[:, self.layout.slots]
                if state is None:
                    spikes[part] = field[..., 0]
                else:
                    states[state.name][part] = field @ _place_values(state)
        shape = (*lead, self.size)
        return spikes.reshape(shape), {name: v.reshape(shape) for name, v in states.items()}

    def _places(self) -> Iterator[tuple[slice, State | None]]:
        """The bits of a word that hold the spikes (None), and each state."""
        low = self.group_bits
        for state in (None, *self.states):
            high = low + self.lanes * (1 if state is None else state.bits)
            yield slice(low, high), state
            low = high


def traces_of(network: Network, lanes: Mapping[str, int]) -> tuple[Trace, ...]:
    """The traces of a network's populations, in the order of their evaluation."""
    return tuple(
        Trace(
            population.name,
            Layout(population.size, block_of(network, population), lanes[population.name]),
            population.neuron.states,
        )
        for population in network.order
    )


def _place_values(state: State) -> np.ndarray:
    """What each bit of a state counts, low bit first: int32."""
    values = 1 << np.arange(state.bits, dtype=np.int64)
    if state.signed:
        values[-1] = -values[-1]
    return values.astype(np.int32)


def _to_bits(values: np.ndarray, width: int) -> np.ndarray:
    """Two's complement, low bit first, along a new last axis; uint8."""
    return ((np.asarray(values)[..., None] >> np.arange(width)) & 1).astype(np.uint8)
