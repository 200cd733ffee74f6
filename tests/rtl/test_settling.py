"""How long `clear` takes when a sample has been learned from: exactly ``rtl.settling``."""

import dataclasses

import numpy as np
import pytest
from amaranth.sim import Simulator

from lifline import LIF, SDSP, STDP, Dense, Network, Population, Projection, RewardSTDP, rtl
from lifline.plasticity import Plasticity, Rounding

from .test_accelerator import input_events

RULE = STDP(240, 230, 200, 60, 50, 5, fraction_bits=5, low=0, high=60)


def network(rule: Plasticity) -> Network:
    rng = np.random.default_rng(1)
    weights = rng.integers(0, 40, (20, 6))
    return Network(
        20,
        [Population("a", 6, LIF(200, 30))],
        [Projection("input", "a", Dense(weights, 0, 7), rule)],
        "a",
    )


@pytest.mark.parametrize("lanes", [6, 3, 2])
@pytest.mark.parametrize(
    "rule",
    [
        RULE,
        dataclasses.replace(RULE, total=90, soft=True),
        dataclasses.replace(RULE, total=700),
        SDSP(240, 90, 10, 40, 30, fraction_bits=5),
        dataclasses.replace(RULE, rounding=Rounding.STOCHASTIC),
        RewardSTDP(RULE, 250, 6),
        RewardSTDP(dataclasses.replace(RULE, total=90, rounding=Rounding.STOCHASTIC), 250, 6),
    ],
)
def test_clear_takes_so_long(rule, lanes):
    net = network(rule)
    accelerator = rtl.Accelerator(net, lanes, learn=True)
    events = input_events(np.random.default_rng(2).random((5, 20)) < 0.3)
    waited = []

    async def testbench(ctx):
        ctx.set(accelerator.learn, 1)
        ctx.set(accelerator.o.ready, 1)
        for event in events:
            ctx.set(accelerator.i.payload, event)
            ctx.set(accelerator.i.valid, 1)
            while not ctx.get(accelerator.i.ready):
                await ctx.tick()
            await ctx.tick()
        ctx.set(accelerator.i.valid, 0)
        await ctx.tick().repeat(600)  # all of it is learned
        ctx.set(accelerator.clear, 1)
        await ctx.tick()
        ctx.set(accelerator.clear, 0)
        cycles = 1
        while not ctx.get(accelerator.i.ready):
            await ctx.tick()
            cycles += 1
        waited.append(cycles)

    simulator = Simulator(accelerator)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    assert waited == [rtl.settling(net, lanes)]
