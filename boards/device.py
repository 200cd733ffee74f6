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
from lifline.teaching import check_reward, rewarded

from .banks import Banks, read, write
from .host import Host, Lost, Request, Statistics
from .learning import Decide, Learning, Rewards
from .line import BoardError, Line
from .matching import NO_DIGEST, check_digest, check_known, check_shape, identify, name
from .protocol import (
    DIGEST_BYTES,
    MAX_TICKS,
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
        #: How often the board's weights had to be loaded again, since what it had learned was not known.
        self.rounds = 0
        try:
            self._host = Host(line, timeout)
            self.identity = self.identify()
            self._host.room = self.identity.buffer - len(self.identity.data) - 3
            if network is not None:
                (check_shape if load else check_digest)(self.identity, network)
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
        return identify(self._host)

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
        learn: bool = False,
        reward: np.ndarray | int | Decide | None = None,
        scores: bool = True,
        output_spikes: bool = True,
        progress: Progress = silent,
    ) -> BoardRecording:
        """Run samples.

        Parameters
        ----------
        spikes : (samples, ticks, inputs) or (ticks, inputs)
            As for :func:`lifline.golden.simulate`; at most 4,095 ticks.
        learn : bool
            Whether what can learn does, from sample to sample, on a board that can.  The network after the last one is
            then the recording's, and this device's.
        reward : integers (samples,), an integer for one sample, or a function
            With `learn`, where a rule needs it: the signal with which each sample ends; or what gives it, called as
            ``reward(number, answer)`` with the sample's number and its :class:`~lifline.boards.results.Answer`.
        scores, output_spikes : bool
            Whether the board is to tell them; each takes time on the line.
        progress : callable, optional
            Called as ``progress(done, total, text)``.

        Raises
        ------
        InputError
            If `spikes` has another shape, type or value, or too many ticks; with `learn`, if the board does not learn.
        BoardError
            If the board does not answer, or refuses.
        """
        spikes = self._checked(spikes)
        batch = spikes if spikes.ndim == 3 else spikes[None]
        wanted = Part(Part.SCORES * scores | Part.SPIKES * output_spikes | Part.LEARN * learn)
        ticks = batch.shape[1]

        def request(number: int) -> Request:
            return self._request(number, encode(batch[number], self.identity.input_bits), ticks, wanted)

        recording = self._recorded(request, len(batch), ticks, learn, reward, progress)
        return recording if spikes.ndim == 3 else recording[0]

    def run_values(
        self,
        values: np.ndarray,
        *,
        learn: bool = False,
        reward: np.ndarray | int | Decide | None = None,
        scores: bool = True,
        output_spikes: bool = True,
        progress: Progress = silent,
    ) -> BoardRecording:
        """Run samples of raw values, on a board that was built with an encoder.

        Parameters
        ----------
        values : integers
            As for :meth:`lifline.encoders.Encoder.encode` of the board's encoder.
        learn, reward, scores, output_spikes, progress
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
        wanted = Part(Part.SCORES * scores | Part.SPIKES * output_spikes | Part.LEARN * learn)
        bits = encoder.value_bits

        def request(number: int) -> Request:
            return self._request(number, encode_values(frames[number], bits), ticks, wanted)

        return self._recorded(request, len(frames), ticks, learn, reward, progress)

    def _recorded(
        self,
        request: Callable[[int], Request],
        count: int,
        ticks: int,
        learn: bool,
        reward: np.ndarray | int | Decide | None,
        progress: Progress,
    ) -> BoardRecording:
        """What the board does with samples, of which `request` makes the one of a number."""
        if learn:
            found, after = self._learn(request, count, reward, progress)
        else:
            if reward is not None:
                raise InputError("reward is given, but only learning needs one; leave it out")
            check_known(self.identity)
            after = None
            requests = [request(number) for number in range(count)]
            found = self._host.ask_all(requests, progress, "samples run")
        answers = [found[number] for number in range(count)]
        recording = recording_of(answers, self.output, self.identity.outputs, ticks)
        return dataclasses.replace(recording, network=after)

    def _learn(
        self,
        request: Callable[[int], Request],
        count: int,
        reward: np.ndarray | int | Decide | None,
        progress: Progress,
    ) -> tuple[dict[int, Answer], Network]:
        """The answers to samples that are learned from, and what becomes of the network.

        Until that is known the board's digest is that of no network.
        """
        if not self.identity.learns:
            raise InputError(
                "the board does not learn: build its bitstream of a network with a plasticity, and with  --learn"
            )
        banks, network = self._banks(), self.network
        assert network is not None  # else there were no banks
        rewards = None
        if callable(reward) and rewarded(network):
            rewards = Rewards(reward)
        elif (given := check_reward(network, reward, count)) is not None:
            rewards = Rewards(given)
        check_digest(self.identity, network)
        learning = Learning(self._host, banks, network)
        self.identity = dataclasses.replace(self.identity, digest=NO_DIGEST)  # until all is learned
        name(self._host, NO_DIGEST)
        answers = learning.run(request, count, rewards, progress)
        self.rounds += learning.rounds
        after = learning.end()
        self.network = after
        self.identity = self.identify()
        return answers, after

    @property
    def encoder(self) -> Encoder | None:
        """That the board has in front of its network; None: it takes spikes."""
        return parse(self.identity.encoder) if self.identity.encoder else None

    def stream(
        self, batch: np.ndarray, *, scores: bool = True, output_spikes: bool = True
    ) -> Iterator[tuple[int, Answer]]:
        """The answers to samples (samples, ticks, inputs) as they come, with their indices; some overtake others."""
        batch = self._checked(batch)
        check_known(self.identity)
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
        check_shape(self.identity, network)
        wanted = banks.words(network)
        name(self._host, NO_DIGEST)
        write(self._host, banks, wanted, progress)
        name(self._host, digest(network)[:DIGEST_BYTES])
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
        return read(self._host, self._banks(), None, progress)

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
        return Banks(self._built, lanes, any_weights=identity.any_weights, learn=identity.learns)

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
