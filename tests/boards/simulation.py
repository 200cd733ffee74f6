"""A board in Amaranth's simulator, behind the interface of a serial port."""

from __future__ import annotations

from collections import deque
from typing import Any

from amaranth.sim import Simulator

_PERIOD = 1e-6


class SimulatedPort:
    """Talks to a `System` as a host would; time passes only while somebody reads.

    Parameters
    ----------
    system : System
    divisor : int
        Clock cycles of a bit.
    timeout : int
        Clock cycles after which a read gives up.
    """

    def __init__(self, system: Any, divisor: int, timeout: int = 40_000) -> None:
        self.timeout = timeout
        self._to_send: deque[int] = deque()
        self._received: deque[int] = deque()
        self._cycles = 0

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

    def write(self, data: bytes) -> None:
        self._to_send.extend(data)

    def read(self, size: int) -> bytes:
        deadline = self._cycles + self.timeout
        while len(self._received) < size and self._cycles < deadline:
            self._cycles += 20
            self._simulator.run_until(self._cycles * _PERIOD)
        return bytes(self._received.popleft() for _ in range(min(size, len(self._received))))
