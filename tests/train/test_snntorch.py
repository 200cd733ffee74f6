"""snnTorch's own forward beside the specification, where its numbers are such that the contract holds them exactly.

Decays are 0, ½ and 1, weights and thresholds are halves, and there are 8 ticks: at a scale of 256 no leak ever has
anything to round.  What snnTorch 1.0.0 does otherwise is in docs/contract.md, "Beside snnTorch", and is refused here.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import snntorch
import torch

from lifline import LIF, Dense, Network, NetworkError, Population, Projection, Reset
from lifline.golden import reference
from lifline.network import INPUT

SCALE, TICKS = 256, 8

Spiking = snntorch.Leaky | snntorch.Synaptic
Layer = tuple[torch.nn.Linear, Spiking]


def converted(layers: Sequence[Layer], ticks: int) -> Network:
    """The network of the contract that spikes as these layers do, for up to so many ticks.

    Raises
    ------
    NetworkError
        If the contract does something else, or cannot hold a number exactly.
    """
    populations, projections = [], []
    source = INPUT
    for i, (linear, neuron) in enumerate(layers):
        name = f"layer{i}"
        alpha = neuron.alpha if isinstance(neuron, snntorch.Synaptic) else None
        reset, threshold = Reset(neuron.reset_mechanism), float(neuron.threshold)
        if neuron.inhibition or neuron.state_quant or float(neuron.graded_spikes_factor) != 1:
            raise NetworkError(
                f"{name}: inhibition, state_quant and graded spikes have no equal here; leave them out"
            )
        if alpha is not None and reset is Reset.ZERO and neuron.reset_delay:
            raise NetworkError(
                f"{name}: with a delayed reset to zero snnTorch's Synaptic drops the tick's input, too; "
                "use reset_delay=False"
            )
        if reset is Reset.SUBTRACT and not neuron.reset_delay:
            strongest = most_current(linear, 0.0 if alpha is None else float(alpha), ticks)
            most = (2 - float(neuron.beta)) * threshold
            if strongest > most:
                raise NetworkError(
                    f"{name}: a current of up to {strongest:g} a tick may leave a membrane above its threshold "
                    "after the reset, and snnTorch then resets it once more; use reset_delay=True, or currents up "
                    f"to {most:g}"
                )
        lif = LIF(
            _integers(neuron.beta, f"{name}: beta"),
            _integers(neuron.threshold, f"{name}: threshold"),
            reset=reset,
            reset_delay=neuron.reset_delay,
            bias=_integers(linear.bias, f"{name}: bias"),
            membrane_bits=24,
            alpha=None if alpha is None else _integers(alpha, f"{name}: alpha"),
            current_bits=24,
        )
        populations.append(Population(name, linear.out_features, lif))
        dense = Dense(_integers(linear.weight, f"{name}: weights").T, weight_bits=16)
        projections.append(Projection(source, name, dense))
        source = name
    return Network(layers[0][0].in_features, populations, projections, source)


def most_current(linear: torch.nn.Linear, alpha: float, ticks: int) -> float:
    """The largest synaptic current that a layer's neuron can have."""
    weights, bias = (parameter.detach().clamp(min=0) for parameter in (linear.weight, linear.bias))
    return float(weights.sum(1).max() + bias.max()) * sum(alpha**t for t in range(ticks))


def _integers(values: torch.Tensor, what: str) -> np.ndarray:
    scaled = values.detach().double() * SCALE
    if not torch.equal(scaled, scaled.round()):
        raise NetworkError(f"{what}: a number is no multiple of 1/{SCALE}; round it first")
    return scaled.long().numpy()


@torch.no_grad()
def run(layers: Sequence[Layer], spikes: np.ndarray) -> list[np.ndarray]:
    """snnTorch's spikes of each layer, (samples, ticks, size)."""
    states: list[tuple[torch.Tensor, ...]] = []
    for linear, neuron in layers:
        zeros = torch.zeros(len(spikes), linear.out_features)
        states.append((zeros,) * (2 if isinstance(neuron, snntorch.Synaptic) else 1))
    fired: list[list[torch.Tensor]] = [[] for _ in layers]
    for tick in torch.from_numpy(spikes.swapaxes(0, 1).astype(np.float32)):
        x = tick
        for i, (linear, neuron) in enumerate(layers):
            x, *after = neuron(linear(x), *states[i])
            states[i] = tuple(after)
            fired[i].append(x)
    return [torch.stack(layer, dim=1).numpy() for layer in fired]


def halves(rng: np.random.Generator, low: float, high: float, *shape: int) -> torch.Tensor:
    """Random multiples of ½."""
    return torch.tensor(rng.integers(int(2 * low), int(2 * high) + 1, shape) / 2, dtype=torch.float32)


