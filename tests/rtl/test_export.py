"""The exported files: reproducible, clean, described by the manifest, and with weights that can be replaced."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lifline.boards import toolchain
from lifline.errors import InputError, LiflineError
from lifline.golden import simulate
from lifline.network import Network, Population, Projection
from lifline.neurons import LIF, Adaptation, Izhikevich, Noise
from lifline.rtl import Accelerator, export
from lifline.sim import Simulator
from lifline.sim.tools import find_icarus, find_verilator
from lifline.synapses import Dense

from ..networks import random_network


def network(seed: int = 0, *, uniform: bool = True) -> Network:
    rng = np.random.default_rng(seed)
    size = 12
    return Network(
        6,
        [
            Population("hidden", size, LIF(230 if uniform else rng.integers(0, 257, size), 60, bias=3)),
            Population("out", 3, LIF(240, rng.integers(30, 90, 3), "zero", reset_delay=True)),
        ],
        [
            Projection("input", "hidden", Dense(rng.integers(-30, 60, (6, size)), weight_bits=7)),
            Projection("hidden", "hidden", Dense(rng.integers(-8, 8, (size, size)), 1, weight_bits=4)),
            Projection(
                "hidden", "out", Dense(rng.integers(-90, 90, (size, 3)), rng.integers(0, 4, (size, 3)))
            ),
        ],
        "out",
        name="test",
    )


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_same_input_same_bytes(tmp_path):
    export(network(), tmp_path / "one", 4)
    export(network(), tmp_path / "two", 4)
    one = contents(tmp_path / "one")
    assert one == contents(tmp_path / "two")
    assert not any(str(tmp_path).encode() in data for data in one.values())


def test_a_new_export_replaces_an_earlier_one(tmp_path):
    export(network(uniform=False), tmp_path / "again", 2)
    (tmp_path / "again" / "mine.v").write_text("// not an export's")
    small = Network(
        2, [Population("p", 3, LIF(200, 5))], [Projection("input", "p", [[1, 2, 3]] * 2)], "p"
    )
    export(small, tmp_path / "again")
    export(small, tmp_path / "once")
    again = contents(tmp_path / "again")
    assert again.pop("mine.v")
    assert again == contents(tmp_path / "once")


def test_manifest_describes_every_file(tmp_path):
    manifest = export(network(), tmp_path, {"hidden": 5, "out": 2}, trace=True)
    assert json.loads((tmp_path / "manifest.json").read_text()) == manifest
    files = contents(tmp_path)
    del files["manifest.json"]
    assert {name: hashlib.sha256(data).hexdigest() for name, data in files.items()} == manifest[
        "sha256"
    ]
    assert set(manifest["sources"]) == {name for name in files if name.endswith(".v")}
    assert {name for bank in manifest["banks"] for name in bank["files"]} == {
        name for name in files if name.endswith(".mem")
    }
    assert manifest["tools"].keys() == {"amaranth", "yosys"}
    assert re.fullmatch(r"0\.\d+", manifest["tools"]["yosys"])


def read_bank(directory: Path, bank: dict) -> np.ndarray:
    """A bank's words as int64 (words, lanes)."""
    words = [0] * bank["words"]
    low = 0
    for file in bank["files"]:  # by width, the lowest bits first
        lines = (directory / file).read_text().split()
        assert len(lines) == bank["words"]
        words = [word | int(line, 16) << low for word, line in zip(words, lines, strict=True)]
        low += min(bank["slice_bits"], bank["word_bits"] - low)
    bits = bank["bits_per_lane"]
    lanes = [
        [word >> (lane * bits) & ((1 << bits) - 1) for lane in range(bank["lanes"])] for word in words
    ]
    values = np.array(lanes)
    return (
        np.where(values >= 1 << (bits - 1), values - (1 << bits), values) if bank["signed"] else values
    )


@pytest.mark.parametrize("block_bits", [None, 64])
def test_banks_hold_what_the_manifest_says(block_bits, tmp_path):
    net = network(uniform=False)
    manifest = export(net, tmp_path, {"hidden": 2, "out": 2}, block_bits=block_bits)
    assert max(len(bank["files"]) for bank in manifest["banks"]) == (1 if block_bits is None else 14)
    arrays = {population["name"]: population for population in manifest["populations"]}
    seen = []
    for bank in manifest["banks"]:
        values, name = read_bank(tmp_path, bank), bank["population"]
        size, groups, lanes = arrays[name]["size"], arrays[name]["groups"], arrays[name]["lanes"]
        if bank["content"] == "beta":
            assert values.ravel()[:size].tolist() == net[name].neuron.beta.tolist()
        else:
            (projection,) = [p for p in net.incoming(name) if p.source == bank["source"]]
            by_group = values.reshape(groups, bank["source_size"], lanes).transpose(1, 0, 2)
            matrix = by_group.reshape(bank["source_size"], groups * lanes)
            expected = getattr(projection.synapses, bank["content"])
            assert matrix[:, :size].tolist() == expected.tolist()
            assert not matrix[:, size:].any()
        seen.append((name, bank["content"], bank.get("source")))
    assert sorted(seen, key=str) == [
        ("hidden", "beta", None),
        ("hidden", "weights", "hidden"),
        ("hidden", "weights", "input"),
        ("out", "delays", "hidden"),
        ("out", "weights", "hidden"),
    ]


