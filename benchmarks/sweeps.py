"""How clock cycles grow with one property after the other: the cycle model, Verilator, and a law."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lifline import golden, rtl
from lifline.network import INPUT, Network

from . import gateware
from .measure import Options, Result
from .plots import panels

#: What varies, over which values, and those of them that are simulated.
Sweeps = Mapping[str, tuple[Sequence[int], Sequence[int]]]


def sweep(
    options: Options,
    plot: str,
    title: str,
    notes: list[str],
    *,
    sweeps: Sweeps,
    usual: Mapping[str, int],
    quick: tuple[str, int],
    ticks: int,
    case: Callable[[dict[str, int]], tuple[Network, np.ndarray, int, float]],
) -> Result:
    """The cycles of one sample for each value of each property.

    Parameters
    ----------
    plot : str
        The name of the file that shows them.
    usual : mapping of str to int
        Each property where it does not vary.
    quick : (str, int)
        The property and value that are simulated where little time is.
    ticks : int
        Of the sample.
    case : callable
        From the properties to a network, its spikes (1, ticks, inputs), its lanes, and the cycles of a tick by the law.
    """
    rows = []
    checked = 0
    for varied, (values, simulated) in sweeps.items():
        for value in values:
            network, spikes, lanes, law = case({**usual, varied: value})
            activity = {INPUT: spikes, **golden.simulate(network, spikes).spikes}
            cycles = int(rtl.cycles(network, lanes, activity)[0])
            row = {"varied": varied, "value": value, "cycles": cycles, "simulated": None}
            if (varied, value) == quick if options.quick else value in simulated:
                row["simulated"] = int(gateware.simulate(network, spikes, lanes).cycles[0])
                checked += 1
            row["law"] = round(ticks * law)
            rows.append(row)
    panels(
        options.folder / plot,
        {varied: [row for row in rows if row["varied"] == varied] for varied in sweeps},
        x="value",
        points={"cycles": "cycle model", "simulated": "Verilator"},
        line="law",
        label=f"clock cycles of {ticks} ticks",
    )
    return Result(title, rows, notes, cycles_as_modelled=checked, plots=[plot])


def constant_spikes(inputs: int, ticks: int, events: int, seed: int) -> np.ndarray:
    """One sample in which so many inputs spike in each tick: uint8 (1, ticks, inputs)."""
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.tile(np.arange(inputs), (1, ticks, 1)), axis=2)
    return (order < events).astype(np.uint8)
