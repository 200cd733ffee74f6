"""A board, or the virtual one, as an object: samples in, classes, spikes and cycles out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from lifline.encoders import Encoder, parse
from lifline.errors import InputError
from lifline.files import check_spikes
from lifline.network import Network
from lifline.progress import Progress, silent
from lifline.storage import digest

from .banks import Banks
from .host import Host, Lost, Request, Statistics
from .image import NO_IMAGE, UNFINISHED
from .line import BoardError, Line
from .protocol import (
    DIGEST_BYTES,
    MAX_TICKS,
    VERSION,
    Command,
    Identity,
    Kind,
    Part,
    encode,
    encode_values,
    parts_of,
)
from .results import Answer, BoardRecording, recording_of

#: Of boards, unless they say another.
BAUD = 3_000_000


#: What boards say in the place of a digest while they hold no network's weights.
_EMPTY = {
    bytes(DIGEST_BYTES): "the board holds no weights yet: load them with  lifline run --load NETWORK",
    NO_IMAGE: "the board has found no weights of its build in its flash: write them with  lifline flash BUILD, or load "
    "them with  lifline run --load NETWORK",
    UNFINISHED: "the weights in the board's flash are damaged, and were not used: write them anew with  lifline flash "
    "BUILD, or load them with  lifline run --load NETWORK",
}


@dataclasses.dataclass(frozen=True)
class Counters:
    """Frames, since the board started and since the host connected; the board's are modulo 2^16."""

    kept: int  #: by the board
    damaged: int  #: on their way to the board
    dropped: int  #: whole, but out of order, too many, or of another session
    host: Statistics


