"""The mapper: the Pareto front against brute force, budgets and targets, and the command that uses it."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lifline import LIF, InputError, Network, Population, Projection, ToolError
from lifline.app.main import main
from lifline.boards import BOARDS, mapper
from lifline.boards.estimate import estimate
from lifline.boards.mapper import MARGIN, assumed_activity, choose, map_lanes, pareto
from lifline.golden import simulate
from lifline.network import INPUT
from lifline.rtl import cycles

ULX3S = BOARDS["ulx3s"]


def network(*sizes: int) -> Network:
    """A chain of populations with random weights, of which about a third fires."""
    rng = np.random.default_rng(0)
    names = [INPUT, *(f"p{index}" for index in range(len(sizes) - 1))]
    return Network(
        sizes[0],
        [
            Population(name, size, LIF(230, 100))
            for name, size in zip(names[1:], sizes[1:], strict=True)
        ],
        [
            Projection(source, target, rng.integers(-50, 90, (rows, columns)))
            for source, target, rows, columns in zip(names, names[1:], sizes, sizes[1:], strict=False)
        ],
        names[-1],
    )


def spikes_of(net: Network, samples: int = 3, ticks: int = 5) -> dict[str, np.ndarray]:
    spikes = (np.random.default_rng(1).random((samples, ticks, net.inputs)) < 0.3).astype(np.uint8)
    return {INPUT: spikes, **simulate(net, spikes).spikes}


def powers(size: int) -> set[int]:
    return {lanes for lanes in (1, 2, 4, 8, 16, 32, 64, 128) if lanes <= size} | {size}


def test_the_front_is_what_brute_force_finds():
    net = network(9, 12, 5)
    activity = spikes_of(net)
    every = {}
    for choice in itertools.product(powers(12), powers(5)):
        lanes = dict(zip(("p0", "p1"), choice, strict=True))
        need = estimate(net, ULX3S, lanes)
        every[choice] = (float(cycles(net, lanes, activity).mean()), need["luts"], need["brams"])
    best = {
        values
        for values in every.values()
        if not any(
            other != values and all(o <= v for o, v in zip(other, values, strict=True))
            for other in every.values()
        )
    }
    front = pareto(net, ULX3S, activity, 50.0)
    found = [(d.cycles, d.need["luts"], d.need["brams"]) for d in front]
    assert len(found) == len(set(found))
    assert set(found) == best
    assert found == sorted(found)
    for design, values in zip(front, found, strict=True):
        assert every[tuple(design.lanes.values())] == values
        assert design.microseconds == design.cycles / 50.0
        assert design.need == estimate(net, ULX3S, design.lanes)


def test_many_populations_are_given_balanced_lanes(monkeypatch):
    net = network(40, 24, 16, 10)
    activity = spikes_of(net)
    whole = pareto(net, ULX3S, activity, 50.0)
    monkeypatch.setattr(mapper, "_MOST_CHOICES", 1)
    balanced = pareto(net, ULX3S, activity, 50.0)
    assert len(balanced) < len(whole)
    parallel = next(d for d in balanced if d.lanes == {"p0": 24, "p1": 16, "p2": 10})
    assert parallel.cycles == whole[0].cycles
    assert any(d.lanes == {"p0": 1, "p1": 1, "p2": 1} for d in balanced)
    for design in balanced:  # none is beaten by far by the best of all choices of its area
        rivals = [d.cycles for d in whole if d.need["luts"] <= design.need["luts"]]
        assert design.cycles <= 1.1 * min(rivals)


def test_without_a_target_the_fastest_that_fits_is_chosen():
    net = network(9, 12, 5)
    front = pareto(net, ULX3S, spikes_of(net), 50.0)
    assert choose(front, ULX3S, 50.0) is front[0]
    for design in front:
        tight = dataclasses.replace(ULX3S, luts=math.ceil(design.need["luts"] / MARGIN))
        chosen = choose(front, tight, 50.0)
        assert chosen.need["luts"] <= MARGIN * tight.luts
        assert chosen.cycles == min(d.cycles for d in front if d.need["luts"] <= design.need["luts"])
    none = dataclasses.replace(ULX3S, luts=100)
    with pytest.raises(ToolError, match=r"does not fit on ulx3s: it needs .* look-up tables"):
        choose(front, none, 50.0)


def test_the_cheapest_design_that_meets_a_target_is_chosen():
    net = network(9, 12, 5)
    front = pareto(net, ULX3S, spikes_of(net), 50.0)
    for design in front:
        chosen = choose(front, ULX3S, 50.0, design.microseconds)
        assert chosen.microseconds <= design.microseconds
        assert chosen.share(ULX3S) == min(
            d.share(ULX3S) for d in front if d.microseconds <= design.microseconds
        )
    assert choose(front, ULX3S, 50.0, 1e6).lanes == {"p0": 1, "p1": 1}
    with pytest.raises(
        InputError, match=r"take 0\.1 µs a sample .* the fastest take .* \(p0=12,p1="
    ) as e:
        choose(front, ULX3S, 50.0, 0.1)
    assert "\n" not in str(e.value)


def test_bad_options():
    net = network(9, 12, 5)
    with pytest.raises(InputError, match="unknown board"):
        map_lanes(net, "vc707")
    with pytest.raises(InputError, match=r"clock of 23\.456 MHz"):
        map_lanes(net, "icebreaker", clock_mhz=23.456)
    for target in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="a time above 0 µs"):
            map_lanes(net, "icebreaker", target_us=target)


@pytest.mark.slow
def test_the_search_is_quick():
    net = network(784, 128, 10)
    begun = time.process_time()
    _, front = map_lanes(net, "ulx3s", activity=spikes_of(net, samples=200, ticks=10))
    assert time.process_time() - begun < 20
    assert len(front) > 8


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network(9, 12, 5).save("network.npz")
    return tmp_path


@pytest.fixture
def built(monkeypatch):
    """`boards.build` that runs no tools; what it was called with."""
    calls = []

    def build(net, board, directory, **options):
        calls.append(options)
        Path(directory).mkdir()
        return {"board": board, "lanes": options["lanes"]}

    monkeypatch.setattr("lifline.boards.build", build)
    return calls


BUILD = ["build", "network.npz", "--board", "ulx3s", "-o", "out"]


def test_the_command_maps_then_builds(folder, built, capsys):
    net = Network.load("network.npz")
    activity = spikes_of(net)
    np.savez("spikes.npz", spikes=activity[INPUT])
    assert main([*BUILD, "--lanes", "auto", "--input", "spikes.npz", "--json"]) == 0
    mapping = json.loads(capsys.readouterr().out)["mapping"]
    expected, front = map_lanes(net, "ulx3s", activity=activity)
    assert built[0]["lanes"] == expected.lanes
    assert [row["lanes"] for row in mapping["pareto"]] == [design.lanes for design in front]
    assert [row["lanes"] for row in mapping["pareto"] if row["chosen"]] == [expected.lanes]
    assert mapping["activity"] == "of --input"
    assert (folder / "out" / "pareto.svg").read_text().startswith("<?xml")


def test_the_command_prints_the_table(folder, built, capsys):
    assert main([*BUILD, "--lanes", "auto", "--target-us", "1000000"]) == 0
    assert built[0]["lanes"] == {"p0": 1, "p1": 1}
    lines = capsys.readouterr().out.splitlines()
    (marked,) = [line for line in lines if line.startswith("►")]
    assert marked.split()[-1] == "p0=1,p1=1"
    assert any("assumed: 10% of all neurons fire in each of 16 ticks" in line for line in lines)


def test_the_command_refuses_in_one_line(folder, built, capsys):
    for options, message in (
        (["--lanes", "auto", "--target-us", "0.01"], "the fastest take"),
        (["--lanes", "4", "--target-us", "5"], "--target-us needs --lanes auto"),
        (["--lanes", "Auto"], "'Auto' is neither a number"),
    ):
        assert main([*BUILD, *options]) == 2
        captured = capsys.readouterr()
        assert message in captured.err
        assert captured.err.count("\n") == 1
        assert not captured.out
    assert not built
    assert not (folder / "out").exists()


def test_without_matplotlib_there_is_no_plot(folder, built, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "lifline.boards.plot", raising=False)
    assert main([*BUILD, "--lanes", "auto", "--json"]) == 0
    captured = capsys.readouterr()
    assert "no pareto.svg: " in captured.err
    assert "lifline[report]" in captured.err
    assert json.loads(captured.out)["mapping"]["pareto"]


def test_what_is_assumed_where_no_activity_is_given():
    net = network(40, 24, 10)
    spikes = assumed_activity(net)
    counts = {name: of.sum(axis=1, dtype=int) for name, of in spikes.items()}
    assert {name: set(count) for name, count in counts.items()} == {INPUT: {4}, "p0": {3}, "p1": {1}}
    assert all(count.shape == (16,) for count in counts.values())
    assert map_lanes(net, "ulx3s")[1] == pareto(net, ULX3S, counts, ULX3S.clocks_mhz[0])
