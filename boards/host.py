"""The host's end of the line: numbers its frames, keeps to the board's buffer, and repeats what was lost.

The board takes frames in order, and says in each of its own which it expects and which it has worked on; an answer
tells by the latter what it answers.  What was not answered, though the board is past it, is asked again in new frames.
"""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lifline.progress import Progress

from .line import BoardError, Line
from .protocol import (
    ANSWERS,
    BOARD_HEADER,
    KIND_BITS,
    OVERHEAD,
    QUESTIONS,
    Command,
    Deframer,
    Kind,
    stuffed,
)

#: Until a board has said how much it holds.
FIRST_ROOM = 250

#: Seconds of silence after which the board is asked how far it is.
PATIENCE = 0.1

#: Times that a frame is repeated, or an answer asked for, before the line is given up.
ATTEMPTS = 20
#: Sessions that the board may end before it has answered anything.
RESTARTS = 4

_NUMBERS = 256
#: Most frames under way: old numbers are then told from new ones.
_MOST = 100


class Lost(Exception):
    """An answer is not whole: it is to be asked for again."""


class Interrupted(Exception):
    """A session has ended, and what the board has done of what was under way is not known."""


@dataclasses.dataclass(eq=False)
class Request:
    """What is asked of a board, in one frame or several, and its answer."""

    frames: list[tuple[int, bytes]]  #: the command and its bytes, of each
    kind: Kind | None  #: of the answer; None: there is none, and it is done when the board is past it
    read: Callable[
        [bytes, bytes], Any
    ]  #: from the answer and the events before it to what is wanted; raises Lost
    key: int = 0
    chunks: list[bytes] = dataclasses.field(default_factory=list)
    broken: bool = False  #: a chunk is missing
    last: int = 0  #: number of its last frame
    out: int = 0  #: frames of it that were sent
    attempts: int = 0


@dataclasses.dataclass(frozen=True)
class _Sent:
    number: int
    data: bytes
    cost: int
    request: Request


@dataclasses.dataclass
class Statistics:
    """What happened on the line, as the host saw it."""

    frames: int = 0  #: sent, for the first time
    resent: int = 0  #: sent again
    damaged: int = 0  #: of the board's, not whole
    asked_again: int = 0  #: requests whose answer was lost
    sessions: int = 0  #: begun


