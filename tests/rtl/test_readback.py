"""What gateware has learned is read back through the load port, and loaded again."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from amaranth.sim import Simulator

from lifline import golden
from lifline.errors import InputError
from lifline.network import LIF, STDP, Adaptation, Dense, Network, Population, Projection
from lifline.neurons import Izhikevich
from lifline.plasticity import SDSP
from lifline.rtl import Accelerator
from lifline.rtl.load import words
from lifline.rtl.port import parts_of
from lifline.rtl.readback import learned_banks, taught_by

from .test_accelerator import input_events
from .test_load import request, writes

RULE = STDP(240, 230, 200, 60, 50, 5, fraction_bits=5, low=-20, high=60, total=90, soft=True)
#: Its seed is counted beyond 32 bits, and read back, too.
AT_RANDOM = dataclasses.replace(RULE, rounding="stochastic", seed=2**32 - 1)


def network(seed: int = 0) -> Network:
    """Two populations, of which the first has thresholds that are kept; two projections learn, one at random."""
    rng = np.random.default_rng(seed)
    adaptation = Adaptation(250, 3, initial=rng.integers(0, 5, 5), keep=True)
    return Network(
        6,
        [
            Population("hidden", 5, LIF(200, 30, adaptation=adaptation)),
            Population("out", 3, LIF(220, 25)),
        ],
        [
            Projection("input", "hidden", Dense(rng.integers(-10, 40, (6, 5)), 0, 7), RULE),
            Projection("hidden", "hidden", Dense(rng.integers(-30, 5, (5, 5)), 1, 7)),
            Projection("hidden", "out", Dense(rng.integers(-10, 40, (5, 3)), 2, 7), AT_RANDOM),
        ],
        "out",
    )


def learned_by(
    accelerator: Accelerator, net: Network, lanes: dict[str, int] | int, samples, load=()
) -> Network:
    """The network that is read back after samples that were learned from, one that was not, and while another runs."""
    found: dict[int, list[int]] = {}

    async def send(ctx, port, payload):
        for field, value in payload.items():
            ctx.set(getattr(port.payload, field), value)
        ctx.set(port.valid, 1)
        while not ctx.get(port.ready):
            await ctx.tick()
        await ctx.tick()
        ctx.set(port.valid, 0)

    async def scenario(ctx):
        ctx.set(accelerator.o.ready, 1)
        ctx.set(accelerator.loaded.ready, 1)
        for payload in load:
            await send(ctx, accelerator.load, payload)
        for number, spikes in enumerate([*samples, samples[0]]):
            ctx.set(accelerator.learn, number < len(samples))
            for event in input_events(spikes):
                await send(ctx, accelerator.i, event)
            # what comes in after whole ticks is dropped; what came in as one is learned, even if nothing takes it
            await send(ctx, accelerator.i, {"address": 0, "marker": 0})
            ctx.set(accelerator.o.ready, 0)
            ctx.set(accelerator.clear, 1)
            await ctx.tick()
            ctx.set(accelerator.clear, 0)
            ctx.set(accelerator.o.ready, 1)
        await send(ctx, accelerator.i, {"address": 0, "marker": 1})
        for bank in learned_banks(net, lanes):
            rom = accelerator.banks[bank]
            found[bank] = []
            for word in range(len(rom.words)):
                value = 0
                for part in range(parts_of(rom.width)):
                    await send(ctx, accelerator.load, request(bank, word, part))
                    while not ctx.get(accelerator.loaded.valid):
                        await ctx.tick()
                    value |= ctx.get(accelerator.loaded.payload) << 16 * part
                    await ctx.tick()
                found[bank].append(value)

    simulator = Simulator(accelerator)
    simulator.add_clock(1e-6)
    simulator.add_testbench(scenario)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        simulator.run()
    return taught_by(net, lanes, found)


@pytest.mark.parametrize(
    "lanes", [{"hidden": 1, "out": 3}, {"hidden": 2, "out": 2}, {"hidden": 5, "out": 1}]
)
def test_what_was_learned_is_read_back(lanes):
    net = network()
    accelerator = Accelerator(net, lanes, load=True, learn=True)
    samples = (np.random.default_rng(1).random((2, 7, 6)) < 0.4).astype(np.uint8)
    after = golden.simulate(net, samples, learn=True).network
    assert after != net
    assert learned_by(accelerator, net, lanes, samples) == after


def test_what_was_learned_elsewhere_is_loaded_and_goes_on_learning():
    net, lanes = network(), {"hidden": 2, "out": 3}
    samples = (np.random.default_rng(2).random((3, 7, 6)) < 0.4).astype(np.uint8)
    middle = golden.simulate(net, samples[:2], learn=True).network
    assert middle is not None
    accelerator = Accelerator(net, lanes, load=True, learn=True)
    load = writes(words(middle, lanes, built=net, learn=True), accelerator.banks)
    after = golden.simulate(net, samples, learn=True).network
    assert learned_by(accelerator, middle, lanes, samples[2:], load) == after


def test_membranes_that_neurons_start_from_are_loaded_and_learned_from():
    """SDSP goes by the membrane that a spike finds, in the first tick by one that was loaded; and winners compete."""
    rng = np.random.default_rng(4)
    rule = SDSP(240, 90, -60 * 256, 40, 30, drift_up=2, drift_down=3, fraction_bits=5)
    weights = Dense(rng.integers(-20, 40, (6, 5)), 0, 7)

    def start(membranes):
        neuron = Izhikevich(82, 205, -65 * 256, 512, 7680, 20 * 256, membranes, 0, 4, fraction_bits=8)
        projection = Projection("input", "out", weights, rule)
        return Network(6, [Population("out", 5, neuron, winners=2)], [projection], "out")

    built = start(np.arange(-70, -65) * 256)
    net = start(np.arange(-62, -57) * 256)
    samples = (rng.random((2, 7, 6)) < 0.5).astype(np.uint8)
    after = golden.simulate(net, samples, learn=True).network
    assert after != dataclasses.replace(
        net, projections=golden.simulate(built, samples, True).network.projections
    )
    accelerator = Accelerator(built, 2, load=True, learn=True)
    load = writes(words(net, 2, built=built, learn=True), accelerator.banks)
    assert learned_by(accelerator, net, 2, samples, load) == after


def test_another_rule_cannot_be_loaded():
    net = network()
    projection = net.projections[0]
    other = dataclasses.replace(
        net,
        projections=[
            dataclasses.replace(projection, plasticity=dataclasses.replace(RULE, shift=6)),
            *net.projections[1:],
        ],
    )
    with pytest.raises(InputError, match="shift of 'input -> hidden': 6, the design was built for 5"):
        words(other, built=net, learn=True)
    none = dataclasses.replace(
        net, projections=[dataclasses.replace(projection, plasticity=None), *net.projections[1:]]
    )
    with pytest.raises(
        InputError, match="plasticity of 'input -> hidden': None, the design was built for STDP"
    ):
        words(none, built=net, learn=True)


def test_what_learns_cannot_be_in_single_port_memory():
    with pytest.raises(InputError, match="learns, which takes two ports"):
        Accelerator(network(), load=True, learn=True, memories={"out.0.from_hidden.weights": "spram"})
