"""The whole machine in Amaranth's simulator: equal to golden, in exactly the cycles of the model."""

from __future__ import annotations

import numpy as np
import pytest

from lifline.golden import simulate
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import LIF, Adaptation, Izhikevich, Noise
from lifline.rtl import Accelerator, cycles
from lifline.synapses import Dense

from ..networks import random_network, random_spikes
from .streams import exchange


def input_events(ticks):
    """The events that tell the machine of input spikes (ticks, inputs)."""
    events = []
    for tick in ticks:
        events += [{"address": int(a), "marker": 0} for a in np.flatnonzero(tick)]
        events.append({"address": 0, "marker": 1})
    return events


def recorded(accelerator, name, taken, ticks):
    """Spikes and states, by name, (ticks, size) of a population from its trace."""
    array = accelerator.arrays[name]
    size = array.population.size
    spikes = np.zeros((ticks, array.groups * array.lanes), np.uint8)
    states = {state.name: np.zeros(spikes.shape, np.int32) for state in array.population.neuron.states}
    assert len(taken) == ticks * array.groups
    for index, (_, payload) in enumerate(taken):
        t, group = divmod(index, array.groups)
        assert payload["group"] == group
        of_group = slice(group * array.lanes, (group + 1) * array.lanes)
        spikes[t, of_group] = [payload["spikes"] >> lane & 1 for lane in range(array.lanes)]
        for state, values in states.items():
            values[t, of_group] = payload[state]
    return spikes[:, :size], {state: values[:, :size] for state, values in states.items()}


def assert_equal(got, golden, name):
    """Spikes and states as `recorded` gives them are golden's."""
    spikes, states = got
    assert np.array_equal(spikes, golden.spikes[name])
    assert states.keys() == golden.states[name].keys()
    for state, values in states.items():
        assert np.array_equal(values, golden.states[name][state]), state


def check(network, spikes, lanes, *, stall, limit=4000):
    accelerator = Accelerator(network, lanes, trace=True)
    ticks = len(spikes)
    traces = [f"trace_{name}" for name in accelerator.arrays]
    accepted, taken = exchange(
        accelerator,
        send={"i": input_events(spikes)},
        receive=["o", *traces],
        cycles=limit,
        stall=stall,
    )
    golden = simulate(network, spikes)
    for name in accelerator.arrays:
        assert_equal(recorded(accelerator, name, taken[f"trace_{name}"], ticks), golden, name)
    events = [None if e["marker"] else e["address"] for _, e in taken["o"]]
    assert events == [
        e for tick in golden.spikes[network.output] for e in [*np.flatnonzero(tick).tolist(), None]
    ]
    if stall is None:
        took = taken["o"][-1][0] - accepted["i"][0] + 1
        assert took == cycles(network, lanes, {INPUT: spikes, **golden.spikes})


@pytest.mark.parametrize("stall", [None, 5])
@pytest.mark.parametrize("seed", range(12))
def test_random_networks(seed, stall):
    rng = np.random.default_rng(seed)
    network = random_network(rng, max_size=7)
    spikes = random_spikes(rng, network, 1, 6)[0]
    lanes = {p.name: int(rng.integers(1, p.size + 1)) for p in network.populations}
    check(network, spikes, lanes, stall=stall)


def chain(*sizes):
    rng = np.random.default_rng(0)
    names = [INPUT, *(f"p{i}" for i in range(len(sizes) - 1))]
    return Network(
        sizes[0],
        [
            Population(name, size, LIF(beta=230, threshold=40))
            for name, size in zip(names[1:], sizes[1:], strict=True)
        ],
        [
            Projection(s, t, rng.integers(-40, 80, (n, m)))
            for s, t, n, m in zip(names, names[1:], sizes, sizes[1:], strict=False)
        ],
        names[-1],
    )


def test_an_empty_tick_takes_three_cycles_in_parallel_arrays():
    network = chain(40, 24, 10)
    counts = [
        cycles(network, 99, {name: np.zeros(ticks, int) for name in (INPUT, "p0", "p1")})
        for ticks in (100, 200)
    ]
    assert counts[1] - counts[0] == 3 * 100


def test_a_row_is_added_every_cycle():
    network = chain(40, 24, 10)
    for lanes, groups in ((24, 1), (8, 3), (5, 5), (1, 24)):
        took = [
            cycles(
                network,
                {"p0": lanes, "p1": 10},
                {INPUT: np.full(50, spikes), "p0": np.zeros(50, int), "p1": np.zeros(50, int)},
            )
            for spikes in (20, 21)
        ]
        assert took[1] - took[0] == 50 * groups


@pytest.mark.parametrize("active", [0, 1, 13, 40])
@pytest.mark.parametrize("lanes", [1, 5, 24])
def test_cycles_of_a_chain(lanes, active):
    network = chain(40, 24, 10)
    spikes = np.zeros((5, 40), np.uint8)
    spikes[:, :active] = 1
    check(network, spikes, lanes, stall=None, limit=5 * 24 * 60)


NEURONS = {
    "plain": (LIF(250, 60), LIF(250, 100, reset_delay=True)),
    "with parts": (
        LIF(250, 60, noise=Noise([-20, 5, 3, 40], Noise.seeds(6)), alpha=200),
        LIF(
            250,
            100,
            noise=Noise(range(-32, 32), Noise.seeds(7)),
            adaptation=Adaptation(240, range(40, 47)),
        ),
    ),
    "of another kind": (
        Izhikevich.of(current=range(4, 10), weight=1 / 8),
        Izhikevich.of(a=0.1, d=2.0, rest=range(-70, -63), weight=1 / 4),
    ),
}


@pytest.mark.parametrize("neurons", NEURONS)
def test_clear_returns_to_the_start_of_a_sample(neurons):
    rng = np.random.default_rng(7)
    p, q = NEURONS[neurons]
    network = Network(
        4,
        [Population("p", 6, p), Population("q", 7, q)],
        [
            Projection(
                "input", "p", Dense(rng.integers(0, 90, (4, 6)), delays=rng.integers(0, 6, (4, 6)))
            ),
            Projection("p", "p", Dense(rng.integers(-50, 50, (6, 6)), delays=2)),
            Projection("p", "q", Dense(rng.integers(-50, 90, (6, 7)), delays=1)),
        ],
        "q",
    )
    spikes = np.ones((9, 4), np.uint8)
    accelerator = Accelerator(network, {"p": 4, "q": 1}, trace=True)  # state in registers, in memory
    events = input_events(spikes)
    interrupted = events[:38]  # amid a tick, with spikes on their way everywhere
    accepted_so_far = 0
    cleared_in = None

    def clear(ctx, cycle):
        nonlocal accepted_so_far, cleared_in
        if accepted_so_far == len(interrupted) and cleared_in is None:
            cleared_in = cycle
        ctx.set(accelerator.clear, cycle == cleared_in)
        accepted_so_far += ctx.get(accelerator.i.valid) and ctx.get(accelerator.i.ready)

    _, taken = exchange(
        accelerator,
        send={"i": interrupted + events},
        receive=["o", "trace_p", "trace_q"],
        cycles=900,
        each_cycle=clear,
    )
    golden = simulate(network, spikes)
    assert any(golden.spikes[name].any() for name in golden.spikes)
    for name in ("p", "q"):
        after = [(cycle, payload) for cycle, payload in taken[f"trace_{name}"] if cycle > cleared_in]
        assert len(after) < len(taken[f"trace_{name}"])
        assert_equal(recorded(accelerator, name, after, 9), golden, name)