class Host:
    """Asks a board, over a line that may lose or damage anything.

    Parameters
    ----------
    line : Line
    timeout : float
        Seconds without a sign of life after which the board is given up.
    """

    def __init__(self, line: Line, timeout: float) -> None:
        self.room = FIRST_ROOM
        self.statistics = Statistics()
        self._line = line
        self._timeout = timeout
        self._deframer = Deframer()
        self._session = 0
        self._restarts = 0  # since the last answer
        self._once = False
        self._begin()
        self._stale = False

    def ask(self, requests: Iterable[Request], *, once: bool = False) -> Iterator[tuple[Request, Any]]:
        """The answers to requests, in any order, as they come; some requests are under way at a time.

        Parameters
        ----------
        requests : iterable of Request
        once : bool
            None is executed twice: one whose answer is lost has been executed, and is not answered.

        Raises
        ------
        BoardError
            If the board does not answer, or refuses.
        Interrupted
            With `once`, if the board has given up the session: those that are not answered were executed, or not.
        """
        if self._stale:
            self._begin()
        self._once = once
        self._stale = True  # unless all is answered: nothing of it shall be taken for a later answer
        source = iter(requests)
        waiting: deque[Request] = deque()
        while True:
            self._fill(source, waiting)
            if not self._flight:
                self._stale = False
                return
            yield from self._receive(waiting)

    def renew(self) -> None:
        """Begin another session: the board ends what it was doing.

        Raises
        ------
        BoardError
            If it does not answer.
        """
        self._begin()
        self._stale = False

    def ask_all(self, requests: list[Request], progress: Progress, text: str) -> dict[int, Any]:
        """All answers, by the keys of the requests."""
        found = {}
        for request, answer in self.ask(requests):
            found[request.key] = answer
            progress(len(found), len(requests), text)
        return found

    def _begin(self) -> None:
        """Begin a session: the board forgets what it was doing, and says so."""
        self._session = (self._session + 1 + secrets.randbelow(253)) % 255 + 1  # another than before
        self._window: deque[_Sent] = deque()  # frames that the board has not worked on yet
        self._flight: deque[Request] = (
            deque()
        )  # requests that are out, in part at least, and not answered
        self._base = self._next = 0  # numbers: of the first in the window, of the next frame
        self._resent: int | None = None  # from which number on, and not yet known whether that has come
        self._asking = False  # how far the board is, and it has not said so yet,
        self._asked = 0.0  # when,
        self._question = 0  # with which number,
        self._polled = 0  # and the number of the next frame then
        self._patience = PATIENCE
        self._repeated = -1  # the frame from which on was last sent again,
        self._repeats = 0  # how often in a row
        self._odd = 0  # frames in a row that do not belong to this session, or are behind
        self._heard = time.monotonic()
        self.statistics.sessions += 1
        deadline = time.monotonic() + self._timeout
        while True:
            self._line.write(self._frame(0, Command.RESET, b""))
            again = min(deadline, time.monotonic() + PATIENCE)
            while time.monotonic() < again:
                for body in self._bodies():
                    if body[0] == self._session:
                        self._heard = time.monotonic()
                        return
            if time.monotonic() >= deadline:
                raise BoardError(
                    f"the board does not answer within {self._timeout:g} s: check the port and the baud rate, and "
                    "that its bitstream is of this lifline"
                )

    def _frame(self, number: int, command: int, payload: bytes) -> bytes:
        return stuffed(bytes([self._session, number, command]) + payload)

    def _bodies(self) -> list[bytes]:
        before = self._deframer.damaged
        bodies = [b for b in self._deframer.feed(self._line.read()) if len(b) >= BOARD_HEADER]
        self.statistics.damaged += self._deframer.damaged - before
        return bodies

    def _fill(self, source: Iterator[Request], waiting: deque[Request]) -> None:
        """Send as much as the board has room for."""
        out = []
        used = sum(sent.cost for sent in self._window)
        while len(self._window) < _MOST:
            if not self._flight or self._flight[-1].out == len(self._flight[-1].frames):
                request = waiting.popleft() if waiting else next(source, None)
                if request is None:
                    break
                self._flight.append(request)
                request.chunks, request.broken, request.out = [], False, 0
            request = self._flight[-1]
            command, payload = request.frames[request.out]
            cost = len(payload) + OVERHEAD
            if used + cost > self.room:
                break
            used += cost
            data = self._frame(self._next, command, payload)
            self._window.append(_Sent(self._next, data, cost, request))
            request.last = self._next
            request.out += 1
            self._next = (self._next + 1) % _NUMBERS
            self.statistics.frames += 1
            out.append(data)
        if out:
            self._line.write(b"".join(out))

    def _receive(self, waiting: deque[Request]) -> Iterator[tuple[Request, Any]]:
        """Take what has come, and see to what was lost."""
        for body in self._bodies():
            session, expected, taken = body[:3]
            self._heard = time.monotonic()
            if session != self._session:
                if session == 0:  # it has given up the session, or begun anew
                    self._restart(waiting)
                    return
                self._odd += 1  # of an earlier session
                continue
            asked, kind = body[3] >> KIND_BITS, Kind(body[3] & (1 << KIND_BITS) - 1)
            if kind == Kind.SPIKES:
                self._keep(taken, body[BOARD_HEADER:])
            answered = kind in ANSWERS
            done = self._advance((taken + answered) % _NUMBERS, taken if answered else None, waiting)
            for request in done:
                if request.kind is None and request.last != (taken if answered else None):
                    yield request, request.read(b"", b"")
                else:
                    yield from self._answer(request, kind, body[BOARD_HEADER:], waiting)
            if self._asking and asked == self._question:
                # All that was sent before the question has come, or is lost.
                self._asking, self._patience, self._resent = False, PATIENCE, None
                if 0 < (self._polled - expected) % _NUMBERS <= len(self._window):
                    self._repeat(expected)
            elif kind == Kind.NAK and expected != self._resent:
                self._repeat(expected)
        if self._odd > ATTEMPTS:  # a RESET came late, say
            self._restart(waiting)
        now = time.monotonic()
        if now - self._heard > self._timeout:
            raise BoardError("the board has stopped answering: check that it has power, and run again")
        if now - (self._asked if self._asking else max(self._heard, self._asked)) > self._patience:
            self._patience = min(2 * self._patience, 1.0) if self._asking else PATIENCE
            self._line.write(self._poll())

    def _keep(self, taken: int, chunk: bytes) -> None:
        """Put output events to the request of which the frame `taken` is a part."""
        request = next((sent.request for sent in self._window if sent.number == taken), None)
        if request is None or not chunk:
            return
        if chunk[0] == len(request.chunks) % _NUMBERS:
            request.chunks.append(chunk[1:])
        elif chunk[0] != (len(request.chunks) - 1) % _NUMBERS:  # not the last one again
            request.broken = True

    def _advance(self, taken: int, answered: int | None, waiting: deque[Request]) -> list[Request]:
        """The board is past all frames before `taken`; the requests that are now done, if this is not an old frame."""
        passed = (taken - self._base) % _NUMBERS
        if passed > len(self._window):
            self._odd += 1  # an old frame, that came late
            return []
        self._odd = 0
        for _ in range(passed):
            self._window.popleft()
        self._base = taken
        found = []
        lost = []
        while self._flight:
            request = self._flight[0]
            whole = request.out == len(request.frames)
            if not whole or (request.last - taken) % _NUMBERS < _MOST:
                break  # the board is not past it
            self._flight.popleft()
            if request.kind is None or request.last == answered:
                found.append(request)
            else:
                lost.append(request)
        for request in reversed(lost):
            self._again(request, waiting)
        return found

    def _answer(
        self, request: Request, kind: Kind, data: bytes, waiting: deque[Request]
    ) -> Iterator[tuple[Request, Any]]:
        if kind == Kind.REFUSED:
            raise BoardError(
                f"the board does not know the command {Command(request.frames[0][0]).name}"
            )
        try:
            if kind != request.kind or request.broken:
                raise Lost
            result = request.read(data, b"".join(request.chunks))
            self._restarts = 0
            yield request, result
        except Lost:
            self._again(request, waiting)

    def _again(self, request: Request, waiting: deque[Request]) -> None:
        if self._once:
            return
        request.attempts += 1
        if request.attempts > ATTEMPTS:
            raise BoardError(
                f"the board's answers are lost {ATTEMPTS} times in a row: check the cable and the baud rate"
            )
        self.statistics.asked_again += 1
        waiting.appendleft(request)

    def _restart(self, waiting: deque[Request]) -> None:
        """The board knows nothing of this session: begin another, with all that is not answered."""
        if self._once:
            raise Interrupted
        self._restarts += 1
        if self._restarts > RESTARTS:
            raise BoardError(
                "the board has given up each time: its network makes no progress; write its bitstream anew"
            )
        unanswered = list(self._flight)
        self._begin()
        for request in reversed(unanswered):
            self._again(request, waiting)

    def _poll(self) -> bytes:
        """The question how far the board is."""
        self._asking, self._asked, self._polled = True, time.monotonic(), self._next
        self._question = (self._question + 1) % QUESTIONS
        return self._frame(self._question, Command.POLL, b"")

    def _repeat(self, expected: int) -> None:
        """Send again from the frame on that the board expects.

        It complains of every frame that comes out of order, so of those that were under way, too: after the repeat it
        is asked how far it is, and until it has said so, complaints of the same frame are none.
        """
        missing = (expected - self._base) % _NUMBERS
        if missing >= len(self._window):
            return
        self._repeats = self._repeats + 1 if expected == self._repeated else 0
        self._resent = self._repeated = expected
        if self._repeats > ATTEMPTS:
            raise BoardError(
                f"the board got none of {ATTEMPTS} repeats of a frame: check the cable and the baud rate"
            )
        again = list(self._window)[missing:]
        self.statistics.resent += len(again)
        self._line.write(b"".join([*(sent.data for sent in again), self._poll()]))
