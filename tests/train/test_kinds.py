"""Kinds that learn: currents, adaptive thresholds, noise, Izhikevich's neurons; training is the contract with each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lifline import InputError, Network, NetworkError, Noise, Population, Reset
from lifline import neurons as kinds
from lifline.golden import reference
from lifline.train import LIF, Izhikevich, SpikingNetwork, Synapses, integer_forward, to_network
from lifline.train.surrogate import fast_sigmoid

CUBA = {"alpha": 0.6}
ALIF = {"rho": 0.9, "jump": 0.4}
NOISY = {"noise": Noise([-20, -4, 3, 21], kinds.Noise.seeds(7)[0]), "scale": 60.0}


def network_of(**values: Any) -> SpikingNetwork:
    """Two populations with delays and loops within and across, or a chain; every parameter learns."""
    rng = np.random.default_rng(4)
    learned = {f"learn_{name}": True for name in {"alpha", "rho", "jump"} & values.keys()}
    loop = values.pop("loop", True)
    sizes = {"input": 6, "a": 7, "b": 5}
    routes: list[tuple[str, str, Any]] = [
        ("input", "a", 0),
        ("a", "b", 0),
        ("input", "b", rng.integers(0, 9, (6, 5))),
    ]
    if loop:
        routes += [("a", "a", 1), ("b", "a", rng.integers(1, 9, (5, 7)))]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        projections = [
            (source, target, Synapses(sizes[source], sizes[target], delays=delays))
            for source, target, delays in routes
        ]
        populations = {
            name: LIF(
                size,
                0.9,
                torch.rand(size) / 2 + 0.2,
                bias=torch.randn(size) / 20,
                learn_beta=True,
                learn_threshold=True,
                learn_bias=True,
                **learned,
                **values,
            )
            for name, size in sizes.items()
            if name != "input"
        }
        return SpikingNetwork(6, populations, projections)


def spikes_for(model: SpikingNetwork, samples: int = 5, ticks: int = 30) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.random((samples, ticks, model.inputs)) < 0.4).astype(np.uint8)


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("scale", ["free", "power_of_two", "per_neuron"])
@pytest.mark.parametrize("parts", [CUBA, ALIF, NOISY, CUBA | ALIF | NOISY], ids=["c", "a", "n", "all"])
@pytest.mark.parametrize(
    ("reset", "reset_delay"), [("subtract", False), ("subtract", True), ("zero", False)]
)
def test_training_is_the_exported_network(
    parts: dict[str, Any], scale: str, loop: bool, reset: str, reset_delay: bool
) -> None:
    values = {"scale": scale, **parts, "loop": loop}
    model = network_of(reset_mechanism=reset, reset_delay=reset_delay, **values)
    spikes = spikes_for(model)
    network = to_network(model)
    expected = reference.simulate(network, spikes)
    for activity in (model.eval()(spikes), model.train()(spikes)):
        for name in ("a", "b"):
            fired = activity.spikes[name].detach().numpy()
            np.testing.assert_array_equal(fired, expected.spikes[name])
            for state in network[name].neuron.states:
                wanted = expected.states[name][state.name]
                actual = activity.states[name][state.name].detach().numpy()
                np.testing.assert_array_equal(actual, wanted, state.name)
                # nothing saturates by itself
                assert state.name == "noise" or not np.isin(wanted, state.range).any()
            assert 0.01 < expected.spikes[name].mean() < 0.98
    activity.scores.square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_widths() -> None:
    """The least at which nothing can saturate, by hand: current, adaptation and membrane."""

    def widths(**values: Any) -> tuple[int, ...]:
        lif = LIF(1, 0.5, 1.0, scale=1.0, reset_delay=False, **values)
        synapses = Synapses(2, 1, weights=torch.tensor([[100.0], [-20.0]]))
        network = to_network(SpikingNetwork(2, {"p": lif}, [("input", "p", synapses)]))
        return tuple(state.bits for state in network["p"].neuron.states)

    assert widths() == (9,)  # 200 at most
    assert widths(alpha=0.5) == (10, 9)  # c 200, v 400
    assert widths(alpha=0.75) == (11, 10)  # c 400, v 800
    assert widths(alpha=1.0) == (24, 24)  # no bound
    assert widths(alpha=1.0, current_bits=9) == (11, 9)  # c 255, v 512: −(256 + 1) · 2
    assert widths(rho=0.5, jump=3.0) == (9, 4)  # a 6
    assert widths(rho=0.5, jump=4.0) == (9, 5)  # a 8
    assert widths(rho=0.5, jump=-4.0) == (9, 5)  # a −10, by the rounding
    assert widths(rho=0.0, jump=0.0) == (9, 2)
    assert widths(rho=0.5, jump=3.0, adaptation_bits=11) == (9, 11)


@pytest.mark.parametrize("quantise", [True, False])
@pytest.mark.parametrize(
    ("name", "start", "target"),
    [
        ("alpha", 0.3, 0.7),
        ("beta", 0.5, 0.8),
        ("threshold", 1.4, 0.9),
        ("rho", 0.6, 0.9),
        ("jump", 0.2, 0.5),
    ],
)
def test_a_parameter_is_found_from_what_it_does(
    name: str, start: float, target: float, quantise: bool
) -> None:
    """A student whose parameter is wrong learns that of a teacher, from the teacher's smoothed spikes and states."""

    def make(**values: Any) -> SpikingNetwork:
        values = {"beta": 0.8, "alpha": 0.5, "rho": 0.8, "jump": 0.4, **values}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            synapses = Synapses(12, 20, weight_bits=12)
        lif = LIF(20, spike_grad=fast_sigmoid(3.0), reset_delay=False, **values)
        return SpikingNetwork(12, {"p": lif}, [("input", "p", synapses)], quantize=quantise)

    teacher, student = make(**{name: target}), make(**{name: start, f"learn_{name}": True})
    rng = np.random.default_rng(2)
    spikes = (rng.random((40, 30, 12)) < 0.4).astype(np.uint8)
    kernel = torch.ones(1, 1, 8)

    def smoothed(model: SpikingNetwork) -> Tensor:
        activity = model(spikes)
        rate = torch.nn.functional.conv1d(
            activity.spikes["p"].transpose(1, 2).reshape(-1, 1, 30), kernel, padding=4
        )
        values = [rate.flatten()]
        if name in ("rho", "jump"):
            values.append(activity.states["p"]["adaptation"].flatten() / activity.scale["p"] * 4)
        return torch.cat(values)

    wanted = smoothed(teacher).detach()
    parameter = getattr(student.population("p"), name)
    student.get_parameter("synapses.0.weights").requires_grad_(False)
    optimizer = torch.optim.Adam([parameter], 0.02)
    for _ in range(80):
        optimizer.zero_grad()
        (smoothed(student) - wanted).square().mean().backward()
        optimizer.step()
    found = float(parameter.detach())
    assert abs(found - target) < 0.3 * abs(start - target), found


