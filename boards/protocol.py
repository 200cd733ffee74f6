"""The bytes between a host and a board.

The host sends one sample at a time, as bytes::

    0x00 … 0x7F     an address: 7 bits a byte, the most significant first; `address_bytes` of them are an event
    TICK   0x81     the tick ends
    END    0x82     the sample ends (after its last TICK): the board answers, then starts from rest
    RESET  0x80     forget everything, start from rest; the board answers READY

The board answers::

    READY  0x80             after RESET
    CREDIT 0x81             for every 256 bytes that it has taken since RESET (itself not counted)
    CLASS  0x82 high low    after END: the class, 7 bits a byte
    ERROR  0x83 code 0      after END, instead of a class: what went wrong in this sample (:class:`Fault`)

Only commands have the top bit set, so both sides find their place again at any command.

No byte is ever lost: the board buffers `WINDOW` bytes, and the host never has more than those on their way:
it may send `WINDOW` bytes, and 256 more for each CREDIT.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

import numpy as np

from lifline.files import check_spikes
from lifline.network import Population
from lifline.rtl.parameters import signed_bits

RESET = READY = 0x80
TICK = CREDIT = 0x81
END = CLASS = 0x82
ERROR = 0x83

#: Bytes that a board buffers.
WINDOW = 512

#: Bytes that one CREDIT returns to the host.
CREDIT_BYTES = 256

#: The board adds up no more ticks than this in a sample, so that its sums cannot overflow.
MAX_TICKS = 4095

#: Bits of an address or a class that one byte carries.
BYTE_BITS = 7

#: Most classes that two bytes can name.
MAX_CLASSES = 1 << (2 * BYTE_BITS)


class Fault(enum.IntFlag):
    """What a board found wrong in a sample."""

    ADDRESS = 1  #: an event's address is not one of the network's inputs
    TICKS = 2  #: more than `MAX_TICKS` ticks
    LOST = 4  #: a byte was damaged on the line, or came while the buffer was full
    COMMAND = 8  #: an unknown command, or one within an address


def score_range(output: Population, max_ticks: int = MAX_TICKS) -> tuple[int, int]:
    """Least and greatest score of a neuron: its spikes in `max_ticks` ticks, of a readout its membranes' sum."""
    low, high = output.neuron.states[0].range if output.neuron.readout else (0, 1)
    return low * max_ticks, high * max_ticks


def score_bits(output: Population) -> int:
    """Bits of a neuron's score."""
    low, high = score_range(output)
    return signed_bits(low, high) if low < 0 else high.bit_length()


def address_bytes(inputs: int) -> int:
    """Bytes of one event's address, for a network with so many inputs."""
    return max(1, -(-(inputs - 1).bit_length() // BYTE_BITS))


def encode(spikes: np.ndarray) -> bytes:
    """One sample as the bytes that a host sends.

    Parameters
    ----------
    spikes : (ticks, inputs), 0 or 1
        At most `MAX_TICKS` ticks.

    Raises
    ------
    InputError
        If `spikes` has another shape, type or value.
    """
    inputs = spikes.shape[-1]
    shifts = BYTE_BITS * np.arange(address_bytes(inputs))[::-1]
    parts = []
    for tick in check_spikes(spikes, inputs):
        addresses = np.flatnonzero(tick)
        parts.append(((addresses[:, None] >> shifts) & 0x7F).astype(np.uint8).tobytes())
        parts.append(bytes([TICK]))
    return b"".join(parts) + bytes([END])


def decode(data: bytes, inputs: int) -> Iterator[np.ndarray]:
    """The samples in what a host has sent: each as spikes (ticks, inputs); the reverse of :func:`encode`."""
    ticks: list[np.ndarray] = []
    spikes = np.zeros(inputs, np.uint8)
    address, digits = 0, 0
    for byte in data:
        if byte < 0x80:
            address, digits = address << BYTE_BITS | byte, digits + 1
            if digits == address_bytes(inputs):
                spikes[address] = 1
                address, digits = 0, 0
        elif byte == TICK:
            ticks.append(spikes)
            spikes = np.zeros(inputs, np.uint8)
        else:
            if byte == END:
                yield np.array(ticks, np.uint8).reshape(len(ticks), inputs)
            ticks, spikes = [], np.zeros(inputs, np.uint8)
            address, digits = 0, 0
