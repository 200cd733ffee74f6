"""What users of snnTorch and torch give where ours is meant: taken, or refused at once by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import snntorch
import torch
from snntorch import surrogate as theirs
from torch import nn

from lifline import golden
from lifline.errors import InputError, NetworkError
from lifline.train import LIF, Settings, SpikingNetwork, Synapses, fit, integer_forward, surrogate
from lifline.train.model import to_network

from ..networks import random_network, random_spikes


@pytest.mark.parametrize(
    ("function", "ours"),
    [
        (theirs.atan(alpha=2), surrogate.atan(2)),
        (theirs.fast_sigmoid(slope=25), surrogate.fast_sigmoid(25)),
    ],
    ids=["atan", "fast_sigmoid"],
)
def test_a_surrogate_of_snntorch_is_taken(
    function: Callable[..., Any], ours: surrogate.Surrogate
) -> None:
    taken = surrogate.of(function)
    x = torch.linspace(-2, 2, 41, dtype=torch.float64)
    given = x.clone().requires_grad_()
    taken(given).sum().backward()
    expected = x.clone().requires_grad_()
    function(expected).sum().backward()
    assert torch.equal(given.grad, expected.grad)
    if ours.name.startswith("fast"):  # snnTorch's arctangent has another factor in it
        torch.testing.assert_close(given.grad, ours.derivative(x))
    assert LIF(3, beta=0.5, spike_grad=function).spike_grad.name == taken.name
    assert taken.name.startswith("snntorch.surrogate.")


def test_a_model_learns_by_a_surrogate_of_snntorch() -> None:
    rng = np.random.default_rng(1)
    spikes, labels = rng.integers(0, 2, (12, 5, 4), np.uint8), np.arange(12) % 2
    model = SpikingNetwork.feed_forward(
        4, LIF(6, beta=0.9, spike_grad=theirs.atan()), LIF(2, beta=0.9, spike_grad=theirs.sigmoid())
    )
    training = fit(model, (spikes, labels), Settings(epochs=2, batch=6, validation=0), warn=print)
    assert all(np.isfinite(training.curves["loss"]))
    to_network(model)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (torch.sigmoid, "sigmoid does not give 1 above 0 and 0 elsewhere"),
        (torch.relu, "relu does not give 1 above 0 and 0 elsewhere"),
        ("atan", "spike_grad must be a surrogate, not 'atan': give one of lifline.train.surrogate"),
        (nn.Linear(2, 3), "is no surrogate"),
    ],
)
def test_what_is_no_surrogate_is_refused(function: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        LIF(3, beta=0.5, spike_grad=function)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: SpikingNetwork(
                4, {"out": snntorch.Leaky(beta=0.9)}, [("input", "out", Synapses(4, 2))]
            ),
            "population 'out' must be a lifline.train.LIF, or another kind that learns, not a snntorch Leaky: ",
        ),
        (
            lambda: SpikingNetwork(4, {"out": LIF(2, beta=0.9)}, [("input", "out", nn.Linear(4, 2))]),
            "projection input -> out must have synapses of lifline.train, not a torch Linear: give Synapses(4, 2), "
            "and the bias to the population",
        ),
        (
            lambda: SpikingNetwork(
                4, {"out": LIF(2, beta=0.9)}, [("input", "out", nn.Conv2d(1, 2, 3))]
            ),
            "not a torch Conv2d: give lifline.train.Conv2d",
        ),
        (
            lambda: SpikingNetwork(4, {"out": LIF(2, beta=0.9)}, [nn.Linear(4, 2)]),
            "a projection must be (source, target, synapses), not a torch Linear",
        ),
        (
            lambda: SpikingNetwork.feed_forward(4, nn.Linear(4, 2), LIF(2, beta=0.9)),
            "population 'hidden1' must be a lifline.train.LIF, or another kind that learns, not a torch Linear",
        ),
    ],
)
def test_modules_of_others_are_refused_by_name(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(NetworkError) as caught:
        make()
    assert message in str(caught.value)


def test_time_first() -> None:
    rng = np.random.default_rng(2)
    network = random_network(rng)
    spikes = random_spikes(rng, network, samples=4, ticks=7)
    expected = golden.simulate(network, spikes)
    swapped = spikes.swapaxes(0, 1)
    assert expected.compare(golden.simulate(network, swapped, time_first=True)) is None
    assert expected.compare(integer_forward(network, swapped, time_first=True)) is None
    one = golden.simulate(network, spikes[0], time_first=True)
    assert expected[0].compare(one) is None


def test_time_first_is_seen_by_the_labels() -> None:
    values, labels = np.zeros((5, 12, 4), np.uint8), np.arange(12) % 2
    model = SpikingNetwork.feed_forward(4, LIF(2, beta=0.9))
    with pytest.raises(InputError, match=r"12 labels are as many as axis 1 of the values \(5, 12, 4\)"):
        fit(model, (values, labels), Settings(epochs=1, batch=6, validation=0))
