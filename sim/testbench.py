"""The cocotb testbench: it runs inside the simulator, for any exported accelerator with traces.

::

                 +----------------+
    Driver --i-->|                |--o------------> Monitor
                 |  lifline_top   |
                 |                |--trace_NAME---> Tap (one a population) --> Checker
                 +----------------+

One coroutine wakes at each rising edge of the clock, when the signals still have the values that the edge
samples, and lets each part have its look; what a part writes is seen at the next edge.

``$LIFLINE_PARAMETERS`` names the file with the work, ``$LIFLINE_RESULTS`` the one for its results; both are
named by :mod:`lifline.sim.simulation`.  A *run* is one sample, from rest, with or without stalls.
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

from .ports import Checker, Driver, LearnedTap, Monitor, Problem, Stalls, Tap, integers, read

#: Cycles after the end of a checked run in which nothing more may come.
_AFTERMATH = 8


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
        self.driver = Driver(dut, work["inputs"], work["graded"])
        self.monitor = Monitor(dut, work["outputs"])
        self.checker = Checker()
        self.taps = [Tap(dut, name, arrays[f"mask.{name}"], self.checker) for name in work["traces"]]
        learned = {name: arrays[f"learned.{name}"] for name in work["learned"]}
        self.learned = [LearnedTap(dut, name, words) for name, words in learned.items()]
        self.learn = dut.learn if work["learns"] is not None else None
        self.reward = dut.reward if work["rewards"] is not None else None
        self.input_ready = dut.i__ready
        if self.learn is not None:
            self.learn.value = 0
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
                self.switch(False)
                self.load(number, spikes, stalls, {})
                await self.cycles(int(rng.integers(1, 40 * self.ticks)))
                await self.back_to_rest()
        expected = {name: integers(words[sample]) for name, words in self.expected.items()}
        self.switch(self.learn is not None and self.work["learns"][number])
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
            for bank in self.learned:
                bank.edge()
            if moved:
                idle = 0
                if until is None and monitor.done and all(tap.done for tap in taps):
                    break
            elif until is None:
                idle += 1
                if idle > patience:
                    raise Problem(self.deadlock(idle))
        self.cycle = cycle

    def switch(self, learn: bool) -> None:
        """Learn from the sample that comes, or not."""
        if self.learn is not None:
            self.learn.value = int(learn)

    async def ready(self) -> None:
        """Wait until the next sample could come in: all of this one has been learned."""
        for _ in range(self.work["patience"]):
            await self.clock
            self.cycle += 1
            for bank in self.learned:
                bank.edge()
            if read(self.input_ready, "stream i: ready"):
                return
        raise Problem(f"deadlock: stream i is not ready {self.work['patience']} cycles after a sample")

    async def back_to_rest(self, reward: int = 0) -> None:
        """Pulse `clear`, with the run's reward where there is one."""
        if self.reward is not None:
            self.reward.value = reward & 0xFFFF
        self.driver.load(None, Stalls())
        self.monitor.load(0, Stalls())
        self.clear.value = 1
        await self.clock
        self.clear.value = 0
        if self.reward is not None:
            self.reward.value = 0x5A5A  # counts only with clear
        self.cycle += 1
        for bank in self.learned:
            bank.edge()

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
            if number and bench.learn is None:
                await bench.back_to_rest()
            try:
                await bench.run(number, sample, seed)
            finally:
                record.add()
            if bench.learn is not None:
                await bench.back_to_rest(work["rewards"][number] if work["rewards"] is not None else 0)
                await bench.ready()
                record.add_learned()
            with results.with_name(f"{results.name}.progress").open("ab") as file:
                file.write(b".")
            if bench.checker.mismatch is not None:
                break
    except Problem as error:
        problem = str(error)
    record.write(results, problem, time.perf_counter() - started)


class Record:
    """The results of the runs."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        runs = len(bench.work["runs"])
        shapes = {tap.name: (runs, bench.ticks, tap.groups, tap.word_bytes) for tap in bench.taps}
        self._words = {name: np.zeros(shape, np.uint8) for name, shape in shapes.items()}
        self._learned: dict[str, list[np.ndarray]] = {bank.name: [] for bank in bench.learned}
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

    def add_learned(self) -> None:
        """Keep what has been learned up to the end of the run."""
        for bank in self._bench.learned:
            self._learned[bank.name].append(bank.data())

    def write(self, path: Path, problem: str | None, seconds: float) -> None:
        bench = self._bench
        mismatch = bench.checker.mismatch
        outcome = {
            "problem": problem,
            "mismatch": None if mismatch is None else dataclasses.asdict(mismatch),
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
            **{
                f"learned.{bank.name}": np.array(self._learned[bank.name], np.uint8).reshape(
                    -1, len(bank.words), bank.word_bytes
                )
                for bank in bench.learned
            },
        )
