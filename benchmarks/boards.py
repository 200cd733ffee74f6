"""Trained networks on boards: area, clock, and the time that a test sample takes.

Cycles are those of the cycle model, which every simulation here equals, over the task's test samples.  Beside
them stands what Spiker+ has published for MNIST.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lifline import rtl
from lifline.boards.board import find_board
from lifline.boards.estimate import choose_lanes
from lifline.golden import simulate
from lifline.network import INPUT, Network

from .builds import Job, reports
from .inputs import feed_forward
from .measure import SEED, Options, Result
from .trained import trained

#: (task, board, lanes or None for the default, clock in MHz or None for the board's)
DESIGNS: list[tuple[str, str, dict[str, int] | None, float | None]] = [
    ("digits", "icebreaker", None, None),
    ("digits", "hx8k", None, None),
    ("digits", "ulx3s", None, None),
    ("mnist", "ulx3s", {"hidden1": 32, "output": 10}, 125),
]

#: A. Carpegna, A. Savino, S. Di Carlo: Spiker+, IEEE Trans. Emerging Topics in Computing 2024, arXiv 2401.01141.
SPIKER = {
    "task": "mnist (Spiker+, published)",
    "accuracy": "93.85%",
    "BRAMs": 18,
    "µs a sample": 780.0,
}


def run(options: Options) -> Result:
    designs = DESIGNS[:1] if options.quick else DESIGNS
    tests = {task: _test(task, options) for task in dict.fromkeys(task for task, *_ in designs)}
    jobs = [
        Job(
            f"{task}-{board}",
            tests[task][0],
            board,
            lanes or choose_lanes(tests[task][0], find_board(board)),
            clock,
        )
        for task, board, lanes, clock in designs
    ]
    rows = []
    for job, (task, *_), report in zip(jobs, designs, reports(options, jobs), strict=True):
        _, spikes, labels = tests[task]
        recording = simulate(job.network, spikes)
        cycles = np.asarray(
            rtl.cycles(job.network, dict(job.lanes), {INPUT: spikes, **recording.spikes})
        )
        fmax = report["fmax_mhz"] if report else None
        row: dict[str, Any] = {
            "task": task,
            "board": job.board,
            "lanes": ", ".join(map(str, job.lanes.values())),
            "accuracy": f"{(recording.classes == labels).mean():.2%}",
            "LUTs": report and report["luts"],
            "FFs": report and report["ffs"],
            "BRAMs": report and report["brams"],
            "Fmax MHz": fmax,
            "clock MHz": report and report["clock_mhz"],
            "seed": report and report["tools"]["seed"],
            "cycles a sample": float(cycles.mean()),
            "most": int(cycles.max()),
            "µs a sample": fmax and float(cycles.mean()) / fmax,
            "at most": fmax and float(cycles.max()) / fmax,
        }
        rows.append(row)
    return Result(
        "Trained networks on boards",
        [*rows, SPIKER],
        [
            "µs at Fmax.  A design whose clock is missed is placed again with the next seed; Spiker+: arXiv 2401.01141."
        ],
        settings={"first seed of place and route": SEED},
    )


def _test(task: str, options: Options) -> tuple[Network, np.ndarray, np.ndarray]:
    if options.quick:
        rng = np.random.default_rng(SEED)
        network = feed_forward(rng, 16, 8, 4)
        return network, (rng.random((3, 4, 16)) < 0.2).astype(np.uint8), np.zeros(3, np.int64)
    return trained(task, options)
