"""Fitting: interrupted runs, several processes, losses, batch normalisation, dropout, warnings."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lifline import InputError
from lifline.files import read_npz, write_npz
from lifline.train import (
    LIF,
    Data,
    DelayedLinear,
    Samples,
    Settings,
    SpikingNetwork,
    Synapses,
    fit,
    integer_forward,
    to_network,
)
from lifline.train import checkpoint as checkpoints
from lifline.train.losses import LOSSES
from lifline.train.tasks import run_task

SMALL: dict[str, Any] = {
    "hidden": 12, "layers": 1, "epochs": 6, "batch": 20, "max_delay": 6, "warn": print,
}  # fmt: skip


def test_ones_own_arrays_are_learned_by_their_delays(data: Path, tmp_path: Path) -> None:
    record = run_task("arrays", tmp_path / "out", data=data, **SMALL | {"epochs": 40})
    assert record["test_accuracy"] >= 0.85
    assert record["network"].startswith("3-12-2")
    (delays,) = record["delays"]
    assert (delays["source"], delays["target"]) == ("input", "hidden1")
    assert sum(delays["before"]) == sum(delays["after"]) == 36
    assert delays["before"] != delays["after"]


@pytest.mark.parametrize("stop", [2, 5])  # while delays are learned, and quantised
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(
    data: Path, tmp_path: Path, stop: int
) -> None:
    def interrupt(epoch: int, epochs: int, text: str) -> None:
        if epoch == stop:
            raise KeyboardInterrupt

    run_task("arrays", tmp_path / "full", data=data, seed=3, **SMALL)
    with pytest.raises(KeyboardInterrupt):
        run_task("arrays", tmp_path / "cut", data=data, seed=3, progress=interrupt, **SMALL)
    assert [path.name for path in (tmp_path / "cut").iterdir()] == ["checkpoint.pt"]
    with pytest.raises(InputError, match=r"checkpoint.pt: an interrupted run; --resume carries it on"):
        run_task("arrays", tmp_path / "cut", data=data, seed=3, **SMALL)
    with pytest.raises(
        InputError, match="the interrupted run had other settings, other data or another seed"
    ):
        run_task("arrays", tmp_path / "cut", data=data, seed=4, resume=True, **SMALL)
    epochs: list[int] = []
    run_task(
        "arrays", tmp_path / "cut", data=data, seed=3, resume=True,
        progress=lambda epoch, *_: epochs.append(epoch), **SMALL,
    )  # fmt: skip
    assert epochs == list(range(stop + 1, 7))  # the epoch after the last full one
    for name in ("network.npz", "test.npz"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "full" / name).read_bytes()
    assert not (tmp_path / "cut" / "checkpoint.pt").exists()


def test_a_damaged_checkpoint_is_refused(data: Path, tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04 cut", b"nonsense"):
        (tmp_path / "checkpoint.pt").write_bytes(content)
        with pytest.raises(InputError, match=r"checkpoint.pt: damaged, or not a checkpoint"):
            run_task("arrays", tmp_path, data=data, resume=True, **SMALL)


def test_a_flipped_bit_in_a_checkpoint_is_refused(tmp_path: Path) -> None:
    """Of weights that a flipped bit has changed no training goes on."""
    path, rng = tmp_path / "checkpoint.pt", np.random.default_rng(0)
    state = {"run": 1, "model": {"weights": torch.arange(24.0)}, "epoch": 3}
    checkpoints.save(path, state)
    whole = path.read_bytes()
    loaded = checkpoints.load(path, 1)
    assert loaded is not None
    assert torch.equal(loaded["model"]["weights"], torch.arange(24.0))
    for bit in rng.choice(8 * len(whole), 400, replace=False):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"checkpoint.pt: damaged, or not a checkpoint"):
            checkpoints.load(path, 1)


def test_a_run_is_not_carried_on_with_other_data(data: Path, tmp_path: Path) -> None:
    def interrupt(epoch: int, epochs: int, text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_task("arrays", tmp_path / "out", data=data, progress=interrupt, **SMALL)
    before = (tmp_path / "out" / "checkpoint.pt").read_bytes()
    for name in ("train", "test"):
        spikes = read_npz(data / f"{name}.npz")
        write_npz(data / f"{name}.npz", {**spikes, "spikes": spikes["spikes"][:, :, :2]})
    with pytest.raises(InputError, match="the interrupted run had other settings, other data"):
        run_task("arrays", tmp_path / "out", data=data, resume=True, **SMALL)
    assert (tmp_path / "out" / "checkpoint.pt").read_bytes() == before


def test_a_training_that_cannot_go_on_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its loss is no number from the second epoch on, when there is a checkpoint of the first."""
    losses = iter([1.0] * 6)  # batches of an epoch
    loss_of = LOSSES["membrane"]
    monkeypatch.setitem(LOSSES, "membrane", lambda *a: loss_of(*a) * next(losses, math.nan))
    message = r"the loss is no finite number in epoch 2: give a lower learning_rate \(it is 0\.003\)"
    with pytest.raises(InputError, match=message):
        run_task("arrays", tmp_path / "new" / "out", data=data, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            [0, 70_000],
            "labels: holds 70000, must be less than 65536, as each is a neuron of the output",
        ),
        ([0, -1], "labels: holds -1, must be 0 or more"),
        ([0, 2**64 - 1], "labels: 18446744073709551615 is not a class"),
    ],
)
def test_labels_that_are_no_classes(
    data: Path, tmp_path: Path, labels: list[int], message: str
) -> None:
    spikes = read_npz(data / "test.npz")["spikes"][:2]
    wide = np.array(labels, np.uint64 if max(labels) > 2**63 else np.int64)
    write_npz(data / "test.npz", {"spikes": spikes, "labels": wide})
    with pytest.raises(InputError, match=message):
        run_task("arrays", tmp_path / "out", data=data, **SMALL)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("validation", [0.999, 0.001])
