"""What quantisation does to a network is noticed, and each warning names its remedy."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from lifline.train import LIF, DelayedLinear, Settings, SpikingNetwork, Synapses, fit, health
from lifline.train.health import Problem, Switch


def test_silence_and_saturation_are_reported_by_population() -> None:
    torch.manual_seed(0)
    model = SpikingNetwork.feed_forward(
        4, LIF(6, beta=0.9, threshold=9.0), LIF(3, beta=1.0, membrane_bits=8, scale=100.0, bias=1.0)
    )
    silent, saturated = health.of_activity(model, model((torch.rand(5, 10, 4) < 0.5).float()))
    assert silent.what == "population 'hidden1' has fallen silent"
    assert silent.remedy == "no neuron spikes; lower its threshold, or give its weights more bits"
    assert saturated.what == "population 'output' saturates"
    assert saturated.remedy.endswith("at the bounds of 8 bits; raise membrane_bits")


@pytest.mark.parametrize(
    ("state", "values"),
    [
        ("current", {"alpha": 1.0, "current_bits": 8}),
        ("adaptation", {"rho": 1.0, "jump": 100.0, "adaptation_bits": 8}),
    ],
)
def test_the_state_that_saturates_is_named(state: str, values: dict[str, Any]) -> None:
    torch.manual_seed(0)
    lif = LIF(3, beta=0.5, scale=100.0, bias=1.5, membrane_bits=20, **values)
    model = SpikingNetwork.feed_forward(4, lif)
    (problem,) = health.of_activity(model, model(torch.zeros(5, 10, 4)))
    assert problem.what == "population 'output' saturates"
    assert problem.remedy.endswith(f"of its {state}s are at the bounds of 8 bits; raise {state}_bits")


def coarse(scale: Any, bits: int, thresholds: list[float], readout: bool = False) -> list[Problem]:
    """A population whose weights are 1, so that a threshold of 1 is the greatest weight."""
    size = len(thresholds)
    lif = LIF(
        size, 0.9, torch.tensor(thresholds), scale=scale,
        reset_mechanism="none" if readout else "subtract",
    )  # fmt: skip
    synapses = Synapses(2, size, weight_bits=bits, weights=torch.ones(2, size))
    model = SpikingNetwork(2, {"p": lif}, [("input", "p", synapses)])
    return health.of_activity(model, model(torch.ones(1, 3, 2)))


def test_thresholds_of_few_bits_are_reported_with_what_makes_them_finer() -> None:
    (problem,) = coarse("free", 3, [1.0, 1.0, 1.0, 1.0])  # integers of 3
    assert problem.what == "population 'p' has coarse thresholds"
    assert problem.remedy.startswith("4 of 4 are integers below 4, less than 3 bits")
    assert problem.remedy.endswith(
        "try scales per neuron (scale='per_neuron'), or more than 3 weight bits (weight_bits)"
    )
    (problem,) = coarse("per_neuron", 3, [1.0] * 4)
    assert problem.remedy.endswith("; try more than 3 weight bits (weight_bits)")
    assert coarse("free", 4, [1.0] * 4) == []  # 7
    assert coarse("free", 3, [1.5] + [1.0] * 3)[0].remedy.startswith("3 of 4")
    assert coarse("free", 8, [0.01] + [1.0] * 10) == []  # one of eleven: less than a tenth
    assert coarse("free", 8, [0.01] + [1.0] * 8)[0].remedy.startswith("1 of 9")
    (problem,) = coarse("per_neuron", 16, [0.00001] * 4)
    assert problem.remedy.endswith("try smaller weights (weight_decay)")
    assert coarse("free", 2, [1.0] * 4, readout=True) == []  # it does not use its threshold


@pytest.mark.parametrize(
    ("longest", "at_top", "piled"),
    [
        (9, 0.2, False),  # of 10 delays: twice the uniform share, not more
        (9, 0.21, True),
        (99, 0.1, False),  # a tenth is not noticeable, however many delays there are
        (99, 0.11, True),
        (0, 1.0, False),  # nothing could be learned
    ],
)
def test_delays_that_pile_up_at_the_longest(longest: int, at_top: float, piled: bool) -> None:
    positions = torch.zeros(10, 10)
    positions.flatten()[: round(100 * at_top)] = longest
    layer = DelayedLinear(10, 10, max_delay=longest, positions=positions)
    model = SpikingNetwork(10, {"p": LIF(10, beta=0.9)}, [("input", "p", layer)])
    problems = health.of_delays(model)
    assert len(problems) == piled
    if piled:
        (problem,) = problems
        assert problem.what == "delays of input -> p pile up at max_delay"
        assert problem.remedy.startswith(f"{at_top:.0%} of them are {longest}, the longest allowed")
        assert problem.remedy.endswith(
            f"an even spread has {1 / (longest + 1):.0%}; raise max_delay above {longest}"
        )


def test_a_max_delay_that_cannot_be_raised() -> None:
    layer = DelayedLinear(2, 2, max_delay=255, positions=torch.full((2, 2), 255.0))
    model = SpikingNetwork(2, {"p": LIF(2, beta=0.9)}, [("input", "p", layer)])
    assert health.of_delays(model)[0].remedy.endswith("let a tick be longer")


def test_a_fall_of_accuracy_says_where_it_comes_from() -> None:
    model = SpikingNetwork.feed_forward(4, LIF(6, beta=0.9), LIF(3, beta=0.9), weight_bits=3)
    switch = Switch(5, 100, False, floating=0.82, rounded_delays=0.81, quantised=0.26)
    (problem,) = health.of_switch(model, switch)
    assert problem.what == "quantisation costs accuracy"
    assert problem.remedy == (
        "82.0% in floating point became 26.0% with integers; if quantised epochs do not win it back, "
        "try scales per neuron (scale='per_neuron'), or more than 3 weight bits (weight_bits)"
    )
    delays = Switch(5, 100, False, floating=0.82, rounded_delays=0.5, quantised=0.48)
    assert "became 50.0% with rounded delays and 48.0% with integers" in (
        text := health.of_switch(model, delays)[0].remedy
    )
    assert text.endswith("let delays settle first: more epochs, or a shorter annealing")
    assert health.of_end(model, dataclasses.replace(delays, end=0.7))[0].remedy.endswith(
        "let delays settle first: more epochs, or a shorter annealing, or more quantised epochs (quantised)"
    )
    assert health.of_switch(model, Switch(5, 100, False, 0.82, 0.82, 0.77)) == []
    assert health.of_switch(model, Switch(5, 40, False, 0.82, 0.82, 0.72)) == []  # 4 samples
    assert health.of_end(model, switch) == []  # not known yet
    assert health.of_end(model, Switch(5, 100, False, 0.82, 0.81, 0.26, end=0.8)) == []
    (problem,) = health.of_end(model, Switch(5, 100, False, 0.82, 0.81, 0.26, end=0.7))
    assert problem.what == "accuracy stays below that in floating point"
    assert problem.remedy.startswith(
        "70.0% with integers at the end, 82.0% before; try scales per neuron"
    )


def test_the_floating_network_has_no_dropout_and_keeps_its_statistics() -> None:
    torch.manual_seed(0)
    model = SpikingNetwork(
        3,
        {"a": LIF(8, beta=0.8, batch_norm=True, dropout=0.5), "b": LIF(2, beta=0.9)},
        [("input", "a", DelayedLinear(3, 8, max_delay=4)), ("a", "b", Synapses(8, 2))],
    )
    spikes = (torch.rand(8, 12, 3) < 0.5).float()
    model(spikes)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    with torch.no_grad(), health.floating(model, rounded_delays=False):
        assert not model.quantize
        first, second = model(spikes), model(spikes)
    with torch.no_grad(), health.floating(model, rounded_delays=True):
        rounded = model(spikes)
    assert torch.equal(first.membrane["b"], second.membrane["b"])
    assert not torch.equal(first.membrane["b"], rounded.membrane["b"])
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert model.quantize
    assert model.training
    assert model.population("a").dropout == 0.5
    assert model.synapses[0].training


def test_training_warns_once_of_each_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    count = iter(range(99))
    monkeypatch.setattr(
        health,
        "of_activity",
        lambda *_: [Problem("population 'a' is odd", "x"), Problem("all is odd", f"{next(count)}")],
    )
    spikes, labels = np.ones((4, 3, 2), np.uint8), np.arange(4) % 2
    model = SpikingNetwork.feed_forward(2, LIF(3, beta=0.9), LIF(2, beta=0.9))
    warned: list[str] = []
    training = fit(model, (spikes, labels), Settings(epochs=4), warn=warned.append)
    assert (
        training.warnings == warned == ["epoch 1: population 'a' is odd: x", "epoch 1: all is odd: 0"]
    )
    with pytest.warns(UserWarning, match="epoch 1: .* is odd"):  # by default
        fit(model, (spikes, labels), Settings(epochs=1))
