"""What yosys makes of a design that learns, simulated gate by gate: events, cycles and weights are golden's."""

import numpy as np
import pytest

from lifline import LIF, STDP, Adaptation, Dense, Network, Population, Projection, golden
from lifline.app.export import vectors
from lifline.boards.board import find_board
from lifline.boards.families import ECP5, ICE40
from lifline.boards.netlist import check, run_icarus, stimulus
from lifline.boards.synthesis import write_design
from lifline.boards.toolchain import find, find_simulator, run
from lifline.rtl import export, lanes_of

LANES = 2


def network(total: int | None) -> Network:
    """So many inputs that the words that learn are in block RAM; thresholds are kept."""
    rng = np.random.default_rng(7)
    rule = STDP(230, 240, 256, 40, 30, 5, fraction_bits=4, low=0, total=total)
    kept = LIF(240, 300, reset="zero", adaptation=Adaptation(250, 8, keep=True))
    weights = rng.integers(0, 90, (40, 4))
    return Network(
        40,
        [Population("out", 4, kept)],
        [Projection("input", "out", Dense(weights), rule)],
        "out",
    )


@pytest.mark.synth
@pytest.mark.icarus
@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "synth", "total", "cells"),
    [
        (ICE40, "synth_ice40", None, {"SB_RAM40_4K"}),
        (ECP5, "synth_ecp5", 900, {"DP16KD", "MULT18X18D"}),
    ],
    ids=["ice40", "ecp5"],
)
def test_a_netlist_learns_what_golden_does(family, synth, total, cells, tmp_path):
    net = network(total)
    known = vectors(net, LANES, learn=True)
    assert known.after != net
    assert known.outputs.any()
    manifest = export(
        net, tmp_path, LANES, trace=True, block_bits=family.block_bits, learn=True, vectors=known
    )
    yosys = find("yosys")
    script = [
        *(f"read_verilog -defer {source}" for source in manifest["sources"]),
        f"{synth} -top lifline_top",
        "write_verilog -noattr netlist.v",
    ]
    run(yosys, ["-q", "-p", "; ".join(script)], tmp_path, tmp_path / "yosys.log")
    netlist = (tmp_path / "netlist.v").read_text()
    assert all(cell in netlist for cell in cells)
    bench = (tmp_path / "lifline_testbench.v").read_text()
    bench = bench.replace("module lifline_testbench;", "module testbench;")
    (tmp_path / "bench.v").write_text(bench)
    printed = run_icarus(tmp_path, ["bench.v", "netlist.v"], family, yosys)
    assert printed.startswith("PASS: 4 samples")
    assert "learned words" in printed


@pytest.mark.synth
@pytest.mark.icarus
@pytest.mark.slow
def test_the_netlist_of_a_board_that_learns_answers_as_golden_does(tmp_path):
    net = network(None)
    spikes = (np.random.default_rng(3).random((12, 6, 40)) < 0.2).astype(np.uint8)
    _, expected = stimulus(net, 400, golden.simulate, spikes)
    assert len(set(expected)) > 1
    yosys = find("yosys")
    board = find_board("icebreaker")
    design = write_design(
        net, board, lanes_of(net, LANES), 12, tmp_path, netlist=True, load=True, learn=True
    )
    assert not design.options["memories"]
    design.synthesise(yosys)
    result = check(design, yosys, find_simulator(), golden.simulate, spikes)
    assert result["classes"] == expected
