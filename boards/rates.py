"""How many samples a second the line to a board carries."""

from __future__ import annotations

import numpy as np

from .board import Board
from .protocol import Command, Part, encode, parts_of, stuffed

#: On the line, a byte has a start bit and a stop bit.
BYTE_BITS = 10


def line_samples_per_second(board: Board, spikes: np.ndarray, input_bits: int = 1) -> float:
    """Samples a second that a board's line carries, whatever the network takes: the mean over some samples.

    What a host sends is the longer way; the board's answers come back at the same time.

    Parameters
    ----------
    board : Board
    spikes : (samples, ticks, inputs)
    input_bits : int
        Of the network.
    """
    total = sum(_line_bytes(encode(sample, input_bits)) for sample in spikes)
    return board.baud / BYTE_BITS * len(spikes) / total


def raw_samples_per_second(board: Board, inputs: int) -> float:
    """Samples a second where a sample is a byte for each input, and an encoder on the board makes spikes of it."""
    return board.baud / BYTE_BITS / _line_bytes(bytes(inputs))


def _line_bytes(data: bytes) -> int:
    """Bytes on the line of a sample's data: in frames, with their flags, numbers and CRCs."""
    session = number = 0
    return sum(
        len(stuffed(bytes([session, number, Command.SAMPLE | part]) + payload))
        for part, payload in parts_of(data, Part(0))
    )
