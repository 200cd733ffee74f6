"""A board, or the virtual one, as an object: samples in, classes, spikes and cycles out."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from lifline.errors import InputError
from lifline.files import check_spikes, write_npz
from lifline.network import Network
from lifline.progress import Progress, silent
from lifline.rtl.plan import Lanes
from lifline.storage import digest

from .host import Host, Lost, Request, Statistics
from .line import BoardError, Faults, FaultyLine, Line, SerialLine
from .protocol import (
    CYCLE_BYTES,
    DIGEST_BYTES,
    MAX_TICKS,
    VERSION,
    VOID,
    Command,
    Identity,
    Kind,
    Part,
    Status,
    encode,
    events_to_spikes,
    parts_of,
)

#: Of boards, unless they say another.
BAUD = 3_000_000


@dataclasses.dataclass(frozen=True)
class BoardRecording:
    """What a board did with samples: of the output population only, for a board tells no more.

    The leading axis, samples, is absent where the input had none.

    Parameters
    ----------
    spikes : dict of str to uint8 (samples, ticks, size)
        s[t] of the output population; empty where they were not asked for.
    scores : int64 (samples, size) or None
        By which the class is chosen: the spikes of each neuron or, of a readout, its membrane summed over the ticks.
    classes : int64 (samples,)
    cycles : int64 (samples,)
        Of the gateware, as :class:`lifline.Recording` counts them.
    stalled : bool (samples,)
        The sample did not fit into the board's queues, and the gateware waited for the line: `cycles` hold that, too.
    """

    spikes: dict[str, np.ndarray]
    scores: np.ndarray | None
    classes: np.ndarray
    cycles: np.ndarray
    stalled: np.ndarray

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write ``OUT.npz``: ``NAME.spikes``, ``scores``, ``classes``, ``cycles`` and ``stalled``."""
        arrays = {f"{name}.spikes": spikes for name, spikes in self.spikes.items()}
        if self.scores is not None:
            arrays["scores"] = self.scores
        arrays |= {"classes": self.classes, "cycles": self.cycles, "stalled": self.stalled}
        write_npz(path, {name: np.asarray(array) for name, array in arrays.items()})

    def __getitem__(self, samples: Any) -> BoardRecording:
        """The recording of some of the samples: an index drops their axis, a slice or list keeps it."""
        return BoardRecording(
            {name: array[samples] for name, array in self.spikes.items()},
            None if self.scores is None else self.scores[samples],
            self.classes[samples],
            self.cycles[samples],
            self.stalled[samples],
        )


@dataclasses.dataclass(frozen=True)
class Counters:
    """Frames, since the board started and since the host connected; the board's are modulo 2^16."""

    kept: int  #: by the board
    damaged: int  #: on their way to the board
    dropped: int  #: whole, but out of order, too many, or of another session
    host: Statistics


