"""``lifline export --learn``: a design that learns, and a test bench that compares what it has learned."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from lifline import LIF, STDP, Adaptation, Dense, Network, Population, Projection
from lifline.app.main import main

from .test_export import bench, export


@pytest.fixture
def plastic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Network:
    """``network.npz``: two projections learn, one of them with normalised weights; thresholds are kept."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    rule = STDP(230, 240, 256, 40, 30, 5, fraction_bits=4, low=0, total=300)
    other = STDP(230, 240, 256, 40, 30, 5, fraction_bits=4, soft=True)
    kept = LIF(240, 150, reset="zero", adaptation=Adaptation(250, 8, keep=True))
    network = Network(
        9,
        [Population("hidden", 7, kept), Population("output", 3, LIF(240, 60))],
        [
            Projection("input", "hidden", Dense(rng.integers(0, 90, (9, 7))), rule),
            Projection("hidden", "output", Dense(rng.integers(-30, 90, (7, 3)), 1), other),
        ],
        "output",
    )
    network.save("network.npz")
    return network


@pytest.mark.icarus
def test_the_test_bench_learns_and_compares_the_weights(plastic: Network) -> None:
    manifest = export("--learn", "--trace", "--lanes", "2")
    assert manifest["learn"]
    banks = {bank["content"]: bank for bank in manifest["banks"] if "fraction_bits" in bank}
    assert banks["weights"]["fraction_bits"] == 4
    assert bench() == "PASS: 4 samples, 68 events, 50 learned words\n" or bench().startswith("PASS")
    assert "learned words" in bench()
    assert "learned words" in bench("out", "+stall")
    for end in Path("out/vectors").glob("*_end.mem"):
        words = end.read_text().split()
        start = end.with_name(end.name.replace("_end", "_start")).read_text().split()
        assert words != start  # something has been learned
        end.write_text("".join(f"{int(word, 16) ^ 1:0{len(word)}x}\n" for word in words))
        assert re.search(rf"^FAIL: {len(words)} errors$", bench(), re.MULTILINE)
        end.write_text("".join(f"{word}\n" for word in words))


@pytest.mark.icarus
def test_without_a_trace_the_test_bench_learns_as_well(plastic: Network) -> None:
    export("--learn", "--load", "--lanes", "2")
    assert bench().startswith("PASS: 4 samples")
    text = Path("out/lifline_testbench.v").read_text()
    Path("out/lifline_testbench.v").write_text(text.replace(".learn(1'b1)", ".learn(1'b0)"))
    assert "FAIL" in bench()


@pytest.mark.icarus
def test_the_wrapper_and_the_ports_have_learn(plastic: Network) -> None:
    manifest = export("--learn", "--trace", "--load")
    assert "learn" in {port["name"] for port in manifest["ports"]}
    assert ".learn(learn)" in Path("out/lifline_axis.v").read_text()
    assert "| `learn` | input | 1 |" in Path("out/ports.md").read_text()
    assert bench().startswith("PASS")  # the wrapper is compiled, too


def test_a_network_that_learns_is_exported_frozen_without_the_option(plastic: Network) -> None:
    manifest = export()
    assert "learn" not in manifest
    assert not any("fraction_bits" in bank for bank in manifest["banks"])
    assert "learn" not in Path("out/lifline_testbench.v").read_text()


def test_what_cannot_learn_is_refused(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "network.npz", "-o", "out", "--learn"]) == 2
    captured = capsys.readouterr().err
    assert captured.startswith("lifline: network: nothing in it learns")
    assert captured.count("\n") == 1
    assert not Path("out").exists()


def test_the_manifest_names_what_learns(plastic: Network) -> None:
    manifest = export("--learn", "--load", "--board", "icebreaker")
    learned = [bank for bank in manifest["banks"] if bank.get("backing") == "learned"]
    assert [bank["content"] for bank in learned] == ["weights", "initial.adaptation", "weights"]
    assert json.loads(Path("out/manifest.json").read_text()) == manifest
