"""How clock cycles grow with map, channels, kernel and lanes of a convolution: the cycle model, Verilator, the law.

An event takes a row for each position on which the kernel meets it, and each group of P lanes of the C channels
out, so G = ⌈C / P⌉.  With stride 1, and padding r = ⌊k / 2⌋ that keeps the map of n · n, these are on average
(k − r · (r + 1) / n)² positions: k², less what hangs over the edge.  With E events in each of T ticks that is
T · (E · (k − r · (r + 1) / n)² · G + 1), or T · (n² · G + 2), the sweep of all groups, where that is more.  What is
beyond the law comes once a sample: the last sweep, its spikes and the pipeline; and the events lie where they lie.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lifline import golden, rtl
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import LIF
from lifline.synapses import Convolution

from . import gateware
from .measure import SEED, Options, Result
from .plots import panels

TICKS, SIZE, CHANNELS_IN, CHANNELS, KERNEL, LANES, EVENTS = 10, 12, 4, 16, 3, 8, 24

#: What varies, over which values, and those of them that are simulated.
SWEEPS: dict[str, tuple[Sequence[int], Sequence[int]]] = {
    "map": ((6, 8, 12, 16, 24, 32), (6, 16)),
    "channels": ((4, 8, 16, 32, 64), (4, 32)),
    "kernel": ((1, 3, 5, 7), (1, 5)),
    "lanes": ((1, 2, 4, 8, 16), (1, 16)),
    "events": ((0, 8, 24, 64, 144), (0, 144)),
}


def run(options: Options) -> Result:
    rows = []
    checked = 0
    for varied, (values, simulated) in SWEEPS.items():
        for value in values:
            shape = {
                "map": SIZE, "channels": CHANNELS, "kernel": KERNEL, "lanes": LANES, "events": EVENTS,
            } | {varied: value}  # fmt: skip
            shape["lanes"] = min(shape["lanes"], shape["channels"])
            network, spikes = _network(shape), _spikes(shape)
            activity = {INPUT: spikes, **golden.simulate(network, spikes).spikes}
            cycles = int(rtl.cycles(network, shape["lanes"], activity)[0])
            row = {"varied": varied, "value": value, "cycles": cycles, "simulated": None}
            if (varied, value) == ("map", 6) if options.quick else value in simulated:
                row["simulated"] = int(gateware.simulate(network, spikes, shape["lanes"]).cycles[0])
                checked += 1
            groups = -(-shape["channels"] // shape["lanes"])
            padding = shape["kernel"] // 2
            met = (shape["kernel"] - padding * (padding + 1) / shape["map"]) ** 2
            adding = shape["events"] * met * groups + 1
            row["law"] = round(TICKS * max(adding, shape["map"] ** 2 * groups + 2))
            rows.append(row)
    panels(
        options.folder / "convolution_cycles.png",
        {varied: [row for row in rows if row["varied"] == varied] for varied in SWEEPS},
        x="value",
        points={"cycles": "cycle model", "simulated": "Verilator"},
        line="law",
        label=f"clock cycles of {TICKS} ticks",
    )
    return Result(
        f"Clock cycles of one convolution, {TICKS} ticks",
        rows,
        [
            f"Where it does not vary: a map of {SIZE} · {SIZE} · {CHANNELS_IN}, {CHANNELS} channels out, a kernel of "
            f"{KERNEL} · {KERNEL} with stride 1 and padding, {LANES} lanes, {EVENTS} events a tick.",
            "Law: ticks · max(events · (kernel − r · (r + 1) / map)² · groups + 1, map² · groups + 2) with "
            "r = ⌊kernel / 2⌋ and ⌈channels / lanes⌉ groups a position.",
        ],
        cycles_as_modelled=checked,
        plots=["convolution_cycles.png"],
    )


def _network(shape: dict[str, int]) -> Network:
    rng = np.random.default_rng(SEED)
    size, channels, kernel = shape["map"], shape["channels"], shape["kernel"]
    weights = rng.integers(-128, 128, (kernel, kernel, CHANNELS_IN, channels))
    return Network(
        (size, size, CHANNELS_IN),
        [Population("output", (size, size, channels), LIF(beta=243, threshold=1000))],
        [Projection(INPUT, "output", Convolution(weights, padding=kernel // 2))],
        output="output",
        name=f"{size}x{size}x{CHANNELS_IN}-{channels}c{kernel}",
    )


def _spikes(shape: dict[str, int]) -> np.ndarray:
    """One sample in which so many inputs spike in each tick."""
    inputs = shape["map"] ** 2 * CHANNELS_IN
    rng = np.random.default_rng(SEED)
    order = rng.permuted(np.tile(np.arange(inputs), (1, TICKS, 1)), axis=2)
    return (order < shape["events"]).astype(np.uint8)
