"""What yosys makes of a board's design, simulated gate by gate: bytes in, the golden model's classes out."""

import json
from pathlib import Path

import numpy as np
import pytest

from lifline import LIF, CheckError, Dense, Network, Population, Projection, Reset
from lifline.app.main import main
from lifline.boards import build, netlist
from lifline.boards.board import find_board
from lifline.boards.netlist import check, stimulus
from lifline.boards.protocol import Kind, Status, encode, stuffed
from lifline.boards.synthesis import write_design
from lifline.boards.toolchain import find, find_simulator
from lifline.golden import simulate
from lifline.rtl import export, lanes_of
from lifline.sim import verify

SEED = 9


def small_network(*, reset: Reset = Reset.SUBTRACT) -> Network:
    """So many inputs that the synapse memories are sliced; betas that differ, so that there are multipliers."""
    rng = np.random.default_rng(SEED)
    return Network(
        70,
        [
            Population("hidden", 10, LIF(rng.integers(150, 250, 10), 90)),
            Population("output", 5, LIF(230, 70, reset)),
        ],
        [
            Projection(
                "input",
                "hidden",
                Dense(rng.integers(-60, 90, (70, 10)), rng.integers(0, 3, (70, 10))),
            ),
            Projection("hidden", "output", rng.integers(-60, 70, (10, 5))),
        ],
        "output",
    )


def some_spikes() -> np.ndarray:
    return (np.random.default_rng(SEED).random((12, 6, 70)) < 0.08).astype(np.uint8)


@pytest.mark.synth
@pytest.mark.icarus
@pytest.mark.slow
@pytest.mark.parametrize(
    ("board", "clock", "cells"),
    [
        ("icebreaker", 12, {"SB_RAM40_4K", "SB_MAC16"}),
        ("icebreaker", 24, {"SB_PLL40_PAD"}),
        ("hx8k", 24, {"SB_PLL40_CORE"}),
        ("ulx3s", 25, {"DP16KD", "MULT18X18D"}),
        ("ulx3s", 50, {"EHXPLLL"}),
    ],
)
def test_a_netlist_answers_as_golden_does(board, clock, cells, tmp_path):
    network = small_network(reset=Reset.NONE if clock == 25 else Reset.SUBTRACT)
    spikes = some_spikes()
    samples, expected = stimulus(network, 400, simulate, spikes)
    assert len(set(expected)) > 1, f"seed {SEED}"
    lanes = lanes_of(network, 2)
    yosys = find("yosys")
    design = write_design(network, find_board(board), lanes, clock, tmp_path, netlist=True)
    manifest = export(
        network, tmp_path / "export", lanes, trace=True, block_bits=design.board.family.block_bits
    )
    for name in manifest["sha256"]:  # what is synthesised is what is exported
        assert (tmp_path / name).read_bytes() == (tmp_path / "export" / name).read_bytes()
    design.synthesise(yosys)
    assert cells <= design.cells.keys()
    result = check(design, yosys, find_simulator(), simulate, spikes)
    assert result["classes"] == expected
    assert result["ticks"] == [len(sample) for sample in samples]


@pytest.mark.synth
@pytest.mark.icarus
@pytest.mark.slow
def test_a_netlist_of_other_weights_is_noticed(tmp_path):
    network = small_network()
    yosys = find("yosys")
    design = write_design(
        network, find_board("icebreaker"), lanes_of(network, 2), 12, tmp_path, netlist=True
    )
    for path in (tmp_path / "mem").glob("output.*.weights*.mem"):
        path.write_text("".join("0" * len(line) + "\n" for line in path.read_text().split()))
    design.synthesise(yosys)
    with pytest.raises(CheckError, match="the synthesised netlist gives 3 samples the classes"):
        check(design, yosys, find_simulator(), simulate, some_spikes())


@pytest.mark.icarus
def test_the_sliced_verilog_can_be_verified():
    block_bits = find_board("icebreaker").family.block_bits
    report = verify(
        small_network(), backend="icarus", lanes=2, samples=2, ticks=8, block_bits=block_bits
    )
    assert report.passed, report.text


def test_samples_of_a_check():
    network = small_network()
    spikes = some_spikes()
    for most, given in ((30, spikes), (400, spikes), (400, None)):
        samples, classes = stimulus(network, most, simulate, given)
        assert len(samples) == len(classes) == netlist.SAMPLES
        for sample, expected in zip(samples, classes, strict=True):
            assert simulate(network, sample[None]).classes.tolist() == [expected]
            assert len(encode(sample)) <= most / netlist.SAMPLES or len(sample) == 1
            if given is not None:
                assert any(np.array_equal(sample, whole[: len(sample)]) for whole in given)
        if most == 400:
            assert len(set(classes)) == netlist.SAMPLES
            assert all(sample.any() for sample in samples)
        again, _ = stimulus(network, most, simulate, given)
        assert [sample.tolist() for sample in samples] == [sample.tolist() for sample in again]


