"""Tasks: what they write, that it can be written again, and how well the digits are told apart."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lifline import InputError, Network
from lifline.files import read_npz
from lifline.golden import simulate
from lifline.train import integer_forward
from lifline.train.settings import changed
from lifline.train.tasks import (
    TASKS,
    describe,
    digits,
    find,
    fsdd,
    help_text,
    mnist,
    names,
    nmnist,
    register,
    registry,
    run_task,
    settings,
)

FILES = ["network.npz", "test.npz", "train.json"]


def test_the_split_is_fixed_and_stratified() -> None:
    training, held_out, test = digits.load(digits.DigitsSettings())
    assert [len(part.labels) for part in (training, held_out, test)] == [1437, 0, 360]
    assert np.bincount(test.labels).tolist() == [36, 36, 35, 37, 36, 37, 36, 36, 35, 36]
    pixels = (test.values * 16).astype(np.uint8)  # the very images
    assert hashlib.sha256(pixels.tobytes()).hexdigest().startswith("3cc232bd25364446")
    rows = {row.tobytes() for row in training.values}
    assert sum(row.tobytes() in rows for row in test.values) == 0
    smaller, held_out, same = digits.load(digits.DigitsSettings(validation=0.2))
    assert [len(part.labels) for part in (smaller, held_out, same)] == [1149, 288, 360]
    np.testing.assert_array_equal(same.values, test.values)


def test_digits_in_a_few_epochs(tmp_path: Path) -> None:
    calls: list[tuple[int, int, str]] = []
    record = run_task(
        "digits", tmp_path / "new", epochs=6, progress=lambda *call: calls.append(call), hidden=32
    )
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == FILES
    assert json.loads((tmp_path / "new" / "train.json").read_text()) == record
    assert [call[:2] for call in calls] == [(epoch, 6) for epoch in range(1, 7)]
    assert calls[0][2].startswith("epoch 1, loss ")

    network, test = (
        Network.load(tmp_path / "new" / "network.npz"),
        read_npz(tmp_path / "new" / "test.npz"),
    )
    spikes, labels = test["spikes"], test["labels"]
    assert (spikes.dtype, spikes.shape) == (np.uint8, (360, 8, 64))
    assert (labels.dtype, labels.shape) == (np.int64, (360,))
    assert record["network"] == "64-32-10"
    assert len(record["curves"]["loss"]) == len(record["curves"]["train_accuracy"]) == 6
    assert record["settings"]["epochs"] == 6

    golden, third = simulate(network, spikes), integer_forward(network, spikes)
    for name in ("hidden1", "output"):
        np.testing.assert_array_equal(golden.spikes[name], third.spikes[name])
        np.testing.assert_array_equal(golden.membrane[name], third.membrane[name])
        assert record["events_per_sample"][name] == round(golden.spikes[name].sum() / 360, 3)
    assert record["test_accuracy"] == (golden.classes == labels).mean()
    assert record["test_accuracy"] > 0.85


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    changes: dict[str, Any] = {"epochs": 2, "hidden": 16, "validation": 0.1}
    for name, seed in [("a", 5), ("b", 5), ("c", 6)]:
        torch.manual_seed(len(name) + seed)  # whatever the caller's random numbers
        run_task("digits", tmp_path / name, seed=seed, **changes)
    torch.set_rng_state(state)
    assert torch.get_num_threads() == threads
    content = {name: (tmp_path / name / "network.npz").read_bytes() for name in "abc"}
    assert content["a"] == content["b"]
    assert content["a"] != content["c"]
    records = [json.loads((tmp_path / name / "train.json").read_text()) for name in "ab"]
    for record in records:
        del record["seconds"]
    assert records[0] == records[1]
    assert len(records[0]["curves"]["validation_accuracy"]) == 2


@pytest.mark.slow
def test_digits_accuracy(tmp_path: Path) -> None:
    record = run_task("digits", tmp_path)
    assert record["test_accuracy"] >= 0.96


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"name": "letters"},
            "no task 'letters'; the tasks are arrays, digits, digits_latency, events, fsdd, fsdd_conv, mnist, ",
        ),
        ({"data": "here"}, "task 'digits' brings its own data; leave out the data folder 'here'"),
        ({"seed": -1}, "seed must be in 0 … 2"),
        ({"epochs": 0}, "setting 'epochs' must be an integer, 1 or more, not 0"),
        ({"hidden": 2.5}, "setting 'hidden' must be an integer in 1 … 16384, not 2.5"),
        ({"hiden": 3}, "no setting 'hiden'; the settings are epochs, batch"),
        ({"name": "arrays"}, "task 'arrays' needs --data DIR"),  # refused while data are read
        ({"name": "nmnist", "data": "nowhere"}, "nowhere"),
        (
            {"name": "nmnist", "ticks": 10**4, "hidden": 0},
            "setting 'hidden' must be an integer in 1 … 16384, not 0",
        ),
    ],
)
def test_unfit_arguments_write_nothing(arguments: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        run_task(**{"name": "digits", "directory": tmp_path / "out", **arguments})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make this folder"):
        run_task("digits", tmp_path / "file" / "out", epochs=1)


# -- tasks on real data ---------------------------------------------------------------------------


def train_briefly(
    task: str, folder: Path, **settings: Any
) -> tuple[dict[str, Any], Network, np.ndarray]:
    record = run_task(task, folder, **settings)
    network, test = Network.load(folder / "network.npz"), read_npz(folder / "test.npz")
    spikes = test["spikes"]
    golden, third = simulate(network, spikes), integer_forward(network, spikes)
    for population in network.populations:
        np.testing.assert_array_equal(golden.spikes[population.name], third.spikes[population.name])
        np.testing.assert_array_equal(golden.membrane[population.name], third.membrane[population.name])
    assert record["test_accuracy"] == (golden.classes == test["labels"]).mean()
    return record, network, spikes


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.verilator
def test_spoken_digits_with_learned_delays_in_all_witnesses(tmp_path: Path) -> None:
    from lifline import sim

    record, network, spikes = train_briefly("fsdd", tmp_path, epochs=4, hidden=24, batch=100)
    assert (spikes.shape, record["train_samples"]) == ((300, 70, 80), 2700)
    assert record["test_accuracy"] > 0.3
    assert all(
        len(np.unique(projection.synapses.delays)) > 20 for projection in network.projections[:2]
    )
    few = spikes[:: len(spikes) // 10]
    expected = simulate(network, few)
    actual = sim.simulate(
        network, few, backend="verilator", lanes={"hidden1": 24, "hidden2": 5, "output": 2}
    )
    for name, membrane in expected.membrane.items():
        np.testing.assert_array_equal(actual.spikes[name], expected.spikes[name])
        np.testing.assert_array_equal(actual.membrane[name], membrane)


@pytest.mark.data
def test_a_speaker_is_left_out() -> None:
    settings = fsdd.FSDDSettings(speaker="theo", validation=0.1)
    parts = fsdd.load(settings, None)
    assert [len(part.labels) for part in parts] == [2250, 250, 500]
    assert all(np.bincount(part.labels).tolist() == [len(part.labels) // 10] * 10 for part in parts)
    with pytest.raises(InputError, match="speaker 'nobody' is not in the data, only george"):
        fsdd.load(fsdd.FSDDSettings(speaker="nobody"), None)


@pytest.mark.data
@pytest.mark.slow
def test_mnist_in_an_epoch(tmp_path: Path) -> None:
    record, _, spikes = train_briefly("mnist", tmp_path, epochs=1, hidden=20, quantised=1.0)
    assert (spikes.shape, record["network"]) == ((10000, 6, 784), "784-20-10")
    assert spikes.sum(axis=1).max() == 1  # a pixel spikes once
    assert record["test_accuracy"] > 0.8


@pytest.mark.data
@pytest.mark.slow
def test_camera_events_in_a_few_epochs(tmp_path: Path) -> None:
    record, _, spikes = train_briefly("nmnist", tmp_path, epochs=8, hidden=32)
    assert spikes.shape == (100, 30, 578)
    assert record["test_accuracy"] > 0.2


def test_what_varies_by_nothing_is_the_encoding() -> None:
    rng = np.random.default_rng(0)
    clips = rng.random((5, fsdd.FRAMES, fsdd.CHANNELS)).astype(np.float32)
    settings = fsdd.FSDDSettings(vary=0.0)
    np.testing.assert_array_equal(fsdd.vary(clips, settings, rng), fsdd.encode(clips, settings))
    images = rng.random((5, mnist.SIDE, mnist.SIDE)).astype(np.float32)
    still = mnist.MNISTSettings(turn=0.0, shift=0.0, stretch=0.0, ticks=1, darkest=0.5)
    np.testing.assert_array_equal(mnist.vary(images, still, rng), mnist.encode(images, still))
    events = (rng.random((5, 30, 578)) < 0.1).astype(np.uint8)
    calm = nmnist.NMNISTSettings(shift=0, drop=0.0)
    np.testing.assert_array_equal(nmnist.vary(events, calm, rng), events)


def test_shifted_camera_events_keep_their_polarity_and_row() -> None:
    """One event at row 3, column 5 of polarity 1: moved by up to a cell, in its own plane."""
    spikes = np.zeros((40, 2, 578), np.uint8)
    spikes[:, 1, 289 + 3 * 17 + 5] = 1
    moved = nmnist.vary(spikes, nmnist.NMNISTSettings(drop=0.0), np.random.default_rng(0))
    _, ticks, inputs = np.nonzero(moved)
    assert set(ticks) == {1}
    assert {divmod(place - 289, 17) for place in inputs} == {
        (row, column) for row in (2, 3, 4) for column in (4, 5, 6)
    }


# -- settings of hidden neurons, and tasks of one's own -------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"alpha": 0.1, "rho": 0.2, "learn_rho": True}, {}),  # of other neurons
        ({"neuron": "cuba"}, {"alpha": 0.5, "learn_alpha": False}),
        (
            {"neuron": "cuba", "alpha": 0.25, "learn_alpha": True},
            {"alpha": [0.25] * 3, "learn_alpha": True},
        ),
        ({"neuron": "alif"}, {"rho": 0.95, "jump": 0.2, "learn_rho": False, "learn_jump": False}),
        (
            {"neuron": "alif", "learn_jump": True, "jump": 1.5},
            {"rho": 0.95, "jump": [1.5] * 3, "learn_rho": False, "learn_jump": True},
        ),
    ],
)
def test_a_hidden_neuron_s_parts_are_passed_on_only_when_chosen(
    changes: dict[str, Any], expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: dict[str, Any] = {}
    monkeypatch.setattr(settings, "LIF", lambda *arguments, **values: passed.update(values))
    changed(find("fsdd").settings, changes).hidden_layer(3, 0.5)
    parts = ("alpha", "learn_alpha", "rho", "learn_rho", "jump", "learn_jump")
    found = {name: passed[name] for name in parts if name in passed}
    plain = {name: v.tolist() if isinstance(v, torch.Tensor) else v for name, v in found.items()}
    assert plain == expected


OWN_TASK = """
import dataclasses