def one_neuron(current: float, **values: Any) -> SpikingNetwork:
    """A neuron that gets a constant current and nothing else that varies."""
    lif = LIF(1, 0.0, 1.0, bias=current, reset_mechanism="zero", scale=100.0, **values)
    synapses = Synapses(1, 1, weights=torch.zeros(1, 1))
    return SpikingNetwork(1, {"p": lif}, [("input", "p", synapses)])


@pytest.mark.parametrize("current", [0.6, 0.9, 1.0, 1.3])
def test_escape_noise_has_its_probability_in_training_and_export(current: float) -> None:
    model = one_neuron(current, noise_scale=0.2, noise_seed=3)
    p = 1 / (1 + math.exp(-(current - 1) / 0.2))
    spread = 4 * math.sqrt(p * (1 - p) / 20000) + 0.005  # of 20,000 draws, and of an integer threshold
    none = np.zeros((20, 1000, 1), np.uint8)
    for quantise in (True, False):
        model.quantize = quantise
        torch.manual_seed(0)
        fired = model.train()(none).spikes["p"]
        assert abs(float(fired.detach().mean()) - p) < spread
        assert not torch.equal(fired[0], fired[1])  # drawn anew for each sample
    network = to_network(model)
    assert network["p"].neuron.noise == Noise.logistic(20.0, 1, seed=3)
    fired = model.eval()(np.zeros((1, 20000, 1), np.uint8)).spikes["p"]
    assert abs(float(fired.mean()) - p) < spread


def test_noise_has_a_gradient() -> None:
    model = one_neuron(0.9, noise_scale=0.2, learn_bias=True)
    model(np.zeros((50, 20, 1), np.uint8)).scores.sum().backward()
    gradient = model.population("p").bias.grad
    assert gradient is not None
    assert float(gradient) > 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"alpha": 1.5}, "alpha must be in 0 … 1, not 1.5"),
        ({"learn_alpha": True}, "learn_alpha needs alpha, where it starts"),
        ({"rho": 0.9}, "rho and jump make an adaptive threshold together: give both"),
        ({"jump": 0.9}, "rho and jump make an adaptive threshold together: give both"),
        ({"learn_jump": True}, "learn_rho and learn_jump need rho and jump"),
        ({"rho": 2, "jump": 1}, "rho must be in 0 … 1, not 2"),
        ({"rho": 0.1, "jump": torch.ones(4)}, r"jump must be a number or have the shape \(3,\)"),
        ({"noise_scale": 0.0}, "noise_scale must be a number above 0, not 0.0"),
        ({"noise_scale": 0.1, "scale": "per_neuron"}, "noise_scale needs one scale for all neurons"),
        ({"noise": Noise([0], 1)}, "scale must be a number, not 'free'; noise_scale is in the model's"),
        ({"noise": Noise([0], 1), "noise_scale": 0.1, "scale": 3.0}, "two ways to give the noise"),
    ],
)
def test_what_does_not_go_together_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LIF(3, 0.9, **values)


