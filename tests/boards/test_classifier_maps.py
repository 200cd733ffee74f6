"""The classifier of a map whose lanes do not divide its channels: the scores are its neurons', in order."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from lifline import LIF, Convolution, Network, Population, Projection
from lifline.boards.classifier import Classifier
from lifline.rtl import plan


@pytest.mark.parametrize("lanes", [1, 2, 3, 5])
def test_scores_of_a_map(lanes):
    network = Network(
        (2, 2, 1),
        [Population("out", (2, 2, 5), LIF(256, 1))],
        [Projection("input", "out", Convolution(np.ones((1, 1, 1, 5), int)))],
        "out",
    )
    array = plan(network, lanes)["out"]
    dut = Classifier(array)
    rng = np.random.default_rng(lanes)

    async def testbench(ctx):
        for _ in range(2):
            spikes = rng.integers(0, 2, (6, 20))
            for tick in spikes:
                for group, bits in enumerate(array.layout.by_group(tick)):
                    ctx.set(dut.trace.payload.group, group)
                    ctx.set(dut.trace.payload.spikes, int((bits << np.arange(lanes)).sum()))
                    ctx.set(dut.trace.valid, 1)
                    await ctx.tick()
            ctx.set(dut.trace.valid, 0)
            scores = []
            ctx.set(dut.step, 1)
            while not ctx.get(dut.done):
                scores.append(ctx.get(dut.score))
                await ctx.tick()
            ctx.set(dut.step, 0)
            assert scores == spikes.sum(axis=0).tolist()
            assert ctx.get(dut.o) == spikes.sum(axis=0).argmax()
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
