"""``lifline simulate --learn``: what it learns, writes and says, and the host's rewards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lifline import (
    LIF,
    SDSP,
    STDP,
    Network,
    Population,
    Projection,
    Recording,
    RewardSTDP,
    golden,
)
from lifline.app.main import main
from lifline.files import write_npz
from lifline.plasticity import Plasticity

LEARN = ("simulate", "plastic.npz", "--learn", "--input", "in.npz", "--output", "out.npz")
PAIRS = STDP(240, 230, 256, 16, 12, 2)
RULES = {
    "STDP": PAIRS,
    "RewardSTDP": RewardSTDP(PAIRS, 250, 4),
    "SDSP": SDSP(250, 64, 20, 300, 200),
}
SPIKES = np.random.default_rng(5).integers(0, 2, (3, 12, 4)).astype(np.uint8)
REWARD = np.array([5, -3, 9])


def plastic(rule: Plasticity | None) -> Network:
    weights = np.arange(12).reshape(4, 3) + 5
    return Network(
        4,
        [Population("out", 3, LIF(220, 30), winners=2)],
        [Projection("input", "out", weights, plasticity=rule)],
        "out",
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_npz("in.npz", {"spikes": SPIKES, "reward": REWARD})
    write_npz("bare.npz", {"spikes": SPIKES})
    write_npz("rewards.npz", {"reward": 2 * REWARD})
    return tmp_path


@pytest.mark.parametrize("name", RULES)
def test_what_is_learned_is_written(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = plastic(RULES[name])
    network.save("plastic.npz")
    assert main([*LEARN, "--learned", "after.npz", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    expected = golden.simulate(network, SPIKES, True, REWARD if name == "RewardSTDP" else None)
    assert expected.weights is not None
    assert Network.load("after.npz") == expected.network
    assert (Recording.load("out.npz").weights[0] == expected.weights[0]).all()  # type: ignore[index]
    (found,) = shown["learning"]
    assert found["rule"] == name
    assert found["projection"] == "input -> out"
    assert found["weights"] == 12
    assert 0 < found["changed"] <= 12
    assert shown["learned"] == "after.npz"


def test_rewards_of_a_file_of_their_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = plastic(RULES["RewardSTDP"])
    network.save("plastic.npz")
    assert main([*LEARN, "--reward", "rewards.npz", "--learned", "after.npz"]) == 0
    assert "input -> out: RewardSTDP has changed " in capsys.readouterr().out
    assert Network.load("after.npz") == golden.simulate(network, SPIKES, True, 2 * REWARD).network


MISTAKES: dict[str, tuple[str, list[str], Callable[[], None] | None, str]] = {
    "no reward": (
        "RewardSTDP",
        ["--input", "bare.npz"],
        None,
        "bare.npz: reward is missing: RewardSTDP learns by a signal at the end of each sample; give 3 integers",
    ),
    "a file without a reward": (
        "RewardSTDP",
        ["--reward", "bare.npz"],
        None,
        "bare.npz: no array 'reward', only 'spikes'",
    ),
    "too few": (
        "RewardSTDP",
        ["--reward", "few.npz"],
        lambda: write_npz("few.npz", {"reward": REWARD[:2]}),
        "few.npz: reward: shape is (2,), must be (3,), one for each sample",
    ),
    "for a rule that needs none": (
        "SDSP",
        ["--reward", "rewards.npz"],
        None,
        "rewards.npz: reward is given, but no rule of the network needs one; leave it out",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule, arguments, prepare, message = MISTAKES[name]
    plastic(RULES[rule]).save("plastic.npz")
    if prepare is not None:
        prepare()
    assert main([*LEARN, *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not Path("out.npz").exists()


def test_a_reward_needs_learning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plastic(PAIRS).save("plastic.npz")
    arguments = [a for a in LEARN if a != "--learn"]
    assert main([*arguments, "--reward", "rewards.npz"]) == 2
    assert "--reward needs --learn" in capsys.readouterr().err
