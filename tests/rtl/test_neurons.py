"""The circuits of the neurons against the specification: every lane on any state, the update over many ticks."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Const, Module, Signal
from amaranth.sim import Simulator

from lifline.errors import NetworkError
from lifline.golden import reference
from lifline.network import Network, Population, Projection
from lifline.neurons import LIF, Adaptation, Izhikevich, Neuron, Noise, Reset
from lifline.rtl.arithmetic import times
from lifline.rtl.neurons import lane
from lifline.rtl.neurons.lane import member_name
from lifline.rtl.plan import REGISTER_GROUPS, ArrayPlan, plan
from lifline.rtl.update import NeuronUpdate
from lifline.synapses import Dense

from ..networks import random_neuron
from .streams import exchange

SIZE = 6
CASES = 400

RESETS = [(reset, late) for reset in Reset for late in (False, True)]


def array_of(
    neuron: Neuron, rng: np.random.Generator, *, size: int = SIZE, lanes: int = 1
) -> ArrayPlan:
    """The plan of one population with random weights, as wide as they go."""
    bits = int(rng.integers(2, 17))
    limit = 2 ** (bits - 1)
    weights = rng.choice(np.array([-limit, limit - 1]), size=(int(rng.integers(1, 9)), size))
    network = Network(
        len(weights),
        [Population("p", size, neuron)],
        [Projection("input", "p", Dense(weights, weight_bits=bits))],
        "p",
    )
    return plan(network, lanes)["p"]


def some(rng: np.random.Generator, low: int, high: int) -> int:
    """A number of a range, most often at its ends."""
    ends = sorted({low, min(low + 1, high), max(high - 1, low), high})
    return int(rng.choice(ends)) if rng.random() < 0.5 else int(rng.integers(low, high + 1))


def check_lane(neuron: Neuron, rng: np.random.Generator) -> None:
    """Another neuron in any state each cycle, and what the lane makes of it `latency` cycles later."""
    array = array_of(neuron, rng)
    neuron = array.population.neuron  # a number for each neuron now
    constants = {name: int(p.values[0]) for name, p in array.parameters.items() if p.uniform}
    dut = lane(neuron)(array, constants)
    latency = dut.latency(neuron)
    cases = []
    for _ in range(CASES):
        states = {state.name: some(rng, *state.range) for state in neuron.states}
        cases.append(
            (int(rng.integers(SIZE)), some(rng, *array.accumulator_range), states, int(rng.integers(2)))
        )

    async def scenario(ctx: Any) -> None:
        for cycle in range(CASES + latency):
            if cycle < CASES:
                i, total, states, spiked = cases[cycle]
                ctx.set(dut.total, total)
                for name, value in states.items():
                    ctx.set(getattr(dut, f"old_{name}"), value)
                if neuron.keeps_spike:
                    ctx.set(dut.spiked, spiked)
                for name, parameter in array.parameters.items():
                    if name not in constants:
                        ctx.set(getattr(dut, member_name(name)), int(parameter.values[i]))
            if cycle >= latency:
                i, total, states, spiked = cases[cycle - latency]
                expected = reference.tick(neuron, i, total, reference.Before(states, spiked))
                got = {name: ctx.get(getattr(dut, f"new_{name}")) for name in states}
                assert (got, ctx.get(dut.spike)) == (expected.state, expected.spike), (
                    neuron,
                    cases[cycle - latency],
                )
            await ctx.tick()

    simulate(dut, scenario)


def simulate(dut: Any, scenario: Any) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(scenario)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        simulator.run()


@pytest.mark.parametrize(("reset", "late"), RESETS)
@pytest.mark.parametrize("parts", range(8))
def test_lif_lane(parts: int, reset: Reset, late: bool) -> None:
    """Each part or none, with every reset."""
    rng = np.random.default_rng(parts)
    own = functools.partial(rng.integers, size=SIZE)
    bits = int(rng.choice([8, 13, 24]))
    options: dict[str, Any] = {}
    if parts & 1:
        options |= {"alpha": own(0, 257), "current_bits": int(rng.choice([8, 12, 24]))}
    if parts & 2:
        jump = rng.choice(np.array([-(2**23), -5, 9, 2**23 - 1]), SIZE)
        options["adaptation"] = Adaptation(own(0, 257), jump, bits=int(rng.choice([2, 9, 24])))
    if parts & 4:
        table = rng.integers(-(2 ** int(rng.choice([3, 23]))), 8, 2 ** int(rng.choice([0, 3, 7])))
        options["noise"] = Noise(table, own(1, 2**16))
    top = 2 ** (bits - 1) - 1
    beta = np.concatenate([[0, 256], own(0, 257)[2:]])
    threshold = np.concatenate([[0, top], own(0, top + 1)[2:]])
    for bias in (0, own(-300, 300), rng.choice(np.array([-(2**31), 2**31 - 1]), SIZE)):
        neuron = LIF(beta, threshold, reset, late, bias, membrane_bits=bits, **options)
        check_lane(neuron, rng)


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.parametrize("kind", [LIF, Izhikevich])
def test_random_lane(kind: type[Neuron], seed: int) -> None:
    rng = np.random.default_rng(seed)
    check_lane(random_neuron(kind, rng, SIZE, 2 ** int(rng.integers(4, 16))), rng)


def test_a_large_table_is_in_memory() -> None:
    rng = np.random.default_rng(1)
    table = rng.integers(-(2**23), 2**23, 2**12)
    neuron = LIF(200, 900, noise=Noise(table, Noise.seeds(SIZE)))
    check_lane(neuron, rng)
    array = array_of(neuron, rng, lanes=3)
    update = NeuronUpdate(array)
    assert [circuit.roms["noise.table"].path for circuit in update.lanes] == [
        "mem/p.noise.table.mem"
    ] * 3
    assert not NeuronUpdate(array_of(LIF(200, 9, noise=Noise([1] * 16, 3)), rng)).tables


def check_update(array: ArrayPlan, rng: np.random.Generator, ticks: int) -> None:
    """Sums of every tick, as close together as they may come, and the trace of what they did."""
    neuron, size = array.population.neuron, array.population.size
    totals = [[some(rng, *array.accumulator_range) for _ in range(size)] for _ in range(ticks)]
    interval = NeuronUpdate.interval(array)
    before = [
        reference.Before({s.name: int(np.broadcast_to(s.initial, size)[i]) for s in neuron.states}, 0)
        for i in range(size)
    ]
    expected = []
    for tick in totals:
        after = [reference.tick(neuron, i, tick[i], before[i]) for i in range(size)]
        expected.append(after)
        before = [reference.Before(a.state, a.spike) for a in after]
    dut = NeuronUpdate(array)

    def present(ctx: Any, cycle: int) -> None:
        t, group = divmod(cycle, interval)
        ctx.set(dut.coming.valid, t < ticks and group < array.groups)
        ctx.set(dut.coming.payload, min(group, array.groups - 1))
        t, group = divmod(cycle - NeuronUpdate.AHEAD, interval)
        shown = 0 <= t < ticks and group < array.groups
        ctx.set(dut.i.valid, shown)
        if shown:
            ctx.set(dut.i.payload.group, group)
            for index in range(array.lanes):
                i = group * array.lanes + index
                ctx.set(dut.i.payload["values"][index], totals[t][i] if i < size else 0)

    _, taken = exchange(dut, send={}, receive=["o"], cycles=ticks * interval + 20, each_cycle=present)
    assert len(taken["o"]) == ticks * array.groups
    for index, (cycle, payload) in enumerate(taken["o"]):
        t, group = divmod(index, array.groups)
        assert cycle == NeuronUpdate.AHEAD + t * interval + group + NeuronUpdate.latency(array)
        assert payload["group"] == group
        for index in range(array.lanes):
            i = group * array.lanes + index
            spike = payload["spikes"] >> index & 1
            if i >= size:
                assert spike == 0
                continue
            got = {state.name: payload[state.name][index] for state in neuron.states}
            assert (got, spike) == (expected[t][i].state, expected[t][i].spike), (neuron, t, i)


@pytest.mark.parametrize("groups", [1, 2, REGISTER_GROUPS, REGISTER_GROUPS + 1, 9])
@pytest.mark.parametrize("kind", [LIF, Izhikevich])
def test_states_return_in_time(kind: type[Neuron], groups: int) -> None:
    """States, parameters and initial values in registers and in memory, groups as close as they may follow."""
    for seed in range(4):
        rng = np.random.default_rng(groups * 10 + seed)
        lanes = int(rng.integers(1, 4))
        size = groups * lanes - int(rng.integers(lanes))
        array = array_of(random_neuron(kind, rng, size, 40), rng, size=size, lanes=lanes)
        check_update(array, rng, 20)


def test_a_kind_without_a_circuit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    without = functools.singledispatch(lane.registry[object])
    monkeypatch.setattr("lifline.rtl.update.lane", without)
    with pytest.raises(NetworkError, match="no circuit for neurons of the kind LIF: register its lane"):
        NeuronUpdate(array_of(LIF(200, 9), np.random.default_rng(0)))


@pytest.mark.parametrize("factor", [-4096, -37, -1, 0, 1, 3, 119, 128, 255, 256, 2621])
def test_products_with_constants(factor: int) -> None:
    for value in (-128, -1, 0, 5, 127):
        m = Module()
        x = Signal(8, name="x")
        product = Signal(24)
        m.d.comb += product.eq(times(x.as_signed(), Const(factor)))

        async def scenario(ctx: Any, value: int = value, x: Any = x, product: Any = product) -> None:
            ctx.set(x, value & 0xFF)
            assert ctx.get(product.as_signed()) == value * factor

        simulator = Simulator(m)
        simulator.add_testbench(scenario)
        simulator.run()
