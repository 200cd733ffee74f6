"""Rules beside STDP: by hand, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lifline import (
    LIF,
    SDSP,
    STDP,
    Dense,
    InputError,
    Network,
    NetworkError,
    Population,
    Projection,
    RewardSTDP,
    golden,
)
from lifline.golden import rules
from lifline.golden.plasticity.rounding import random
from lifline.plasticity import Plasticity

from .test_learning import RULE, decayed, one_synapse, pair

REWARD = RewardSTDP(RULE, alpha=250, shift=4)


def learned(rule: Plasticity, spikes: np.ndarray, reward: object = None, weight: int = 0) -> int:
    """w of the one synapse after these spikes."""
    network = one_synapse(RULE, weight)
    first = dataclasses.replace(network.projections[0], plasticity=rule)
    network = dataclasses.replace(network, projections=[first, *network.projections[1:]])
    recording = golden.simulate(network, spikes, learn=True, reward=reward)  # type: ignore[arg-type]
    assert recording.weights is not None
    return int(recording.weights[0][..., 0, 0].flat[-1])


@pytest.mark.parametrize("reward", [0, 16, 32, -48])
def test_a_reward_changes_the_weight_by_what_is_left_of_the_pair(reward: int) -> None:
    eligibility = decayed(250, 40 - 1 - 9, 16 * decayed(240, 4) >> 4)
    assert learned(REWARD, pair(5, 9, 40), reward) == reward * eligibility >> 4


def test_an_eligibility_saturates() -> None:
    spikes = np.ones((30, 2), np.uint8)
    rule = RewardSTDP(dataclasses.replace(RULE, eta_minus=0), 256, 0, eligibility_bits=8)
    assert learned(rule, spikes, 1) == 127


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ([1], -7),  # from rest
        ([2, 1], 20),  # the second input has raised the membrane to 100
        ([3, 0], -7),  # what it does in the same tick comes too late
        ([1, 2, 1], 13),
    ],
)
def test_a_spike_moves_a_weight_by_the_membrane_that_it_finds(inputs: list[int], expected: int) -> None:
    """`inputs`: of each tick, bit 0 and 1."""
    rule = SDSP(250, 64, 99, 20, 7, fraction_bits=0)
    network = Network(
        2,
        [Population("out", 1, LIF(256, 2**14, membrane_bits=17))],
        [
            Projection("input", "out", Dense([[0], [0]]), rule),
            Projection("input", "out", Dense([[0], [100]])),
        ],
        "out",
    )
    spikes = np.array([[tick & 1, tick >> 1] for tick in inputs], np.uint8)
    recording = golden.simulate(network, spikes, learn=True)
    assert recording.weights is not None
    assert recording.weights[0][0, 0] == expected


def test_calcium_says_whether_a_synapse_may_change() -> None:
    rule = SDSP(255, 64, -1, 5, 0, up_low=60, up_high=64, fraction_bits=0)
    assert learned(rule, pair(20, 10)) == 0  # 64 · (255/256)^10, each time rounded down: 54
    assert learned(rule, pair(12, 10)) == 5
    assert learned(rule, pair(10, 10)) == 0  # this spike's calcium comes after
    ends = {"fraction_bits": 0, "low": -9, "high": 9}
    left = 255 * 64 >> 8  # a tick after the target's spike
    for low, high, inside in ((left, left + 1, 1), (left + 1, left + 2, 0), (0, left, 0)):
        up = SDSP(255, 64, -1, 5, 0, up_low=low, up_high=high, **ends)
        down = SDSP(255, 64, 0, 0, 3, down_low=low, down_high=high, **ends)
        assert learned(up, pair(11, 10)) == 5 * inside
        assert learned(down, pair(11, 10)) == -3 * inside


def test_weights_drift_apart() -> None:
    rule = SDSP(0, 1, 0, 0, 0, drift_up=3, drift_down=2, middle=4, low=-10, high=20, fraction_bits=0)
    silent = np.zeros((4, 2), np.uint8)
    assert learned(rule, silent, weight=5) == 5 + 4 * 3
    assert learned(rule, silent, weight=4) == 4 - 4 * 2
    assert learned(rule, np.zeros((40, 2), np.uint8), weight=4) == -10


def test_stochastic_rounding_is_right_on_average() -> None:
    """A pair is worth 0.31 of a step, which each of a thousand synapses gets or does not, in 20 samples."""
    rule = STDP(255, 0, 256, 5, 0, 12, fraction_bits=0, rounding="stochastic", seed=7)
    network = Network(
        1001,
        [Population("out", 1, LIF(0, 2**14, reset="zero", membrane_bits=17))],
        [
            Projection("input", "out", Dense(np.zeros((1001, 1), int)), rule),
            Projection("input", "out", Dense([[0]] * 1000 + [[2**15 - 1]], 0, 16)),
        ],
        "out",
    )
    spikes = np.zeros((20, 2, 1001), np.uint8)
    spikes[:, 0, :1000] = spikes[:, 1, 1000] = 1
    recording = golden.simulate(network, spikes, learn=True)
    assert recording.weights is not None
    assert recording.network is not None
    w = recording.weights[0][-1, :1000, 0]
    share = 5 * 255 / 2**12
    assert abs(w.mean() - 20 * share) < 3 * np.sqrt(20 * share * (1 - share) / 1000)
    assert abs(w.var() / (20 * share * (1 - share)) - 1) < 0.2
    assert recording.network.projections[0].plasticity.seed == 27  # type: ignore[union-attr]


def test_the_random_numbers_are_those_of_the_documented_hash() -> None:
    """Worked out by another program, in C's uint32_t."""
    hashes = [[895169671, 2948128662], [2943204143, 35416825]]
    sources, targets = np.array([0, 5]), np.array([0, 9])
    found = random(7, 3, sources, targets, 32)
    assert found.tolist() == hashes
    rule = dataclasses.replace(RULE, rounding="stochastic", seed=7)
    assert rules.random(rule, 31, 3, 5, 9) == hashes[1][1] >> 1
    assert rules.random(rule, 0, 3, 5, 9) == 0


@pytest.mark.parametrize(
    ("rule", "learn", "reward", "message"),
    [
        (REWARD, True, None, "reward is missing: RewardSTDP learns by a signal at the end of each sample; give 2"),
        (REWARD, True, 3, "reward: shape is (), must be (2,), one for each sample"),
        (REWARD, True, [1.0, 2.0], "reward: dtype is float64, must be an integer type"),
        (REWARD, True, [1, 2**15], "reward: 32768 for sample 1, must be in -32768 … 32767"),
        (REWARD, False, [1, 2], "reward is given, but only learning needs one; leave it out"),
        (RULE, True, [1, 2], "reward is given, but no rule of the network needs one; leave it out"),
    ],
)  # fmt: skip
def test_rewards_that_are_refused(rule: Plasticity, learn: bool, reward: object, message: str) -> None:
    network = one_synapse(RULE)
    first = dataclasses.replace(network.projections[0], plasticity=rule)
    network = dataclasses.replace(network, projections=[first])
    for witness in (golden.simulate, golden.reference.simulate):
        with pytest.raises(InputError) as error:
            witness(network, np.zeros((2, 3, 2), np.uint8), learn, reward)  # type: ignore[operator]
        assert message in str(error.value)


def test_a_rule_of_pairs_needs_its_pairs() -> None:
    with pytest.raises(NetworkError, match="RewardSTDP: pairs must be of type STDP, not None"):
        RewardSTDP(None, 250, 4)  # type: ignore[arg-type]
