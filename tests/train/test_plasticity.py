"""Learning in torch is the reference's, weight for weight."""

from __future__ import annotations

import numpy as np
import pytest

from lifline import golden
from lifline.train.learning import learn

from ..plastic import random_learning_network


@pytest.mark.parametrize("first", range(0, 300, 60))
def test_torch_learns_what_golden_learns(first: int) -> None:
    for seed in range(first, first + 60):
        rng = np.random.default_rng([2, seed])
        network, reward = random_learning_network(rng)
        spikes = rng.random((3, int(rng.integers(1, 16)), network.inputs)) < rng.random()
        expected = golden.simulate(network, spikes, True, reward, traces=True)
        found = learn(network, spikes, reward, traces=True)
        assert expected.compare(found, network) is None, f"seed {seed}"
        assert not any(expected.differing(found).values()), f"seed {seed}"
        assert expected.network == found.network, f"seed {seed}"
