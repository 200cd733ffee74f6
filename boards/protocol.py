"""What a host and a board say to each other, byte by byte: ``docs/link.md`` explains it.

Either side sends frames, as PPP does (RFC 1662)::

    7e | body, CRC-32 of the body (lowest byte first) | 7e        within: 7e is sent as 7d 5e, 7d as 7d 5d

The body of a host's frame, and of a board's::

    session, number, command, what the command needs …
    session, expected, taken, kind + 8 · asked, what the kind tells …

A RESET begins a session, whose number every frame of both sides carries.  The host numbers its frames from 0, modulo
256; a board takes them in this order, once each, and says in every frame which it expects next from the line and which
it will work on next.  POLL and RESET are outside of that order, and obeyed at any time; the number of the last of them,
modulo 32, is `asked`.

A frame that is damaged, that comes in another order or finds the buffer full is dropped, and the board answers with
NAK: the host then sends again from `expected` on.  Nothing else is repeated: an answer that was lost is asked for
again, by the same command in a new frame.  Every command can be repeated, for each sample starts from rest; but not a
sample that is learned from: what the board held before is then loaded first (:mod:`lifline.boards.learning`).
"""

from __future__ import annotations

import dataclasses
import enum
import struct
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from lifline.network import Population
from lifline.rtl.parameters import signed_bits

#: Of this module, told by IDENTIFY.
VERSION = 1

FLAG, ESCAPE, FLIP = 0x7E, 0x7D, 0x20

#: What is left of a CRC-32 over a body and its own CRC, before the last inversion.
RESIDUE = 0xDEBB20E3
#: CRC-32 of IEEE 802.3 and zlib, the lowest bit first.
POLYNOMIAL = 0xEDB88320
CRC_BYTES = 4

#: Bytes of a frame's body before what the command needs, or the kind tells.
HOST_HEADER, BOARD_HEADER = 3, 4

#: Most bytes that a command's frame carries after its header.
MOST_PAYLOAD = 240

#: What a frame takes of the board's buffer beside these bytes: its length, the command, the CRC.
OVERHEAD = 2 + CRC_BYTES

#: A board adds up no more ticks than this in a sample, so that its sums cannot overflow.
MAX_TICKS = 4095

#: Most outputs that an event of two bytes can name.
MAX_OUTPUTS = 1 << 15

CYCLE_BYTES = 3
REWARD_BYTES = 2

#: Block RAMs of a board's end of the line: frames, input events and output events.
LINK_BLOCKS = 3


class Command(enum.IntEnum):
    """What a host asks for."""

    POLL = 0  #: answer with ACK, whatever the session; the number is repeated
    RESET = (
        1  #: forget everything; this frame's session begins, and number 0 is expected; answered as POLL
    )
    IDENTIFY = 2  #: answer with IDENTITY
    COUNT = 3  #: answer with COUNTERS
    LOAD = 4  #: write words of a memory
    READ = 5  #: answer with WORDS of a memory
    NAME = 6  #: write the network's digest
    REWARD = 7  #: a signal, with which the sample ends that was learned from
    SAMPLE = 0x80  #: ticks of a sample; added to it is a :class:`Part`


class Part(enum.IntFlag):
    """Which part of a sample a frame is, and what is to be answered after the last."""

    FIRST = 1  #: start from rest
    LAST = 2  #: answer with RESULT
    SCORES = 4  #: with each neuron's score
    SPIKES = 8  #: every output spike, in SPIKES before it
    LEARN = 16  #: in the first: the sample is learned from, by a board that can


class Kind(enum.IntEnum):
    """What a board tells, 3 bits."""

    ACK = 0  #: only what every frame tells
    NAK = 1  #: a frame was dropped
    RESULT = 2  #: of the sample whose last frame is `taken`
    SPIKES = 3  #: the next events of the output, of the sample of which `taken` is a frame
    IDENTITY = 4
    COUNTERS = 5
    WORDS = 6
    REFUSED = 7  #: the command is not one of this board's


KIND_BITS = 3
#: Numbers of questions start anew at so many.
QUESTIONS = 32

#: The kinds that answer a command, whose frame is then taken.
ANSWERS = (Kind.RESULT, Kind.IDENTITY, Kind.COUNTERS, Kind.WORDS, Kind.REFUSED)


class Status(enum.IntFlag):
    """What a board found in a sample: the lower ones make the rest of its RESULT void."""

    ADDRESS = 1  #: an event's address is not one of the network's inputs
    TICKS = 2  #: more than `MAX_TICKS` ticks
    FORM = 4  #: it ends within a tick
    STALLED = 8  #: something waited for the line, or the counter overflowed: the cycles are not the gateware's own


VOID = Status.ADDRESS | Status.TICKS | Status.FORM

#: A tick is a list of so many gaps (0 … 253), a list of 254 with more of the tick to come, or a map.
MORE, MAP = 0xFE, 0xFF
#: In a list: so many inputs without an event.
SKIP = 0xFF