class Device:
    """A board that runs a network; made by :func:`connect`.

    Parameters
    ----------
    line : Line
    network : Network, optional
        What the board must run.
    timeout : float
        Seconds without a sign of life after which the board is given up.

    Raises
    ------
    BoardError
        If the board does not answer, or runs another network.
    """

    def __init__(
        self,
        line: Line,
        network: Network | None = None,
        *,
        timeout: float = 2.0,
        closing: Callable[[], object] = lambda: None,
    ) -> None:
        self._line = line
        self._closing = closing
        try:
            self._host = Host(line, timeout)
            self.identity = self.identify()
            self._host.room = self.identity.buffer - len(self.identity.bytes) - 3
            if network is not None:
                self._check(network)
        except BaseException:
            self.close()
            raise
        self.network = network

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the port go; of the virtual board, end it."""
        self._line.close()
        self._closing()

    def identify(self) -> Identity:
        """What the board is.

        Raises
        ------
        BoardError
            If it does not answer, or speaks another version of the protocol.
        """

        def read(data: bytes, events: bytes) -> Identity:
            try:
                return Identity.of(data)
            except ValueError:
                raise BoardError(
                    "the board's identity cannot be read: build its bitstream with this lifline"
                ) from None

        identity: Identity = self._ask_one(Command.IDENTIFY, b"", Kind.IDENTITY, read)
        if identity.protocol != VERSION:
            raise BoardError(
                f"the board speaks version {identity.protocol} of the protocol, this lifline {VERSION}: build its "
                "bitstream anew"
            )
        return identity

    def counters(self) -> Counters:
        """What became of the frames so far."""

        def read(data: bytes, events: bytes) -> tuple[int, ...]:
            if len(data) != 6:
                raise Lost
            return tuple(np.frombuffer(data, "<u2").tolist())

        kept, damaged, dropped = self._ask_one(Command.COUNT, b"", Kind.COUNTERS, read)
        return Counters(kept, damaged, dropped, dataclasses.replace(self._host.statistics))

    def run(
        self,
        spikes: np.ndarray,
        *,
        scores: bool = True,
        output_spikes: bool = True,
        progress: Progress = silent,
    ) -> BoardRecording:
        """Run samples.

        Parameters
        ----------
        spikes : (samples, ticks, inputs) or (ticks, inputs)
            As for :func:`lifline.golden.simulate`; at most 4,095 ticks.
        scores, output_spikes : bool
            Whether the board is to tell them; each takes time on the line.
        progress : callable, optional
            Called as ``progress(done, total, text)``.

        Raises
        ------
        InputError
            If `spikes` has another shape, type or value, or too many ticks.
        BoardError
            If the board does not answer, or refuses.
        """
        spikes = self._checked(spikes)
        batch = spikes if spikes.ndim == 3 else spikes[None]
        found = {}
        for number, answer in self.stream(batch, scores=scores, output_spikes=output_spikes):
            found[number] = answer
            progress(len(found), len(batch), "samples run")
        recording = _recording(
            [found[n] for n in range(len(batch))], self.output, self.identity.outputs, batch.shape[1]
        )
        return recording if spikes.ndim == 3 else recording[0]

    def stream(
        self, batch: np.ndarray, *, scores: bool = True, output_spikes: bool = True
    ) -> Iterator[tuple[int, Answer]]:
        """The answers to samples (samples, ticks, inputs) as they come, with their indices; some overtake others."""
        batch = self._checked(batch)
        wanted = Part.SCORES * scores | Part.SPIKES * output_spikes
        requests = (self._request(number, sample, Part(wanted)) for number, sample in enumerate(batch))
        for request, answer in self._host.ask(requests):
            yield request.key, answer

    @property
    def output(self) -> str:
        """The name of the output population; ``"output"`` where the network was not given."""
        return "output" if self.network is None else self.network.output

    def _request(self, number: int, sample: np.ndarray, wanted: Part) -> Request:
        data = encode(sample, self.identity.input_bits)
        ticks = len(sample)

        def read(answer: bytes, events: bytes) -> Answer:
            return Answer.read(answer, events, ticks, wanted, self.identity)

        return Request(list(parts_of(data, wanted)), Kind.RESULT, read, number)

    def _checked(self, spikes: np.ndarray) -> np.ndarray:
        spikes = check_spikes(spikes, self.identity.inputs, self.identity.input_bits)
        if spikes.shape[-2] > MAX_TICKS:
            raise InputError(f"spikes: {spikes.shape[-2]} ticks, a board takes at most {MAX_TICKS}")
        return spikes

    def _ask_one(
        self, command: Command, payload: bytes, kind: Kind, read: Callable[[bytes, bytes], Any]
    ) -> Any:
        ((_, answer),) = self._host.ask([Request([(command, payload)], kind, read)])
        return answer

    def _check(self, network: Network) -> None:
        """Refuse a board that runs something else."""
        identity = self.identity
        sizes = tuple(population.size for population in network.populations)
        theirs = tuple(size for size, _ in identity.populations)
        if (identity.inputs, identity.input_bits, theirs) != (
            network.inputs,
            network.input_bits,
            sizes[: len(theirs)],
        ):
            raise BoardError(
                f"the board runs a network of {identity.inputs} inputs and populations of "
                f"{', '.join(map(str, theirs))} neurons, not {network.inputs} and {', '.join(map(str, sizes))}: "
                "write the bitstream of this network"
            )
        if identity.digest != digest(network)[:DIGEST_BYTES]:
            raise BoardError(
                f"the board runs a network of the same shape with the digest {identity.digest.hex()[:12]}…, this one's "
                f"is {digest(network).hex()[:12]}…: write its bitstream, or load its weights"
            )


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a board says of one sample."""

    winner: int
    cycles: int
    stalled: bool
    scores: np.ndarray | None  #: int64 (size,)
    spikes: np.ndarray | None  #: uint8 (ticks, size)

    @classmethod
    def read(cls, data: bytes, events: bytes, ticks: int, wanted: Part, identity: Identity) -> Answer:
        """An answer from the bytes of a RESULT and of the SPIKES before it.

        Raises
        ------
        Lost
            If it is not whole.
        BoardError
            If the board refuses the sample, or contradicts itself.
        """
        size, width = identity.outputs, identity.score_bytes
        head = 2 + CYCLE_BYTES
        if len(data) != head + 2 + (size * width if Part.SCORES in wanted else 0):
            raise Lost
        status = Status(data[0])
        if status & VOID:
            raise BoardError(
                f"the board refuses a sample: {_FAULTS[Status(status & VOID & -(status & VOID))]}"
            )
        winner = int.from_bytes(data[-2:], "little")
        if winner >= size:
            raise BoardError(f"the board names the class {winner} of {size}: write its bitstream anew")
        scores = spikes = None
        if Part.SPIKES in wanted:
            spikes = events_to_spikes(events, ticks, size)
            if spikes is None:
                raise Lost
        if Part.SCORES in wanted:
            table = data[head:-2]
            scores = np.array(
                [
                    int.from_bytes(table[i : i + width], "little", signed=True)
                    for i in range(0, len(table), width)
                ]
            )
            if int(scores.argmax()) != winner:
                raise BoardError(
                    "the board's class is not that of its scores: write its bitstream anew"
                )
        return cls(
            winner, int.from_bytes(data[2:head], "little"), Status.STALLED in status, scores, spikes
        )


