"""The golden model's engine against the specification, and at the limits of its floats."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from lifline import LIF, Dense, InputError, Network, Population, Projection, Recording, Reset
from lifline.golden import Model, model, reference, simulate
from lifline.golden.neurons import float_for

from .networks import random_network, random_spikes
from .test_golden_by_hand import readout


def test_shapes_and_types() -> None:
    network = readout(Reset.SUBTRACT, [[1, 3, 2]])
    batch = simulate(network, np.ones((4, 5, 1), np.uint8))
    single = simulate(network, np.ones((5, 1), bool))
    assert batch.spikes["p"].dtype == single.spikes["p"].dtype == np.uint8
    assert batch.membrane["p"].dtype == single.membrane["p"].dtype == np.int32
    assert batch.classes.dtype == single.classes.dtype == np.int64
    assert batch.spikes["p"].shape == batch.membrane["p"].shape == (4, 5, 3)
    assert single.spikes["p"].shape == single.membrane["p"].shape == (5, 3)
    assert batch.classes.shape == (4,)
    assert single.classes.shape == ()
    assert simulate(network, np.ones((0, 5, 1), int)).spikes["p"].shape == (0, 5, 3)


def test_samples_do_not_meet() -> None:
    rng = np.random.default_rng(5)
    network = random_network(rng)
    spikes = random_spikes(rng, network, samples=6, ticks=30)
    together = simulate(network, spikes)
    for sample in range(6):
        alone = simulate(network, spikes[sample])
        assert alone.classes == together.classes[sample]
        for population in network.populations:
            name = population.name
            assert np.array_equal(alone.spikes[name], together.spikes[name][sample])
            assert np.array_equal(alone.membrane[name], together.membrane[name][sample])


def test_wrong_spikes() -> None:
    with pytest.raises(InputError, match="value 2 at"):
        simulate(readout(Reset.ZERO, [[1]]), np.array([[2]]))


def alike(network: Network, spikes: np.ndarray, result: Recording) -> None:
    """A result is the reference's, every spike and state."""
    expected = reference.simulate(network, spikes)
    divergence = expected.compare(result, network)
    assert divergence is None, str(divergence)
    assert np.array_equal(expected.classes, result.classes)


@pytest.mark.parametrize("seed", range(60))
def test_random_networks_as_the_reference(seed: int) -> None:
    print("seed", seed)
    rng = np.random.default_rng(seed)
    network = random_network(rng, max_size=6)
    spikes = random_spikes(rng, network, samples=2, ticks=25)
    alike(network, spikes, simulate(network, spikes))


@pytest.mark.parametrize("seed", range(10))
def test_parts_of_a_batch(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples run together in parts give what they give alone, the last part being a smaller one."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, max_size=6)
    spikes = random_spikes(rng, network, samples=7, ticks=12)
    neurons = network.inputs + sum(population.size for population in network.populations)
    for samples in (0, 1, 3, 7):  # in a part; never less than one
        monkeypatch.setattr(model, "PART", samples * 12 * neurons)
        alike(network, spikes, simulate(network, spikes))


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0, 0)])
def test_nothing_to_run(shape: tuple[int, int]) -> None:
    network = random_network(np.random.default_rng(3))
    result = simulate(network, np.zeros((*shape, network.inputs), np.uint8))
    for population in network.populations:
        assert result.spikes[population.name].shape == (*shape, population.size)
        assert result.membrane[population.name].shape == (*shape, population.size)
    assert result.classes.tolist() == [0] * shape[0]


def near(total: int, **values: object) -> Network:
    """One neuron whose bias and weights, 513 of them, are `total` and −`total` + 1 in sum."""
    weights = np.full(513, -32768)
    weights[512] = 0
    weights[512] = 1 - total - weights.sum()
    return Network(
        inputs=513,
        populations=[Population("p", 1, LIF(beta=0, threshold=100, bias=total, **values))],  # type: ignore[arg-type]
        projections=[Projection("input", "p", Dense(weights[:, None], weight_bits=16))],
        output="p",
    )


@pytest.mark.parametrize("distance", [-2, -1, 0, 1, 2, 3])
def test_sums_about_the_largest_integer_of_a_float32(distance: int) -> None:
    """A bias of 2^24 and weights that leave 1 of it: a float32 would leave 0 or 2."""
    spikes = np.ones((2, 1, 513), np.uint8)
    assert simulate(near(2**24 + distance), spikes).membrane["p"].tolist() == [[[1]], [[1]]]


def test_the_float_that_is_just_wide_enough() -> None:
    def kind(bias: int, bits: int = 8) -> type:
        neuron = LIF(beta=256, threshold=3, bias=bias, membrane_bits=bits).sized(1, "")
        return float_for(neuron, 7)

    assert kind(2**24 - 7 - 2 * 2**7) is np.float32
    assert kind(2**24 - 7 - 2 * 2**7 + 1) is np.float64
    assert kind(-(2**24 - 7 - 2 * 2**7)) is np.float32
    assert kind(-(2**24 - 7 - 2 * 2**7) - 1) is np.float64
    assert kind(0, bits=17) is np.float32
    assert kind(0, bits=18) is np.float64


