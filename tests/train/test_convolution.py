"""Convolutions, pools and graded inputs that learn: exactly the exported network, and torch's own conv2d."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import lifline
from lifline import InputError, NetworkError, golden
from lifline.train import (
    LIF,
    Conv2d,
    DelayedConv2d,
    Izhikevich,
    Pool2d,
    SpikingNetwork,
    Synapses,
    integer_forward,
    to_network,
)
from lifline.train.losses import row_cost
from lifline.train.maps import Geometry


def some(rng: np.random.Generator, *choices: Any) -> Any:
    return choices[rng.integers(len(choices))]


def convolution(rng: np.random.Generator, source: tuple[int, int, int]) -> Conv2d:
    """A random layer on a map of this shape, of any kind and option, whose kernel fits."""
    flat = source[0] == 1
    kernel = (1 if flat else int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    padding = (0 if flat else int(rng.integers(0, 2)), int(rng.integers(0, 3)))
    dilation = (1, int(rng.integers(1, 3)))
    groups = some(rng, 1, 1, source[2])
    channels = groups * int(rng.integers(1, 4))
    values = {
        "stride": (1 if flat else int(rng.integers(1, 3)), int(rng.integers(1, 3))),
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "weight_bits": int(rng.integers(3, 9)),
    }
    kind = rng.integers(4)
    if kind == 0:
        return DelayedConv2d(
            source, channels, kernel, max_delay=4, sigma=0, each=bool(rng.integers(2)), **values
        )
    if kind == 1 and source[1] % 2 == 0:
        values |= {"dilation": 1, "pool": (1, 2), "padding": (padding[0], min(padding[1], 1))}
        return Conv2d(source, channels, kernel, **values)
    if kind == 2 and not flat:
        return Pool2d(source, 2, stride=some(rng, None, 1), average=bool(rng.integers(2)))
    delays = some(rng, 0, 2, rng.integers(0, 5, kernel))
    return Conv2d(source, channels, kernel, delays=delays, **values)


def random_model(rng: np.random.Generator) -> SpikingNetwork:
    """Two or three maps, one perhaps with a loop, and a readout; graded inputs or not."""
    shape = some(rng, (8, 8, 1), (6, 8, 2), (1, 12, 3), (9, 7, 2))
    inputs, source = shape, "input"
    populations: dict[str, Any] = {}
    projections: list[Any] = []
    for index in range(int(rng.integers(1, 4))):
        for _ in range(100):
            try:
                layer = convolution(rng, shape)
                break
            except NetworkError:
                continue
        name, shape = f"maps{index}", layer.target
        projections.append((source, name, layer))
        per = some(rng, (), (shape[2],), (int(np.prod(shape)),))
        populations[name] = some(
            rng,
            LIF(
                shape,
                beta=0.9,
                threshold=torch.rand(per) * 0.4 + 0.1,
                bias=torch.randn(per) * 0.05,
                alpha=some(rng, None, 0.5),
                scale=some(rng, "free", "per_neuron", "power_of_two"),
                reset_mechanism=some(rng, "subtract", "zero"),
                reset_delay=bool(rng.integers(2)),
                membrane_bits=some(rng, None, 10),
            ),
            LIF(shape, beta=0.8, threshold=0.3, rho=0.9, jump=torch.rand(shape[2]) * 0.2),
        )
        if rng.integers(3) == 0:
            odd = (1 if shape[0] == 1 else 3, 3)
            edge = (odd[0] // 2, 1)
            around = Conv2d(shape, shape[2], odd, padding=edge, groups=some(rng, 1, shape[2]), delays=1)
            projections.append((name, name, around))
        source = name
    size = int(np.prod(shape))
    populations["output"] = LIF(4, beta=0.9, reset_mechanism="none")
    projections.append((source, "output", Synapses(size, 4)))
    return SpikingNetwork(inputs, populations, projections, input_bits=int(rng.integers(1, 5)))


def inputs_for(rng: np.random.Generator, model: SpikingNetwork, ticks: int = 9) -> np.ndarray:
    shape = (3, ticks, model.inputs)
    values = rng.integers(0, 2**model.input_bits, shape) * (rng.random(shape) < 0.4)
    return values.astype(np.uint8)


def test_training_and_evaluation_are_the_exported_network_and_golden() -> None:
    fired = 0
    for seed in range(30):
        print(f"seed {seed}")
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        model = random_model(rng).double()
        spikes = inputs_for(rng, model)
        network = to_network(model)
        expected = golden.simulate(network, spikes)
        assert not any(expected.differing(integer_forward(network, spikes)).values())
        evaluated, trained = model.eval()(spikes), model.train()(spikes)
        for activity in (evaluated, trained):
            for name, membrane in expected.membrane.items():
                found = activity.spikes[name].detach().numpy()
                np.testing.assert_array_equal(found, expected.spikes[name])
                np.testing.assert_array_equal(activity.membrane[name].detach().numpy(), membrane)
        fired += sum(int(spikes.sum()) for spikes in expected.spikes.values())
        again = SpikingNetwork.from_network(network)
        assert to_network(again, network.name) == network
    assert fired > 5_000


@pytest.mark.parametrize("groups", [1, 2])
def test_it_is_torchs_conv2d(groups: int) -> None:
    """Weights of torch.nn.Conv2d, (out, in, ky, kx), are this layer's with their axes moved."""
    theirs = torch.nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), groups=groups, bias=False)
    weights = theirs.weight.detach().permute(2, 3, 1, 0)
    ours = Conv2d(
        (7, 8, 4), 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=groups,
        weights=weights,
    )  # fmt: skip
    maps = torch.rand(5, 4, 7, 8)
    expected = theirs(maps).permute(0, 2, 3, 1).reshape(5, 1, -1)
    found = ours(maps.permute(0, 2, 3, 1).reshape(5, 1, -1))
    torch.testing.assert_close(found, expected)
    assert ours.target == (4, 6, 6)


