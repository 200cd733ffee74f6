"""What the gateware sustains, measured in the simulated design: cycles a tick once the pipeline is full."""

from __future__ import annotations

import numpy as np
import pytest

from lifline.golden import simulate
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import LIF
from lifline.rtl import Accelerator, cycles
from lifline.synapses import Dense

from .streams import exchange
from .test_accelerator import input_events


def layers(*sizes: int, fire: bool, delay: int = 0) -> Network:
    """A chain in which any event makes every neuron fire in the same tick, or none ever does."""
    names = [INPUT, *(f"p{index}" for index in range(len(sizes) - 1))]
    threshold = 0 if fire else 1000
    projections = []
    for source, target, rows, columns in zip(names, names[1:], sizes, sizes[1:], strict=False):
        delays = np.zeros((rows, columns), int)
        delays[0, 0] = delay
        projections.append(Projection(source, target, Dense(np.ones((rows, columns), int), delays)))
    populations = [
        Population(n, s, LIF(0, threshold, "zero")) for n, s in zip(names[1:], sizes[1:], strict=True)
    ]
    return Network(sizes[0], populations, projections, names[-1])


def took(network: Network, lanes: dict[str, int], events: int, ticks: int) -> int:
    """Cycles of a sample with so many events in each of its ticks, in the simulated design."""
    spikes = np.zeros((ticks, network.inputs), np.uint8)
    spikes[:, :events] = 1
    activity = {INPUT: spikes, **simulate(network, spikes).spikes}
    expected = cycles(network, lanes, activity)
    accepted, taken = exchange(
        Accelerator(network, lanes),
        send={"i": input_events(spikes)},
        receive=["o"],
        cycles=expected + 20,
    )
    markers = [cycle for cycle, event in taken["o"] if event["marker"]]
    assert len(markers) == ticks
    measured = markers[-1] - accepted["i"][0] + 1
    assert measured == expected
    return measured


def cycles_a_tick(network: Network, lanes: dict[str, int], events: int) -> int:
    """How much longer a sample of 12 ticks takes than one of 8, for each tick."""
    more, rest = divmod(took(network, lanes, events, 12) - took(network, lanes, events, 8), 4)
    assert rest == 0
    return more


def test_events_follow_each_other_without_a_gap():
    network = layers(40, 24, fire=False)
    constant = took(network, {"p0": 24}, 1, 1) - 1
    for events in (2, 3, 20, 40):
        assert took(network, {"p0": 24}, events, 1) == events + constant


@pytest.mark.parametrize("events", [2, 7, 40])
@pytest.mark.parametrize("lanes", [24, 12, 8, 5, 2])
def test_the_sweep_is_hidden_behind_the_next_tick(lanes, events):
    groups = -(-24 // lanes)
    load = events * groups + 1  # a row a cycle, and the marker
    assert load >= max(groups, 3)
    assert cycles_a_tick(layers(40, 24, fire=False), {"p0": lanes}, events) == load


@pytest.mark.parametrize("lanes", [24, 8, 5])
def test_a_ring_is_swept_alone(lanes):
    groups = -(-24 // lanes)
    network = layers(40, 24, fire=False, delay=3)
    assert cycles_a_tick(network, {"p0": lanes}, 7) == 7 * groups + 1 + groups


@pytest.mark.parametrize("sizes", [(40, 24), (40, 24, 10), (40, 24, 24, 10)])
def test_an_empty_tick_takes_three_cycles(sizes):
    network = layers(*sizes, fire=False)
    parallel = {population.name: population.size for population in network.populations}
    assert cycles_a_tick(network, parallel, 0) == 3


@pytest.mark.parametrize(("events", "lanes"), [(30, 10), (5, 10), (30, 5), (12, 5), (30, 2)])
def test_layers_work_on_different_ticks(events, lanes):
    network = layers(40, 24, 10, fire=True)  # 24 events a tick between the layers
    loads = events + 1, 24 * -(-10 // lanes) + 1
    assert cycles_a_tick(network, {"p0": 24, "p1": lanes}, events) == max(loads)
