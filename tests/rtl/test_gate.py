"""What no host should send: addresses that no input has, and more events in a tick than there are inputs."""

from __future__ import annotations

import numpy as np
import pytest

from lifline.golden import simulate
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import LIF
from lifline.rtl import Accelerator, cycles

from .streams import exchange

ADDRESS, OVERFULL = 1, 2

TRACES = ("trace_hidden", "trace_out")


def network(inputs: int = 5) -> Network:
    """The output takes the hidden population's spikes before the input's: the input's queue there fills up."""
    rng = np.random.default_rng(3)
    return Network(
        inputs,
        [Population("hidden", 6, LIF(200, 20)), Population("out", 3, LIF(220, 30))],
        [
            Projection(INPUT, "hidden", rng.integers(4, 30, (inputs, 6))),
            Projection("hidden", "out", rng.integers(4, 30, (6, 3))),
            Projection(INPUT, "out", rng.integers(4, 30, (inputs, 3))),
        ],
        "out",
    )


def run(network, ticks, *, each_cycle=None, limit=900, stall=None):
    """The output's ticks as lists of addresses, `fault` in each cycle, and what `exchange` gives."""
    accelerator = Accelerator(network, {"hidden": 1, "out": 1}, trace=True)
    events = []
    for tick in ticks:
        events += [{"address": address, "marker": 0} for address in tick]
        events.append({"address": 0, "marker": 1})
    faults = []

    def watch(ctx, cycle):
        faults.append(ctx.get(accelerator.fault))
        if each_cycle is not None:
            each_cycle(ctx, accelerator, cycle)

    accepted, taken = exchange(
        accelerator, send={"i": events}, receive=["o", *TRACES], cycles=limit, stall=stall, each_cycle=watch
    )  # fmt: skip
    answer: list[list[int]] = [[]]
    for _, event in taken["o"]:
        if event["marker"]:
            answer.append([])
        else:
            answer[-1].append(event["address"])
    assert len(accepted["i"]) == len(events), "the core takes no more events"
    return answer[:-1], faults, (accepted, taken)


def golden(network, ticks):
    spikes = np.zeros((len(ticks), network.inputs), np.uint8)
    for t, tick in enumerate(ticks):
        spikes[t, tick] = 1
    recording = simulate(network, spikes)
    return [np.flatnonzero(s).tolist() for s in recording.spikes["out"]], {
        INPUT: spikes,
        **recording.spikes,
    }


@pytest.mark.parametrize("stall", [None, 1])
def test_an_overfull_tick_is_cut_and_flagged(stall):
    net = network()
    good = [[0, 2, 4], [1, 3], [0, 1, 2, 3, 4], [2]]
    flood = [*good[:2], [0, 1, 2, 3, 4, *[2] * 40], *good[3:]]
    answer, faults, _ = run(net, flood, limit=4000, stall=stall)
    assert answer == golden(net, good)[0]
    assert faults[-1] == OVERFULL


@pytest.mark.parametrize("inputs", [5, 6, 7, 9])
def test_an_address_that_no_input_has_is_dropped_and_flagged(inputs):
    net = network(inputs)
    good = [[0, 2, 4], [1, 3], [0, 4], [2]]
    wrong = [good[0], [1, inputs, 3], [0, (1 << (inputs - 1).bit_length()) - 1, 4], good[3]]
    answer, faults, (_, got) = run(net, wrong)
    assert answer == golden(net, good)[0]
    _, _, (_, right) = run(net, good)
    for trace in TRACES:  # every membrane, too
        assert [payload for _, payload in got[trace]] == [payload for _, payload in right[trace]]
    assert faults[-1] == ADDRESS


def test_every_address_is_an_input_s_where_they_are_a_power_of_two():
    net = network(8)
    ticks = [list(range(8)), [7], []]
    answer, faults, _ = run(net, ticks)
    assert answer == golden(net, ticks)[0]
    assert not any(faults)


def test_a_full_tick_costs_no_cycle_and_is_no_fault():
    net = network()
    ticks = [list(range(5))] * 6
    answer, faults, (accepted, taken) = run(net, ticks)
    right, activity = golden(net, ticks)
    assert answer == right
    assert not any(faults)
    took = taken["o"][-1][0] - accepted["i"][0] + 1
    assert took == cycles(net, {"hidden": 1, "out": 1}, activity)


def test_a_marker_with_any_address_is_a_marker():
    net = network()
    accelerator = Accelerator(net, {"hidden": 1, "out": 1})
    _, taken = exchange(
        accelerator,
        send={"i": [{"address": 7, "marker": 1}] * 3},
        receive=["o"],
        cycles=200,
        each_cycle=lambda ctx, _: none(ctx.get(accelerator.fault)),
    )
    assert [event["marker"] for _, event in taken["o"]] == [1, 1, 1]


def none(fault: int) -> None:
    assert fault == 0


def test_clear_takes_a_fault_away():
    def pulse(ctx, accelerator, cycle):
        ctx.set(accelerator.clear, cycle == 300)

    _, faults, _ = run(network(), [[0, 5, 1, 2, 3, 4, 0, 0]], each_cycle=pulse)
    assert faults[299] == ADDRESS | OVERFULL
    assert faults[-1] == 0
