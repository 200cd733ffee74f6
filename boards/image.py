"""Weights in a board's flash: the image that ``lifline flash`` writes there, and the board reads when it starts.

An image is what a host would send to load the weights, written down::

    magic (4), build (4), length (3, the lowest byte first) | RESET, NAME, LOAD …, LOAD, NAME | flags

The frames are those of :mod:`lifline.boards.protocol`, each with its CRC, numbers and escapes; `length` counts them
and the flags at the end, which give the board time to do what the last frame says.  `build` is a hash of the design
that the image is for: another one does not read it.  The first NAME says that the rest has not been read yet, the last
one gives the board the digest of the network.  A frame that is damaged is dropped, as on the line, and all behind
it are then out of order: so the board never has the digest of weights that it has not got.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping

from lifline.errors import InputError
from lifline.files import check_regular
from lifline.network import Network
from lifline.storage import digest

from .banks import Banks
from .protocol import DIGEST_BYTES, FLAG, Command, stuffed

MAGIC = b"LIFW"
BUILD_BYTES, LENGTH_BYTES = 4, 3
HEADER_BYTES = len(MAGIC) + BUILD_BYTES + LENGTH_BYTES

#: What a board says in the place of a digest while it has not found an image of its build, and while it has not read
#: all of one.
NO_IMAGE, UNFINISHED = b"flash: no image\0", b"flash unfinished"

#: Bytes that three bytes of an address reach.
MOST_FLASH = 1 << 24

#: Of the frames in an image; any will do, for whoever comes after begins another session.
_SESSION = 1
#: Flags after the last frame.
_REST = 32


def read_flash(path: str | os.PathLike[str]) -> bytes:
    """What a file holds that stands for a flash's content, whole or damaged.

    Raises
    ------
    InputError
        If it cannot be read, or is larger than a flash.
    """
    check_regular(path)
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_FLASH + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give weights.bin of a build") from None
    if len(content) > MOST_FLASH:
        raise InputError(f"{path}: more than {MOST_FLASH} bytes, which no flash of a board holds")
    return content


class Images:
    """The images of a design.

    Parameters
    ----------
    built : Network
        That the design was built for.
    lanes : mapping
        Of each population.
    any_weights : bool
        Whether its sums are wide enough for any weights of as many bits.

    Members
    -------
    start : bytes
        The first bytes of each, by which the board knows them.
    most : int
        No image has more bytes after its header.
    """

    def __init__(self, built: Network, lanes: Mapping[str, int], *, any_weights: bool = False) -> None:
        self._banks = Banks(built, lanes, any_weights=any_weights)
        known = (digest(built).hex(), sorted(lanes.items()), any_weights, self._banks.shapes)
        self.start = MAGIC + zlib.crc32(repr(known).encode()).to_bytes(BUILD_BYTES, "little")
        self.most = 2 * len(self._body(built))  # each byte may have an escape

    def image(self, network: Network) -> bytes:
        """The image of a network of the shape and within the widths of the design.

        Raises
        ------
        InputError
            If the design is not built for such a network.
        """
        body = self._body(network)
        return self.start + len(body).to_bytes(LENGTH_BYTES, "little") + body

    def _body(self, network: Network) -> bytes:
        frames = enumerate(self._commands(network))
        first = stuffed(bytes([_SESSION, 0, Command.RESET]))
        rest = (stuffed(bytes([_SESSION, n % 256, command]) + data) for n, (command, data) in frames)
        return b"".join((first, *rest, bytes([FLAG]) * _REST))

    def _commands(self, network: Network) -> Iterator[tuple[int, bytes]]:
        yield Command.NAME, UNFINISHED
        for request in self._banks.writes(self._banks.words(network)):
            yield from request.frames
        yield Command.NAME, digest(network)[:DIGEST_BYTES]