class Device:
    """A board that runs a network; made by :func:`lifline.boards.connect`.

    Parameters
    ----------
    line : Line
    network : Network, optional
        What the board must run.
    timeout : float
        Seconds without a sign of life after which the board is given up.
    load : bool
        Whether it may run another one of the same shape.

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
        load: bool = False,
        closing: Callable[[], object] = lambda: None,
    ) -> None:
        self._line = line
        self._closing = closing
        self._built = network
        try:
            self._host = Host(line, timeout)
            self.identity = self.identify()
            self._host.room = self.identity.buffer - len(self.identity.data) - 3
            if network is not None:
                (self._check_shape if load else self._check)(network)
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
        recording = recording_of(
            [found[n] for n in range(len(batch))], self.output, self.identity.outputs, batch.shape[1]
        )
        return recording if spikes.ndim == 3 else recording[0]

    def run_values(
        self,
        values: np.ndarray,
        *,
        scores: bool = True,
        output_spikes: bool = True,
        progress: Progress = silent,
    ) -> BoardRecording:
        """Run samples of raw values, on a board that was built with an encoder.

        Parameters
        ----------
        values : integers
            As for :meth:`lifline.encoders.Encoder.encode` of the board's encoder.
        scores, output_spikes, progress
            As for :meth:`run`.

        Raises
        ------
        InputError
            If the board has no encoder, or `values` have another shape, type or range, or too many ticks.
        BoardError
            If the board does not answer, or refuses.
        """
        encoder = self.encoder
        if encoder is None:
            raise InputError(
                "the board has no encoder, so it takes spikes: give it encoder.encode(values), or build it with one"
            )
        frames = encoder.frames(values)
        channels = encoder.channels(self.identity.inputs)
        ticks = encoder.frame_ticks or frames.shape[1]
        if frames.shape[2] != channels or ticks > MAX_TICKS:
            raise InputError(
                f"values: {frames.shape[2]} channels and {ticks} ticks, the board takes {channels} channels and at "
                f"most {MAX_TICKS} ticks"
            )
        wanted = Part(Part.SCORES * scores | Part.SPIKES * output_spikes)
        requests = (
            self._request(number, encode_values(sample, encoder.value_bits), ticks, wanted)
            for number, sample in enumerate(frames)
        )
        found = {}
        for request, answer in self._host.ask(requests):
            found[request.key] = answer
            progress(len(found), len(frames), "samples run")
        answers = [found[n] for n in range(len(frames))]
        return recording_of(answers, self.output, self.identity.outputs, ticks)

    @property
    def encoder(self) -> Encoder | None:
        """That the board has in front of its network; None: it takes spikes."""
        return parse(self.identity.encoder) if self.identity.encoder else None

    def stream(
        self, batch: np.ndarray, *, scores: bool = True, output_spikes: bool = True
    ) -> Iterator[tuple[int, Answer]]:
        """The answers to samples (samples, ticks, inputs) as they come, with their indices; some overtake others."""
        batch = self._checked(batch)
        wanted = Part(Part.SCORES * scores | Part.SPIKES * output_spikes)
        requests = (
            self._request(number, encode(sample, self.identity.input_bits), len(sample), wanted)
            for number, sample in enumerate(batch)
        )
        for request, answer in self._host.ask(requests):
            yield request.key, answer

    def load(self, network: Network, progress: Progress = silent) -> None:
        """Write a network's weights, delays and parameters to the board, read them back, and give it the new digest.

        Until that is done the board's digest is that of no network.

        Parameters
        ----------
        network : Network
            Of the shape of that for which the bitstream was built, and within its widths.
        progress : callable, optional

        Raises
        ------
        InputError
            If the bitstream is not built for such a network.
        BoardError
            If the board has no load port, or its memories do not hold what was written.
        """
        banks = self._banks()
        self._check_shape(network)
        wanted = banks.words(network)
        self._name(bytes(DIGEST_BYTES))
        for attempt in range(2):
            self._ask_all(banks.writes(wanted), progress, "frames of memories written")
            if self._read(banks, progress) == wanted:
                break
            if attempt:
                raise BoardError(
                    "the board's memories do not hold what was written: write its bitstream anew"
                )
        self._name(digest(network)[:DIGEST_BYTES])
        self.network = network
        self.identity = self.identify()

    def read_back(self, progress: Progress = silent) -> list[tuple[int, list[int]]]:
        """The words of every memory that can be loaded, as :func:`lifline.rtl.load.words` gives them.

        Raises
        ------
        BoardError
            If the board has no load port.
        InputError
            If the network was not given, by which the memories are known.
        """
        return self._read(self._banks(), progress)

    def _read(self, banks: Banks, progress: Progress) -> list[tuple[int, list[int]]]:
        parts = self._ask_all(banks.reads(), progress, "frames of memories read")
        return banks.joined(parts)

    def _banks(self) -> Banks:
        identity = self.identity
        if not identity.loads:
            raise BoardError(
                "the board's memories cannot be loaded: build its bitstream with a load port"
            )
        if self._built is None or len(identity.populations) < len(self._built.populations):
            raise InputError(
                "give the network that the bitstream was built for: connect(port, network)"
            )
        lanes = {
            population.name: lanes
            for population, (_, lanes) in zip(
                self._built.populations, identity.populations, strict=True
            )
        }
        return Banks(self._built, lanes, any_weights=identity.any_weights)

    def _name(self, digest: bytes) -> None:
        """Give the board a digest; it says of whom it is by the identity, and not at all to this."""
        list(self._host.ask([Request([(Command.NAME, digest)], None, lambda data, events: None)]))

    def _ask_all(self, requests: list[Request], progress: Progress, text: str) -> dict[int, Any]:
        found = {}
        for request, answer in self._host.ask(requests):
            found[request.key] = answer
            progress(len(found), len(requests), text)
        return found

    @property
    def output(self) -> str:
        """The name of the output population; ``"output"`` where the network was not given."""
        return "output" if self.network is None else self.network.output

    def _request(self, number: int, data: bytes, ticks: int, wanted: Part) -> Request:
        def read(answer: bytes, events: bytes) -> Answer:
            return Answer.read(answer, events, ticks, wanted, self.identity)

        return Request(list(parts_of(data, wanted)), Kind.RESULT, read, number)

    def _checked(self, spikes: np.ndarray) -> np.ndarray:
        if self.identity.encoder:
            raise InputError(
                f"the board has the encoder {self.identity.encoder}, so it takes raw values, not spikes: "
                "use run_values, or build it without"
            )
        spikes = check_spikes(spikes, self.identity.inputs, self.identity.input_bits)
        if spikes.shape[-2] > MAX_TICKS:
            raise InputError(f"spikes: {spikes.shape[-2]} ticks, a board takes at most {MAX_TICKS}")
        return spikes

    def _ask_one(
        self, command: Command, payload: bytes, kind: Kind, read: Callable[[bytes, bytes], Any]
    ) -> Any:
        ((_, answer),) = self._host.ask([Request([(command, payload)], kind, read)])
        return answer

    def _check_shape(self, network: Network) -> None:
        """Refuse a network of another shape."""
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

    def _check(self, network: Network) -> None:
        """Refuse a board that runs something else."""
        self._check_shape(network)
        identity = self.identity
        if identity.digest != digest(network)[:DIGEST_BYTES]:
            if identity.digest in _EMPTY:
                raise BoardError(_EMPTY[identity.digest])
            raise BoardError(
                f"the board runs a network of the same shape with the digest {identity.digest.hex()[:12]}…, this one's "
                f"is {digest(network).hex()[:12]}…: write its bitstream, or load its weights"
            )
