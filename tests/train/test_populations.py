"""Populations in training: batch normalisation, scales, dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lifline import NetworkError
from lifline.train import (
    LIF,
    SpikingNetwork,
    Synapses,
    integer_forward,
    to_network,
)


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
        assert (
            np.abs(mine.synapses.weights - theirs.synapses.weights).max() <= 1
        )  # rounded once more in between
    np.testing.assert_allclose(before["a"].neuron.bias, after["a"].neuron.bias, atol=1)
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
    assert network.projections[0].synapses.weights.tolist() == [[127, 64], [-64, 127]]
    assert network["p"].neuron.threshold.tolist() == [25, 635]  # 0.1 · 127 / 0.5, 0.1 · 127 / 0.02
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
