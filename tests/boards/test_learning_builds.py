"""Builds that learn: what the estimate counts, what is refused, and what the report says."""

import json
from pathlib import Path

import numpy as np
import pytest

from lifline import (
    LIF,
    STDP,
    Dense,
    InputError,
    Network,
    Population,
    Projection,
    ToolError,
    golden,
    rtl,
)
from lifline.app.main import main
from lifline.boards import BOARDS, build
from lifline.boards.estimate import choose_lanes, estimate, uses_dsps
from lifline.boards.mapper import map_lanes
from lifline.boards.memories import choose_memories
from lifline.files import write_npz

from .test_build import STAT, fake_tools, report, small_network

__all__ = ["fake_tools"]

ULX3S = BOARDS["ulx3s"]


def network(inputs: int = 40, neurons: int = 8, total: int | None = None, **options) -> Network:
    rule = STDP(230, 240, 256, 40, 30, 5, fraction_bits=8, low=0, total=total, **options)
    weights = np.random.default_rng(0).integers(0, 90, (inputs, neurons))
    return Network(
        inputs,
        [Population("out", neurons, LIF(240, 300))],
        [Projection("input", "out", Dense(weights), rule)],
        "out",
    )


def test_the_estimate_counts_what_learning_takes():
    net = network(inputs=400, neurons=32)
    frozen = estimate(net, ULX3S, 8)
    learning = estimate(net, ULX3S, 8, learn=True)
    # 400 · 4 words of 8 · 16 bits in place of 8 · 8; two ports cost no block
    words = rtl.plan(net, 8, load=True, learn=True)["out"].memories(ULX3S.family.block_bits)
    learned = [memory for memory in words if memory.kind == "learned"]
    assert sum(memory.width for memory in learned) == 8 * 16
    assert learning["brams"] - frozen["brams"] >= len(learned) // 2
    assert learning["luts"] > frozen["luts"]
    assert estimate(net, ULX3S, 8, load=True, learn=True) == learning
    normalised = estimate(network(inputs=400, neurons=32, total=4000), ULX3S, 8, learn=True)
    assert normalised["luts"] > learning["luts"]
    assert normalised["dsps"] > learning["dsps"] == 0
    assert uses_dsps(ULX3S, rtl.plan(network(total=900), 2, load=True, learn=True))


def test_what_learns_stays_in_block_memory():
    net = network(inputs=700, neurons=64)
    board = BOARDS["icebreaker"]
    memories = choose_memories(rtl.plan(net, 1, load=True, learn=True), board)
    assert not any("from_input" in name for name in memories)
    assert any("from_input" in name for name in choose_memories(rtl.plan(net, 1, load=True), board))
    with pytest.raises(ToolError, match=r"block RAMs.*an estimate"):
        choose_lanes(net, board, learn=True)


def test_lanes_are_chosen_by_the_time_of_what_is_learned_from():
    net = network()
    spikes = (np.random.default_rng(1).random((3, 10, 40)) < 0.2).astype(np.uint8)
    activity = {"input": spikes, **golden.simulate(net, spikes, learn=True).spikes}
    chosen, front = map_lanes(net, "ulx3s", activity=activity, learn=True)
    cycles = rtl.cycles(net, chosen.lanes, activity, learn=True).mean()
    assert chosen.cycles == cycles + rtl.settling(net, chosen.lanes)
    assert chosen.need == estimate(net, ULX3S, chosen.lanes, learn=True)
    assert len(front) > 1


def test_a_build_that_learns_says_so_in_its_report(fake_tools, tmp_path):
    fake_tools(yosys=STAT, nextpnr=report(30.126), icepack="echo bits > top.bin")
    net = network(total=900)
    spikes = (np.random.default_rng(1).random((3, 10, 40)) < 0.2).astype(np.uint8)
    activity = {"input": spikes, **golden.simulate(net, spikes).spikes}
    learned = {"input": spikes, **golden.simulate(net, spikes, learn=True).spikes}
    result = build(
        net, "icebreaker", tmp_path / "out", lanes=2, activity=activity, learn=True, learned=learned
    )
    assert result["learn"] is True
    frozen = rtl.cycles(net, 2, activity, learn=True, frozen=True).mean()
    taught = rtl.cycles(net, 2, learned, learn=True).mean() + rtl.settling(net, 2)
    assert result["cycles_per_sample"] == frozen < taught
    assert result["learning"]["cycles_per_sample"] == taught
    assert result["learning"]["samples_per_second"] == pytest.approx(24e6 / taught, abs=0.1)
    assert "patch" not in result
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == result
    frozen = build(net, "icebreaker", tmp_path / "frozen", lanes=2)
    assert not {"learn", "learning"} & frozen.keys()


def test_the_command(fake_tools, tmp_path, capsys):
    fake_tools(yosys=STAT, nextpnr=report(30.126), icepack="echo bits > top.bin")
    network().save("network.npz")
    spikes = (np.random.default_rng(1).random((3, 10, 40)) < 0.2).astype(np.uint8)
    write_npz(Path("spikes.npz"), {"spikes": spikes})
    command = ["build", "network.npz", "--board", "icebreaker", "-o", "out", "--lanes", "2", "--learn"]
    assert main([*command, "--input", "spikes.npz"]) == 0
    assert "learn: True" in capsys.readouterr().out
    assert json.loads(Path("out/report.json").read_text())["learning"]["samples_per_second"] > 0
    assert main(["estimate", "network.npz", "--board", "ulx3s", "--learn", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["boards"][0]
    assert row["learn"]
    assert row["fits"]
    assert main(["estimate", "network.npz", "--board", "ulx3s", "--learn"]) == 0
    assert "all of it learned from" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["build", "--board", "icebreaker", "-o", "out", "--learn"], "nothing in it learns"),
        (["estimate", "--learn"], "nothing in it learns"),
        (["build", "--board", "all", "-o", "out", "--learn"], "nothing in it learns"),
        (
            ["build", "--board", "icebreaker", "-o", "out", "--learn", "--flash-weights"],
            "--learn and --flash-weights",
        ),
        (
            ["build", "--board", "icebreaker", "-o", "out", "--learn", "--load", "--check"],
            "nothing in it learns",
        ),
    ],
)
def test_what_is_refused(command, text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small_network().save("network.npz")
    assert main([command[0], "network.npz", *command[1:]]) == 2
    captured = capsys.readouterr().err
    assert text in captured
    assert captured.count("\n") == 1
    assert not Path("out").exists()


def test_what_a_function_refuses(tmp_path):
    with pytest.raises(InputError, match="nothing in it learns"):
        build(small_network(), "ulx3s", tmp_path / "out", learn=True)
    with pytest.raises(InputError, match="does not read its weights from its flash"):
        build(network(), "icebreaker", tmp_path / "out", learn=True, flash_weights=True)
    assert not (tmp_path / "out").exists()