def test_banks_of_kinds_with_states_of_their_own(tmp_path):
    size = 11
    noise = Noise(np.arange(-20, 44), Noise.seeds(size))
    lif = LIF(range(200, 211), 60, noise=noise, alpha=range(11), adaptation=Adaptation(3, range(-5, 6)))
    net = Network(
        3,
        [Population("a", size, lif), Population("b", size, Izhikevich.of(rest=range(-70, -59)))],
        [
            Projection("input", "a", np.ones((3, size), int)),
            Projection("a", "b", np.ones((size, size), int)),
        ],
        "b",
    )
    manifest = export(net, tmp_path, {"a": 2, "b": 1})
    expected = {
        ("a", "beta"): lif.beta,
        ("a", "alpha"): lif.alpha,
        ("a", "adaptation.jump"): lif.adaptation.jump,
        ("a", "initial.noise"): noise.seed,
        ("a", "noise.table"): noise.table,
        ("b", "initial.membrane"): net["b"].neuron.initial_membrane,
        ("b", "initial.recovery"): net["b"].neuron.initial_recovery,
    }
    banks = {(b["population"], b["content"]): b for b in manifest["banks"] if b["content"] != "weights"}
    assert banks.keys() == expected.keys()
    for key, bank in banks.items():
        values = read_bank(tmp_path, bank).ravel()
        assert values[: len(expected[key])].tolist() == expected[key].tolist()
    of_a, of_b = manifest["populations"]
    assert (of_a["neuron"]["kind"], of_b["neuron"]["kind"]) == ("LIF", "Izhikevich")
    assert [state["name"] for state in of_a["neuron"]["states"]] == [
        "membrane",
        "current",
        "adaptation",
        "noise",
    ]
    assert [m["name"] for m in of_a["memories"]].count("a.noise.table") == 2  # one for each lane


