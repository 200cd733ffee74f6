"""Pruning: the schedule, what stays zero, and what is exported."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import lifline
from lifline import InputError, NetworkError, golden
from lifline.train import LIF, Conv2d, Settings, SpikingNetwork, Synapses, fit, to_network
from lifline.train.pruning import EVERY, Pruning, kept


def chain(hidden: int = 24) -> SpikingNetwork:
    torch.manual_seed(0)
    return SpikingNetwork.feed_forward(
        12,
        LIF(hidden, beta=0.8, threshold=0.4, batch_norm=True),
        LIF(2, beta=0.9, reset_mechanism="none"),
    )


def data(samples: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Two classes by which half of the inputs fires."""
    rng = np.random.default_rng(0)
    labels = np.arange(samples) % 2
    likely = 0.05 + 0.4 * ((np.arange(12) < 6) == labels[:, None, None])
    return (rng.random((samples, 8, 12)) < likely).astype(np.uint8), labels


def test_the_schedule_is_that_of_the_paper() -> None:
    pruning = Pruning(chain(), 0.8, 100)
    assert pruning.at(0) == 0
    assert pruning.at(50) == pytest.approx(0.8 * (1 - 0.5**3))
    assert pruning.at(100) == pruning.at(1000) == 0.8


def test_the_smallest_go() -> None:
    weights = torch.tensor([[0.1, -0.5], [0.3, -0.2], [0.4, 0.05]])
    assert kept(weights, 0.5).tolist() == [[False, True], [True, False], [True, False]]
    assert kept(weights, 0.0).all()


def test_pruned_weights_stay_zero_and_kernels_are_left_alone() -> None:
    torch.manual_seed(0)
    model = SpikingNetwork(
        (4, 4, 1),
        {"maps": LIF((4, 4, 2), beta=0.8), "output": LIF(3, beta=0.9)},
        [
            ("input", "maps", Conv2d((4, 4, 1), 2, 3, padding=1)),
            ("maps", "output", Synapses(32, 3)),
        ],
    )
    pruning = Pruning(model, 0.75, 3 * EVERY)
    pruning.begin()
    (_, _, kernel), (_, _, matrix) = model.projections
    before = kernel.weights.detach().clone()
    gone = torch.zeros(32, 3, dtype=torch.bool)
    for step in range(1, 4 * EVERY):
        with torch.no_grad():
            matrix.weights.add_(torch.randn(32, 3) * 0.01)
        pruning.step(step)
        zero = matrix.weights == 0
        assert (zero | ~gone).all()
        gone = zero
    assert gone.sum() == round(0.75 * 96)
    assert torch.equal(kernel.weights, before)


def test_a_pruned_network_is_exported_sparse_where_that_is_smaller() -> None:
    settings = Settings(epochs=12, batch=8, learning_rate=0.02, loss="membrane", quantised=0.3)
    training = fit(chain(), data(), dataclasses.replace(settings, sparsity=0.9))
    network = to_network(training.model)
    (first, second) = (projection.synapses for projection in network.projections)
    assert isinstance(first, lifline.Sparse)
    assert first.count <= round(0.1 * 12 * 24)
    weights, delays = first.dense()
    assert first.memory_bits < lifline.Dense(weights, delays, 8).memory_bits
    assert second.count <= 2 * 24
    spikes, labels = data()
    recording = golden.simulate(network, spikes)
    assert (recording.classes == labels).mean() > 0.9
    evaluated = training.model(torch.from_numpy(spikes))
    np.testing.assert_array_equal(evaluated.classes.numpy(), recording.classes)
    # a few weights fewer are not worth a list
    few = fit(chain(), data(), dataclasses.replace(settings, epochs=2, sparsity=0.2))
    for projection in to_network(few.model).projections:
        assert isinstance(projection.synapses, lifline.Dense)


def test_an_interrupted_pruning_goes_on(tmp_path: Path) -> None:
    settings = Settings(
        epochs=6, batch=8, learning_rate=0.02, loss="membrane", quantised=0.3, sparsity=0.8
    )
    whole = fit(chain(), data(), settings)
    checkpoint = tmp_path / "checkpoint.pt"

    def stop(epoch: int, epochs: int, text: str) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(chain(), data(), settings, checkpoint=checkpoint, progress=stop)
    resumed = fit(chain(), data(), settings, checkpoint=checkpoint)
    assert to_network(resumed.model) == to_network(whole.model)


def test_listed_synapses_alone_learn() -> None:
    listed = torch.zeros(12, 4, dtype=torch.bool)
    listed[::3, 1:] = True
    model = SpikingNetwork(
        12, {"p": LIF(4, beta=0.9)}, [("input", "p", Synapses(12, 4, listed=listed))]
    )
    optimizer = torch.optim.Adam(model.parameters(), 0.1)
    for _ in range(3):
        model(torch.ones(1, 5, 12)).membrane["p"].sum().backward()
        optimizer.step()
    weights = model.projections[0][2].weights
    assert ((weights != 0) == listed).all()
    exported = to_network(model).projections[0].synapses
    assert isinstance(exported, lifline.Sparse)
    assert exported.count == listed.sum()
    with pytest.raises(NetworkError, match="listed must be bool"):
        Synapses(12, 4, listed=torch.ones(12, 4))


@pytest.mark.parametrize("sparsity", [1.0, -0.1])
def test_sparsity_is_a_fraction(sparsity: float) -> None:
    with pytest.raises(InputError, match="sparsity"):
        Settings(sparsity=sparsity)
