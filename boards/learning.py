"""Samples that are learned from, over a line: each changes the board's weights once, whatever happens on the line.

A sample whose answer is lost cannot be asked for again: it has been learned.  One that was under way when a session
ended has been learned, in part, or not.  So the host knows what a board held at some *checkpoint*: the words of all
banks that learn, as they were loaded or read back.  When something is lost it loads these, and has the samples since
learned again, in order.  Answers that came already are kept, and those that come again must be the same.
"""

from __future__ import annotations

from collections.abc import Callable

from lifline.network import Network
from lifline.progress import Progress, silent
from lifline.rtl.readback import learned_banks, taught_by

from .banks import Banks, read, write
from .host import ATTEMPTS, Host, Interrupted, Request
from .line import BoardError
from .results import Answer

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
        self._checkpoint = [
            (bank, words) for bank, words in banks.words(network) if bank in self._learned
        ]
        #: How often a checkpoint had to be loaded.
        self.rounds = 0

    @property
    def network(self) -> Network:
        """What has become of the network, up to the last checkpoint."""
        return taught_by(self._network, self._banks.lanes, dict(self._checkpoint))

    def run(
        self, request: Callable[[int], Request], count: int, progress: Progress
    ) -> dict[int, Answer]:
        """Learn from samples, in order; `request` makes the one of a number.

        Raises
        ------
        BoardError
            If the board does not answer, refuses, or contradicts itself.
        """
        answers: dict[int, Answer] = {}
        for first in range(0, count, INTERVAL):
            self._part(request, range(first, min(first + INTERVAL, count)), count, answers, progress)
            self._checkpoint = read(self._host, self._banks, self._learned, silent)
        return answers

    def _part(
        self,
        request: Callable[[int], Request],
        samples: range,
        count: int,
        answers: dict[int, Answer],
        progress: Progress,
    ) -> None:
        """The samples from one checkpoint to the next."""
        idle = 0  # rounds in a row that have brought no new answer
        while True:
            known = len(answers)
            try:
                for asked, answer in self._host.ask(map(request, samples), once=True):
                    if not answers.setdefault(asked.key, answer).agrees(answer):
                        raise BoardError(
                            f"the board answers sample {asked.key} otherwise than before: write its bitstream anew"
                        )
                    progress(len(answers), count, "samples learned")
                if all(number in answers for number in samples):
                    return
            except Interrupted:
                pass
            idle = idle + 1 if len(answers) == known else 0
            if idle > ATTEMPTS:
                raise BoardError(
                    f"the board's answers are lost {ATTEMPTS} times in a row: check the cable and the baud rate"
                )
            self.rounds += 1
            write(self._host, self._banks, self._checkpoint, silent)
