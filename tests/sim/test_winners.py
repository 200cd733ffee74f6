"""Winners in gateware: against the golden model and the cycle model, with stalls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lifline import LIF, Dense, Network, Population, Projection, golden, rtl
from lifline.rtl.plan import block_of
from lifline.sim import simulate, verify

from ..networks import random_network, random_spikes, with_winners
from ..shaped_networks import random_shaped_network

pytestmark = pytest.mark.slow


def drawn(seed: int) -> tuple[Network, np.ndarray, dict[str, int]]:
    """A network, spikes and lanes; odd ones are of maps, whose groups end amid the lanes."""
    rng = np.random.default_rng([7, seed])
    if seed % 2:
        network = with_winners(rng, random_shaped_network(rng, max_size=24, max_delay=4))
    else:
        network = with_winners(rng, random_network(rng, max_delay=5, max_populations=2))
    spikes = random_spikes(rng, network, 2, 12)
    lanes = {p.name: int(rng.integers(1, block_of(network, p) + 1)) for p in network.populations}
    return network, spikes, lanes


@pytest.mark.icarus
@pytest.mark.parametrize("seed", range(8))
def test_the_same_neurons_win_in_icarus(seed: int, tmp_path: Path) -> None:
    network, spikes, lanes = drawn(seed)
    report = verify(network, backend="icarus", lanes=lanes, spikes=spikes, seed=seed, workdir=tmp_path)
    assert report.passed, report.text
    assert "cycles as modelled" in report.text


@pytest.mark.verilator
def test_many_neurons_of_equal_margins(tmp_path: Path) -> None:
    """Ties within a group and across groups, more and fewer above their thresholds than may win, in many groups."""
    rng = np.random.default_rng(5)
    network = Network(
        12,
        [
            Population("one", 50, LIF(230, 3), winners=1),
            Population("six", 50, LIF(230, 3), winners=6),
            Population("all", 5, LIF(230, 3, reset="zero"), winners=5),
        ],
        [
            Projection("input", "one", Dense(rng.integers(-1, 3, (12, 50)), 0, 3)),
            Projection("input", "six", Dense(rng.integers(-1, 3, (12, 50)), 0, 3)),
            Projection("one", "all", Dense(rng.integers(0, 3, (50, 5)), 0, 3)),
            Projection("six", "all", Dense(rng.integers(0, 3, (50, 5)), 0, 3)),
        ],
        "all",
    )
    spikes = (rng.random((3, 30, 12)) < 0.3).astype(np.uint8)
    lanes = {"one": 3, "six": 7, "all": 2}
    expected = golden.simulate(network, spikes)
    counts = expected.spikes["six"].sum(axis=2)
    assert counts.max() == 6
    assert (counts % 6).any()
    found = simulate(network, spikes, lanes=lanes, workdir=tmp_path)
    assert expected.compare(found, network) is None
    assert found.cycles is not None
    modelled = rtl.cycles(network, lanes, {"input": spikes, **expected.spikes})
    assert found.cycles.tolist() == modelled.tolist()
