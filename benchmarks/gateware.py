"""Simulated gateware, compared with the golden model and the cycle model in every run."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from lifline import golden, rtl
from lifline.errors import LiflineError
from lifline.network import INPUT, Network
from lifline.rtl.plan import Lanes
from lifline.sim.simulation import Simulator


@dataclasses.dataclass(frozen=True)
class Run:
    """What a simulation in Verilator gave, and how many seconds of wall time each part took."""

    cycles: np.ndarray  #: int64 (samples,)
    recording: golden.Recording
    compiling: float
    simulating: float
    golden: float
    comparing: float


def simulate(network: Network, spikes: np.ndarray, lanes: Lanes, *, optimise: bool = False) -> Run:
    """Run `spikes`, (samples, ticks, inputs), with all cores.

    Raises
    ------
    LiflineError
        If any spike, membrane or count of cycles is not the models'.
    """
    with TemporaryDirectory(prefix="lifline-") as folder:
        start = time.perf_counter()
        simulator = Simulator(network, Path(folder), lanes=lanes, optimise=optimise, compiled=True)
        compiled = time.perf_counter()
        outcome = simulator.run(spikes)
        simulated = time.perf_counter()
    expected = golden.simulate(network, spikes)
    modelled = time.perf_counter()
    recording = outcome.recording
    if outcome.problem:
        raise LiflineError(outcome.problem)
    for name, membrane in expected.membrane.items():
        if not (
            np.array_equal(membrane, recording.membrane[name])
            and np.array_equal(expected.spikes[name], recording.spikes[name])
        ):
            raise LiflineError(
                f"{network.name}: the gateware's '{name}' differs from golden; run  lifline verify"
            )
    compared = time.perf_counter()
    if not np.array_equal(
        recording.cycles, rtl.cycles(network, lanes, {INPUT: spikes, **expected.spikes})
    ):
        raise LiflineError(f"{network.name}: the simulated cycles are not the cycle model's")
    return Run(
        recording.cycles,
        expected,
        compiled - start,
        simulated - compiled,
        modelled - simulated,
        compared - modelled,
    )