STAT = """echo '{"design": {"num_cells_by_type": {"SB_DFF": 6}}}' > top.stat.json"""
PLACED = json.dumps({"fmax": {"clk": {"achieved": 30.0}}, "utilization": {}})


@pytest.fixture
def fake_tools(tmp_path, monkeypatch):
    """Tools that do nothing; `received` is what the simulated board sends."""
    folder = tmp_path / "tools"
    folder.mkdir()
    texts = {
        "yosys": STAT,
        "nextpnr-ice40": f"echo '{PLACED}' > top.report.json",
        "icepack": "echo bits > top.bin",
    }
    for name, text in texts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)

    def receive(data: bytes) -> None:
        monkeypatch.setattr(netlist, "simulate", lambda design, yosys, samples: data)

    return receive


def answer(classes: list[int], status: int = 0) -> bytes:
    """What a board sends: it has begun a session, and names classes."""
    results = [
        bytes([1, n, n, Kind.RESULT, status, 0, 9, 0, 0, number, 0]) for n, number in enumerate(classes)
    ]
    return b"".join(map(stuffed, [bytes([1, 0, 0, Kind.ACK]), *results]))


@pytest.mark.icarus
def test_a_checked_build_says_so_in_its_report(fake_tools, tmp_path):
    network, spikes = small_network(), some_spikes()
    recording = simulate(network, spikes)
    _, expected = stimulus(network, 400, simulate, spikes)
    fake_tools(answer(expected))
    seen = []
    result = build(
        network,
        "icebreaker",
        tmp_path / "out",
        lanes=2,
        activity={"input": spikes, **recording.spikes},
        check=simulate,
        progress=lambda *event: seen.append(event[:2]),
    )
    assert result["check"]["passed"]
    assert result["check"]["classes"] == expected
    assert result["check"]["simulator"].startswith("Icarus Verilog ")
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == result
    assert seen == [(n, 5) for n in range(6)]
    assert "check" not in build(network, "icebreaker", tmp_path / "out", lanes=2)


@pytest.mark.icarus
@pytest.mark.parametrize(
    "received",
    [b"", answer([]), answer([5, 5]), answer([5, 5, 5]), answer([0, 0, 0], Status.ADDRESS)],
)
def test_a_failed_check_delivers_nothing(received, fake_tools, tmp_path):
    fake_tools(received)
    with pytest.raises(CheckError, match=r"gives 3 samples the classes \[.*\], right are \["):
        build(small_network(), "icebreaker", tmp_path / "out", lanes=2, check=simulate)
    assert not Path("out").exists()


@pytest.mark.icarus
def test_the_command_fails_with_status_1(fake_tools, tmp_path, capsys):
    fake_tools(answer([5, 5, 5]))
    small_network().save("network.npz")
    arguments = [
        "build",
        "network.npz",
        "--board",
        "icebreaker",
        "-o",
        "out",
        "--lanes",
        "2",
        "--check",
    ]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(
        "lifline: the synthesised netlist gives 3 samples the classes [5, 5, 5]"
    )
    assert captured.err.count("\n") == 1
    assert not Path("out").exists()


def test_the_exported_verilog_is_that_of_a_build(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = small_network()
    network.save("network.npz")
    arguments = ["export", "network.npz", "-o", "out", "--lanes", "2", "--board", "icebreaker"]
    assert main(arguments) == 0
    design = write_design(
        network, find_board("icebreaker"), lanes_of(network, 2), 12, tmp_path / "build"
    )
    manifest = json.loads(Path("out/manifest.json").read_text())
    built = json.loads((design.folder / "manifest.json").read_text())
    # An export has a test bench and more beside; what the FPGA gets is the same, file by file.
    assert manifest | {"sha256": built["sha256"]} == built
    assert built["sha256"].items() <= manifest["sha256"].items()
    assert set(manifest["sources"]) <= set(built["sha256"])
    assert any("slice_1" in name for name in built["sha256"])
    for name in built["sha256"]:
        assert Path("out", name).read_bytes() == (design.folder / name).read_bytes()
    assert all(
        f"read_verilog -defer {name}\n" in (design.folder / "top.ys").read_text()
        for name in manifest["sources"]
    )
