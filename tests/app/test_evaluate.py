"""``lifline evaluate`` and ``lifline estimate``: numbers by hand, the page's data, and what they refuse."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import LIF, Network, Population, Projection, Reset, golden, rtl
from lifline.app import costs, report
from lifline.app.evaluation import chosen_samples, evaluate
from lifline.app.main import main
from lifline.app.report.evaluation import page_data
from lifline.boards.board import BOARDS
from lifline.boards.estimate import estimate
from lifline.errors import InputError
from lifline.files import write_npz
from lifline.network import INPUT

from ..networks import random_network, random_spikes

EVALUATE = ("evaluate", "network.npz", "--input", "spikes.npz", "-o", "out")


def by_hand() -> tuple[Network, np.ndarray]:
    """Two inputs to two hidden neurons to one output; three ticks."""
    network = Network(
        2,
        [Population("hidden", 2, LIF(0, 4)), Population("output", 1, LIF(0, 9))],
        [Projection("input", "hidden", [[5, 0], [3, 5]]), Projection("hidden", "output", [[0], [9]])],
        "output",
    )
    return network, np.array([[[1, 0], [0, 1], [1, 1]], [[0, 0], [0, 0], [0, 1]]], np.uint8)


def test_the_metrics_by_hand() -> None:
    """Hidden neuron 0 spikes with input 0 (5 > 4), neuron 1 with input 1; the output never (9 > 9 is false)."""
    network, spikes = by_hand()
    counted = costs.Costs(network)
    counted.add(spikes, golden.simulate(network, spikes))
    # inputs: 2 events of input 0 with one weight, 3 of input 1 with two; hidden: 2 spikes with none, 3 with one
    assert counted.metrics() == {
        "footprint": (4 * 8 + 2 * 8 + 3 * 16) // 8,
        "connection_sparsity": 2 / 6,
        "activation_sparsity": 1 - 5 / 18,
        "effective_macs": 0,
        "effective_acs": (2 * 1 + 3 * 2 + 3 * 1) / 2,
        "dense": 6 * 3,
    }
    assert [row["spikes"] for row in counted.populations()] == [2.5, 2.5, 0]
    assert [row["silent"] for row in counted.populations()] == [0, 0, 1]
    assert [row["operations"] for row in counted.projections()] == [4, 1.5]


def test_memory_reads_by_hand() -> None:
    """With one lane an event reads a word for each of its targets, and one for the delay where there are several."""
    network, spikes = by_hand()
    activity = {INPUT: spikes, **golden.simulate(network, spikes).spikes}
    assert costs.memory_reads(rtl.plan(network, 1), activity) == (5 * 2 + 5 * 1) / 2
    assert costs.memory_reads(rtl.plan(network, 2), activity) == (5 * 1 + 5 * 1) / 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_samples_run_in_parts_are_those_run_at_once(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    spikes = random_spikes(rng, network, samples=7, ticks=9)
    labels = rng.integers(0, network.size(network.output), 7)
    whole = evaluate(network, spikes, labels, boards=["ulx3s"])
    expected = golden.simulate(network, spikes)
    assert np.array_equal(whole.classes, expected.classes)
    assert whole.recording.compare(expected[whole.shown]) is None
    monkeypatch.setattr("lifline.app.evaluation._AT_ONCE", 1)
    parts = evaluate(network, spikes, labels, boards=["ulx3s"])
    assert json.dumps(parts.result(), default=np.ndarray.tolist) == json.dumps(
        whole.result(), default=np.ndarray.tolist
    )


def test_the_page_holds_what_was_recorded() -> None:
    rng = np.random.default_rng(6)
    network = random_network(rng)
    spikes = random_spikes(rng, network, samples=5, ticks=11)
    found = evaluate(network, spikes, boards=["ulx3s"], show=3)
    data = page_data(found)
    recording = golden.simulate(network, spikes)
    assert len(data["samples"]) == 3
    for sample in data["samples"]:
        index = sample["index"]
        for population in data["populations"]:
            name, size = population["name"], population["size"]
            bits = np.frombuffer(base64.b64decode(sample["spikes"][name]), np.uint8)
            seen = np.unpackbits(bits, count=11 * size, bitorder="little").reshape(11, size)
            assert np.array_equal(seen, (spikes if name == INPUT else recording.spikes[name])[index])
            for state in population["states"]:
                raw = np.frombuffer(base64.b64decode(sample["states"][name][state]), "<i4")
                kept = recording.states[name][state][index][:, population["neurons"]]
                assert np.array_equal(raw.reshape(kept.shape), kept)


def test_wrong_samples_are_shown_first_then_one_of_each_class() -> None:
    classes, labels = np.array([0, 1, 1, 2, 2, 0, 0]), np.array([0, 1, 0, 2, 1, 0, 1])
    assert chosen_samples(classes, labels, 4) == [0, 1, 2, 4]
    assert chosen_samples(classes, labels, 5) == [0, 1, 2, 4, 6]
    assert chosen_samples(classes, None, 4) == [0, 1, 3, 5]
    assert chosen_samples(classes, labels, 100) == list(range(7))


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*EVALUATE, "--json", "--board", "ulx3s"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values == json.loads(Path("out/evaluation.json").read_text())
    network = Network.load("network.npz")
    assert len(values["confusion"]) == network.size(network.output)
    page = Path("out/report.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!https://neurobench\.ai)""", page)
    assert "undefined" not in page.split("<script>")[0]
    assert main([*EVALUATE, "--force"]) == 0
    assert capsys.readouterr().out.startswith(
        "3 samples of 20 ticks: wrote out/report.html\naccuracy: "
    )


