"""lifline's simulation models of cells: what yosys makes of plain Verilog does, with them, what the Verilog does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lifline.boards.families import ECP5, ICE40, Family
from lifline.boards.netlist import run_icarus
from lifline.boards.toolchain import find, run
from lifline.rtl.memory import verilog

pytestmark = [pytest.mark.icarus, pytest.mark.synth]

SEED = 4


def synthesise(folder: Path, top: str, command: str) -> None:
    """Make ``netlist.v`` of ``design.v``, with the top renamed to ``netlist``."""
    script = f"read_verilog -defer design.v; {command} -top {top}; rename -top netlist; write_verilog -noattr netlist.v"
    run(find("yosys"), ["-p", script], folder, folder / "yosys.log")


def cells(folder: Path) -> set[str]:
    return {
        line.split()[0]
        for line in (folder / "netlist.v").read_text().splitlines()
        if line.startswith("  ") and "(" in line
    }


MEMORY = """
module memory(input wire clk, input wire en, input wire [{a}:0] address,
              output wire [{w}:0] rom, output wire [{w}:0] ram,
              input wire write, input wire [{a}:0] write_address, input wire [{w}:0] write_data);
    lifline_rom #(.WIDTH({width}), .DEPTH({depth}), .ADDRESS({bits}), .FILE("rom.mem")) one (
        .clk(clk), .en(en), .address(address), .data(rom));
    lifline_ram #(.WIDTH({width}), .DEPTH({depth}), .ADDRESS({bits})) two (
        .clk(clk), .en(en), .address(address), .data(ram),
        .write(write), .write_address(write_address), .write_data(write_data));
endmodule
"""

MEMORY_TESTBENCH = """
`timescale 1ns/1ps
module testbench;
    reg clk = 0, en = 0, write = 0;
    reg [{a}:0] address = 0, write_address = 0;
    reg [{w}:0] write_data = 0;
    wire [{w}:0] rom, ram, rom_, ram_;
    memory dut(clk, en, address, rom, ram, write, write_address, write_data);
    netlist net(.clk(clk), .en(en), .address(address), .rom(rom_), .ram(ram_),
                .write(write), .write_address(write_address), .write_data(write_data));
    integer i, read = 0, hits = 0, seed = {seed};
    always #5 clk = !clk;
    initial begin
        repeat (4 * {depth} + 4000) begin
            @(negedge clk);
            en = $random(seed); write = $random(seed); write_data = {{$random(seed), $random(seed)}};
            write_address = $random(seed);
            address = $random(seed) & 1 ? write_address : $random(seed);
            if (en & read < {depth}) begin address = read; read = read + 1; end
            if (address >= {depth}) address = 0;
            if (write_address >= {depth}) write_address = 0;
            if (en & write & address == write_address) hits = hits + 1;
            @(posedge clk); #1;
            if (^rom !== 1'bx && rom !== rom_ || ^ram !== 1'bx && ram !== ram_)
                $display("differs %h %h %h %h", rom, rom_, ram, ram_);
        end
        $display("done %0d", hits > 100);
        $finish;
    end
endmodule
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("depth", "width"), [(512, 36), (1000, 18), (2048, 9), (4096, 4), (8192, 2), (9000, 1), (300, 40)]
)
def test_memories(depth, width, tmp_path):
    """Every shape of the ECP5's block RAM, as ROM and as RAM, read in the cycle of a write, too."""
    rng = np.random.default_rng(SEED)
    values = {"width": width, "depth": depth, "bits": (depth - 1).bit_length(), "seed": SEED}
    values |= {"a": values["bits"] - 1, "w": width - 1}
    words = rng.integers(0, 2**width, depth)
    (tmp_path / "rom.mem").write_text("".join(f"{word:x}\n" for word in words))
    (tmp_path / "design.v").write_text(verilog() + MEMORY.format(**values))
    (tmp_path / "bench.v").write_text(MEMORY_TESTBENCH.format(**values))
    synthesise(tmp_path, "memory", "synth_ecp5")
    assert "DP16KD" in cells(tmp_path)
    printed = run_icarus(tmp_path, ["bench.v", "design.v", "netlist.v"], ECP5, find("yosys"))
    assert "done 1" in printed
    assert "differs" not in printed


MULTIPLIERS = """
module products(input wire [17:0] a, input wire [17:0] b, output wire [35:0] plain, output wire signed [35:0] both);
    wire signed [17:0] sa = a, sb = b;
    assign plain = a * b;
    assign both = sa * sb;
endmodule
"""

MULTIPLIER_TESTBENCH = """
module testbench;
    reg [17:0] a, b;
    wire [35:0] plain, plain_;
    wire [35:0] both, both_;
    products dut(a, b, plain, both);
    netlist net(.a(a), .b(b), .plain(plain_), .both(both_));
    integer seed = 1;
    initial begin
        repeat (500) begin
            a = $random(seed); b = $random(seed); #1;
            if (plain !== plain_ || both !== both_) $display("differs");
        end
        $display("done");
    end
endmodule
"""


def test_multipliers(tmp_path):
    (tmp_path / "design.v").write_text(MULTIPLIERS)
    (tmp_path / "bench.v").write_text(MULTIPLIER_TESTBENCH)
    synthesise(tmp_path, "products", "synth_ecp5")
    assert "MULT18X18D" in cells(tmp_path)
    printed = run_icarus(tmp_path, ["bench.v", "design.v", "netlist.v"], ECP5, find("yosys"))
    assert "done" in printed
    assert "differs" not in printed


PLL_TESTBENCH = """
`timescale 1ns/1ps
module testbench;
    reg reference = 0;
    wire clock, locked;
    always #({half}) reference = !reference;
    {cell} dut({ports});
    realtime begun;
    integer i;
    initial begin
        wait (locked);
        @(posedge clock) begun = $realtime;
        for (i = 0; i < 1000; i = i + 1) @(posedge clock);
        $display("MHz %f", 1000.0e3 / ($realtime - begun));
        $finish;
    end