def stuffed(body: bytes) -> bytes:
    """A frame on the line."""
    whole = body + zlib.crc32(body).to_bytes(CRC_BYTES, "little")
    for byte in (ESCAPE, FLAG):  # the escapes first
        whole = whole.replace(bytes([byte]), bytes([ESCAPE, byte ^ FLIP]))
    return bytes([FLAG]) + whole + bytes([FLAG])


def unstuffed(line: bytes) -> bytes | None:
    """The body of what stood between two flags; None if it is damaged."""
    parts = line.split(bytes([ESCAPE]))
    if any(not part for part in parts[1:]):
        return None
    whole = parts[0] + b"".join(bytes([part[0] ^ FLIP]) + part[1:] for part in parts[1:])
    body, crc = whole[:-CRC_BYTES], whole[-CRC_BYTES:]
    if len(whole) <= CRC_BYTES or zlib.crc32(body) != int.from_bytes(crc, "little"):
        return None
    return body


class Deframer:
    """Bytes from a line to bodies of frames."""

    def __init__(self) -> None:
        self._rest = b""
        self.damaged = 0  #: frames so far

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bodies of all frames that end in `data`."""
        *ended, self._rest = (self._rest + data).split(bytes([FLAG]))
        for line in ended:
            if line:
                body = unstuffed(line)
                if body is None:
                    self.damaged += 1
                else:
                    yield body


def value_bits(input_bits: int) -> int:
    """Bits of an input in a map: 1, 2, 4 or 8."""
    return 1 << (input_bits - 1).bit_length()


def encode(spikes: np.ndarray, input_bits: int = 1) -> bytes:
    """The ticks of a sample, as bytes: each as a list or a map, whichever is shorter.

    A list is its length and so many gaps: inputs without an event before the next event, each followed by its value
    where inputs are graded.  A map holds every input, the first in the lowest bits.

    Parameters
    ----------
    spikes : (ticks, inputs) of 0 … 2^input_bits − 1
    """
    ticks, inputs = spikes.shape
    per_byte = 8 // value_bits(input_bits)
    padded = np.zeros((ticks, -(-inputs // per_byte) * per_byte), np.uint8)
    padded[:, :inputs] = spikes
    shifts = np.arange(per_byte, dtype=np.uint8) * value_bits(input_bits)
    maps = np.bitwise_or.reduce(padded.reshape(ticks, -1, per_byte) << shifts, axis=-1)
    parts = []
    for tick, bits in zip(spikes, maps, strict=True):
        sparse = _list(tick, input_bits, len(bits))
        parts.append(sparse if sparse is not None else bytes([MAP]) + bits.tobytes())
    return b"".join(parts)


def _list(tick: np.ndarray, input_bits: int, most: int) -> bytes | None:
    """A tick as lists; None if they are longer than `most` and a byte."""
    events = np.flatnonzero(tick)
    if len(events) > most:
        return None
    items: list[bytes] = []
    for gap, event in zip(np.diff(events, prepend=-1) - 1, events, strict=True):
        skips, rest = divmod(int(gap), SKIP)
        items += [bytes([SKIP])] * skips
        items.append(bytes([rest, tick[event]] if input_bits > 1 else [rest]))
    data = b""
    while len(items) >= MORE:
        data += bytes([MORE]) + b"".join(items[:MORE])
        items = items[MORE:]
    data += bytes([len(items)]) + b"".join(items)
    return data if len(data) <= most + 1 else None


def decode(data: bytes, inputs: int, input_bits: int = 1) -> np.ndarray:
    """The ticks of a sample, (ticks, inputs); the reverse of :func:`encode`, for tests.

    Raises
    ------
    ValueError
        If `data` is not whole ticks.
    """
    source = iter(data)
    ticks = []
    width, most = value_bits(input_bits), (1 << input_bits) - 1
    for head in source:
        tick = np.zeros(inputs + SKIP + 1, np.uint8)
        address = 0
        while True:
            if head == MAP:
                while address < inputs:
                    byte = next(source)
                    for shift in range(0, 8, width):
                        tick[address] = byte >> shift & most
                        address += 1
                break
            for _ in range(head):
                gap = next(source)
                address += gap
                if gap != SKIP:
                    tick[address] = next(source) & most if input_bits > 1 else 1
                    address += 1
            if head != MORE:
                break
            head = next(source)
        ticks.append(tick[:inputs])
    return np.array(ticks, np.uint8).reshape(len(ticks), inputs)


def value_bytes(bits: int) -> int:
    """Bytes of a raw value, of a board with an encoder."""
    return -(-bits // 8)


def encode_values(values: np.ndarray, bits: int) -> bytes:
    """Raw values in their order, each in as few bytes as hold so many bits, the lowest first."""
    return np.asarray(values).astype(f"<u{value_bytes(bits)}").tobytes()


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a board is, as its answer to IDENTIFY tells."""

    digest: bytes  #: the first 16 bytes of :func:`lifline.storage.digest`
    inputs: int
    input_bits: int
    outputs: int
    score_bytes: int  #: of a neuron's score
    buffer: int  #: bytes of frames that the board holds
    clock_khz: int
    loads: bool  #: whether LOAD, READ and NAME are understood
    any_weights: bool  #: whether its sums are wide enough for any weights of as many bits
    populations: tuple[tuple[int, int], ...]  #: size and lanes of each, in the network's order
    board: str = ""
    version: tuple[int, int, int] = (0, 0, 0)  #: of lifline that built it
    protocol: int = VERSION
    encoder: str = ""  #: that its samples are raw values for, as ``lifline.encoders.parse`` reads it
    learns: bool = False  #: whether samples can be learned from
    rewarded: bool = False  #: whether each of them ends with a signal of the host's

    _FIXED = struct.Struct("<16s B 3B I B H B H I B 12s B")

    @property
    def data(self) -> bytes:
        """What the board holds."""
        head = self._FIXED.pack(
            self.digest, self.protocol, *self.version, self.inputs, self.input_bits, self.outputs,
            self.score_bytes, self.buffer, self.clock_khz, self._abilities, self.board.encode()[:12],
            min(len(self.populations), MOST_POPULATIONS),
        )  # fmt: skip
        listed = self.populations[:MOST_POPULATIONS]
        sizes = b"".join(struct.pack("<IH", size, lanes) for size, lanes in listed)
        text = self.encoder.encode()
        return head + sizes + (bytes([len(text)]) + text if text else b"")

    @property
    def _abilities(self) -> int:
        return self.loads + 2 * self.any_weights + 4 * self.learns + 8 * self.rewarded

    @classmethod
    def of(cls, data: bytes) -> Identity:
        """The identity in a board's answer.

        Raises
        ------
        ValueError
            If it is of another length.
        """
        if len(data) < cls._FIXED.size:
            raise ValueError("an identity too short")
        (
            digest, protocol, major, minor, patch, inputs, input_bits, outputs, score_bytes, buffer, clock,
            loads, board, count,
        ) = cls._FIXED.unpack_from(data)  # fmt: skip
        rest = data[cls._FIXED.size :]
        rest, encoder = rest[: 6 * count], rest[6 * count :]
        if (
            len(rest) != 6 * count
            or not encoder.isascii()
            or (encoder and encoder[0] != len(encoder) - 1)
        ):
            raise ValueError("an identity of another length")
        return cls(
            digest=digest,
            inputs=inputs,
            input_bits=input_bits,
            outputs=outputs,
            score_bytes=score_bytes,
            buffer=buffer,
            clock_khz=clock,
            loads=bool(loads & 1),
            any_weights=bool(loads & 2),
            learns=bool(loads & 4),
            rewarded=bool(loads & 8),
            populations=tuple(struct.iter_unpack("<IH", rest)),
            board=board.rstrip(b"\0").decode("ascii", "replace"),
            version=(major, minor, patch),
            protocol=protocol,
            encoder=encoder[1:].decode("ascii"),
        )


