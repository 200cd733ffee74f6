"""The clock of one design by the seed of place and route, which moves it by some percent.

The MNIST network on a ULX3S, 32 and 10 lanes, asked for 125 MHz: synthesised once, placed with five seeds.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from lifline.boards.board import find_board
from lifline.boards.report import fmax_mhz
from lifline.boards.synthesis import write_design
from lifline.boards.toolchain import find

from .measure import Options, Result
from .trained import trained

BOARD, LANES, CLOCK_MHZ = "ulx3s", {"hidden1": 32, "output": 10}, 125.0
SEEDS = range(1, 6)


def run(options: Options) -> Result:
    if options.quick or not options.builds:
        return Result("Clock by seed", [], ["nothing was built"])
    network, _, _ = trained("mnist", options)
    board = find_board(BOARD)
    nextpnr = find(board.family.nextpnr)
    rows = []
    with tempfile.TemporaryDirectory(prefix="lifline-clock-") as folder:
        design = write_design(network, board, LANES, CLOCK_MHZ, Path(folder))
        design.synthesise(find("yosys"))
        for seed in SEEDS:
            placed = design.place(nextpnr, seed)
            used = {name: entry["used"] for name, entry in placed["utilization"].items()}
            area = design.resources(used, design.cells)
            row = {
                "seed": seed,
                "LUTs": area["luts"],
                "FFs": area["ffs"],
                "BRAMs": area["brams"],
                "Fmax MHz": round(fmax_mhz(placed), 2),
            }
            print(row, flush=True)
            rows.append(row)
    median = statistics.median(row["Fmax MHz"] for row in rows)
    notes = [
        f"Median: {median:.2f} MHz.  {nextpnr.name} {nextpnr.version}, asked for {CLOCK_MHZ:g} MHz."
    ]
    return Result("Clock by seed", rows, notes)
