"""The memories of a board that can be loaded: their words as frames, and back."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from lifline.network import Network
from lifline.rtl import load, plan
from lifline.rtl.port import PART_BITS, parts_of

from .host import Lost, Request
from .loading import MOST_PARTS
from .protocol import MOST_PAYLOAD, Command, Kind

_HEAD = struct.Struct("<BBHB")  # bank, parts of a word less one, word

Words = list[tuple[int, list[int]]]


class Banks:
    """What the load port of a design reaches.

    Parameters
    ----------
    built : Network
        That the design was built for.
    lanes : mapping
        Of each population.
    any_weights : bool
        Whether its sums are wide enough for any weights of as many bits.
    """

    def __init__(self, built: Network, lanes: Mapping[str, int], *, any_weights: bool) -> None:
        self._built = built
        self._lanes = dict(lanes)
        self._any_weights = any_weights
        arrays = plan(built, self._lanes, load=True, any_weights=any_weights)
        roms = [rom for array in arrays.values() for rom in load.loadable(array)]
        #: Parts of a word, and words, of each bank.
        self.shapes = [(parts_of(rom.width), len(rom.words)) for rom in roms]

    def words(self, network: Network) -> Words:
        """What every bank holds for a network.

        Raises
        ------
        InputError
            If the design is not built for such a network.
        """
        found = load.words(network, self._lanes, built=self._built, any_weights=self._any_weights)
        return [(bank, [int(word) for word in words]) for bank, words in found]

    def writes(self, banks: Words) -> list[Request]:
        """Requests that write all words."""
        requests: list[Request] = []
        for bank, words in banks:
            parts, _ = self.shapes[bank]
            size = parts * PART_BITS // 8
            each = (MOST_PAYLOAD - _HEAD.size) // size
            for start in range(0, len(words), each):
                data = b"".join(word.to_bytes(size, "little") for word in words[start : start + each])
                frame = (int(Command.LOAD), _head(bank, parts, start) + data)
                requests.append(Request([frame], None, lambda data, events: None, len(requests)))
        return requests

    def reads(self) -> list[Request]:
        """Requests that read all words, in order."""
        requests: list[Request] = []
        for bank, (parts, count) in enumerate(self.shapes):
            each = MOST_PARTS // parts
            for start in range(0, count, each):
                wanted = parts * min(each, count - start)

                def read(data: bytes, events: bytes, wanted: int = wanted) -> bytes:
                    if len(data) != wanted * PART_BITS // 8:
                        raise Lost
                    return data

                frame = (int(Command.READ), _head(bank, parts, start) + bytes([wanted]))
                requests.append(Request([frame], Kind.WORDS, read, len(requests)))
        return requests

    def joined(self, answers: Mapping[int, bytes]) -> Words:
        """The words in the answers to :meth:`reads`."""
        key = 0
        banks: Words = []
        for bank, (parts, count) in enumerate(self.shapes):
            data = b""
            size = parts * PART_BITS // 8
            while len(data) < count * size:
                data += answers[key]
                key += 1
            words = [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
            banks.append((bank, words))
        return banks


def _head(bank: int, parts: int, word: int) -> bytes:
    return _HEAD.pack(bank, parts - 1, word & 0xFFFF, word >> 16)