#: An identity lists no more, so that it leaves room in the board's buffer.
MOST_POPULATIONS = 16

DIGEST_BYTES = 16


def score_range(output: Population, max_ticks: int = MAX_TICKS) -> tuple[int, int]:
    """Least and greatest score of a neuron: its spikes in `max_ticks` ticks, of a readout its membranes' sum."""
    low, high = output.neuron.states[0].range if output.neuron.readout else (0, 1)
    return low * max_ticks, high * max_ticks


def score_bits(output: Population, max_ticks: int = MAX_TICKS) -> int:
    """Bits of a neuron's score."""
    low, high = score_range(output, max_ticks)
    return signed_bits(low, high) if low < 0 else high.bit_length()


def event_bytes(outputs: int) -> int:
    """Bytes of an output event: an address, and in the top bit whether it is the end of a tick."""
    return 1 if outputs <= 128 else 2


def events_to_spikes(events: bytes, ticks: int, outputs: int) -> np.ndarray | None:
    """The spikes of all ticks, (ticks, outputs), of a sample's events; None if they are not whole ticks."""
    words = np.frombuffer(events, "u1" if event_bytes(outputs) == 1 else "<u2").astype(np.int64)
    top = 1 << (8 * event_bytes(outputs) - 1)
    markers = words >= top
    spikes = ~markers
    if int(markers.sum()) != ticks or (len(words) and not markers[-1]):
        return None
    tick, address = np.cumsum(markers)[spikes], words[spikes]
    if (address >= outputs).any():
        return None
    result = np.zeros((ticks, outputs), np.uint8)
    result[tick, address] = 1
    return result


def parts_of(data: bytes, answers: Part, most: int = MOST_PAYLOAD) -> Sequence[tuple[int, bytes]]:
    """A sample's bytes as commands and what follows each in its frame."""
    pieces = [data[start : start + most] for start in range(0, len(data), most)] or [b""]
    commands = [int(Command.SAMPLE) for _ in pieces]
    commands[0] |= Part.FIRST | answers
    commands[-1] |= Part.LAST
    return list(zip(commands, pieces, strict=True))
