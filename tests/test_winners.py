"""Populations of which only the strongest spike: by hand, random networks, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lifline import (
    LIF,
    Dense,
    InputError,
    Izhikevich,
    Network,
    NetworkError,
    Population,
    Projection,
    golden,
)
from lifline.convert import ConversionError, to_nir, to_snntorch
from lifline.rtl.fit import check_same_shape
from lifline.train import SpikingNetwork, integer_forward

from .networks import random_network, random_spikes, with_winners
from .toy_kind import Refractory


@pytest.mark.parametrize("first", range(0, 120, 40))
def test_all_witnesses_let_the_same_neurons_win(first: int, tmp_path: Path) -> None:
    held = 0
    for seed in range(first, first + 40):
        rng = np.random.default_rng([7, seed])
        free = random_network(rng, max_delay=5)
        network = with_winners(rng, free)
        spikes = random_spikes(rng, network, 2, 12)
        expected = golden.reference.simulate(network, spikes)
        assert expected.compare(golden.simulate(network, spikes), network) is None, f"seed {seed}"
        assert expected.compare(integer_forward(network, spikes), network) is None, f"seed {seed}"
        held += golden.simulate(free, spikes).compare(expected) is not None
        network.save(tmp_path / "network.npz")
        assert Network.load(tmp_path / "network.npz") == network
    assert held > 15


def winners_of(neuron: LIF | Izhikevich, drive: list[int], winners: int | None) -> list[int]:
    """Which neurons spike in the first tick with these inputs."""
    size = len(drive)
    network = Network(
        1,
        [Population("p", size, neuron, winners=winners)],
        [Projection("input", "p", Dense([drive], 0, 16))],
        "p",
    )
    spikes = np.ones((1, 1), np.uint8)
    expected = golden.reference.simulate(network, spikes)
    assert expected.compare(golden.simulate(network, spikes), network) is None
    return [int(i) for i in np.flatnonzero(expected.spikes["p"])]


def test_the_neurons_furthest_above_their_thresholds_win() -> None:
    neuron = LIF(0, [10, 20, 30, 40, 10], reset="zero")
    drive = [15, 30, 45, 40, 25]  # above by 5, 10, 15, 0, 15
    assert winners_of(neuron, drive, None) == [0, 1, 2, 4]
    assert winners_of(neuron, drive, 1) == [2]
    assert winners_of(neuron, drive, 2) == [2, 4]
    assert winners_of(neuron, drive, 3) == [1, 2, 4]
    assert winners_of(neuron, drive, 5) == [0, 1, 2, 4]


def test_those_that_do_not_win_keep_their_membrane() -> None:
    network = Network(
        1,
        [Population("p", 3, LIF(256, 10, adaptation=None, reset="subtract"), winners=1)],
        [Projection("input", "p", Dense([[12, 13, 5]]))],
        "p",
    )
    recording = golden.simulate(network, np.array([[1], [0], [0]], np.uint8))
    assert recording.spikes["p"].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert recording.membrane["p"].tolist() == [[12, 3, 5], [2, 3, 5], [2, 3, 5]]


@pytest.mark.parametrize(
    ("winners", "message"),
    [
        (0, "population 'p': winners must be in 1 … 3, not 0"),
        (4, "population 'p': winners must be in 1 … 3, not 4"),
        (True, "population 'p': winners must be an integer, not True"),
    ],
)
def test_bad_winners(winners: object, message: str) -> None:
    with pytest.raises(NetworkError) as error:
        Population("p", 3, LIF(1, 1), winners=winners)
    assert str(error.value) == message


def test_kinds_that_cannot_be_ranked_have_no_winners() -> None:
    with pytest.raises(NetworkError, match="Refractory neurons cannot be ranked"):
        Population("p", 3, Refractory(1), winners=1)


def test_gateware_is_built_for_so_many_winners() -> None:
    one, two = (
        Network(
            1, [Population("p", 3, LIF(1, 1), winners=k)], [Projection("input", "p", [[1, 2, 3]])], "p"
        )
        for k in (1, 2)
    )
    with pytest.raises(InputError, match="winners of 'p': 2, the design was built for 1"):
        check_same_shape(one, two)
    with pytest.raises(
        NetworkError, match="Refractory neurons have no winners in gateware: their kind needs"
    ):
        _ = Refractory(1).margin_bits


def test_training_and_other_simulators_have_none() -> None:
    network = Network(
        1, [Population("p", 2, LIF(1, 1), winners=1)], [Projection("input", "p", [[1, 2]])], "p"
    )
    with pytest.raises(NetworkError, match="population 'p': training has no winners; leave them out"):
        SpikingNetwork.from_network(network)
    with pytest.raises(ConversionError, match="population 'p': NIR has no winners; leave them out"):
        to_nir(network)
    with pytest.raises(ConversionError, match="lifline's winners are not snnTorch's inhibition"):
        to_snntorch(network)


def test_a_network_says_how_many_win() -> None:
    network = Network(
        1, [Population("p", 3, LIF(1, 1), winners=2)], [Projection("input", "p", [[1, 2, 3]])], "p"
    )
    assert "LIF, subtract, 2 winners" in network.summary()
    assert repr(network["p"]).endswith(", winners=2)")
