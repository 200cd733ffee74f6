"""Accumulator and delay line against sums made in NumPy, swept as soon as possible or late."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal

from lifline.network import Network, Population, Projection
from lifline.neurons import LIF
from lifline.rtl.accumulator import Accumulator
from lifline.rtl.array import NeuronArray
from lifline.rtl.banks import BankedAccumulator
from lifline.rtl.delays import DelayLine
from lifline.rtl.plan import plan
from lifline.synapses import Dense, Sparse

from .streams import exchange

SHAPES = [
    (1, 1),
    (4, 4),
    (5, 3),
    (5, 2),
    (7, 2),
    (5, 1),
    (9, 1),
]  # size, lanes: 1, 2, 3, 4, 5, 9 groups


def plan_of(size, lanes, longest):
    rng = np.random.default_rng(size)
    weights = rng.integers(-128, 128, (30, size))
    delays = rng.integers(0, longest + 1, (30, size))
    delays.flat[:2] = 0, longest
    network = Network(
        30,
        [Population("p", size, LIF(256, 5))],
        [Projection("input", "p", Dense(weights, delays if longest else 0))],
        "p",
    )
    return plan(network, lanes)["p"], weights, delays


def rows_of(array, weights, delays, sources):
    for source in sources:
        for group in range(array.groups):
            neurons = [group * array.lanes + lane for lane in range(array.lanes)]

            def lane_values(matrix, source=source, neurons=neurons):
                return [int(matrix[source, n]) if n < matrix.shape[1] else 0 for n in neurons]

            row = {"group": group, "marker": 0, "weights": lane_values(weights)}
            if array.ring_ticks > 1:
                row["delays"] = lane_values(delays)
            yield row


def run(dut, array, rows, ticks, *, stall, late):
    """Exchange rows for sums, starting each sweep when the array's rules allow, or `late` at random."""
    rng = np.random.default_rng(0)
    starts: list[int] = []

    def sweep(ctx, cycle):
        allowed = not starts or cycle - starts[-1] >= max(type(dut).interval(array), 3)
        start = bool(ctx.get(dut.waiting)) and allowed and (not late or rng.random() < 0.2)
        ctx.set(dut.start, start)
        if start:
            starts.append(cycle)

    cycles = 3 * len(rows) + 100 + ticks * (array.groups + 30)
    accepted, taken = exchange(
        dut, send={"i": rows}, receive=["o"], cycles=cycles, stall=stall, each_cycle=sweep
    )
    return starts, accepted["i"], taken["o"]


@pytest.mark.parametrize(("stall", "late"), [(None, False), (1, False), (2, True), (None, True)])
@pytest.mark.parametrize("longest", [0, 1, 6])
@pytest.mark.parametrize(("size", "lanes"), SHAPES)
def test_sums(size, lanes, longest, stall, late):
    array, weights, delays = plan_of(size, lanes, longest)
    dut = DelayLine(array) if longest else Accumulator(array)
    rng = np.random.default_rng(lanes)
    # Sources repeat within few rows, so that sums follow each other closely on one address.
    spikes = [rng.integers(0, 30, int(n)).tolist() for n in (3, 0, 5, 1, 0, 0, 4, 2, 6, 1, 0, 3)]
    rows = []
    for sources in spikes:
        rows += [*rows_of(array, weights, delays, sources), {"marker": 1}]
    starts, accepted, taken = run(dut, array, rows, len(spikes), stall=stall, late=late)

    expected = np.zeros((len(spikes) + 300, size), int)
    for t, sources in enumerate(spikes):
        for source in sources:
            for neuron in range(size):
                expected[t + (delays[source, neuron] if longest else 0), neuron] += weights[
                    source, neuron
                ]
    assert len(accepted) == len(rows)
    assert len(starts) == len(spikes)
    assert len(taken) == len(spikes) * array.groups
    for index, (cycle, current) in enumerate(taken):
        t, group = divmod(index, array.groups)
        assert cycle == starts[t] + type(dut).LATENCY + group
        assert current["group"] == group
        inside = [n for n in range(group * lanes, (group + 1) * lanes) if n < size]
        assert current["values"][: len(inside)] == expected[t, inside].tolist()


def unordered(size, lanes, longest):
    """An array of lanes that need not be touched in order, and random rows for it, which often return to a group."""
    rng = np.random.default_rng(size * 8 + lanes)
    weights, delays = np.ones(size, int) * 100, np.zeros(size, int)
    delays[0] = longest
    everything = np.zeros(size, int), np.arange(size)
    network = Network(
        1,
        [Population("p", size, LIF(256, 5))],
        [Projection("input", "p", Sparse(*everything, weights, delays))] * 40,
        "p",
    )
    array = plan(network, lanes)["p"]
    rows = []
    for count in (4, 0, 30, 1, 0, 12, 25):
        group = 0
        for _ in range(count):
            if rng.random() < 0.7:
                group = int(rng.integers(array.groups))
            row = {"group": group, "marker": 0, "weights": rng.integers(-100, 101, lanes).tolist()}
            if longest:
                row["delays"] = rng.integers(0, longest + 1, lanes).tolist()
            rows.append(row)
        rows.append({"marker": 1})
    return array, rows