_FAULTS = {
    Status.ADDRESS: "an address is not one of its network's inputs; send what its network was built for",
    Status.TICKS: f"it has more than {MAX_TICKS} ticks",
    Status.FORM: "it ends within a tick; send what its network was built for",
}


def _recording(answers: list[Answer], output: str, size: int, ticks: int) -> BoardRecording:
    spikes = [answer.spikes for answer in answers if answer.spikes is not None]
    scores = [answer.scores for answer in answers if answer.scores is not None]
    whole = len(answers)
    return BoardRecording(
        spikes={output: np.array(spikes, np.uint8).reshape(whole, ticks, size)}
        if len(spikes) == whole
        else {},
        scores=np.array(scores, np.int64).reshape(whole, size) if len(scores) == whole else None,
        classes=np.array([answer.winner for answer in answers], np.int64),
        cycles=np.array([answer.cycles for answer in answers], np.int64),
        stalled=np.array([answer.stalled for answer in answers], bool),
    )


def connect(
    port: str,
    network: Network | None = None,
    *,
    timeout: float = 2.0,
    baud: int = BAUD,
    board: str | None = None,
    lanes: Lanes | None = None,
    faults: Faults | None = None,
    progress: Progress = silent,
) -> Device:
    """A board, ready to run samples; a context manager.

    Parameters
    ----------
    port : str
        A serial port such as ``/dev/ttyUSB1``; ``"auto"``, that of the one board that is plugged in; or ``"virtual"``,
        a board made of `network` and simulated.
    network : Network, optional
        What the board must run; for the virtual board it is needed.
    timeout : float
        Seconds without a sign of life after which the board is given up.
    baud : int
        Of the board's UART.
    board, lanes : optional
        Of the virtual board: see :class:`lifline.boards.virtual.VirtualBoard`.
    faults : Faults, optional
        Damage to be done on the line.
    progress : callable, optional
        Called while the virtual board is made.

    Raises
    ------
    InputError, ToolError, MissingExtra
        If the port cannot be opened, or the virtual board not be made.
    BoardError
        If the board does not answer, or runs another network.
    """
    closing: Callable[[], object] = lambda: None  # noqa: E731
    name = port
    if port == "virtual":
        if network is None:
            raise InputError("port virtual: give the network that the board is to run")
        from .virtual import VirtualBoard

        virtual = VirtualBoard(network, board=board, lanes=lanes, progress=progress)
        name, closing = virtual.port, virtual.close
    try:
        line: Line = SerialLine(name, baud, timeout)
    except BaseException:
        closing()
        raise
    if faults is not None:
        line = FaultyLine(line, faults)
    return Device(line, network, timeout=timeout, closing=closing)