def test_a_jump_that_does_not_fit_is_refused() -> None:
    lif = LIF(1, 0.9, rho=0.5, jump=1000.0, scale=2.0**14)
    message = "population 'p': Adaptation: jump must be in -8388608 … 8388607, not 16384000"
    with pytest.raises(NetworkError, match=message):
        SpikingNetwork(1, {"p": lif}, [("input", "p", Synapses(1, 1))])
    # with a free scale it is that which gives way
    lif = LIF(1, 0.9, rho=0.5, jump=1e6)
    model = SpikingNetwork(1, {"p": lif}, [("input", "p", Synapses(1, 1))])
    assert to_network(model)["p"].neuron.adaptation.jump == 2**23 - 1


def izhikevich(pattern: str = "regular spiking", **values: Any) -> SpikingNetwork:
    """Izhikevich's neurons on a loop, and a readout."""
    neuron = kinds.Izhikevich.of(*kinds.PATTERNS[pattern], current=4.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return SpikingNetwork(
            10,
            {
                "hidden": Izhikevich(16, neuron, **values),
                "output": LIF(2, 0.95, reset_mechanism="none"),
            },
            [
                ("input", "hidden", Synapses(10, 16, weights=torch.randn(10, 16) * 3)),
                ("hidden", "hidden", Synapses(16, 16, delays=2, weights=torch.randn(16, 16))),
                ("hidden", "output", Synapses(16, 2)),
            ],
        )


@pytest.mark.parametrize("pattern", list(kinds.PATTERNS))
def test_izhikevich_s_neurons_are_trained_as_they_are_exported(pattern: str) -> None:
    model = izhikevich(pattern, learn_bias=True)
    spikes = spikes_for(model, samples=3, ticks=80)
    expected = reference.simulate(to_network(model), spikes)
    assert expected.spikes["hidden"].sum() > 30
    for activity in (model.eval()(spikes), model.train()(spikes)):
        for state, values in expected.states["hidden"].items():
            actual = activity.states["hidden"][state].detach().numpy()
            np.testing.assert_array_equal(actual, values, state)
    # floating point spikes about as often
    model.quantize = False
    ratio = float(model(spikes).spikes["hidden"].detach().sum()) / expected.spikes["hidden"].sum()
    assert 0.9 < ratio < 1.1


@pytest.mark.parametrize("quantise", [True, False])
def test_izhikevich_s_neurons_learn(quantise: bool) -> None:
    """Which half of the inputs is busier: the loss falls to less than half, by finite gradients."""
    model = izhikevich(learn_bias=True)
    model.quantize = quantise
    rng = np.random.default_rng(6)
    labels = torch.arange(60) % 2
    busy = (np.arange(10) // 5)[None, :] == labels.numpy()[:, None]
    spikes = (rng.random((60, 40, 10)) < 0.1 + 0.15 * busy[:, None]).astype(np.uint8)
    optimizer = torch.optim.Adam(model.parameters(), 0.06)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(spikes).scores / 40, labels)
        loss.backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None
            assert torch.isfinite(parameter.grad).all(), name
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 2, losses


def test_a_kind_that_cannot_be_trained_is_named() -> None:
    class Silent(kinds.Neuron):
        """Nothing."""

        @property
        def states(self) -> tuple[kinds.State, ...]:
            return (kinds.State("membrane", 16),)

    network = Network(1, [Population("p", 1, Silent())], [], "p")
    with pytest.raises(NetworkError, match="Silent neurons cannot be trained: register a module"):
        SpikingNetwork.from_network(network)
    with pytest.raises(NetworkError, match="torch has no Silent"):
        integer_forward(network, np.zeros((3, 1), np.uint8))


def test_readouts_are_told_by_their_kind() -> None:
    assert LIF(1, 0.9, reset_mechanism=Reset.NONE.value).readout
    assert not LIF(1, 0.9).readout
    assert not Izhikevich(1).readout
