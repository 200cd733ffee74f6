"""How the time of simulation grows with the size of a network: the golden model, and the gateware in Verilator.

A layer of N inputs and N neurons.  The golden model multiplies by N × N weights in each tick; the gateware, of
a fixed number of lanes, takes N / lanes cycles for each event, of which there are N · activity a tick.  Both
grow with N² where N is large: the law, drawn through the largest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lifline import golden

from . import gateware
from .inputs import feed_forward, independent
from .measure import SEED, Options, Result, milliseconds, side_by_side
from .plots import panels

TICKS, SAMPLES, ACTIVITY, LANES = 10, 64, 0.1, 16
SIZES, SIMULATED = (32, 64, 128, 256, 512, 1024, 2048), (32, 64, 128, 256, 512)
QUICK = (16, 32)


def run(options: Options) -> Result:
    rng = np.random.default_rng(SEED)
    in_golden: list[dict[str, Any]] = []
    in_verilator: list[dict[str, Any]] = []
    for size in QUICK if options.quick else SIZES:
        network = feed_forward(rng, size, size)
        spikes = independent(rng, ACTIVITY, SAMPLES, TICKS, size)
        calls = {"golden": lambda network=network, spikes=spikes: golden.simulate(network, spikes)}  # type: ignore[misc]
        times = side_by_side(calls, 1 if options.quick else 7)
        row: dict[str, Any] = {"simulator": "golden", "neurons": size}
        in_golden.append(row | {"µs a sample": milliseconds(times["golden"]) * 1000 / SAMPLES})
        if size in (QUICK[:1] if options.quick else SIMULATED):
            run = gateware.simulate(network, spikes, LANES, optimise=not options.quick)
            row = {
                "simulator": "Verilator",
                "neurons": size,
                "µs a sample": run.simulating * 1e6 / SAMPLES,
            }
            in_verilator.append(
                row | {"cycles a sample": float(run.cycles.mean()), "compiling s": run.compiling}
            )
    for rows in (in_golden, in_verilator):
        for row in rows:
            row["law"] = rows[-1]["µs a sample"] * (row["neurons"] / rows[-1]["neurons"]) ** 2
    panels(
        options.folder / "simulation.png",
        {"neurons (golden model)": in_golden, "neurons (Verilator)": in_verilator},
        x="neurons",
        points={"µs a sample": "measured"},
        line="law",
        label=f"µs a sample of {TICKS} ticks",
    )
    return Result(
        f"Time of simulation, N inputs to N neurons, {TICKS} ticks, {ACTIVITY:.0%} active",
        in_golden + in_verilator,
        [
            f"{SAMPLES} samples.  Golden: median of processor time, one thread.  Verilator: {LANES} lanes, wall "
            "time on all cores, without compiling.",
            "Law: N², through the largest.",
        ],
        cycles_as_modelled=SAMPLES * len(in_verilator),
        plots=["simulation.png"],
    )
