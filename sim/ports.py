"""What the testbench puts at the ports of the design: a driver, a monitor, and a tap for each trace."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

_PATTERN = 1 << 14


class Problem(Exception):
    """Something that ends the simulation: a deadlock, a broken stream rule, an undefined value."""


def read(handle: Any, what: str) -> int:
    """The value of a signal, which must be defined."""
    try:
        return int(handle.value)
    except ValueError:
        raise Problem(f"{what} is undefined: {handle.value}") from None


class Stalls:
    """When one end of a stream holds back: bursty stalls, whose rate is redrawn every 32 cycles, in a loop.

    Parameters
    ----------
    rng : numpy.random.Generator or None
        None: never.
    """

    def __init__(self, rng: np.random.Generator | None = None) -> None:
        if rng is None:
            self.pattern = [False]
        else:
            chance = np.repeat(rng.choice([0.0, 0.1, 0.5, 0.9], _PATTERN // 32), 32)
            self.pattern = (rng.random(_PATTERN) < chance).tolist()

    def at(self, cycle: int) -> bool:
        return self.pattern[cycle % len(self.pattern)]


class Driver:
    """Sends the events of one sample into stream `i`: addresses of a tick's active inputs, then a marker.

    Where inputs are graded, an event's value is above the marker's bit.
    """

    def __init__(self, dut: Any, inputs: int, graded: bool) -> None:
        self._graded = graded
        self._payload, self._valid, self._ready = dut.i__payload, dut.i__valid, dut.i__ready
        self._marker = 1 << max(1, (inputs - 1).bit_length())
        self._payload.value = 0
        self.load(None, Stalls())
        self._valid.value = 0

    def load(self, spikes: np.ndarray | None, stalls: Stalls) -> None:
        """Start over with the spikes of a sample, (ticks, inputs)."""
        self.events: list[int] = []
        for row in () if spikes is None else spikes:
            active = np.flatnonzero(row)
            events = active + (2 * self._marker * row[active].astype(np.int64) if self._graded else 0)
            self.events += [*events.tolist(), self._marker]
        self.accepted = 0
        self.first = 0  #: cycle in which the first event was accepted
        self._offered = False
        self._stalls = stalls
        self._valid.value = 0

    @property
    def tick(self) -> int:
        """The tick that the next event belongs to."""
        return sum(bool(event & self._marker) for event in self.events[: self.accepted])

    def edge(self, cycle: int) -> bool:
        """Act at a rising edge; whether an event was accepted."""
        moved = False
        if self._offered and read(self._ready, "stream i: ready"):
            moved = True
            if not self.accepted:
                self.first = cycle
            self.accepted += 1
            self._offered = False
        if not self._offered:
            if self.accepted < len(self.events) and not self._stalls.at(cycle):
                self._payload.value = self.events[self.accepted]
                self._valid.value = 1
                self._offered = True
            elif moved:
                self._valid.value = 0
        return moved


class Monitor:
    """Takes the events of stream `o`, and holds it to the rule: what is offered stays until it is taken."""

    def __init__(self, dut: Any, outputs: int) -> None:
        self._payload, self._valid, self._ready = dut.o__payload, dut.o__valid, dut.o__ready
        self._marker = 1 << max(1, (outputs - 1).bit_length())
        self._ready.value = 0
        self.load(0, Stalls())

    def load(self, ticks: int, stalls: Stalls) -> None:
        """Start over; `ticks` markers end the sample."""
        self.events: list[tuple[int, int]] = []  #: (tick, address)
        self.markers = 0
        self.last = 0  #: cycle in which the last marker was accepted
        self._ticks = ticks
        self._stalls = stalls
        self._held: int | None = None
        self._takes = False
        self._ready.value = 0

    @property
    def done(self) -> bool:
        return self.markers == self._ticks

    def edge(self, cycle: int) -> bool:
        """Act at a rising edge; whether an event was accepted."""
        valid = read(self._valid, "stream o: valid")
        moved = bool(valid and self._takes)
        if valid:
            payload = self._event()
            if self._held is not None and payload != self._held:
                raise Problem(
                    f"stream o: the payload changed from {self._held} to {payload} in tick {self.markers}, "
                    "before it was taken"
                )
            if moved:
                self._held = None
                self._take(payload, cycle)
            else:
                self._held = payload
        elif self._held is not None:
            raise Problem(
                f"stream o: an event was withdrawn in tick {self.markers}, before it was taken"
            )
        takes = not self._stalls.at(cycle)
        if takes != self._takes:
            self._takes = takes
            self._ready.value = int(takes)
        return moved

    def _event(self) -> int:
        value = self._payload.value
        try:
            return int(value)
        except ValueError:
            if str(value)[0] == "1":  # a marker's address means nothing
                return self._marker
        raise Problem(f"stream o: the payload is undefined in tick {self.markers}: {value}")

    def _take(self, payload: int, cycle: int) -> None:
        if self.done:
            raise Problem(
                f"stream o: payload {payload} after the marker of the last tick, {self._ticks - 1}"
            )
        if payload & self._marker:
            self.markers += 1
            self.last = cycle
        else:
            self.events.append((self.markers, payload))


@dataclasses.dataclass
class Mismatch:
    """The first word of a trace that differs from the golden model's, as it was seen."""

    run: int
    population: str
    tick: int
    group: int
    cycle: int