def test_names_cannot_break_the_page(folder: Path) -> None:
    network = Network.load("network.npz")
    outputs = network.size(network.output)
    hostile = "</script><b>&"
    names = ",".join([hostile] + [f"c{number}" for number in range(1, outputs)])
    assert main([*EVALUATE, "--classes", names, "--board", "ulx3s"]) == 0
    page = Path("out/report.html").read_text()
    assert hostile not in page
    assert page.count("</script>") == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--classes", "a"], "class names: 1 names, the output has"),
        (["--board", "none"], "unknown board 'none': choose one of "),
    ],
)
def test_refused(folder: Path, fails: Callable[..., str], change: list[str], message: str) -> None:
    assert message in fails(*EVALUATE, *change)
    assert not Path("out").exists()


def test_labels_that_are_no_classes(folder: Path, fails: Callable[..., str]) -> None:
    spikes = np.load("spikes.npz")["spikes"]
    write_npz("spikes.npz", {"spikes": spikes, "labels": np.array([0, 1, 99])})
    assert fails(*EVALUATE).startswith("labels are in 0 … 99, must be in 0 … ")
    assert not Path("out").exists()


def test_a_finished_evaluation_is_kept(folder: Path, fails: Callable[..., str]) -> None:
    Path("out").mkdir()
    Path("out/evaluation.json").touch()
    assert fails(*EVALUATE).startswith("out/evaluation.json is there already: --force overwrites it")


def test_no_spike_at_all() -> None:
    network = Network(
        1,
        [Population("output", 2, LIF(0, 9, Reset.NONE))],
        [Projection("input", "output", [[1, 2]])],
        "output",
    )
    found = evaluate(network, np.zeros((2, 3, 1), np.uint8), boards=["ulx3s"])
    assert found.costs.metrics()["activation_sparsity"] == 1
    assert found.result()["classes"].tolist() == [2, 0]


def test_estimate_is_what_lanes_are_chosen_by(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "network.npz", "--input", "spikes.npz", "--lanes", "2", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["boards"]
    network, spikes = Network.load("network.npz"), np.load("spikes.npz")["spikes"]
    activity = {INPUT: spikes, **golden.simulate(network, spikes).spikes}
    assert [row["board"] for row in rows] == list(BOARDS)
    for row in rows:
        expected = estimate(network, BOARDS[row["board"]], 2)
        assert {kind: row[kind] for kind in expected} == expected
        assert row["cycles_per_sample"] == rtl.cycles(network, 2, activity).mean()
        assert row["microseconds"] == row["cycles_per_sample"] / row["clock_mhz"]
        assert row["fits"]
    assert main(["estimate", "network.npz", "--board", "ulx3s"]) == 0
    assert "ulx3s" in capsys.readouterr().out


def test_a_network_that_does_not_fit() -> None:
    weights = Projection("input", "output", np.ones((1000, 1000), int))
    big = Network(1000, [Population("output", 1000, LIF(0, 9))], [weights], "output")
    row = costs.on_board(big, "icebreaker")
    assert not row["fits"]
    assert row["reason"].startswith(
        "states, synapses and queues take 8.0 Mbit, icebreaker has 0.5 Mbit"
    )
    row = costs.on_board(by_hand()[0], "icebreaker", lanes="auto")
    assert row["fits"]
    with pytest.raises(InputError, match="cannot make a clock of 33"):
        costs.on_board(by_hand()[0], "icebreaker", clock_mhz=33.3)


def test_the_programs_of_the_page_run_and_a_notebook_shows_its_plots() -> None:
    page = (Path(__file__).parents[2] / "docs" / "evaluate.md").read_text()
    names: dict[str, Any] = {}
    for program in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(program, names)
    assert names["page"].startswith("<!doctype html>")
    figure = names["weights"](names["network"])
    assert figure._repr_svg_().startswith("<svg")
    for function in re.findall(r"^\| `(\w+)\(", page, re.MULTILINE):
        assert function in report.__all__


def test_class_names_of_the_metadata() -> None:
    network, spikes = by_hand()
    named = dataclasses.replace(network, metadata={"classes": ["yes"]})
    assert evaluate(named, spikes, boards=["ulx3s"]).class_names == ["yes"]
