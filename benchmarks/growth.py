"""How clock cycles grow with events, neurons, lanes and delays: the cycle model, Verilator, and the law.

An array adds one row of `lanes` synapses a cycle, and sweeps its neurons while the next tick's events come.
With E events a tick, G = ⌈neurons / lanes⌉ groups and T ticks that is the law T · max(E · G + 1, G, 3), the 1
being the tick's marker.  A ring of accumulators, for delays, is swept before the next tick's events are
added: T · (E · G + 1 + G).  What is beyond the law comes once a sample: the last sweep, one cycle for each
spike that it sends, and some twenty cycles of pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lifline import golden, rtl
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import LIF
from lifline.synapses import Dense

from . import gateware
from .measure import SEED, Options, Result
from .plots import panels

TICKS, INPUTS, NEURONS, EVENTS, LANES = 20, 256, 256, 16, 32

#: What varies, over which values, and those of them that are simulated.
SWEEPS: dict[str, tuple[Sequence[int], Sequence[int]]] = {
    "events": ((0, 1, 2, 4, 8, 16, 32, 64, 128, 256), (0, 1, 8, 256)),
    "neurons": ((16, 32, 64, 128, 256, 512, 1024), (16, 64, 256)),
    "lanes": ((1, 2, 4, 8, 16, 32, 64, 128, 256), (1, 8, 64)),
    "delays": ((0, 1, 3, 7, 15, 31, 63), (1, 15, 63)),
}


def run(options: Options) -> Result:
    rows = []
    checked = 0
    for varied, (values, simulated) in SWEEPS.items():
        for value in values:
            shape = {"events": EVENTS, "neurons": NEURONS, "lanes": LANES, "delays": 0, varied: value}
            shape["lanes"] = min(shape["lanes"], shape["neurons"])
            network, spikes = _network(shape["neurons"], shape["delays"]), _spikes(shape["events"])
            activity = {INPUT: spikes, **golden.simulate(network, spikes).spikes}
            cycles = int(rtl.cycles(network, shape["lanes"], activity)[0])
            row = {"varied": varied, "value": value, "cycles": cycles, "simulated": None}
            if (varied, value) == ("delays", 1) if options.quick else value in simulated:
                row["simulated"] = int(gateware.simulate(network, spikes, shape["lanes"]).cycles[0])
                checked += 1
            groups = -(-shape["neurons"] // shape["lanes"])
            adding = shape["events"] * groups + 1
            row["law"] = TICKS * (adding + groups if shape["delays"] else max(adding, groups, 3))
            rows.append(row)
    panels(
        options.folder / "growth.png",
        {varied: [row for row in rows if row["varied"] == varied] for varied in SWEEPS},
        x="value",
        points={"cycles": "cycle model", "simulated": "Verilator"},
        line="law",
        label=f"clock cycles of {TICKS} ticks",
    )
    return Result(
        f"Clock cycles of one array, {TICKS} ticks",
        rows,
        [
            f"Where it does not vary: {EVENTS} events a tick, {NEURONS} neurons, {LANES} lanes, no delays "
            "(delays: each synapse its own, up to the value).",
            "Law: ticks · max(events · groups + 1, groups, 3) with ⌈neurons / lanes⌉ groups; with delays, "
            "ticks · (events · groups + 1 + groups).",
        ],
        cycles_as_modelled=checked,
        plots=["growth.png"],
    )


def _network(neurons: int, delays: int) -> Network:
    rng = np.random.default_rng(SEED)
    shape = (INPUTS, neurons)
    return Network(
        INPUTS,
        [Population("output", neurons, LIF(beta=243, threshold=1000))],
        [
            Projection(
                INPUT,
                "output",
                Dense(rng.integers(-128, 128, shape), rng.integers(0, delays + 1, shape)),
            )
        ],
        output="output",
        name=f"{INPUTS}-{neurons}",
    )


def _spikes(events: int) -> np.ndarray:
    """One sample in which so many inputs spike in each tick."""
    rng = np.random.default_rng(SEED)
    order = rng.permuted(np.tile(np.arange(INPUTS), (1, TICKS, 1)), axis=2)
    return (order < events).astype(np.uint8)