def layer(
    rng: np.random.Generator,
    sources: int,
    size: int,
    kind: str,
    reset: str,
    reset_delay: bool,
) -> Layer:
    """A layer of random weights; where it matters its membranes do not stay above their thresholds."""
    linear = torch.nn.Linear(sources, size)
    threshold = float(rng.integers(1, 9) / 2)
    linear.weight.data = halves(rng, -2, 3, size, sources)
    linear.bias.data = halves(rng, -0.5, 0.5, size)
    values = {
        "beta": float(rng.choice([0, 0.5, 1])),
        "reset_mechanism": reset,
        "reset_delay": reset_delay,
    }
    if kind == "Synaptic":
        values["alpha"] = float(rng.choice([0, 0.5, 1]))
    if reset == "subtract" and not reset_delay:
        current = most_current(linear, values.get("alpha", 0.0), TICKS)
        threshold = float(np.ceil(2 * current / (2 - values["beta"])) / 2) + 0.5
    return linear, getattr(snntorch, kind)(threshold=threshold, **values)


CASES = [
    (kind, reset, reset_delay)
    for kind in ("Leaky", "Synaptic")
    for reset in ("subtract", "zero", "none")
    for reset_delay in (True, False)
    if (kind, reset, reset_delay) != ("Synaptic", "zero", True)
]


@pytest.mark.parametrize(("kind", "reset", "reset_delay"), CASES)
def test_not_one_spike_differs(kind: str, reset: str, reset_delay: bool) -> None:
    """Ten random networks for each of eleven cases; 1 to 3 layers."""
    fired = possible = 0
    for seed in range(10):
        print("seed", seed)
        rng = np.random.default_rng(seed)
        sizes = rng.integers(2, 12, int(rng.integers(2, 5)))
        layers = [layer(rng, a, b, kind, reset, reset_delay) for a, b in itertools.pairwise(sizes)]
        spikes = (rng.random((6, TICKS, sizes[0])) < rng.choice([0.3, 0.7])).astype(np.uint8)
        recording = reference.simulate(converted(layers, TICKS), spikes)
        for i, expected in enumerate(run(layers, spikes)):
            np.testing.assert_array_equal(recording.spikes[f"layer{i}"], expected)
            fired += int(expected.sum())
            possible += expected.size
    assert 0.02 * possible < fired < 0.9 * possible


def test_a_delayed_reset_to_zero_of_synaptic_drops_an_input() -> None:
    """The contract keeps the current; snnTorch 1.0.0 sets the membrane to 0 whatever arrives."""
    linear = torch.nn.Linear(1, 1)
    linear.weight.data.fill_(2.0)
    linear.bias.data.zero_()
    neuron = snntorch.Synaptic(alpha=0.0, beta=0.5, reset_mechanism="zero", reset_delay=True)
    ones = np.ones((1, 4, 1), np.uint8)
    assert run([(linear, neuron)], ones)[0].flatten().tolist() == [1, 0, 1, 0]
    leaky = snntorch.Leaky(beta=0.5, reset_mechanism="zero", reset_delay=True)
    assert run([(linear, leaky)], ones)[0].flatten().tolist() == [1, 1, 1, 1]
    with pytest.raises(
        NetworkError, match="Synaptic drops the tick's input, too; use reset_delay=False"
    ):
        converted([(linear, neuron)], 4)


def test_a_membrane_above_its_threshold_after_a_reset_is_reset_again() -> None:
    """v = 5 − 1 = 4 > 1 after the first tick; with beta = ½ the next x is 2: a spike here, none in snnTorch."""
    linear = torch.nn.Linear(1, 1)
    linear.weight.data.fill_(5.0)
    linear.bias.data.zero_()
    neuron = snntorch.Leaky(beta=0.5, reset_delay=False)
    spikes = np.array([[[1], [0], [0]]], np.uint8)
    assert run([(linear, neuron)], spikes)[0].flatten().tolist() == [1, 0, 0]
    lif = LIF(128, 256, bias=0, membrane_bits=24)
    network = Network(
        1, [Population("p", 1, lif)], [Projection(INPUT, "p", Dense([[1280]], weight_bits=16))], "p"
    )
    assert reference.simulate(network, spikes).spikes["p"].flatten().tolist() == [1, 1, 0]
    with pytest.raises(NetworkError, match=r"a current of up to 5 a tick .* or currents up to 1\.5"):
        converted([(linear, neuron)], 3)


def test_what_has_no_equal_is_refused() -> None:
    linear = torch.nn.Linear(1, 1)
    linear.weight.data.fill_(1.0)
    linear.bias.data.zero_()
    for neuron, message in (
        (snntorch.Leaky(beta=0.7), "beta: a number is no multiple of 1/256; round it first"),
        (snntorch.Leaky(beta=0.5, graded_spikes_factor=2.0), "graded spikes have no equal here"),
    ):
        with pytest.raises(NetworkError, match=message):
            converted([(linear, neuron)], 3)
