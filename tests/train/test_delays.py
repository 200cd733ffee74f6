"""Learned delays: currents against a plain sum, gradients against finite differences, rounded delays exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lifline import InputError, NetworkError, rtl
from lifline.train import LIF, DelayedLinear, SpikingNetwork, Synapses, integer_forward, to_network
from lifline.train.delays import Kernel, delayed_product, gaussian


def plain(spikes: Tensor, kernel: Kernel) -> Tensor:
    """The definition: I[t, i] = Σ_d Σ_j kernel[d, j, i] · s[t − d, j]; (ticks, samples, size)."""
    total = torch.zeros(*spikes.shape[:2], kernel.weights.shape[2], dtype=spikes.dtype)
    for t in range(len(spikes)):
        for delay, weights in zip(kernel.delays, kernel.weights, strict=True):
            if delay <= t:
                total[t] += spikes[t - delay] @ weights
    return total


def layer(**values: Any) -> DelayedLinear:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return DelayedLinear(4, 3, **{"max_delay": 6, **values}).double()


@pytest.mark.parametrize(
    "delays", [(0,), (2,), (0, 5), (1, 2, 30), tuple(range(9)), (3, 4, 5, 7, 8, 40)]
)
@pytest.mark.parametrize("ticks", [1, 7, 20])
def test_the_product_is_the_sum_over_delays(delays: tuple[int, ...], ticks: int) -> None:
    torch.manual_seed(0)
    kernel = Kernel("a", "b", delays, torch.randn(len(delays), 5, 4).double(), quantised=False)
    kernel.weights.requires_grad_()
    spikes = (torch.rand(ticks, 3, 5) < 0.4).double()
    torch.testing.assert_close(delayed_product(spikes, kernel), plain(spikes, kernel))
    with torch.no_grad():
        torch.testing.assert_close(delayed_product(spikes, kernel), plain(spikes, kernel))


def test_integers_stay_exact_in_single_precision() -> None:
    """16-bit weights of 200 sources over 30 delays: sums of millions, each an integer."""
    torch.manual_seed(0)
    weights = torch.randint(-(2**13), 2**13, (30, 200, 6)).float().requires_grad_()
    kernel = Kernel("a", "b", tuple(range(30)), weights, quantised=True)
    spikes = (torch.rand(50, 2, 200) < 0.5).float()
    exact = plain(spikes.double(), Kernel("a", "b", kernel.delays, weights.detach().double()))
    assert exact.abs().max() > 2**18
    assert torch.equal(delayed_product(spikes, kernel).double(), exact)


def test_gradients_of_the_product_against_finite_differences() -> None:
    torch.manual_seed(0)
    spikes = torch.rand(6, 2, 3).double().requires_grad_()
    for delays in [(0, 2), (0, 1, 2, 3, 4, 7)]:
        weights = torch.randn(len(delays), 3, 2).double().requires_grad_()
        assert torch.autograd.gradcheck(
            lambda s, w, d=delays: delayed_product(s, Kernel("a", "b", d, w, quantised=False)),
            (spikes, weights),
        )


@pytest.mark.parametrize("axonal", [False, True])
@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_gradients_of_weights_and_delays_against_finite_differences(axonal: bool, sigma: float) -> None:
    synapses = layer(axonal=axonal, sigma=sigma)
    torch.manual_seed(2)
    spikes = (torch.rand(2, 9, 4) < 0.5).double()
    target = torch.randn(2, 9, 3).double()

    def loss() -> Tensor:
        return (synapses(spikes) * target).sum()

    loss().backward()
    for parameter in (synapses.weights, synapses.positions):
        gradient = parameter.grad
        assert gradient is not None
        assert (gradient != 0).all()
        for place in np.ndindex(*parameter.shape):
            step = 1e-6
            with torch.no_grad():
                parameter[place] += step
                above = loss()
                parameter[place] -= 2 * step
                below = loss()
                parameter[place] += step
            expected = (above - below) / (2 * step)
            assert gradient[place].item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-7)


def test_a_gaussian_by_hand() -> None:
    """Around 1 with σ = 1, on delays 0 … 2: e^(−1/2), 1, e^(−1/2), over their sum."""
    side = np.exp(-0.5)
    expected = np.array([side, 1, side]) / (1 + 2 * side)
    spread = gaussian(torch.tensor([[1.0]], dtype=torch.float64), 1.0, 3)
    np.testing.assert_allclose(spread[:, 0, 0], expected, rtol=1e-12)


def test_a_narrow_gaussian_at_an_integer_position_is_that_delay() -> None:
    positions = torch.tensor([[0.0, 3, 6], [1, 1, 2], [6, 5, 4], [0, 2, 3]])
    narrow, rounded = layer(positions=positions, sigma=0.1), layer(positions=positions, sigma=0)
    spikes = (torch.rand(2, 20, 4) < 0.5).double()
    torch.testing.assert_close(narrow(spikes), rounded(spikes), rtol=0, atol=1e-12)
    assert torch.equal(rounded.rounded_delays(), positions.to(torch.int64))


def test_one_rounding_in_training_evaluation_and_export() -> None:
    """Halves go to the even tick, as torch rounds them, and what lies outside of the range to its ends."""
    positions = torch.tensor([[0.49, 0.5, 0.51], [1.5, 2.5, 3.5], [-2.0, 5.5, 6.4], [7.9, 4.0, 1.49]])
    expected = np.array([[0, 0, 1], [2, 2, 4], [0, 6, 6], [6, 4, 1]])
    synapses = DelayedLinear(4, 3, max_delay=6, positions=positions, sigma=0)
    model = SpikingNetwork(4, {"p": LIF(3, beta=0.8, threshold=0.3)}, [("input", "p", synapses)])
    assert synapses.rounded_delays().tolist() == expected.tolist()
    network = to_network(model)
    np.testing.assert_array_equal(network.projections[0].synapses.delays, expected)
    spikes = (np.random.default_rng(0).random((8, 40, 4)) < 0.4).astype(np.uint8)
    reference = integer_forward(network, spikes)
    for activity in (model.train()(spikes), model.eval()(spikes)):
        np.testing.assert_array_equal(activity.membrane["p"].detach().numpy(), reference.membrane["p"])
        np.testing.assert_array_equal(activity.spikes["p"].detach().numpy(), reference.spikes["p"])
    assert reference.spikes["p"].any()


def test_axonal_delays_are_one_for_each_source() -> None:
    synapses = layer(axonal=True)
    delays = synapses.rounded_delays()
    assert synapses.positions.shape == (4, 1)
    assert (delays == delays[:, :1]).all()


def test_training_starts_where_it_says_and_anneals() -> None:
    synapses = DelayedLinear(50, 40, max_delay=24, min_delay=4)
    assert torch.equal(synapses.start, synapses.rounded_delays())
    assert synapses.start.min() == 4
    assert synapses.start.max() == 24
    widths = []
    for progress in (0, 0.5, 1, 7):
        synapses.anneal(progress)
        widths.append(synapses.sigma)
    assert widths == pytest.approx([10, (10 * 0.5) ** 0.5, 0.5, 0.5])


def test_a_delay_is_learned() -> None:
    """A target that fires 5 ticks after its input: the delay moves from 1 to 5."""
    synapses = DelayedLinear(
        1, 1, max_delay=8, positions=torch.ones(1, 1), weights=torch.ones(1, 1), sigma=3.0
    )
    spikes = torch.zeros(1, 20, 1)
    spikes[0, 2] = 1
    target = torch.roll(spikes, 5, 1)
    optimizer = torch.optim.Adam([synapses.positions], 0.1)
    for step in range(150):
        synapses.anneal(step / 100)
        optimizer.zero_grad()
        (synapses(spikes) - target).square().sum().backward()
        optimizer.step()
    assert synapses.rounded_delays().item() == 5


def test_learned_delays_in_a_loop() -> None:
    """Recurrent delays of 1 or more: trained tick by tick, and exported exactly."""
    torch.manual_seed(0)
    loop = DelayedLinear(6, 6, min_delay=1, max_delay=9)
    model = SpikingNetwork(
        5,
        {"a": LIF(6, beta=0.8, threshold=0.4), "b": LIF(2, beta=0.9, reset_mechanism="none")},
        [
            ("input", "a", DelayedLinear(5, 6, max_delay=9)),
            ("a", "a", loop),
            ("a", "b", Synapses(6, 2)),
        ],
    )
    spikes = (np.random.default_rng(0).random((4, 30, 5)) < 0.4).astype(np.uint8)
    model(spikes).scores.square().sum().backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0
    for synapses in model.delayed:
        synapses.sigma = 0
    trained, expected = model(spikes), integer_forward(to_network(model), spikes)
    for name in ("a", "b"):
        np.testing.assert_array_equal(trained.membrane[name].detach().numpy(), expected.membrane[name])
    assert expected.spikes["a"].any()
    with pytest.raises(NetworkError, match="learn a delay of 0 form a cycle: a -> a; give one"):
        SpikingNetwork(5, {"a": LIF(6, beta=0.8)}, [("a", "a", DelayedLinear(6, 6, max_delay=9))])


def test_the_delay_cost_draws_delays_together() -> None:
    torch.manual_seed(0)
    model = SpikingNetwork(
        8, {"p": LIF(4, beta=0.8)}, [("input", "p", DelayedLinear(8, 4, max_delay=20))]
    )
    (synapses,) = model.delayed
    spread = synapses.positions.max() - synapses.positions.min()
    assert 0.8 * 4 * spread < model.delay_cost().item() <= 4 * spread
    before = rtl.plan(to_network(model))["p"].channels
    optimizer = torch.optim.Adam([synapses.positions], 0.5)
    for _ in range(60):
        optimizer.zero_grad()
        model.delay_cost().backward()
        optimizer.step()
    assert synapses.rounded_delays().max() - synapses.rounded_delays().min() <= 2
    after = rtl.plan(to_network(model))["p"].channels
    ring_before, ring_after = (
        max(channel.ring_delays[1] for channel in channels) for channels in (before, after)
    )
    assert ring_after <= 2 < 15 < ring_before


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"max_delay": 256}, InputError, "0 ≤ min_delay ≤ max_delay ≤ 255, not 0 … 256"),
        ({"max_delay": 3, "min_delay": 4}, InputError, "not 4 … 3"),
        ({"sigma": -1.0}, InputError, "sigma must be 0 or more ticks, not -1.0"),
        ({"sigma": float("nan")}, InputError, "sigma must be 0 or more ticks, not nan"),
        ({"positions": torch.zeros(3, 4)}, NetworkError, r"shape is \(3, 4\), must be \(4, 3\)"),
        ({"axonal": True, "positions": torch.zeros(4, 3)}, NetworkError, r"must be \(4, 1\)"),
    ],
)
def test_what_cannot_be_used_is_refused(values: dict[str, Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        layer(**values)
