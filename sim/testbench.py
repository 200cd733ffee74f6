"""The cocotb testbench: it runs inside the simulator, for any exported accelerator with traces.

::

                 +----------------+
    Driver --i-->|                |--o------------> Monitor
                 |  lifline_top   |
                 |                |--trace_NAME---> Tap (one a population) --> Checker
                 +----------------+

One coroutine wakes at each rising edge of the clock, when the signals still have the values that the edge
samples, and lets each part have its look; what a part writes is seen at the next edge.

``$LIFLINE_PARAMETERS`` names the file with the work, ``$LIFLINE_RESULTS`` the one for what came of it, both
written by :mod:`lifline.sim.simulation`.  A *run* is one sample, from rest, with or without stalls.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

#: Cycles after the end of a checked run in which nothing more may come.
_AFTERMATH = 8

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
    """When one end of a stream holds back: a repeating pattern, with lulls and jams of 32 cycles.

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
    """Sends the events of one sample into stream `i`: addresses of a tick's active inputs, then a marker."""

    def __init__(self, dut: Any, inputs: int) -> None:
        self._payload, self._valid, self._ready = dut.i__payload, dut.i__valid, dut.i__ready
        self._marker = 1 << max(1, (inputs - 1).bit_length())
        self._payload.value = 0
        self.load(None, Stalls())
        self._valid.value = 0

    def load(self, spikes: np.ndarray | None, stalls: Stalls) -> None:
        """Start over with the spikes of a sample, (ticks, inputs)."""
        self.events: list[int] = []
        for row in () if spikes is None else spikes:
            self.events += [*np.flatnonzero(row).tolist(), self._marker]
        self.accepted = 0
        self.first = 0  #: cycle in which the first event was accepted
        self._offered = False
        self._stalls = stalls
        self._valid.value = 0

    @property
    def tick(self) -> int:
        """The tick that the next event belongs to."""
        return self.events[: self.accepted].count(self._marker)

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
class Divergence:
    """Where the traces first differed, as it was seen."""

    run: int
    population: str
    tick: int
    group: int
    cycle: int


class Checker:
    """Compares each word of each trace with the golden model's, as it comes."""

    def __init__(self) -> None:
        self.divergence: Divergence | None = None
        self._expected: dict[str, list[int]] = {}

    def load(self, run: int, expected: dict[str, list[int]]) -> None:
        """Start over with what a sample's traces must hold; nothing, if nothing is to be compared."""
        self._run = run
        self._expected = expected

    def check(self, tap: Tap, word: int, cycle: int) -> None:
        """Compare the word that `tap` is about to record."""
        if not self._expected or self.divergence is not None:
            return
        tick, group = divmod(len(tap.words), tap.groups)
        if word & tap.masks[group] != self._expected[tap.name][len(tap.words)]:
            self.divergence = Divergence(self._run, tap.name, tick, group, cycle)


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


