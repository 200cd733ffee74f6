"""What learning costs on a board: the same network, board, lanes and seed, frozen and learning.

The network of `unsupervised`: 784 inputs, 100 neurons, 78,400 weights of 9 bits and 8 more of fraction, normalised
after each image, on a ULX3S; and 64 inputs, 20 neurons on an iCEBreaker, without normalisation, for whose dividers and
products it has no room.  What is frozen has the same weights, which can be loaded, too.  Cycles are those of images
that spike at a rate: random ones, here, without a data set.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from lifline import encoders, golden, rtl
from lifline.boards.board import find_board
from lifline.boards.estimate import estimate

from .builds import Job, reports
from .measure import SEED, Options, Result
from .unsupervised import MAX_RATE, TICKS, untaught

#: Inputs, neurons, board, lanes, and the clock that is asked for, in MHz.
CASES = ((784, 100, "ulx3s", 10, 80.0), (64, 20, "icebreaker", 1, 24.0))

#: With so many inputs, weights are normalised.
NORMALISED = 784

IMAGES = 4


def run(options: Options) -> Result:
    cases = CASES[1:] if options.quick else CASES
    jobs = [_job(*case, learn=learn) for case in cases for learn in (False, True)]
    rows = [_row(job, report) for job, report in zip(jobs, reports(options, jobs), strict=True)]
    notes = [
        "Cycles of an image: the mean of random ones; learned from: with what `clear` takes after each.",
        "Images a second at Fmax, by these cycles; a line at 3 Mbaud carries fewer.",
    ]
    settings = {"seed of place and route": SEED, "ticks": TICKS, "rate at most": MAX_RATE}
    return Result("What learning costs on a board", rows, notes, settings=settings)


def images(inputs: int) -> np.ndarray:
    """Spikes of images of which a fifth of the pixels is lit, as of digits."""
    rng = np.random.default_rng(SEED)
    lit = rng.random((IMAGES, inputs)) * (rng.random((IMAGES, inputs)) < 0.2)
    return encoders.rate(lit, TICKS, rng, MAX_RATE)


def _job(inputs: int, neurons: int, board: str, lanes: int, clock_mhz: float, *, learn: bool) -> Job:
    how = "learns" if learn else "frozen"
    network = untaught(inputs, neurons, 0)
    if inputs < NORMALISED:
        first, *others = network.projections
        rule = dataclasses.replace(first.plasticity, total=None)
        first = dataclasses.replace(first, plasticity=rule)
        network = dataclasses.replace(network, projections=[first, *others])
    name = f"learning-{inputs}-{neurons}-{board}-{lanes}-{how}"
    return Job(name, network, board, {"excitatory": lanes}, clock_mhz, load=True, learn=learn)


def _row(job: Job, report: dict[str, Any] | None) -> dict[str, Any]:
    lanes, built = dict(job.lanes), report or {}
    estimated = estimate(job.network, find_board(job.board), lanes, load=True, learn=job.learn)
    spikes = images(job.network.inputs)
    cycles = _cycles(job, spikes, learn=False)
    row = {"cycles an image": cycles, "learned from": None}
    if job.learn:
        cycles = _cycles(job, spikes, learn=True) + rtl.settling(job.network, lanes)
        row["learned from"] = cycles
    fmax = built.get("fmax_mhz")
    return {
        "network": f"{job.network.inputs} → {job.network.size(job.network.output)}",
        "board": job.board,
        "lanes": lanes["excitatory"],
        "": "learns" if job.learn else "frozen",
        "LUTs": built.get("luts"),
        "estimated": estimated["luts"],
        "FFs": built.get("ffs"),
        "block RAMs": built.get("brams"),
        "DSPs": built.get("dsps"),
        "Fmax MHz": fmax,
        **row,
        "images a second": fmax and fmax * 1e6 / cycles,
    }


def _cycles(job: Job, spikes: np.ndarray, *, learn: bool) -> float:
    """Of an image that is learned from, or not, on the mean."""
    recording = golden.simulate(job.network, spikes, learn=learn)
    activity = {"input": spikes, **recording.spikes}
    cycles = rtl.cycles(
        job.network, dict(job.lanes), activity, learn=job.learn, frozen=job.learn and not learn
    )
    return float(np.mean(cycles))
