"""The UART: what is sent arrives, and damage is told."""

import gc

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from lifline.boards.uart import UARTReceiver, UARTTransmitter, divisor


class Loopback(wiring.Component):
    def __init__(self, *, send: float, receive: float) -> None:
        self.transmitter = UARTTransmitter(divisor=send)
        self.receiver = UARTReceiver(divisor=receive)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.transmitter = self.transmitter
        m.submodules.receiver = self.receiver
        m.d.comb += self.receiver.rx.eq(self.transmitter.tx)
        return m


@pytest.mark.parametrize(
    ("send", "receive"),
    [
        (4, 4),
        (4.4, 4.4),
        (5, 5),
        (6.5, 6.5),
        (8.333, 8.333),
        (24, 24),
        (26.667, 26.667),
        (100, 103),
        (100, 97),
    ],
)
def test_every_byte_arrives(send, receive):
    seed = 1
    rng = np.random.default_rng(seed)
    expected = [0x00, 0xFF, 0x55, 0xAA, *rng.integers(0, 256, 20).tolist()]
    dut = Loopback(send=send, receive=receive)
    received = []

    async def feed(ctx):
        for byte in expected:
            if rng.random() < 0.3:
                await ctx.tick().repeat(int(rng.integers(1, int(3 * send))))
            ctx.set(dut.transmitter.i.payload, byte)
            ctx.set(dut.transmitter.i.valid, 1)
            await ctx.tick().until(dut.transmitter.i.ready)
            ctx.set(dut.transmitter.i.valid, 0)
        await ctx.tick().repeat(int(12 * max(send, receive)))

    async def watch(ctx):
        async for _, _, valid, payload, error in ctx.tick().sample(
            dut.receiver.o.valid, dut.receiver.o.payload, dut.receiver.error
        ):
            assert not error
            if valid:
                received.append(payload)

    simulate(dut, feed, watch)
    assert received == expected, f"seed {seed}"


def test_bytes_follow_each_other_without_a_gap():
    dut = UARTTransmitter(divisor=6)
    accepted = []

    async def feed(ctx):
        ctx.set(dut.i.valid, 1)
        for cycle in range(200):
            if ctx.get(dut.i.ready):
                accepted.append(cycle)
            await ctx.tick()

    simulate(dut, feed)
    assert set(np.diff(accepted)) == {10 * 6 + 1}


def test_damage_is_told_and_the_next_byte_is_whole():
    dut = UARTReceiver(divisor=8)
    events = []

    async def line(ctx):
        async def send(bits, cycles=8):
            for bit in bits:
                ctx.set(dut.rx, bit)
                await ctx.tick().repeat(cycles)

        await send([1])
        await send([0], cycles=2)  # a glitch
        await send([1] * 3)
        await send([0] * 10)  # no stop bit
        await send([0] * 25)  # … and the line stays low: no start bits
        await send([1] * 2)
        await send([0, 1, 1, 0, 0, 0, 0, 1, 0, 1])
        await send([1] * 2)

    async def watch(ctx):
        async for _, _, valid, payload, error in ctx.tick().sample(
            dut.o.valid, dut.o.payload, dut.error
        ):
            if valid or error:
                events.append("error" if error else payload)

    simulate(dut, line, watch)
    assert events == ["error", 0b01000011]


def test_edges_are_at_most_half_a_cycle_off():
    ratio = 25e6 / 3e6
    dut = UARTTransmitter(divisor=ratio)
    edges = []

    async def feed(ctx):
        ctx.set(dut.i.payload, 0x55)
        ctx.set(dut.i.valid, 1)
        before = 1
        for cycle in range(100):
            if ctx.get(dut.tx) != before:
                before = ctx.get(dut.tx)
                edges.append(cycle)
            await ctx.tick()
            ctx.set(dut.i.valid, 0)

    simulate(dut, feed)
    assert len(edges) == 10
    assert all(abs(edge - edges[0] - bit * ratio) <= 0.5 for bit, edge in enumerate(edges))


def test_divisor():
    assert divisor(24e6, 3_000_000) == 8
    assert divisor(12e6, 115_200) == pytest.approx(104.1667, abs=1e-4)
    with pytest.raises(ValueError, match=r"11 MHz cannot give 3000000 baud, .* at most 2750000 baud"):
        divisor(11e6, 3_000_000)


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
@pytest.mark.parametrize("component", [UARTReceiver, UARTTransmitter])
def test_a_bit_has_four_cycles_at_least(component):
    with pytest.raises(ValueError, match="divisor must be at least 4, not 3"):
        component(divisor=3)
    gc.collect()  # what was not made complains now that it is not used, not in a later test


def simulate(dut, testbench, *background):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    for process in background:
        simulator.add_testbench(process, background=True)
    simulator.run()
