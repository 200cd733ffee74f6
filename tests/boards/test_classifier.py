"""The classifier against NumPy's argmax, which also gives a tie to the lower index."""

import gc

import numpy as np
import pytest
from amaranth.sim import Simulator

from lifline import LIF, Network, Population, Projection, Reset
from lifline.boards.classifier import Classifier
from lifline.rtl import plan


def output_array(size, lanes, reset, membrane_bits=16):
    population = Population(
        "out", size, LIF(beta=256, threshold=1, reset=reset, membrane_bits=membrane_bits)
    )
    network = Network(1, [population], [Projection("input", "out", np.ones((1, size), int))], "out")
    return plan(network, lanes)["out"]


def run_scenario(array, spikes, membranes, *, rng, max_ticks=4095, stall=0.0):
    """Classes of samples (samples, ticks, groups · lanes) shown as a trace, with pauses in between."""
    dut = Classifier(array, max_ticks=max_ticks)
    lanes, groups = array.lanes, array.groups
    classes = []

    async def pause(ctx):
        while rng.random() < stall:
            await ctx.tick()

    async def testbench(ctx):
        for s, v in zip(spikes, membranes, strict=True):
            for tick in range(len(s)):
                for group in range(groups):
                    await pause(ctx)
                    part = slice(group * lanes, (group + 1) * lanes)
                    ctx.set(dut.trace.payload.group, group)
                    ctx.set(dut.trace.payload.spikes, int((s[tick, part] << np.arange(lanes)).sum()))
                    for lane, value in enumerate(v[tick, part]):
                        ctx.set(dut.trace.payload.membrane[lane], int(value))
                    ctx.set(dut.trace.valid, 1)
                    await ctx.tick()
                    ctx.set(dut.trace.valid, 0)
            await pause(ctx)
            scores = []
            while not ctx.get(dut.done):
                await pause(ctx)
                scores.append(ctx.get(dut.score))
                ctx.set(dut.step, 1)
                await ctx.tick()
                ctx.set(dut.step, 0)
            counted = (v if array.population.neuron.readout else s)[:, : array.population.size]
            assert scores == counted.sum(axis=0).tolist()
            await pause(ctx)
            classes.append(ctx.get(dut.o))
            await pause(ctx)
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)
            assert not ctx.get(dut.done)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return classes


@pytest.mark.parametrize("reset", [Reset.SUBTRACT, Reset.NONE])
@pytest.mark.parametrize(("size", "lanes"), [(1, 1), (2, 1), (5, 2), (10, 4), (10, 10), (7, 3), (4, 4)])
def test_argmax(size, lanes, reset):
    seed = 10 * size + lanes
    rng = np.random.default_rng(seed)
    array = output_array(size, lanes, reset, membrane_bits=8)
    width = array.groups * lanes
    samples, ticks = 6, int(rng.integers(1, 7))
    spikes = rng.integers(0, 2, (samples, ticks, width))
    membranes = rng.integers(-128, 128, (samples, ticks, width))
    membranes[0] = rng.integers(-2, 2, (ticks, width))  # many ties
    membranes[1] = -128
    spikes[1], spikes[2] = 0, 1
    score = membranes if reset is Reset.NONE else spikes
    expected = score[:, :, :size].sum(axis=1).argmax(axis=1)
    for stall in (0.0, 0.4):
        found = run_scenario(array, spikes, membranes, rng=rng, stall=stall)
        assert found == expected.tolist(), f"seed {seed}"


@pytest.mark.parametrize("membrane_bits", [8, 24])
@pytest.mark.parametrize("reset", [Reset.SUBTRACT, Reset.NONE])
def test_scores_never_overflow(reset, membrane_bits):
    array = output_array(3, 2, reset, membrane_bits)
    low, high = array.population.neuron.states[0].range
    ticks = 16
    spikes = np.zeros((2, ticks, 4), int)
    membranes = np.zeros((2, ticks, 4), int)
    spikes[0, :, 2] = 1
    membranes[0] = [low, low, high, high]
    spikes[1, 1:, 1], spikes[1, :, 0] = 1, 1
    membranes[1] = [high, high, low, high]
    membranes[1, 0, 1] -= 1
    found = run_scenario(array, spikes, membranes, rng=np.random.default_rng(0), max_ticks=ticks)
    assert found == [2, 0]


def test_a_sample_without_ticks_is_class_0():
    array = output_array(4, 2, Reset.SUBTRACT)
    empty = np.zeros((2, 0, 4), int)
    assert run_scenario(array, empty, empty, rng=np.random.default_rng(0)) == [0, 0]


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_max_ticks_is_checked():
    with pytest.raises(ValueError, match="max_ticks must be a positive integer, not 0"):
        Classifier(output_array(2, 1, Reset.NONE), max_ticks=0)
    gc.collect()
