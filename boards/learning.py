"""Samples that are learned from, over a line: each changes the board's weights once, whatever happens on the line.

A sample whose answer is lost cannot be asked for again: it has been learned.  One that was under way when a session
ended has been learned, in part, or not.  So the host knows what a board held at some *checkpoint*: the words of all
banks, of which those that learn were loaded or read back.  When something is lost it loads these, and has the samples
since learned again, in order.  Answers that came already are kept, and those that come again must be the same.

Meanwhile the board's digest is that of no network.  One that tells another has been started anew, and holds what its
bitstream says: what is read from it is not what it has learned, and all its banks are loaded.

Where a rule needs a reward, a sample ends with it, in a frame of its own.  Rewards that are known follow their samples
at once; one that the host decides by the answer waits for that, and is kept for when the sample is learned again.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterator

import numpy as np

from lifline.errors import InputError
from lifline.network import Network
from lifline.progress import Progress, silent
from lifline.rtl.readback import learned_banks, taught_by
from lifline.storage import digest
from lifline.teaching import MOST_REWARD

from .banks import Banks, read, write
from .host import ATTEMPTS, Host, Interrupted, Request
from .line import BoardError
from .matching import NO_DIGEST, identify, name
from .protocol import DIGEST_BYTES, REWARD_BYTES, Command
from .results import Answer

#: From the number of a sample and its answer to the signal for it.
Decide = Callable[[int, Answer], int]

_LOST = f"the board's answers are lost {ATTEMPTS} times in a row: check the cable and the baud rate"

#: Samples from one checkpoint to the next.
INTERVAL = 100


class Learning:
    """A board that learns, from a network whose weights it holds.

    Parameters
    ----------
    host : Host
    banks : Banks
    network : Network
    """

    def __init__(self, host: Host, banks: Banks, network: Network) -> None:
        self._host = host
        self._banks = banks
        self._network = network
        self._learned = learned_banks(network, banks.lanes)
        self._words = dict(banks.words(network))  # of all banks, at the last checkpoint
        #: How often a checkpoint had to be loaded.
        self.rounds = 0

    def end(self) -> Network:
        """What has become of the network; the board has its digest now.

        Raises
        ------
        BoardError
        """
        after = taught_by(self._network, self._banks.lanes, self._words)
        for _ in range(ATTEMPTS):
            if not self._same_board():
                self._restore()
            with contextlib.suppress(Interrupted):  # since it was found to be the same
                name(self._host, digest(after)[:DIGEST_BYTES], once=True)
                return after
        raise BoardError(_LOST)

    def run(
        self,
        request: Callable[[int], Request],
        count: int,
        rewards: Rewards | None,
        progress: Progress,
    ) -> dict[int, Answer]:
        """Learn from samples, in order; `request` makes the one of a number.

        Raises
        ------
        BoardError
            If the board does not answer, refuses, or contradicts itself.
        """
        answers: dict[int, Answer] = {}
        for first in range(0, count, INTERVAL):
            samples = range(first, min(first + INTERVAL, count))
            self._part(request, samples, count, rewards, answers, progress)
        return answers

    def _part(
        self,
        request: Callable[[int], Request],
        samples: range,
        count: int,
        rewards: Rewards | None,
        answers: dict[int, Answer],
        progress: Progress,
    ) -> None:
        """The samples from one checkpoint to the next."""
        idle = 0  # rounds in a row that have brought no new answer
        while True:
            known = len(answers)
            try:
                for number, answer in self._round(request, samples, rewards):
                    if not answers.setdefault(number, answer).agrees(answer):
                        raise BoardError(
                            f"the board answers sample {number} otherwise than before: write its bitstream anew"
                        )
                    progress(len(answers), count, "samples learned")
                if all(number in answers for number in samples):
                    words = read(self._host, self._banks, self._learned, silent)
                    if self._same_board():
                        self._words |= words
                        return
            except Interrupted:
                pass
            idle = idle + 1 if len(answers) == known else 0
            if idle > ATTEMPTS:
                raise BoardError(_LOST)
            self.rounds += 1
            self._restore()

    def _same_board(self) -> bool:
        """Whether the board has not been started anew since learning began."""
        return identify(self._host).digest == NO_DIGEST

    def _restore(self) -> None:
        """Load the checkpoint."""
        self._host.renew()  # a sample that waits for its reward would else end after this
        for _ in range(ATTEMPTS):
            same = self._same_board()
            if not same:
                name(self._host, NO_DIGEST)
            chosen = self._learned if same else self._words
            write(self._host, self._banks, [(bank, self._words[bank]) for bank in chosen], silent)
            if self._same_board():
                return
        raise BoardError(_LOST)

    def _round(
        self, request: Callable[[int], Request], samples: range, rewards: Rewards | None
    ) -> Iterator[tuple[int, Answer]]:
        """Learn from samples once; the answers that come.

        Raises
        ------
        Interrupted
        """
        if rewards is None:
            requests: Iterator[Request] = map(request, samples)
        elif all(number in rewards.known for number in samples):
            requests = (
                of_sample
                for number in samples
                for of_sample in (request(number), _reward(rewards.known[number]))
            )
        else:
            for number in samples:
                answer = None
                for _, answer in self._host.ask([request(number)], once=True):
                    yield number, answer
                list(self._host.ask([_reward(rewards.of(number, answer))], once=True))
            return
        for asked, answer in self._host.ask(requests, once=True):
            if asked.kind is not None:
                yield asked.key, answer


class Rewards:
    """The host's signals.

    Parameters
    ----------
    given : int64 (samples,), or a function
        From the number of a sample and the board's answer to its signal.
    """

    def __init__(self, given: np.ndarray | Decide) -> None:
        self._decide = given if callable(given) else None
        #: By sample.
        self.known = {} if callable(given) else dict(enumerate(given.tolist()))

    def of(self, number: int, answer: Answer | None) -> int:
        """The signal of a sample.

        Raises
        ------
        Interrupted
            If it depends on an answer that is lost.
        """
        if number not in self.known:
            if answer is None:
                raise Interrupted
            assert self._decide is not None
            signal = operator.index(self._decide(number, answer))
            if not -MOST_REWARD - 1 <= signal <= MOST_REWARD:
                raise InputError(
                    f"reward: {signal} for sample {number}, must be in {-MOST_REWARD - 1} … {MOST_REWARD}"
                )
            self.known[number] = signal
        return self.known[number]


def _reward(signal: int) -> Request:
    frame = (int(Command.REWARD), signal.to_bytes(REWARD_BYTES, "little", signed=True))
    return Request([frame], None, lambda data, events: None)