import numpy as np

from lifline.train import Data, Samples, SpikingNetwork
from lifline.train.settings import FRACTION, setting
from lifline.train.tasks import Task, TaskSettings, register


@dataclasses.dataclass(frozen=True, kw_only=True)
class ParitySettings(TaskSettings):
    epochs: int = 2
    flips: float = setting(0.1, "fraction of bits that are flipped while learning", FRACTION)


def load(settings, folder):
    values = np.arange(16)
    part = Samples(values, values % 2)
    return Data(part, Samples(values[:0], values[:0]), part)


def build(settings, data):
    hidden, output = settings.hidden_layer(8, 0.5), settings.readout(2, 0.9)
    return SpikingNetwork(
        4,
        {"hidden": hidden, "output": output},
        [("input", "hidden", settings.connect(4, 8)), ("hidden", "output", settings.connect(8, 2))],
    )


def encode(values, settings):
    return np.repeat(values[:, None, None] >> np.arange(4) & 1, 5, axis=1).astype(np.uint8)


def vary(values, settings, rng):
    spikes = encode(values, settings)
    return spikes ^ (rng.random(spikes.shape) < settings.flips)


register(Task("parity", "the lowest bit", ParitySettings(), load, build, encode, vary, data=False))
"""


def test_a_task_from_outside_the_package_is_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an entry point, as an installed package names its module; nothing of lifline is edited."""
    (tmp_path / "parity_task.py").write_text(OWN_TASK)
    metadata = tmp_path / "parity_task-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: parity_task\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[lifline.tasks]\nparity = parity_task\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "TASKS", dict(TASKS))
    try:
        record = run_task("parity", tmp_path / "out", flips=0.0, warn=print)
        assert (record["network"], record["settings"]["flips"]) == ("4-8-2", 0.0)
        assert "parity" in names()
        assert help_text("parity").startswith("parity: the lowest bit\n\nsetting ")
        with pytest.raises(InputError, match=r"setting 'flips' must be in 0 … 1, not 2.0"):
            run_task("parity", tmp_path / "no", flips=2.0)
    finally:
        sys.modules.pop("parity_task", None)


def test_two_tasks_of_one_name_are_refused() -> None:
    task = find("digits")
    assert register(task) is task  # again, as a module that is imported twice
    with pytest.raises(
        InputError, match="task 'digits' is registered already; give this one another name"
    ):
        register(dataclasses.replace(task, title="other digits"))


def test_help_lists_every_setting_with_default_range_and_meaning() -> None:
    lines = help_text("fsdd").splitlines()
    assert lines[0] == "fsdd: spoken digits"
    assert lines[2].split() == ["setting", "default", "range", "meaning"]
    assert len(lines) == 3 + len(describe("fsdd"))
    columns = {
        line.split()[0]: [cell for cell in re.split(" {2,}", line) if cell] for line in lines[3:]
    }
    assert columns["hidden"] == [
        "hidden",
        "64",
        "1 … 16384",
        "neurons of each of the two hidden populations",
    ]
    assert columns["speaker"][1] == "''"
    assert columns["learn_alpha"][1:3] == ["false", "true, false"]
    ticks = ("ticks", 70, "1 … 100", "of a sample, 10 ms each")
    assert ticks in describe("fsdd")