def verilator_lint(
    directory: Path, sources: list[str], top: str = "lifline_top"
) -> subprocess.CompletedProcess[str]:
    tool = find_verilator()
    return subprocess.run(
        [tool.executable, "--lint-only", "--top-module", top, *sources],
        cwd=directory,
        env={**os.environ, **tool.environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.verilator
@pytest.mark.parametrize("seed", range(12))
def test_verilog_lints_clean(seed, tmp_path):
    rng = np.random.default_rng(seed)
    manifest = export(random_network(rng), tmp_path, int(rng.integers(1, 13)), trace=bool(seed % 2))
    result = verilator_lint(tmp_path, manifest["sources"])
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.verilator
def test_lint_would_notice(tmp_path):
    manifest = export(network(), tmp_path, 4)
    path = tmp_path / "lifline_top.v"
    path.write_text(path.read_text().replace("wire i__ready;", "wire [1:0] i__ready;", 1))
    assert verilator_lint(tmp_path, manifest["sources"]).returncode != 0


@pytest.mark.parametrize("lanes", [1, 4, 12])
def test_names_are_plain(lanes, tmp_path):
    """No name has the numbers in it by which Amaranth tells names apart."""
    for source in export(network(uniform=False), tmp_path, lanes, trace=True)["sources"]:
        text = (tmp_path / source).read_text()
        declared = re.findall(r"^ +(?:input|output|reg|wire)\b[^;]*;", text, re.MULTILINE)
        assert declared
        assert not [line for line in declared if "$" in line]


def test_ports_of_the_top_keep_their_names(tmp_path):
    export(network(), tmp_path, 4, trace=True)
    header = re.search(r"module lifline_top\((.*?)\);", (tmp_path / "lifline_top.v").read_text())
    events = [f"{port}__{member}" for port in "io" for member in ("payload", "valid", "ready")]
    traces = [f"trace_{p}__{member}" for p in ("hidden", "out") for member in ("payload", "valid")]
    assert sorted(header[1].split(", ")) == sorted(["clk", "rst", "clear", "fault", *events, *traces])


def two_designs(directory: Path) -> list[str]:
    """Two networks with prefixes of their own and a module with both; the sources, in `directory`."""
    for seed, prefix in enumerate(("left_", "right_")):
        manifest = export(network(seed, uniform=False), directory / prefix, 2, prefix=prefix)
        assert manifest["top"] == f"{prefix}top"
        shutil.copytree(directory / prefix, directory, dirs_exist_ok=True)
        assert all((directory / file).exists() for bank in manifest["banks"] for file in bank["files"])
        shutil.rmtree(directory / prefix)
    (directory / "both.v").write_text(
        "module both(input clk, input rst, output left, output right);\n"
        "  left_top l(.clk(clk), .rst(rst), .clear(1'b0), .i__payload(4'b0), .i__valid(1'b0),\n"
        "    .i__ready(left), .fault(), .o__payload(), .o__valid(), .o__ready(1'b1));\n"
        "  right_top r(.clk(clk), .rst(rst), .clear(1'b0), .i__payload(4'b0), .i__valid(1'b0),\n"
        "    .i__ready(right), .fault(), .o__payload(), .o__valid(), .o__ready(1'b1));\n"
        "endmodule\n"
    )
    sources = sorted(path.name for path in directory.glob("*.v"))
    modules = [
        m for s in sources for m in re.findall(r"^module (\w+)", (directory / s).read_text(), re.M)
    ]
    assert len(modules) == len(set(modules))
    assert {module.split("_")[0] for module in modules} == {"left", "right", "both"}
    return sources


@pytest.mark.verilator
def test_two_networks_fit_in_one_design_in_verilator(tmp_path):
    sources = two_designs(tmp_path)
    result = verilator_lint(tmp_path, ["-Wno-PINCONNECTEMPTY", *sources], top="both")
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.icarus
def test_two_networks_fit_in_one_design_in_icarus(tmp_path):
    icarus = find_icarus()
    sources = two_designs(tmp_path)
    command = [str(icarus.executable), "-g2005", "-s", "both", "-o", "both.vvp", *sources]
    for run in (command, ["vvp", "both.vvp"]):  # the second reads all memory files, or says so
        result = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stdout + result.stderr) == (0, "")


@pytest.mark.parametrize("prefix", ["", "1st_", "a b", "é_"])
def test_prefix_must_start_a_name(prefix, tmp_path):
    with pytest.raises(InputError, match=re.escape(f"prefix {prefix!r} cannot start a Verilog name")):
        export(network(), tmp_path / "out", 2, prefix=prefix)
    assert not (tmp_path / "out").exists()


@pytest.mark.synth
def test_verilog_elaborates_in_yosys(tmp_path):
    manifest = export(network(uniform=False), tmp_path, {"hidden": 2, "out": 3})
    sources = " ".join(manifest["sources"])
    script = f"read_verilog {sources}; hierarchy -check -top lifline_top; proc; check -assert; stat"
    toolchain.run(
        toolchain.find("yosys"), ["-p", script], tmp_path, tmp_path / "log"
    )  # raises where it fails
    assert "lifline_hidden_neurons" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    "backend",
    [
        pytest.param("verilator", marks=pytest.mark.verilator),
        pytest.param("icarus", marks=pytest.mark.icarus),
    ],
)
def test_replacing_the_files_replaces_the_weights(backend, tmp_path):
    """One design, compiled once, runs as whichever network's memory files lie beside it."""
    (find_verilator if backend == "verilator" else find_icarus)()
    lanes = {"hidden": 2, "out": 2}
    one, other = network(0, uniform=False), network(1, uniform=False)
    # Widths and constants follow from the first network; the other may only bring new memory contents.
    first = Accelerator(one, lanes)
    weights, _ = other.projections[2].synapses.dense()
    other = Network(
        6,
        [
            Population("hidden", 12, LIF(other["hidden"].neuron.beta, 60, bias=3)),
            one["out"],
        ],
        [
            *other.projections[:2],
            Projection("hidden", "out", Dense(weights, one.projections[2].synapses.dense()[1])),
        ],
        "out",
    )
    for name, array in Accelerator(other, lanes).arrays.items():
        assert first.arrays[name].accumulator_bits == array.accumulator_bits
    spikes = (np.random.default_rng(5).random((3, 20, 6)) < 0.4).astype(np.uint8)
    simulator = Simulator(one, tmp_path / "one", backend=backend, lanes=lanes)
    export(other, tmp_path / "other", lanes, trace=True)
    assert not np.array_equal(
        simulate(one, spikes).membrane["hidden"], simulate(other, spikes).membrane["hidden"]
    )
    for expected in (one, other):
        if expected is other:
            shutil.rmtree(tmp_path / "one" / "mem")
            shutil.copytree(tmp_path / "other" / "mem", tmp_path / "one" / "mem")
        outcome = simulator.run(spikes, [(sample, None) for sample in range(3)])
        golden = simulate(expected, spikes)
        assert outcome.problem is None
        for name in ("hidden", "out"):
            assert np.array_equal(outcome.recording.membrane[name], golden.membrane[name])
            assert np.array_equal(outcome.recording.spikes[name], golden.spikes[name])


def test_errors(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LiflineError, match=r"file.*cannot write there"):
        export(network(), tmp_path / "file")
    with pytest.raises(InputError, match="lanes of 'hidden' must be in 1 … 12, its size, not 13"):
        export(network(), tmp_path / "out", {"hidden": 13})
    assert not (tmp_path / "out").exists()