endmodule
"""


@pytest.mark.parametrize(
    ("family", "cell", "reference", "output"),
    [
        (ICE40, "SB_PLL40_CORE", 12, 48),
        (ICE40, "SB_PLL40_PAD", 12, 24),
        (ECP5, "EHXPLLL", 25, 80),
        (ECP5, "EHXPLLL", 25, 60),
    ],
)
def test_plls_make_the_frequency_of_their_dividers(
    family: Family, cell: str, reference: float, output: float, tmp_path: Path
) -> None:
    pll = family.pll.solve(reference, output)
    assert pll is not None
    if family is ICE40:
        names = {"DIVR": "divr", "DIVF": "divf", "DIVQ": "divq"}
        ports = {"PLLOUTGLOBAL": "clock", "LOCK": "locked"}
        ports["PACKAGEPIN" if cell.endswith("PAD") else "REFERENCECLK"] = "reference"
    else:
        names = {
            "CLKI_DIV": "input_divider",
            "CLKFB_DIV": "feedback_divider",
            "CLKOP_DIV": "output_divider",
        }
        ports = {"CLKOP": "clock", "CLKFB": "clock", "LOCK": "locked", "CLKI": "reference"}
    parameters = ", ".join(f".{name}({getattr(pll, field)})" for name, field in names.items())
    text = PLL_TESTBENCH.format(
        half=500 / reference,
        cell=f"{cell} #({parameters})",
        ports=", ".join(f".{port}({wire})" for port, wire in ports.items()),
    )
    (tmp_path / "bench.v").write_text(text)
    printed = run_icarus(tmp_path, ["bench.v"], family, find("yosys"))
    assert float(printed.split("MHz ")[1].split()[0]) == pytest.approx(output, rel=1e-4)