def test_a_pool_in_a_convolution_is_a_pool_and_then_the_convolution() -> None:
    torch.manual_seed(0)
    pool, conv = Pool2d((8, 6, 3), 2), Conv2d((4, 3, 3), 5, 3, padding=1)
    fused = Conv2d((8, 6, 3), 5, 3, padding=1, pool=2, weights=conv.weights)
    spikes = torch.randint(0, 2, (4, 3, 8 * 6 * 3)).float()
    torch.testing.assert_close(fused(spikes), conv(pool(spikes)))
    assert fused.target == conv.target
    integers = np.random.default_rng(0).integers(-100, 100, (3, 3, 3, 5))
    one = lifline.fuse(
        lifline.sum_pool(2, channels=3), lifline.Convolution(integers, padding=1), (8, 6, 3)
    )
    ours = fused.structure(integers)
    assert isinstance(ours, lifline.Convolution)
    np.testing.assert_array_equal(ours.weights, one.weights)
    assert (ours.stride, ours.padding) == (one.stride, one.padding)


def test_a_learned_delay_finds_where_it_belongs() -> None:
    """A pulse two columns before another, three ticks earlier: only that delay brings both together."""
    torch.manual_seed(1)
    wanted = torch.tensor([[3.0, 0.0, 0.0]]).view(1, 3, 1, 1)
    start = torch.tensor([[1.0, 1.0, 1.0]]).view(1, 3, 1, 1)
    weights = torch.ones(1, 3, 1, 1)
    shape = (1, 8, 1)
    goal = DelayedConv2d(shape, 1, (1, 3), max_delay=4, positions=wanted, weights=weights, sigma=0)
    layer = DelayedConv2d(shape, 1, (1, 3), max_delay=4, positions=start, weights=weights, sigma=1.0)
    spikes = (torch.rand(20, 15, 8) < 0.2).float()
    optimizer = torch.optim.Adam([layer.positions], 0.1)
    for step in range(80):
        layer.sigma = max(0.4, 1.0 - step / 80)
        loss = (layer(spikes) - goal(spikes)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert layer.rounded_delays().flatten().tolist() == [3, 0, 0]
    with pytest.raises(InputError, match="min_delay ≤ max_delay"):
        DelayedConv2d(shape, 1, (1, 3), max_delay=300)


def test_delays_of_positions_are_exported_as_such() -> None:
    layer = DelayedConv2d((6, 6, 2), 3, 3, max_delay=5)
    exported = layer.structure(np.ones((3, 3, 2, 3), np.int64))
    assert isinstance(exported, lifline.Convolution)
    np.testing.assert_array_equal(exported.delays[:, :, 0, 0], layer.rounded_delays()[:, :, 0, 0])
    assert exported.delay_per_position


def test_batch_normalisation_is_by_channel_and_folds_into_weights_and_biases() -> None:
    torch.manual_seed(2)
    layer = Conv2d((8, 8, 1), 4, 3, stride=2)
    maps = LIF(layer.target, beta=0.8, batch_norm=True, learn_bias=True, bias=torch.zeros(4))
    model = SpikingNetwork(
        (8, 8, 1),
        {"maps": maps, "output": LIF(2, beta=0.9, reset_mechanism="none")},
        [("input", "maps", layer), ("maps", "output", Synapses(36, 2))],
        input_bits=3,
    )
    spikes = torch.randint(0, 8, (64, 4, 64), dtype=torch.uint8)
    for _ in range(50):  # the running statistics settle
        model(spikes)
    assert maps.norm is not None
    assert maps.norm.num_features == 4
    before = to_network(model)
    model.fold()
    assert maps.norm is None
    assert maps.bias.shape == (4,)
    assert to_network(model) == before
    bias = before["maps"].neuron.bias.reshape(9, 4)
    assert (bias == bias[0]).all()
    assert len(set(bias[0])) > 1


def test_a_graded_input_of_the_greatest_value_counts_as_a_spike() -> None:
    weights = torch.tensor([[0.5], [1.0]])
    model = SpikingNetwork(
        2,
        {"p": LIF(1, beta=0.5, reset_mechanism="none")},
        [("input", "p", Synapses(2, 1, weights=weights))],
        input_bits=4,
        quantize=False,
    )
    activity = model(torch.tensor([[[15, 0], [0, 3]]]))
    torch.testing.assert_close(activity.membrane["p"][0, :, 0], torch.tensor([0.5, 0.45]))
    with pytest.raises(InputError, match="integers in 0 … 15"):
        model(torch.tensor([[[16, 0]]]))
    with pytest.raises(NetworkError, match="input_bits"):
        SpikingNetwork(2, {"p": LIF(1, 0.5)}, [("input", "p", Synapses(2, 1))], input_bits=9)


def test_izhikevich_neurons_on_a_map() -> None:
    torch.manual_seed(5)
    layer = Conv2d((5, 5, 1), 2, 3, weights=torch.rand(3, 3, 1, 2) * 20)
    model = SpikingNetwork((5, 5, 1), {"p": Izhikevich(layer.target)}, [("input", "p", layer)])
    spikes = np.ones((1, 60, 25), np.uint8)
    network = to_network(model)
    expected = golden.simulate(network, spikes)
    assert expected.spikes["p"].any()
    np.testing.assert_array_equal(model.eval()(spikes).spikes["p"].numpy(), expected.spikes["p"])


def test_rows_are_the_positions_that_a_spike_reaches() -> None:
    geometry = Geometry((5, 6, 2), 3, (3, 2), (2, 1), (1, 0))
    layer = Conv2d((5, 6, 2), 3, (3, 2), stride=(2, 1), padding=(1, 0), weights=torch.ones(3, 2, 2, 3))
    network = lifline.Network(
        (5, 6, 2),
        [lifline.Population("p", layer.target, lifline.LIF(0, 1))],
        [lifline.Projection("input", "p", layer.structure(np.ones((3, 2, 2, 3), np.int64)))],
        "p",
    )
    weights, _ = network.projections[0].synapses.dense()
    np.testing.assert_array_equal(geometry.reached().numpy() * 3, (weights != 0).sum(axis=1))


def test_row_cost_counts_the_rows_that_spikes_read() -> None:
    """Of a spike in the middle of a 3×3 kernel's map 9 rows, in a corner 4, and of a dense projection one."""
    torch.manual_seed(0)
    model = SpikingNetwork(
        (5, 5, 1),
        {"a": LIF((5, 5, 1), 0.0, 0.5), "b": LIF((5, 5, 2), 0.0, 0.5), "c": LIF(3, 0.5)},
        [
            ("input", "a", Conv2d((5, 5, 1), 1, 1, weights=torch.ones(1, 1, 1, 1))),
            ("a", "b", Conv2d((5, 5, 1), 2, 3, padding=1, weights=-torch.ones(3, 3, 1, 2))),
            ("b", "c", Synapses(50, 3)),
        ],
    )
    spikes = torch.zeros(2, 3, 25)
    spikes[0, 0, 12] = spikes[1, 1, 0] = 1
    activity = model(spikes)
    assert activity.spikes["b"].sum() == 0
    cost = row_cost(model, activity)
    assert cost.item() == pytest.approx((9 + 4) / 2 / 1000)
    cost.backward()
    assert (model.projections[0][2].weights.grad != 0).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2d((4, 4, 3), 4, 3, groups=2), "divide into groups=2"),
        (lambda: Conv2d((4, 4, 1), 4, 5), "does not fit on 4×4"),
        (lambda: Conv2d((4, 4, 1), 4, 3, weights=torch.ones(3, 3)), "weights have the shape"),
        (lambda: Conv2d((5, 5, 1), 4, 3, padding=1, pool=2), "must divide the source's 5×5"),
        (lambda: Conv2d((8, 8, 1), 4, 2, dilation=2, pool=2), "dilation must be 1 with a pool"),
        (lambda: Conv2d((8, 8, 1), 4, 3, delays=np.zeros((2, 2), int)), "delays have the shape"),
        (
            lambda: SpikingNetwork(
                (8, 8, 1), {"p": LIF((6, 6, 3), 0.5)}, [("input", "p", Conv2d((8, 8, 1), 3, 5))]
            ),
            "weights have the shape",
        ),
        (
            lambda: SpikingNetwork(
                (4, 16, 1), {"p": LIF((6, 6, 2), 0.5)}, [("input", "p", Conv2d((8, 8, 1), 2, 3))]
            ),
            "its convolution is for",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        make()


@pytest.mark.parametrize("value", [0, 1.5, (1, 2, 3), True])
def test_sizes_are_integers(value: Any) -> None:
    with pytest.raises(InputError, match="stride must be an integer ≥ 1"):
        Conv2d((8, 8, 1), 2, 3, stride=value)