class Checker:
    """Compares each word of each trace with the golden model's, as it comes."""

    def __init__(self) -> None:
        self.mismatch: Mismatch | None = None
        self._expected: dict[str, list[int]] = {}

    def load(self, run: int, expected: dict[str, list[int]]) -> None:
        """Start over with what a sample's traces must hold; nothing, if nothing is to be compared."""
        self._run = run
        self._expected = expected

    def check(self, tap: Tap, word: int, cycle: int) -> None:
        """Compare the word that `tap` is about to record."""
        if not self._expected or self.mismatch is not None:
            return
        tick, group = divmod(len(tap.words), tap.groups)
        if word & tap.masks[group] != self._expected[tap.name][len(tap.words)]:
            self.mismatch = Mismatch(self._run, tap.name, tick, group, cycle)


class Tap:
    """Records one population's trace."""

    def __init__(self, dut: Any, name: str, mask: np.ndarray, checker: Checker) -> None:
        self.name = name
        self.groups, self.word_bytes = mask.shape
        self.masks = integers(mask)
        self.words: list[int] = []
        self._goal = 0
        self._what = f"trace of '{name}': valid"
        self._payload = getattr(dut, f"trace_{name}__payload")
        self._valid = getattr(dut, f"trace_{name}__valid")
        self._checker = checker

    def load(self, ticks: int) -> None:
        """Start over; the sample has so many ticks."""
        self.words = []
        self._goal = ticks * self.groups

    @property
    def done(self) -> bool:
        return len(self.words) == self._goal

    def edge(self, cycle: int) -> bool:
        """Act at a rising edge; whether a word came."""
        if not read(self._valid, self._what):
            return False
        if self.done:
            raise Problem(f"trace of '{self.name}': a word after the last tick")
        word = self._word()
        self._checker.check(self, word, cycle)
        self.words.append(word)
        return True

    def _word(self) -> int:
        value = self._payload.value
        try:
            return int(value)
        except ValueError:  # undefined bits: they may be in lanes without a neuron
            text = str(value)
        tick, group = divmod(len(self.words), self.groups)
        undefined = int("".join("0" if bit in "01" else "1" for bit in text), 2)
        if undefined & self.masks[group]:
            raise Problem(
                f"trace of '{self.name}': undefined bits in tick {tick}, group {group}: {text}"
            )
        return int("".join(bit if bit in "01" else "0" for bit in text), 2)


class LearnedTap:
    """Keeps what a bank of weights holds, from each word that is written into it."""

    def __init__(self, dut: Any, name: str, words: np.ndarray) -> None:
        self.name = name
        self.word_bytes = words.shape[1]
        self.words = integers(words)
        self._what = f"what '{name}' has learned"
        self._payload = getattr(dut, f"learned_{name}__payload")
        self._valid = getattr(dut, f"learned_{name}__valid")

    def edge(self) -> None:
        """Act at a rising edge."""
        if read(self._valid, self._what):
            payload = read(self._payload, self._what)
            self.words[payload & 0xFFFFFFFF] = payload >> 32

    def data(self) -> np.ndarray:
        """Its words, uint8 (words, word_bytes)."""
        data = b"".join(word.to_bytes(self.word_bytes, "little") for word in self.words)
        return np.frombuffer(data, np.uint8).reshape(-1, self.word_bytes)


def integers(words: np.ndarray) -> list[int]:
    """Words in bytes, uint8 (..., word_bytes), as integers, in one list."""
    size = words.shape[-1]
    data = words.tobytes()
    return [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
