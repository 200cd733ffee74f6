"""The gateware against the golden model and the cycle model, over random networks.

Every network gets lanes of its own for each population, and is run twice: with random stalls at both ends,
then without, when the simulated cycles must be those of the model.  Every second network is one of maps:
convolutions, pools, sparse synapses and graded inputs.  Every tenth has up to 40 lanes, for which the encoder
needs a second level.

``LIFLINE_MAPS`` runs so many others instead, all of maps, in each simulator, from the seed ``LIFLINE_MAPS_SEED``
on, 10,001 by default.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lifline import golden, rtl
from lifline.network import Network
from lifline.rtl.plan import block_of
from lifline.sim import Simulator, explain

from ..networks import random_network, random_spikes
from ..shaped_networks import random_shaped_network

pytestmark = pytest.mark.slow

NETWORKS = {"verilator": 80, "icarus": 20}
SAMPLES = 2
DENSE_TICKS, SHAPED_TICKS = 48, 24  # more than the longest delay


def seeds(backend: str, first: int) -> range:
    """Those of a simulator's networks; odd ones are of maps."""
    maps = int(os.environ.get("LIFLINE_MAPS", "0"))
    if maps:
        first = int(os.environ.get("LIFLINE_MAPS_SEED", "10001")) | 1
        return range(first, first + 2 * maps, 2)
    return range(first, first + NETWORKS[backend])


def drawn(rng: np.random.Generator, seed: int) -> tuple[Network, dict[str, int], int]:
    """The network of a seed, its lanes and the ticks of its samples."""
    if seed % 2:
        network = random_shaped_network(rng)
        most = {p.name: block_of(network, p) for p in network.populations}
        return network, {n: int(rng.integers(1, m + 1)) for n, m in most.items()}, SHAPED_TICKS
    wide = seed % 10 == 8
    network = random_network(rng, max_size=40 if wide else 12)
    lanes = {p.name: p.size if wide else int(rng.integers(1, p.size + 1)) for p in network.populations}
    return network, lanes, DENSE_TICKS


def run_scenario(backend: str, seed: int, directory: Path) -> None:
    """Simulate the network of a seed on a backend, both ways."""
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    network, lanes, ticks = drawn(rng, seed)
    spikes = random_spikes(rng, network, SAMPLES, ticks)
    print(f"lanes {lanes}")
    expected = golden.simulate(network, spikes)
    simulator = Simulator(network, directory, backend=backend, lanes=lanes)
    runs = [(sample, seed) for sample in range(SAMPLES)] + [(sample, None) for sample in range(SAMPLES)]
    outcome = simulator.run(spikes, runs, expected=expected, seed=seed)

    assert outcome.problem is None
    actual = outcome.recording
    twice = expected[list(range(SAMPLES)) * 2]
    divergence = twice.compare(actual, network)
    both = np.concatenate([spikes, spikes])
    assert divergence is None, f"{divergence}\n{explain(network, both, twice, divergence)}"
    assert outcome.mismatch is None
    assert np.array_equal(actual.classes, twice.classes)
    modelled = rtl.cycles(network, lanes, {"input": spikes, **expected.spikes})
    assert np.array_equal(actual.cycles[SAMPLES:], modelled)


@pytest.mark.verilator
@pytest.mark.parametrize("seed", seeds("verilator", 0))
def test_equals_golden_in_verilator(seed: int, tmp_path: Path) -> None:
    run_scenario("verilator", seed, tmp_path)


@pytest.mark.icarus
@pytest.mark.parametrize("seed", seeds("icarus", 1000))
def test_equals_golden_in_icarus(seed: int, tmp_path: Path) -> None:
    run_scenario("icarus", seed, tmp_path)
