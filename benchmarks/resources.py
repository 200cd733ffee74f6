"""How an FPGA fills, and how fast it can be clocked, with lanes and neurons: builds for the ULX3S (ECP5-85F).

Networks of N-N-10; the lanes are those of the middle population.  Beside each build stands the estimate by which
``lifline build`` chooses lanes.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from lifline.boards.board import find_board
from lifline.boards.estimate import estimate

from .builds import Job, reports
from .inputs import feed_forward
from .measure import SEED, Options, Result
from .plots import panels

BOARD = "ulx3s"

#: (neurons, lanes, bits of a weight); 1,024 × 1,024 weights of 2 bits are what its block RAM holds.
BY_LANES = [(64, 1, 8), (64, 4, 8), (64, 16, 8), (64, 64, 8)]
BY_NEURONS = [(16, 8, 8), (64, 8, 8), (256, 8, 8), (512, 8, 8), (1024, 8, 2)]
LARGEST = [(256, 64, 8), (1024, 1024, 2)]


def run(options: Options) -> Result:
    parts = [shapes[:1] if options.quick else shapes for shapes in (BY_LANES, BY_NEURONS, LARGEST)]
    shapes = [shape for part in parts for shape in part]
    jobs = [_job(*shape) for shape in shapes]
    rows = iter(
        _row(*shape, job, report)
        for shape, job, report in zip(shapes, jobs, reports(options, jobs), strict=True)
    )
    lanes, neurons, largest = (list(itertools.islice(rows, len(part))) for part in parts)
    groups = {
        "lanes (64 neurons)": [row | {"value": row["lanes"]} for row in lanes],
        "neurons (8 lanes)": [row | {"value": row["neurons"]} for row in neurons],
    }
    plots = []
    for column, law, label in (
        ("LUTs", "estimated LUTs", "look-up tables"),
        ("BRAMs", "estimated BRAMs", "block RAMs"),
        ("Fmax MHz", None, "Fmax (MHz)"),
    ):
        name = f"resources-{column.split()[0].lower()}.png"
        points = {column: "placed and routed"}
        panels(options.folder / name, groups, x="value", points=points, line=law, label=label)
        plots.append(name)
    return Result(
        f"Area and clock on {find_board(BOARD).title}, N-N-10",
        lanes + neurons + largest,
        [
            "The law is the estimate: LUTs grow with the lanes, block RAMs with the N × N weights.",
            "Where there is no Fmax the design does not fit, or was not built.",
        ],
        settings={"board": BOARD, "seed of place and route": SEED},
        plots=plots,
    )


def _row(
    neurons: int, lanes: int, bits: int, job: Job, report: dict[str, Any] | None
) -> dict[str, Any]:
    estimated = estimate(job.network, find_board(BOARD), dict(job.lanes))
    built = report or {}
    return {
        "neurons": neurons,
        "lanes": lanes,
        "weight bits": bits,
        "LUTs": built.get("luts"),
        "estimated LUTs": estimated["luts"],
        "FFs": built.get("ffs"),
        "BRAMs": built.get("brams"),
        "estimated BRAMs": estimated["brams"],
        "Fmax MHz": built.get("fmax_mhz"),
    }


def _job(neurons: int, lanes: int, bits: int) -> Job:
    network = feed_forward(np.random.default_rng(SEED), neurons, neurons, 10, bits=bits)
    of_each = {"hidden1": lanes, "output": min(lanes, 10)}
    return Job(f"{network.name}-{lanes}", network, BOARD, of_each)
