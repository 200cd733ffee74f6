"""Fitting: interrupted runs, several processes, losses, batch normalisation, dropout, warnings."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lifline import InputError, Network, NetworkError
from lifline.files import write_npz
from lifline.neurons import Reset
from lifline.train import (
    LIF,
    Activity,
    SpikingNetwork,
    Synapses,
    fit,
    integer_forward,
    losses,
    to_network,
)
from lifline.train.arithmetic import Neurons, _in_step, _scan, loops
from lifline.train.fit import health
from lifline.train.surrogate import fast_sigmoid
from lifline.train.tasks import run_task


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two classes: the second input fires 3 ticks after the first, or before it, among noise."""
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, count in (("train", 120), ("test", 40)):
        labels = np.arange(count) % 2
        spikes = (rng.random((count, 16, 3)) < 0.03).astype(np.uint8)
        first = rng.integers(1, 8, count)
        spikes[np.arange(count), first, labels] = 1
        spikes[np.arange(count), first + 3, 1 - labels] = 1
        write_npz(folder / f"{name}.npz", {"spikes": spikes, "labels": labels.astype(np.int64)})
    return folder


SMALL: dict[str, Any] = {"hidden": 12, "layers": 1, "epochs": 6, "batch": 20, "max_delay": 6}


def test_ones_own_arrays_are_learned_by_their_delays(data: Path, tmp_path: Path) -> None:
    record = run_task("arrays", tmp_path / "out", data=data, **SMALL | {"epochs": 40})
    assert record["test_accuracy"] >= 0.9
    assert record["network"].startswith("3-12-2")
    (delays,) = record["delays"]
    assert (delays["source"], delays["target"]) == ("input", "hidden1")
    assert sum(delays["before"]) == sum(delays["after"]) == 36
    assert delays["before"] != delays["after"]


