"""How clock cycles grow with events, neurons, lanes and delays: the cycle model, Verilator, and the law.

An array adds one row of `lanes` synapses a cycle, and sweeps its neurons while the next tick's events come.
With E events a tick, G = ⌈neurons / lanes⌉ groups and T ticks that is the law T · max(E · G + 1, G, 3), the 1
being the tick's marker.  A ring of accumulators, for delays, is swept before the next tick's events are
added: T · (E · G + 1 + G).  What is beyond the law comes once a sample: the last sweep, one cycle for each
spike that it sends, and some twenty cycles of pipeline.
"""

from __future__ import annotations

import numpy as np

from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import LIF
from lifline.synapses import Dense

from .measure import SEED, Options, Result
from .sweeps import Sweeps, constant_spikes, sweep

TICKS, INPUTS, NEURONS, EVENTS, LANES = 20, 256, 256, 16, 32

SWEEPS: Sweeps = {
    "events": ((0, 1, 2, 4, 8, 16, 32, 64, 128, 256), (0, 1, 8, 256)),
    "neurons": ((16, 32, 64, 128, 256, 512, 1024), (16, 64, 256)),
    "lanes": ((1, 2, 4, 8, 16, 32, 64, 128, 256), (1, 8, 64)),
    "delays": ((0, 1, 3, 7, 15, 31, 63), (1, 15, 63)),
}


def run(options: Options) -> Result:
    return sweep(
        options,
        "growth.png",
        f"Clock cycles of one array, {TICKS} ticks",
        [
            f"Where it does not vary: {EVENTS} events a tick, {NEURONS} neurons, {LANES} lanes, no delays "
            "(delays: each synapse its own, up to the value).",
            "Law: ticks · max(events · groups + 1, groups, 3) with ⌈neurons / lanes⌉ groups; with delays, "
            "ticks · (events · groups + 1 + groups).",
        ],
        sweeps=SWEEPS,
        usual={"events": EVENTS, "neurons": NEURONS, "lanes": LANES, "delays": 0},
        quick=("delays", 1),
        ticks=TICKS,
        case=_case,
    )


def _case(shape: dict[str, int]) -> tuple[Network, np.ndarray, int, float]:
    lanes = min(shape["lanes"], shape["neurons"])
    groups = -(-shape["neurons"] // lanes)
    adding = shape["events"] * groups + 1
    law = adding + groups if shape["delays"] else max(adding, groups, 3)
    network = _network(shape["neurons"], shape["delays"])
    return network, constant_spikes(INPUTS, TICKS, shape["events"], SEED), lanes, law


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