def test_what_cannot_be_held_out(data: Path, tmp_path: Path, validation: float) -> None:
    message = (
        rf"a fraction of {validation} cannot be held out of 120 samples \(setting 'validation'\): "
    )
    with pytest.raises(InputError, match=message):
        run_task("arrays", tmp_path / "out", data=data, validation=validation, **SMALL)
    assert not (tmp_path / "out").exists()


def test_memory_that_is_short_is_said(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def allocate(*arguments: Any) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 1 TB")

    monkeypatch.setattr(SpikingNetwork, "forward", allocate)
    with pytest.raises(InputError, match="not enough memory for this training: give a smaller batch"):
        run_task("arrays", tmp_path / "out", data=data, **SMALL)
    assert not (tmp_path / "out").exists()


# -- one's own model and data ---------------------------------------------------------------------


def echoes(samples: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two classes of spikes (samples, 16 ticks, 3 inputs): input 1 fires 3 ticks after input 0, or before."""
    rng = np.random.default_rng(seed)
    labels = np.arange(samples) % 2
    spikes = (rng.random((samples, 16, 3)) < 0.03).astype(np.uint8)
    first = rng.integers(1, 8, samples)
    spikes[np.arange(samples), first, labels] = 1
    spikes[np.arange(samples), first + 3, 1 - labels] = 1
    return spikes, labels


def listener(seed: int = 0, **values: Any) -> SpikingNetwork:
    """Learned delays and a readout."""
    torch.manual_seed(seed)
    return SpikingNetwork(
        3,
        {
            "hidden": LIF(
                12, beta=0.75, batch_norm=True, bias=torch.zeros(12), learn_bias=True, **values
            ),
            "output": LIF(2, beta=0.96, reset_mechanism="none"),
        },
        [("input", "hidden", DelayedLinear(3, 12, max_delay=6)), ("hidden", "output", Synapses(12, 2))],
    )


PHASED = Settings(epochs=50, batch=20, quantised=0.3, loss="membrane")


def test_ones_own_model_learns_from_spikes_and_labels() -> None:
    training = fit(listener(), echoes(120), PHASED, seed=1, warn=print)
    model = training.model
    assert not model.training
    assert {name: len(values) for name, values in training.curves.items()} == dict.fromkeys(
        ("loss", "train_accuracy", "rate.hidden", "rate.output"), 50
    )
    spikes, labels = echoes(60, seed=9)
    recording = integer_forward(to_network(model), spikes)
    assert (recording.classes == labels).mean() >= 0.85
    np.testing.assert_array_equal(model(spikes).classes.numpy(), recording.classes)
    (delays,) = model.delayed
    assert not torch.equal(delays.rounded_delays(), delays.start)
    assert delays.sigma == 0
    assert model.population("hidden").norm is None  # folded
    switch = training.switch
    assert switch is not None
    assert (switch.epoch, switch.samples, switch.held_out) == (35, 120, False)
    assert (
        switch.end
        == (integer_forward(to_network(model), echoes(120)[0]).classes == echoes(120)[1]).mean()
    )


def test_the_same_seed_gives_the_same_network_whatever_the_callers_random_numbers() -> None:
    short = dataclasses.replace(PHASED, epochs=4)
    networks = []
    for seed, noise in ((1, 0), (1, 5), (2, 0)):
        model = listener()
        torch.manual_seed(noise)
        networks.append(to_network(fit(model, echoes(60), short, seed=seed, warn=print).model))
    assert networks[0] == networks[1]
    assert networks[0] != networks[2]


def test_what_is_held_out_is_measured_and_never_learned_from() -> None:
    values, labels = np.arange(50), np.arange(50) % 2  # values of one's own, and how they are encoded
    spikes, _ = echoes(50)
    learned: list[int] = []
    shown: list[int] = []

    def encode(values: np.ndarray) -> np.ndarray:
        shown.extend(values.tolist())
        return spikes[values]

    def vary(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        learned.extend(values.tolist())
        return spikes[values] * (rng.random(spikes[values].shape) < 0.95)

    settings = dataclasses.replace(PHASED, epochs=3, validation=0.2)
    training = fit(listener(), (values, labels), settings, encode=encode, vary=vary, warn=print)
    assert len(set(learned)) == 40
    assert len(set(shown)) == 10
    assert not set(learned) & set(shown)
    assert len(training.curves["validation_accuracy"]) == 3
    assert training.switch is not None
    assert training.switch.held_out
    assert training.switch.samples == 10
    assert training.switch.end == training.curves["validation_accuracy"][-1]
    parts = Data(
        Samples(values[:40], labels[:40]), Samples(values[40:], labels[40:]), Samples(values, labels)
    )
    learned.clear()
    fit(listener(), parts, settings, encode=encode, vary=vary, warn=print)
    assert set(learned) == set(range(40))  # as it was split already


def test_without_a_quantised_phase_export_is_the_switch() -> None:
    settings = dataclasses.replace(PHASED, epochs=8, quantised=0.0)
    training = fit(listener(), echoes(60), settings, warn=print)
    assert training.switch is not None
    assert training.switch.epoch == 8
    assert training.switch.end == training.switch.quantised
    plain = SpikingNetwork.feed_forward(3, LIF(4, beta=0.9), LIF(2, beta=0.9))
    throughout = fit(plain, echoes(20), Settings(epochs=1), warn=print)
    assert throughout.switch is None


def test_a_trained_model_can_be_trained_further_delays_included() -> None:
    model = fit(listener(), echoes(60), dataclasses.replace(PHASED, epochs=3), warn=print).model
    before = model.delayed[0].positions.detach().clone()
    fit(model, echoes(60), dataclasses.replace(PHASED, epochs=3), warn=print)
    assert not torch.equal(before, model.delayed[0].positions)
    model.delayed[0].positions.requires_grad_(False)  # unless they are held fast
    before = model.delayed[0].positions.detach().clone()
    fit(model, echoes(60), Settings(epochs=1, loss="membrane"), warn=print)
    assert torch.equal(before, model.delayed[0].positions)


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (lambda x, y: (x, y[:-1]), PHASED, "training data: 20 samples have 19 labels"),
        (lambda x, y: (x[:0], y[:0]), PHASED, "training data: there are no samples"),
        (
            lambda x, y: (x, y + 1),
            PHASED,
            "training labels must be integers in 0 … 1, one for each neuron of",
        ),
        (lambda x, y: (x, y / 2), PHASED, "training labels must be integers in 0 … 1"),
        (lambda x, y: (x[..., :2], y), PHASED, "spikes: shape is .* must be .samples, ticks, 3."),
        (lambda x, y: (x * 2, y), PHASED, "spikes must be 0 or 1"),
        (
            lambda x, y: (x, y),
            Settings(),
            "setting 'quantised' must be less than 1 for a model that learns delays",
        ),
    ],
)
def test_what_cannot_be_learned_is_refused(data: Any, settings: Settings, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit(listener(), data(*echoes(20)), settings)
