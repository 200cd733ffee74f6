"""How clock cycles grow with map, channels, kernel and lanes of a convolution: the cycle model, Verilator, the law.

An event takes a row for each position on which the kernel meets it, and each group of P lanes of the C channels
out, so G = ⌈C / P⌉.  With stride 1, and padding r = ⌊k / 2⌋ that keeps the map of n · n, these are on average
(k − r · (r + 1) / n)² positions: k², less what hangs over the edge.  With E events in each of T ticks that is
T · (E · (k − r · (r + 1) / n)² · G + 1), or T · (n² · G + 2), the sweep of all groups, where that is more.  What is
beyond the law comes once a sample: the last sweep, its spikes and the pipeline; and the events lie where they lie.
"""

from __future__ import annotations

import numpy as np

from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import LIF
from lifline.synapses import Convolution

from .measure import SEED, Options, Result
from .sweeps import Sweeps, constant_spikes, sweep

TICKS, SIZE, CHANNELS_IN, CHANNELS, KERNEL, LANES, EVENTS = 10, 12, 4, 16, 3, 8, 24

SWEEPS: Sweeps = {
    "map": ((6, 8, 12, 16, 24, 32), (6, 16)),
    "channels": ((4, 8, 16, 32, 64), (4, 32)),
    "kernel": ((1, 3, 5, 7), (1, 5)),
    "lanes": ((1, 2, 4, 8, 16), (1, 16)),
    "events": ((0, 8, 24, 64, 144), (0, 144)),
}


def run(options: Options) -> Result:
    return sweep(
        options,
        "convolution_cycles.png",
        f"Clock cycles of one convolution, {TICKS} ticks",
        [
            f"Where it does not vary: a map of {SIZE} · {SIZE} · {CHANNELS_IN}, {CHANNELS} channels out, a kernel of "
            f"{KERNEL} · {KERNEL} with stride 1 and padding, {LANES} lanes, {EVENTS} events a tick.",
            "Law: ticks · max(events · (kernel − r · (r + 1) / map)² · groups + 1, map² · groups + 2) with "
            "r = ⌊kernel / 2⌋ and ⌈channels / lanes⌉ groups a position.",
        ],
        sweeps=SWEEPS,
        usual={"map": SIZE, "channels": CHANNELS, "kernel": KERNEL, "lanes": LANES, "events": EVENTS},
        quick=("map", 6),
        ticks=TICKS,
        case=_case,
    )


def _case(shape: dict[str, int]) -> tuple[Network, np.ndarray, int, float]:
    lanes = min(shape["lanes"], shape["channels"])
    groups = -(-shape["channels"] // lanes)
    padding = shape["kernel"] // 2
    met = (shape["kernel"] - padding * (padding + 1) / shape["map"]) ** 2
    law = max(shape["events"] * met * groups + 1, shape["map"] ** 2 * groups + 2)
    inputs = shape["map"] ** 2 * CHANNELS_IN
    return _network(shape), constant_spikes(inputs, TICKS, shape["events"], SEED), lanes, law


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
