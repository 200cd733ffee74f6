"""The memories of a board that can be loaded: their words as frames, and back."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from lifline.network import Network
from lifline.progress import Progress
from lifline.rtl import load, plan
from lifline.rtl.port import PART_BITS, parts_of

from .host import Host, Lost, Request
from .line import BoardError
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
    learn : bool
        Whether what can learn does.
    """

    def __init__(
        self, built: Network, lanes: Mapping[str, int], *, any_weights: bool, learn: bool = False
    ) -> None:
        self._built = built
        self.lanes = dict(lanes)
        self._any_weights = any_weights
        self._learn = learn
        arrays = plan(built, self.lanes, load=True, any_weights=any_weights, learn=learn)
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
        found = load.words(
            network, self.lanes, built=self._built, any_weights=self._any_weights, learn=self._learn
        )
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

    def reads(self, chosen: Sequence[int]) -> list[Request]:
        """Requests that read all words of these banks, in order."""
        requests: list[Request] = []
        for bank in chosen:
            parts, count = self.shapes[bank]
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

    def joined(self, chosen: Sequence[int], answers: Mapping[int, bytes]) -> Words:
        """The words in the answers to :meth:`reads`."""
        key = 0
        banks: Words = []
        for bank in chosen:
            parts, count = self.shapes[bank]
            data = b""
            size = parts * PART_BITS // 8
            while len(data) < count * size:
                data += answers[key]
                key += 1
            words = [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
            banks.append((bank, words))
        return banks


def read(host: Host, banks: Banks, chosen: Sequence[int] | None, progress: Progress) -> Words:
    """The words of some banks of a board, or of all."""
    chosen = range(len(banks.shapes)) if chosen is None else chosen
    answers = host.ask_all(banks.reads(chosen), progress, "frames of memories read")
    return banks.joined(chosen, answers)


def write(host: Host, banks: Banks, words: Words, progress: Progress) -> None:
    """Write words to a board, and read them back.

    Raises
    ------
    BoardError
        If its memories do not hold what was written.
    """
    for _ in range(2):
        host.ask_all(banks.writes(words), progress, "frames of memories written")
        if read(host, banks, [bank for bank, _ in words], progress) == words:
            return
    raise BoardError("the board's memories do not hold what was written: write its bitstream anew")


def _head(bank: int, parts: int, word: int) -> bytes:
    return _HEAD.pack(bank, parts - 1, word & 0xFFFF, word >> 16)