def sums_of(array, rows):
    """Σ of the rows' weights for each tick and lane, (ticks, groups, lanes)."""
    sums = np.zeros((sum(row["marker"] for row in rows) + 10, array.groups, array.lanes), int)
    tick = 0
    for row in rows:
        if row["marker"]:
            tick += 1
            continue
        for lane, weight in enumerate(row["weights"]):
            sums[tick + row.get("delays", [0] * array.lanes)[lane], row["group"], lane] += weight
    return sums


@pytest.mark.parametrize(("stall", "late"), [(None, False), (1, False), (2, True)])
@pytest.mark.parametrize("longest", [0, 3])
@pytest.mark.parametrize(("size", "lanes"), [(4, 2), (5, 2), (6, 2), (9, 1), (7, 1)])
def test_sums_of_groups_in_any_order(size, lanes, longest, stall, late):
    array, rows = unordered(size, lanes, longest)
    kind = DelayLine if longest else BankedAccumulator
    assert NeuronArray.sums_of(array) is kind
    ticks = sum(row["marker"] for row in rows)
    starts, accepted, taken = run(kind(array), array, rows, ticks, stall=stall, late=late)
    assert len(accepted) == len(rows)
    expected = sums_of(array, rows)
    for index, (cycle, current) in enumerate(taken):
        t, group = divmod(index, array.groups)
        assert cycle == starts[t] + kind.LATENCY + group
        assert current["group"] == group
        assert current["values"] == expected[t, group].tolist()
    assert len(taken) == ticks * array.groups


def test_banks_take_rows_while_they_are_swept():
    array, rows = unordered(9, 1, 0)
    rows = [*(row for row in rows if not row["marker"]), {"marker": 1}]
    _, accepted, _ = run(BankedAccumulator(array), array, rows * 4, 4, stall=None, late=False)
    assert accepted == list(range(4 * len(rows)))  # a row, or a marker, every cycle


@pytest.mark.parametrize("cut", [0, 1, 7, 20, 60])
def test_banks_are_cleared_only_after_what_no_sweep_took(cut):
    """A sample that ends with a marker leaves nothing; another leaves zeros to be written, and then nothing."""
    array, rows = unordered(9, 1, 0)
    dut = BankedAccumulator(array)
    reset = Signal()
    inside = ResetInserter(reset)(dut)
    inside.i, inside.o = dut.i, dut.o
    started: list[int] = []
    busy: list[int] = []

    def each_cycle(ctx, cycle):
        ctx.set(reset, cycle in (200, 250))
        busy.append(ctx.get(dut.busy))
        start = bool(ctx.get(dut.waiting)) and (not started or cycle - started[-1] >= 12)
        ctx.set(dut.start, start)
        if start:
            started.append(cycle)

    exchange(inside, send={"i": rows[:cut]}, receive=["o"], cycles=300, each_cycle=each_cycle)
    broken_off = cut and not rows[cut - 1]["marker"]
    assert sum(busy[:201]) == sum(busy[251:]) == 0
    assert sum(busy[201:250]) == (array.groups if broken_off else 0)


def test_accumulator_takes_rows_while_it_sweeps():
    array, weights, delays = plan_of(9, 1, 0)
    rows = []
    for _ in range(6):
        rows += [*rows_of(array, weights, delays, [0, 1]), {"marker": 1}]
    _, accepted, _ = run(Accumulator(array), array, rows, 6, stall=None, late=False)
    assert accepted == list(range(len(rows)))  # a row, or a marker, every cycle


@pytest.mark.parametrize(("size", "lanes"), SHAPES)
def test_accumulator_holds_a_tick_until_its_sweep_starts(size, lanes):
    array, _, _ = plan_of(size, lanes, 0)
    dut = Accumulator(array)
    accepted, _ = exchange(
        dut,
        send={"i": [{"marker": 1}] * 3},
        receive=[],
        cycles=30,
        each_cycle=lambda ctx, cycle: ctx.set(dut.start, cycle in (12, 24)),
    )
    assert accepted["i"] == [0, 12, 24]


def test_delay_line_clears_its_ring_first():
    array, _, _ = plan_of(5, 2, 6)
    dut = DelayLine(array)
    accepted, _ = exchange(dut, send={"i": [{"marker": 1}]}, receive=[], cycles=40)
    assert accepted["i"] == [3 * 8]  # groups times slots