@pytest.mark.parametrize("stop", [2, 5])  # while delays are learned, and on whole numbers
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(
    data: Path, tmp_path: Path, stop: int
) -> None:
    def interrupt(epoch: int, epochs: int, text: str) -> None:
        if epoch == stop:
            raise KeyboardInterrupt

    run_task("arrays", tmp_path / "whole", data=data, seed=3, **SMALL)
    with pytest.raises(KeyboardInterrupt):
        run_task("arrays", tmp_path / "cut", data=data, seed=3, progress=interrupt, **SMALL)
    assert [path.name for path in (tmp_path / "cut").iterdir()] == ["checkpoint.pt"]
    with pytest.raises(InputError, match=r"checkpoint.pt: an interrupted run; --resume carries it on"):
        run_task("arrays", tmp_path / "cut", data=data, seed=3, **SMALL)
    with pytest.raises(InputError, match="the interrupted run had other settings or another seed"):
        run_task("arrays", tmp_path / "cut", data=data, seed=4, resume=True, **SMALL)
    epochs: list[int] = []
    run_task(
        "arrays", tmp_path / "cut", data=data, seed=3, resume=True,
        progress=lambda epoch, *_: epochs.append(epoch), **SMALL,
    )  # fmt: skip
    assert epochs == list(range(stop + 1, 7))  # the epoch after the last whole one
    for name in ("network.npz", "test.npz"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (tmp_path / "cut" / "checkpoint.pt").exists()


def test_a_damaged_checkpoint_is_refused(data: Path, tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04 cut", b"nonsense"):
        (tmp_path / "checkpoint.pt").write_bytes(content)
        with pytest.raises(InputError, match=r"checkpoint.pt: damaged, or not a checkpoint"):
            run_task("arrays", tmp_path, data=data, resume=True, **SMALL)


@pytest.mark.slow
def test_two_processes_train_one_network(data: Path, tmp_path: Path) -> None:
    """Gradients of shares of a batch add up: two processes take the same steps as one."""
    options = [
        "train", "arrays", "--data", str(data), "--epochs", "2", "--delays", "none", "--seed", "1",
        *(f"--set={setting}" for setting in ("layers=1", "hidden=8", "batch=20", "drop=0", "dropout=0", "whole=1")),
    ]  # fmt: skip
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    for name, command in [("one", [sys.executable]), ("two", launch)]:
        command = [*command, "-m", "lifline", *options, "-o", str(tmp_path / name)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    one, two = (Network.load(tmp_path / name / "network.npz") for name in ("one", "two"))
    for mine, theirs in zip(one.projections, two.projections, strict=True):
        assert np.abs(mine.weights - theirs.weights).max() <= 1  # a sum in another order
        assert (mine.weights != theirs.weights).mean() < 0.1
    untrained = run_task("arrays", tmp_path / "other", data=data, seed=2, epochs=1, batch=120)
    assert untrained["seed"] == 2


# -- losses --------------------------------------------------------------------------------------


def activity(spikes: Tensor, membrane: Tensor | None = None) -> Activity:
    values = {"output": spikes}
    return Activity(
        values,
        {"output": spikes if membrane is None else membrane},
        {"output": torch.tensor(2.0)},
        "output",
        membrane is not None,
    )


def test_losses_by_hand() -> None:
    spikes = torch.tensor([[[0.0, 1], [1, 1], [1, 0]]])  # (1, 3 ticks, 2 neurons)
    labels = torch.tensor([0])
    assert losses.spike_count(activity(spikes), labels).item() == pytest.approx(np.log(2))  # 2 : 2
    # first spikes in ticks 1 and 0: 2 and 3 ticks are left
    expected = np.log(1 + np.e)
    assert losses.first_spike(activity(spikes), labels).item() == pytest.approx(expected)
    membrane = torch.tensor([[[2.0, 0], [4, 0], [6, 0]]])  # in the model's units 1, 2, 3: mean 2
    answer = activity(spikes, membrane)
    assert losses.membrane(answer, labels).item() == pytest.approx(np.log(1 + np.exp(-2)))
    each = np.mean([np.log(1 + np.exp(-v)) for v in (1, 2, 3)])
    assert losses.membrane_each_tick(answer, labels).item() == pytest.approx(each)
    # rates 2/3 and 2/3, above 0.5 by 1/6
    assert losses.rate_penalty(activity(spikes), high=0.5).item() == pytest.approx(1 / 36)
    assert losses.rate_penalty(activity(spikes), low=0.5).item() == 0
    assert losses.rate_penalty(answer, high=0.0).item() == 0  # a readout's spikes go nowhere
    with pytest.raises(InputError, match="no loss 'best'; the losses are spike_count, membrane"):
        losses.find_loss("best")


@pytest.mark.parametrize("name", list(losses.LOSSES))
def test_every_loss_has_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    reset = "none" if name.startswith("membrane") else "subtract"
    model = SpikingNetwork.feed_forward(
        5, LIF(8, beta=0.9), LIF(3, beta=0.9, threshold=0.5, reset_mechanism=reset)
    )
    spikes = (torch.rand(6, 10, 5) < 0.5).float()
    losses.find_loss(name)(model(spikes), torch.arange(6) % 3, 0.1).backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


# -- the scan over ticks -------------------------------------------------------------------------


@pytest.mark.parametrize("bounds", [(-torch.inf, torch.inf), (-1.1, 1.3)])
@pytest.mark.parametrize("reset_delay", [False, True])
@pytest.mark.parametrize("reset", list(Reset))
def test_the_scan_s_gradients_are_those_of_the_tick_loop(
    reset: Reset, reset_delay: bool, bounds: tuple[float, float]
) -> None:
    """Two ways to run a population: one backward pass by hand, and one by torch's automatic one."""
    torch.manual_seed(0)
    currents = (0.6 * torch.randn(25, 4, 5)).double()
    by_v, by_s = torch.randn(2, 25, 4, 5).double()
    results = []
    for way in (
        lambda n, x: _scan(n, x),
        lambda n, x: _in_step([n], [], {"p": x})["p"],
    ):
        leaves = [
            currents.clone().requires_grad_(),
            torch.full((5,), 0.9).double().requires_grad_(),
            torch.linspace(0.5, 0.9, 5).double().requires_grad_(),
        ]
        n = Neurons(
            "p", 5, leaves[1], leaves[2], torch.zeros(5).double(), reset, reset_delay, *bounds,
            floor=False, derivative=fast_sigmoid(3.0).derivative,
        )  # fmt: skip
        v, s = way(n, leaves[0])
        ((v * by_v).sum() + (s * by_s).sum()).backward()
        results.append([v, s, *(leaf.grad for leaf in leaves)])
    assert 0.05 < results[0][1].mean() < 0.95
    for fast, slow in zip(*results, strict=True):
        torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-9)


def test_groups_of_populations_that_share_a_loop() -> None:
    routes = [
        ("input", "a"),
        ("a", "b"),
        ("b", "a"),
        ("b", "c"),
        ("c", "c"),
        ("d", "a"),
        ("input", "d"),
    ]
    assert loops(["c", "b", "a", "d"], routes) == [["d"], ["b", "a"], ["c"]]


# -- batch normalisation, dropout, scales, warnings ----------------------------------------------


def normalised(**values: Any) -> SpikingNetwork:
    torch.manual_seed(0)
    return SpikingNetwork(
        6,
        {
            "a": LIF(8, beta=0.8, batch_norm=True, **values),
            "b": LIF(3, beta=0.9, reset_mechanism="none"),
        },
        [
            ("input", "a", Synapses(6, 8)),
            ("input", "a", Synapses(6, 8, delays=2)),
            ("a", "a", Synapses(8, 8, delays=1)),
            ("a", "b", Synapses(8, 3)),
        ],
    )


@pytest.mark.parametrize("scale", ["free", "per_neuron"])
def test_batch_normalisation_is_folded_into_weights_and_biases(scale: Any) -> None:
    model = normalised(scale=scale)
    spikes = (torch.rand(16, 20, 6) < 0.4).float()
    for _ in range(5):
        model(spikes)  # running statistics
    population = model.population("a")
    gain, offset = population.gain_and_offset()
    assert (gain - 1).abs().min() > 0.01
    before = to_network(model)
    current = spikes @ model.incoming("a")[0].weights + 0.3
    assert population.norm is not None
    population.norm.eval()
    torch.testing.assert_close(population.normalise(current), current * gain + offset)
    model.fold()
    after = to_network(model)
    assert model.population("a").norm is None
    for mine, theirs in zip(before.projections, after.projections, strict=True):
        assert np.abs(mine.weights - theirs.weights).max() <= 1  # rounded once more in between
    np.testing.assert_allclose(before["a"].bias, after["a"].bias, atol=1)
    trained, expected = model(spikes), integer_forward(after, spikes.numpy().astype(np.uint8))
    for name in ("a", "b"):
        np.testing.assert_array_equal(trained.membrane[name].detach().numpy(), expected.membrane[name])
    assert expected.spikes["a"].any()


def test_normalised_currents_have_mean_0_and_variance_1() -> None:
    model = normalised()
    currents = torch.randn(9, 7, 8) * 3 + 2
    normal = model.population("a").normalise(currents)
    torch.testing.assert_close(normal.mean((0, 1)), torch.zeros(8), atol=1e-5, rtol=0)
    torch.testing.assert_close(normal.var((0, 1), correction=0), torch.ones(8), atol=1e-4, rtol=0)


def test_every_neuron_has_its_own_scale() -> None:
    weights = torch.tensor([[0.5, 0.01], [-0.25, 0.02]])
    lif = LIF(2, beta=0.9, threshold=0.1, scale="per_neuron")
    model = SpikingNetwork(2, {"p": lif}, [("input", "p", Synapses(2, 2, weights=weights))])
    network = to_network(model)
    assert network.projections[0].weights.tolist() == [[127, 64], [-64, 127]]
    assert network["p"].threshold.tolist() == [25, 635]  # 0.1 · 127 / 0.5, 0.1 · 127 / 0.02
    readout = LIF(2, beta=0.9, scale="per_neuron", reset_mechanism="none")
    with pytest.raises(NetworkError, match="readout 'p' must have one scale"):
        SpikingNetwork(2, {"p": readout}, [("input", "p", Synapses(2, 2))])


def test_dropout_leaves_neurons_out_for_a_whole_sample_and_never_in_evaluation() -> None:
    torch.manual_seed(0)
    model = SpikingNetwork.feed_forward(
        4, LIF(50, beta=0.9, threshold=0.2, dropout=0.4), LIF(2, beta=0.9)
    )
    kept = model.population("hidden1").kept(200)
    assert kept is not None
    assert kept.unique().tolist() == pytest.approx([0, 1 / 0.6])
    assert (kept == 0).float().mean().item() == pytest.approx(0.4, abs=0.03)
    spikes = (torch.rand(5, 10, 4) < 0.5).float()
    assert not torch.equal(model(spikes).membrane["output"], model(spikes).membrane["output"])
    model.eval()
    assert torch.equal(model(spikes).membrane["output"], model(spikes).membrane["output"])


def test_silence_and_saturation_are_reported_by_population() -> None:
    torch.manual_seed(0)
    model = SpikingNetwork.feed_forward(
        4, LIF(6, beta=0.9, threshold=9.0), LIF(3, beta=1.0, membrane_bits=8, scale=100.0, bias=1.0)
    )
    lines = health(model, model((torch.rand(5, 10, 4) < 0.5).float()))
    assert lines[0].startswith("population 'hidden1' has fallen silent: no neuron spikes")
    assert lines[1].startswith("population 'output' saturates: ")
    assert lines[1].endswith("at the bounds of 8 bits; raise membrane_bits")
    assert len(lines) == 2


def test_training_warns_once_for_each_population(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = iter(range(9))
    monkeypatch.setattr(
        fit,
        "health",
        lambda *_: [
            "population 'a' has fallen silent: x",
            f"population 'a' saturates: {next(share)} %",
        ],
    )
    warned: list[str] = []
    record = run_task("arrays", tmp_path / "out", data=data, warn=warned.append, **SMALL)
    assert record["warnings"] == warned
    assert warned == [  # on whole numbers, which begin there
        "epoch 5: population 'a' has fallen silent: x",
        "epoch 5: population 'a' saturates: 0 %",
    ]


def test_settings_are_checked() -> None:
    from lifline.train.fit import Settings

    for values, message in [
        ({"delays": "some"}, "setting 'delays' must be one of learned, random, none, not 'some'"),
        ({"delays": "learned"}, "setting 'whole' must be less than 1: delays are learned before"),
        ({"loss": "x"}, "no loss 'x'"),
        (
            {"surrogate": "x"},
            "setting 'surrogate' must be one of fast_sigmoid, atan, triangle, not 'x'",
        ),
        ({"dropout": 1.0}, "setting 'dropout' must be less than 1"),
        ({"annealing": 2.0}, "setting 'annealing' must be in 0 … 1, not 2.0"),
    ]:
        with pytest.raises(InputError, match=message):
            Settings(**values)  # type: ignore[arg-type]
    assert dataclasses.replace(Settings(), epochs=3).epochs == 3