class Bench:
    """All parts, and the runs they do together."""

    def __init__(self, dut: Any, work: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.work = work
        self.ticks: int = work["ticks"]
        self.spikes = arrays["spikes"]
        self.expected = {
            name: arrays[f"expected.{name}"] for name in work["traces"] if f"expected.{name}" in arrays
        }
        self.rst, self.clear = dut.rst, dut.clear
        self.rst.value = 1
        self.clear.value = 0
        self.driver = Driver(dut, work["inputs"])
        self.monitor = Monitor(dut, work["outputs"])
        self.checker = Checker()
        self.taps = [Tap(dut, name, arrays[f"mask.{name}"], self.checker) for name in work["traces"]]
        self.clock = RisingEdge(dut.clk)
        self.cycle = 0

    async def reset(self) -> None:
        for _ in range(4):
            await self.clock
        self.rst.value = 0

    async def run(self, number: int, sample: int, seed: list[int] | None) -> None:
        """One sample from rest to its last marker; then `clear`."""
        stalls = [Stalls(), Stalls()]
        spikes = self.spikes[sample]
        rng = None if seed is None else np.random.default_rng(seed)
        if rng is not None:
            stalls = [Stalls(rng), Stalls(rng)]
            if rng.random() < 0.25:  # clear must do in the middle of things, too
                self.load(number, spikes, stalls, {})
                await self.cycles(int(rng.integers(1, 40 * self.ticks)))
                await self.back_to_rest()
        expected = {name: integers(words[sample]) for name, words in self.expected.items()}
        self.load(number, spikes, stalls, expected)
        await self.cycles(None)
        if expected:
            await self.cycles(_AFTERMATH)

    def load(
        self, number: int, spikes: np.ndarray, stalls: list[Stalls], expected: dict[str, list[int]]
    ) -> None:
        self.driver.load(spikes, stalls[0])
        self.monitor.load(self.ticks, stalls[1])
        self.checker.load(number, expected)
        for tap in self.taps:
            tap.load(self.ticks)

    async def cycles(self, count: int | None) -> None:
        """Let so many clock cycles pass; None: until the sample has ended."""
        clock, driver, monitor, taps = self.clock, self.driver, self.monitor, self.taps
        cycle, idle, patience = self.cycle, 0, self.work["patience"]
        until = None if count is None else cycle + count
        while cycle != until:
            await clock
            cycle += 1
            moved = driver.edge(cycle)
            moved |= monitor.edge(cycle)
            for tap in taps:
                moved |= tap.edge(cycle)
            if moved:
                idle = 0
                if until is None and monitor.done and all(tap.done for tap in taps):
                    break
            elif until is None:
                idle += 1
                if idle > patience:
                    raise Problem(self.deadlock(idle))
        self.cycle = cycle

    async def back_to_rest(self) -> None:
        """Pulse `clear`."""
        self.driver.load(None, Stalls())
        self.monitor.load(0, Stalls())
        self.clear.value = 1
        await self.clock
        self.clear.value = 0
        self.cycle += 1

    def deadlock(self, idle: int) -> str:
        driver, monitor, ticks = self.driver, self.monitor, self.ticks
        if driver.accepted < len(driver.events):
            where = f"stream i took {driver.accepted} of {len(driver.events)} events and waits in tick {driver.tick}"
        else:
            where = f"stream i took all {len(driver.events)} events"
        traces = "".join(
            f", the trace of '{tap.name}' in tick {len(tap.words) // tap.groups}"
            for tap in self.taps
            if not tap.done
        )
        output = "has ended" if monitor.done else f"waits in tick {monitor.markers}"
        return f"deadlock: nothing moved for {idle} cycles; {where}, stream o {output}{traces} (of {ticks} ticks)"


@cocotb.test()
async def lifline(dut: Any) -> None:
    """All runs that the parameters ask for."""
    with np.load(os.environ["LIFLINE_PARAMETERS"]) as file:
        arrays = dict(file)
    results = Path(os.environ["LIFLINE_RESULTS"])
    work = json.loads(arrays.pop("work").tobytes())
    started = time.perf_counter()
    bench = Bench(dut, work, arrays)
    Clock(dut.clk, 10, unit="ns", impl="gpi").start(start_high=False)
    record = Record(bench)
    problem = None
    try:
        await bench.reset()
        for number, (sample, seed) in enumerate(work["runs"]):
            if number:
                await bench.back_to_rest()
            try:
                await bench.run(number, sample, seed)
            finally:
                record.add()
            with results.with_name(f"{results.name}.progress").open("ab") as file:
                file.write(b".")
            if bench.checker.divergence is not None:
                break
    except Problem as error:
        problem = str(error)
    record.write(results, problem, time.perf_counter() - started)


class Record:
    """What comes of the runs."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        runs = len(bench.work["runs"])
        shapes = {tap.name: (runs, bench.ticks, tap.groups, tap.word_bytes) for tap in bench.taps}
        self._words = {name: np.zeros(shape, np.uint8) for name, shape in shapes.items()}
        self._counts: list[list[int]] = []
        self._cycles: list[int] = []
        self._events: list[np.ndarray] = []

    def add(self) -> None:
        """Keep the run that has just ended, whole or not."""
        bench, number = self._bench, len(self._cycles)
        for tap in bench.taps:
            data = b"".join(word.to_bytes(tap.word_bytes, "little") for word in tap.words)
            words = self._words[tap.name][number].reshape(-1, tap.word_bytes)
            words[: len(tap.words)] = np.frombuffer(data, np.uint8).reshape(-1, tap.word_bytes)
        self._counts.append([len(tap.words) for tap in bench.taps])
        ended = bench.monitor.done
        self._cycles.append(bench.monitor.last - bench.driver.first + 1 if ended else 0)
        events = np.array(bench.monitor.events, np.int64).reshape(-1, 2)
        self._events.append(np.insert(events, 0, number, axis=1))

    def write(self, path: Path, problem: str | None, seconds: float) -> None:
        bench = self._bench
        divergence = bench.checker.divergence
        outcome = {
            "problem": problem,
            "divergence": None if divergence is None else dataclasses.asdict(divergence),
            "clock_cycles": bench.cycle,
            "seconds": seconds,
        }
        np.savez(
            path,
            allow_pickle=False,
            outcome=np.frombuffer(json.dumps(outcome).encode(), np.uint8),
            cycles=np.array(self._cycles, np.int64),
            counts=np.array(self._counts, np.int64).reshape(-1, len(bench.taps)),
            events=np.concatenate([np.empty((0, 3), np.int64), *self._events]),
            **{f"words.{name}": words for name, words in self._words.items()},
        )


def integers(words: np.ndarray) -> list[int]:
    """Words in bytes, uint8 (..., word_bytes), as integers, in one list."""
    size = words.shape[-1]
    data = words.tobytes()
    return [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
