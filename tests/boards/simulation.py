"""Boards for the tests of a driver: one in Amaranth's simulator, and one that is a few lines of Python."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from amaranth.sim import Simulator

from lifline import LIF, Dense, Network, Population, Projection, Reset
from lifline.boards import protocol
from lifline.boards.link import LinkOptions
from lifline.boards.protocol import Command, Kind, Part, Status
from lifline.boards.top import System, identity_of
from lifline.golden import simulate
from lifline.recording import Recording
from lifline.rtl import Accelerator, cycles, plan

_PERIOD = 1e-6


def small_network(reset: Reset = Reset.SUBTRACT, inputs: int = 150, seed: int = 3) -> Network:
    """Two populations, delays and a loop."""
    rng = np.random.default_rng(seed)
    return Network(
        inputs,
        [
            Population("hidden", 7, LIF(beta=200, threshold=90)),
            Population("output", 5, LIF(beta=230, threshold=70, reset=reset, bias=[3, 0, -2, 5, 1])),
        ],
        [
            Projection("input", "hidden", rng.integers(-60, 90, (inputs, 7))),
            Projection(
                "hidden", "output", Dense(rng.integers(-60, 70, (7, 5)), rng.integers(0, 4, (7, 5)))
            ),
            Projection("output", "hidden", Dense(rng.integers(-60, 60, (5, 7)), 1)),
        ],
        "output",
    )


class SimulatedLine:
    """The line to a `System` in Amaranth's simulator; time passes only while somebody reads.

    Parameters
    ----------
    system : System
    divisor : float
        Clock cycles of a bit.
    cycles : int
        Clock cycles after which a read without a byte gives up.
    """

    def __init__(self, system: Any, divisor: float, cycles: int = 4000) -> None:
        self.cycles = cycles
        self._to_send: deque[int] = deque()
        self._received: deque[int] = deque()
        self.now = 0  #: clock cycle

        bit_time = divisor * _PERIOD

        async def send(ctx):
            while True:
                if not self._to_send:
                    await ctx.delay(bit_time)
                    continue
                byte = self._to_send.popleft()
                for bit in (0, *(byte >> i & 1 for i in range(8)), 1):
                    ctx.set(system.rx, bit)
                    await ctx.delay(bit_time)

        async def receive(ctx):
            while True:
                await ctx.negedge(system.tx)
                await ctx.delay(bit_time / 2)
                byte = 0
                for i in range(8):
                    await ctx.delay(bit_time)
                    byte |= ctx.get(system.tx) << i
                await ctx.delay(bit_time)
                assert ctx.get(system.tx) == 1
                self._received.append(byte)

        self._simulator = Simulator(system)
        self._simulator.add_clock(_PERIOD)
        self._simulator.add_testbench(send, background=True)
        self._simulator.add_testbench(receive, background=True)

    def write(self, data: bytes, /) -> None:
        self._to_send.extend(data)

    def read(self) -> bytes:
        end = self.now + self.cycles
        while not self._received and self.now < end:
            self.now += 100
            self._simulator.run_until(self.now * _PERIOD)
        data = bytes(self._received)
        self._received.clear()
        return data

    def close(self) -> None:
        pass


def simulated(
    network: Network,
    *,
    lanes: int = 2,
    divisor: float = 4,
    options: LinkOptions | None = None,
    core: Any = None,
) -> SimulatedLine:
    """The line to a board with this network, or with a core of its own."""
    options = options or LinkOptions(buffer=512, events=256, answers=64, watchdog=1 << 15)
    arrays = plan(network, lanes)
    core = core or Accelerator(network, lanes, trace=True)
    identity = identity_of(network, arrays, options, clock_mhz=12, board="test")
    array = arrays[network.output]
    return SimulatedLine(
        System(network, core, array, divisor=divisor, identity=identity, options=options), divisor
    )


class ModelBoard:
    """What a board does with frames, in Python: the protocol once more, for tests of a driver without gateware."""

    def __init__(self, network: Network, buffer: int = 512) -> None:
        self.network = network
        self.identity = identity_of(
            network, plan(network, 1), LinkOptions(buffer=buffer), clock_mhz=12, board="model"
        )
        self.session = self.expected = self.taken = self.asked = 0
        self.counters = [0, 0, 0]
        self.written = b""
        self.samples = 0  #: begun
        self.change: Callable[[bytes], bytes] = lambda body: body  #: of what it sends
        self.silent = False
        self._deframer = protocol.Deframer()
        self._out = b""
        self._sample = b""
        self._wanted = Part(0)

    def write(self, data: bytes, /) -> None:
        self.written += data
        before = self._deframer.damaged
        for body in self._deframer.feed(data):
            self._take(body)
        if self._deframer.damaged > before:
            self.counters[1] += self._deframer.damaged - before
            self._tell(Kind.NAK)

    def read(self) -> bytes:
        data, self._out = self._out, b""
        return b"" if self.silent else data

    def close(self) -> None:
        self.silent = True

    def forget(self) -> None:
        """As the watchdog does."""
        self.session = 0

    def _tell(self, kind: Kind, data: bytes = b"") -> None:
        body = bytes([self.session, self.expected, self.taken, kind | self.asked << 3]) + data
        self._out += protocol.stuffed(self.change(body))

    def _take(self, body: bytes) -> None:
        session, number, command = body[:3]
        if command == Command.RESET:
            self.session, self.expected, self.taken, self._sample = session, 0, 0, b""
            self.asked = number % 32
            self._tell(Kind.ACK)
        elif command == Command.POLL:
            self.asked = number % 32
            self._tell(Kind.ACK)
        elif session != self.session or number != self.expected or not session:
            self.counters[2] += 1
            self._tell(Kind.NAK)
        else:
            self.counters[0] += 1
            self.expected = (self.expected + 1) % 256
            answered = self._obey(command, body[3:])
            self.taken = (self.taken + 1) % 256
            if not answered:
                self._tell(Kind.ACK)

    def _obey(self, command: int, data: bytes) -> bool:
        if command == Command.IDENTIFY:
            self._tell(Kind.IDENTITY, self.identity.data)
        elif command == Command.COUNT:
            self._tell(Kind.COUNTERS, np.array(self.counters, "<u2").tobytes())
        elif command & Command.SAMPLE:
            part = Part(command & 0x7F)
            if Part.FIRST in part:
                self.samples += 1
                self._sample, self._wanted = b"", part
            self._sample += data
            if Part.LAST not in part:
                return False
            self._answer()
        else:
            self._tell(Kind.REFUSED)
        return True

    def _answer(self) -> None:
        network = self.network
        ticks = protocol.decode(self._sample, network.inputs, network.input_bits)
        recording = self.recorded(ticks)
        spikes = recording.spikes[network.output]
        chunks = 0
        if Part.SPIKES in self._wanted:
            events = b"".join(bytes([*np.flatnonzero(tick).tolist(), 0x80]) for tick in spikes)
            for start in range(0, len(events), 64):
                self._tell(Kind.SPIKES, bytes([chunks]) + events[start : start + 64])
                chunks += 1
        readout = network[network.output].neuron.readout
        scores = (recording.membrane[network.output] if readout else spikes).sum(axis=0, dtype=np.int64)
        table = b""
        if Part.SCORES in self._wanted:
            width = self.identity.score_bytes
            table = b"".join(int(s).to_bytes(width, "little", signed=True) for s in scores)
        cycles = self.cycles(ticks).to_bytes(3, "little")
        head = bytes([Status(0), chunks]) + cycles
        self._tell(Kind.RESULT, head + table + int(recording.classes).to_bytes(2, "little"))

    def recorded(self, ticks: np.ndarray) -> Recording:
        """What its network does."""
        return simulate(self.network, ticks)

    @staticmethod
    def cycles(ticks: np.ndarray) -> int:
        """What it says that a sample took."""
        return int(ticks.sum()) + len(ticks)


def some_spikes(network: Network, samples: int, ticks: int = 8, seed: int = 5) -> np.ndarray:
    """Sparse ticks, dense ones, and empty ones."""
    rng = np.random.default_rng(seed)
    density = rng.choice([0.0, 0.02, 0.05, 0.6], (samples, ticks, 1), p=[0.2, 0.4, 0.3, 0.1])
    fires = rng.random((samples, ticks, network.inputs)) < density
    most = 2**network.input_bits
    return (fires * rng.integers(1, most, fires.shape)).astype(np.uint8)


def check(recording, network: Network, spikes: np.ndarray, lanes: Any) -> None:
    """What a board did is what golden does, in the time of the cycle model where it did not wait for the line."""
    golden = simulate(network, spikes)
    output = network.output
    assert np.array_equal(recording.classes, golden.classes)
    assert np.array_equal(recording.spikes[output], golden.spikes[output])
    readout = network[output].neuron.readout
    scored = golden.membrane[output] if readout else golden.spikes[output]
    assert np.array_equal(recording.scores, scored.sum(axis=1, dtype=np.int64))
    expected = cycles(network, lanes, {"input": spikes, **golden.spikes})
    assert np.array_equal(recording.cycles[~recording.stalled], expected[~recording.stalled])