@pytest.mark.parametrize("bits", [16, 17, 18, 23, 24])
def test_leaks_of_wide_membranes(bits: int) -> None:
    """Every bit of beta · v counts in its floor."""
    top = 2 ** (bits - 1) - 1
    values = np.array([top, top - 254, -top - 1, -top + 254])  # 255 · (top − 254) is odd
    betas, values = (grid.ravel() for grid in np.meshgrid([255, 129, 256], values))
    parts = np.diff(np.arange(301)[:, None] * values // 300, axis=0)  # each fits into 16 bits
    network = Network(
        inputs=300,
        populations=[Population("p", 12, LIF(beta=betas, threshold=top, membrane_bits=bits))],
        projections=[Projection("input", "p", Dense(parts, weight_bits=16))],
        output="p",
    )
    spikes = np.zeros((6, 300), np.uint8)
    spikes[0] = 1
    expected = reference.simulate(network, spikes)
    assert expected.membrane["p"][0].tolist() == values.tolist()
    alike(network, spikes, simulate(network, spikes))


def test_a_model_runs_again_as_the_first_time() -> None:
    rng = np.random.default_rng(1)
    network = random_network(rng)
    prepared = Model(network)
    for samples in (3, 1, 5):
        spikes = random_spikes(rng, network, samples, 10)
        result, again = simulate(network, spikes), prepared.simulate(spikes)
        for name in result.spikes:
            assert np.array_equal(again.spikes[name], result.spikes[name])
            assert np.array_equal(again.membrane[name], result.membrane[name])
        assert np.array_equal(again.classes, result.classes)


def matrix_by_matrix(network: Network, spikes: np.ndarray) -> tuple[dict, dict]:
    """The equations once more, in int64, for networks too large to go neuron by neuron."""
    samples, ticks, _ = spikes.shape
    s = {"input": spikes.astype(np.int64)}
    v = {}
    for p in network.populations:
        s[p.name] = np.zeros((samples, ticks, p.size), np.int64)
        v[p.name] = np.zeros((samples, ticks, p.size), np.int64)
    for t in range(ticks):
        for p in network.order:
            n = p.neuron
            x = np.tile(n.bias, (samples, 1))
            for projection in network.incoming(p.name):
                synapses = projection.synapses
                for delay in range(min(t, synapses.delays.max()) + 1):
                    weights = np.where(synapses.delays == delay, synapses.weights, 0)
                    x += s[projection.source][:, t - delay] @ weights
            x += n.beta * v[p.name][:, t - 1] >> 8
            x = np.clip(x, *n.states[0].range)
            s[p.name][:, t] = x > n.threshold
            v[p.name][:, t] = x - n.threshold * s[p.name][:, t]
    return s, v


@pytest.mark.parametrize("density", [0.01, 0.12, 0.6])
@pytest.mark.parametrize("bits", [4, 16])
def test_a_large_network(density: float, bits: int) -> None:
    """A layer, then two populations that feed each other, with delays; sums narrow and wide."""
    rng = np.random.default_rng(bits)

    def synapses(source: str, target: str, shape: tuple[int, int], least: int, most: int) -> Projection:
        weights = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape)
        return Projection(source, target, Dense(weights, rng.integers(least, most + 1, shape), bits))

    theta = 2**bits  # and floats of both kinds
    network = Network(
        inputs=400,
        populations=[
            Population("back", 70, LIF(beta=200, threshold=theta, membrane_bits=bits + 7)),
            Population("layer", 150, LIF(beta=243, threshold=theta, membrane_bits=bits + 7)),
            Population("forth", 60, LIF(beta=256, threshold=theta, bias=5, membrane_bits=bits + 7)),
        ],
        projections=[
            synapses("input", "layer", (400, 150), 0, 0),
            synapses("layer", "forth", (150, 60), 0, 3),
            synapses("forth", "back", (60, 70), 0, 2),
            synapses("back", "forth", (70, 60), 1, 2),
            synapses("forth", "forth", (60, 60), 2, 2),
        ],
        output="back",
    )
    spikes = (rng.random((9, 14, 400)) < density).astype(np.uint8)
    result = simulate(network, spikes)
    s, v = matrix_by_matrix(network, spikes)
    for name in ("layer", "forth", "back"):
        assert result.spikes[name].any()
        assert np.array_equal(result.spikes[name], s[name])
        assert np.array_equal(result.membrane[name], v[name])


def test_numpy_is_all_that_is_needed() -> None:
    """No optional package is imported by the contract or the golden model."""
    code = (
        "import sys, lifline, lifline.golden\n"
        "print(*sorted({'torch', 'amaranth', 'cocotb', 'sklearn', 'rich', 'click', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
