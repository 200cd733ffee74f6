"""The golden model against examples worked by hand, and against the equations written one neuron at a time."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from lifline import LIF, Dense, InputError, Network, Population, Projection, Recording, Reset
from lifline.golden import Model, model, product, reference, simulate
from lifline.golden.neurons import float_for
from lifline.golden.product import Spikes

from .networks import random_network, random_spikes


def one(
    *, inputs: list[list[int]], weights: list[list[int]], delays: object = 0, **values: object
) -> tuple:
    """Spikes and membranes of the only population of a network, both as (ticks, size) lists."""
    size = len(weights[0])
    neuron = LIF(**{"beta": 256, "threshold": 100, **values})  # type: ignore[arg-type]
    population = Population("p", size, neuron)
    synapses = Projection("input", "p", Dense(weights, delays=delays, weight_bits=16))
    network = Network(len(weights), [population], [synapses], output="p")
    result = simulate(network, np.array(inputs))
    return result.spikes["p"].tolist(), result.membrane["p"].tolist()


def flat(rows: list[list[int]]) -> list[int]:
    return [row[0] for row in rows]


# beta 128/256 (half is kept), weight 8, threshold 10; the input is 1 1 1 0 1 1 0 1.  By hand, with SUBTRACT:
#   x:  8   4+8=12>10   1+8=9   floor(4.5)=4   2+8=10, not >10   5+8=13>10   floor(1.5)=1   0+8=8
#   v:  8   2           9       4              10                3           1              8
@pytest.mark.parametrize(
    ("reset", "reset_delay", "spikes", "membrane"),
    [
        ("subtract", False, [0, 1, 0, 0, 0, 1, 0, 0], [8, 2, 9, 4, 10, 3, 1, 8]),
        ("zero", False, [0, 1, 0, 0, 0, 1, 0, 0], [8, 0, 8, 4, 10, 0, 0, 8]),
        ("none", False, [0, 1, 1, 0, 1, 1, 0, 1], [8, 12, 14, 7, 11, 13, 6, 11]),
        ("subtract", True, [0, 1, 0, 0, 0, 1, 0, 0], [8, 12, 4, 2, 9, 12, -4, 6]),
        ("zero", True, [0, 1, 0, 0, 0, 1, 0, 0], [8, 12, 8, 4, 10, 13, 0, 8]),
        ("none", True, [0, 1, 1, 0, 1, 1, 0, 1], [8, 12, 14, 7, 11, 13, 6, 11]),
    ],
)
def test_every_reset(reset: str, reset_delay: bool, spikes: list[int], membrane: list[int]) -> None:
    s, v = one(
        inputs=[[1], [1], [1], [0], [1], [1], [0], [1]],
        weights=[[8]],
        beta=128,
        threshold=10,
        reset=reset,
        reset_delay=reset_delay,
    )
    assert flat(s) == spikes
    assert flat(v) == membrane


def test_a_spike_needs_more_than_the_threshold() -> None:
    s, v = one(inputs=[[1]], weights=[[99, 100, 101]], threshold=100)
    assert s == [[0, 0, 1]]
    assert v == [[99, 100, 1]]


def test_threshold_zero() -> None:
    s, v = one(inputs=[[1], [0]], weights=[[0, 1, -1]], threshold=0)
    assert s == [[0, 1, 0], [0, 1, 0]]
    assert v == [[0, 1, -1], [0, 1, -1]]


def test_decay_rounds_towards_minus_infinity() -> None:
    _, v = one(inputs=[[1], [0], [0], [0], [0]], weights=[[-5, 5]], beta=128)
    assert v == [[-5, 5], [-3, 2], [-2, 1], [-1, 0], [-1, 0]]  # −1 stays −1: floor(−0.5)


@pytest.mark.parametrize(("beta", "membrane"), [(0, [7, 0]), (1, [7, 0]), (255, [7, 6]), (256, [7, 7])])
def test_ends_of_beta(beta: int, membrane: list[int]) -> None:
    _, v = one(inputs=[[1], [0]], weights=[[7]], beta=beta)
    assert flat(v) == membrane


def test_saturation() -> None:
    s, v = one(inputs=[[1], [1], [1]], weights=[[100, -100]], threshold=127, membrane_bits=8)
    assert v == [[100, -100], [127, -128], [127, -128]]
    assert s == [[0, 0], [0, 0], [0, 0]]  # 127 is not more than 127, whatever the sum was


def test_saturation_comes_before_the_threshold_is_taken_off() -> None:
    s, v = one(inputs=[[1], [1]], weights=[[90]], threshold=100, membrane_bits=8)
    assert (flat(s), flat(v)) == ([0, 1], [90, 27])  # sat(180) = 127, less 100


def test_saturation_comes_after_the_threshold_is_taken_off_where_the_reset_is_delayed() -> None:
    s, v = one(inputs=[[1]] * 3, weights=[[90]], threshold=100, membrane_bits=8, reset_delay=True)
    assert (flat(s), flat(v)) == ([0, 1, 1], [90, 127, 117])  # sat(127 + 90 − 100)


def test_the_sum_of_currents_is_not_saturated_on_its_way() -> None:
    s, v = one(inputs=[[1, 1, 1]], weights=[[32767], [-32768], [9]], membrane_bits=8)
    assert (flat(s), flat(v)) == ([0], [8])


def test_bias_is_added_at_every_tick() -> None:
    s, v = one(inputs=[[0]] * 4, weights=[[0, 0]], bias=[40, -7], threshold=100)
    assert v == [[40, -7], [80, -14], [20, -21], [60, -28]]
    assert s == [[0, 0], [0, 0], [1, 0], [0, 0]]


def test_parameters_of_each_neuron() -> None:
    s, v = one(
        inputs=[[1], [0]], weights=[[8, 8, 8]], beta=[256, 128, 0], threshold=[7, 8, 9], bias=[0, 1, 2]
    )
    assert s == [[1, 1, 1], [0, 0, 0]]
    assert v == [[1, 1, 1], [1, 1, 2]]


def test_delays_of_each_synapse() -> None:
    _, v = one(
        inputs=[[1, 0], [0, 1], [0, 0], [0, 0], [0, 0]],
        weights=[[1, 2, 3], [10, 20, 30]],
        delays=[[0, 1, 3], [2, 0, 1]],
        beta=0,
    )
    assert v == [[1, 0, 0], [0, 22, 0], [0, 0, 30], [10, 0, 3], [0, 0, 0]]


def test_a_delay_beyond_the_last_tick() -> None:
    _, v = one(inputs=[[1]] * 3, weights=[[5, 5]], delays=[[255, 2]], beta=0)
    assert v == [[0, 0], [0, 0], [0, 5]]


def test_no_delay_passes_all_populations_within_a_tick() -> None:
    network = Network(
        inputs=1,
        populations=[
            Population(name, size=1, neuron=LIF(beta=0, threshold=0))
            for name in ("last", "middle", "first")
        ],
        projections=[
            Projection("middle", "last", [[1]]),
            Projection("first", "middle", [[1]]),
            Projection("input", "first", [[1]]),
        ],
        output="last",
    )
    result = simulate(network, np.array([[0], [1], [0]]))
    assert [flat(result.spikes[name].tolist()) for name in ("first", "middle", "last")] == [
        [0, 1, 0]
    ] * 3


def test_recurrence() -> None:
    """A spike comes back after two ticks, and keeps a neuron firing that one input has started."""
    network = Network(
        inputs=1,
        populations=[Population("p", size=1, neuron=LIF(beta=0, threshold=4, reset=Reset.ZERO))],
        projections=[
            Projection("input", "p", [[5]]),
            Projection("p", "p", Dense([[5]], delays=2)),
        ],
        output="p",
    )
    assert flat(simulate(network, np.array([[1]] + [[0]] * 6)).spikes["p"].tolist()) == [
        1,
        0,
        1,
        0,
        1,
        0,
        1,
    ]


def test_a_loop_of_two_populations() -> None:
    network = Network(
        inputs=1,
        populations=[
            Population("a", size=1, neuron=LIF(beta=256, threshold=0)),
            Population("b", size=1, neuron=LIF(beta=0, threshold=0)),
        ],
        projections=[
            Projection("input", "a", [[1]]),
            Projection("a", "b", [[1]]),  # within the tick
            Projection("b", "a", Dense([[-3]], delays=1)),
        ],
        output="b",
    )
    result = simulate(network, np.array([[1], [1], [1], [1], [1]]))
    assert flat(result.membrane["a"].tolist()) == [1, -1, 0, 1, -1]
    assert flat(result.spikes["a"].tolist()) == [1, 0, 0, 1, 0]


def test_projections_between_the_same_two_add_up() -> None:
    network = Network(
        inputs=1,
        populations=[Population("p", size=2, neuron=LIF(beta=0, threshold=100))],
        projections=[
            Projection("input", "p", [[1, 2]]),
            Projection("input", "p", [[10, 20]]),
            Projection("input", "p", Dense([[30, 40]], delays=[[1, 2]])),
        ],
        output="p",
    )
    membrane = simulate(network, np.array([[1], [0], [0]])).membrane["p"]
    assert membrane.tolist() == [[11, 22], [30, 0], [0, 40]]


def readout(reset: Reset, weights: list[list[int]], threshold: int = 3) -> Network:
    return Network(
        inputs=len(weights),
        populations=[Population("p", len(weights[0]), LIF(beta=256, threshold=threshold, reset=reset))],
        projections=[Projection("input", "p", weights)],
        output="p",
    )


def test_class_is_the_neuron_with_the_most_spikes() -> None:
    spikes = np.ones((1, 8, 1), int)
    assert simulate(readout(Reset.SUBTRACT, [[1, 3, 2]]), spikes).classes.tolist() == [1]
    assert simulate(readout(Reset.SUBTRACT, [[2, 3, 3]]), spikes).classes.tolist() == [1]  # a tie
    assert simulate(readout(Reset.SUBTRACT, [[0, 0, 0]]), spikes).classes.tolist() == [0]  # silence


def test_class_of_a_readout_is_its_membrane_summed_over_the_ticks() -> None:
    # over the ticks: neuron 0 sums 0 + 9 + 9, neuron 1 sums 7 + 7 + 7; spikes and the last value say 0
    network = readout(Reset.NONE, [[0, 7], [9, 0]], threshold=8)
    result = simulate(network, np.array([[[1, 0], [0, 1], [0, 0]]]))
    assert result.membrane["p"].sum(axis=1).tolist() == [[18, 21]]
    assert result.spikes["p"].sum(axis=1).tolist() == [[2, 0]]
    assert result.classes.tolist() == [1]
    tie = readout(Reset.NONE, [[-2, -1, -1]])
    assert simulate(tie, np.ones((1, 3, 1), int)).classes.tolist() == [1]


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("largest", [1, 128, 8191])
@pytest.mark.parametrize(
    ("shape", "targets"),
    [((1, 1, 1), 1), ((5, 3, 7), 2), ((4, 9, 40), 33), ((25, 16, 300), 150), ((1, 64, 512), 64)],
)
def test_products_of_every_density(
    shape: tuple[int, int, int], targets: int, largest: int, dtype: type
) -> None:
    rng = np.random.default_rng(1)
    weights = rng.integers(-largest, largest + 1, (shape[2], targets)).astype(np.int16)
    pictures = rng.random((1, *shape[1:])) < 0.1  # few sources are used, in many ticks
    crowded = np.arange(shape[1])[:, None] == 0  # one row has all events
    for spikes in (
        np.zeros(shape, bool),
        np.ones(shape, bool),
        np.broadcast_to(crowded, shape),
        pictures & (rng.random(shape) < 0.7),
        *(rng.random(shape) < density for density in (0.001, 0.01, 0.05, 0.3, 0.9)),
    ):
        expected = spikes.astype(np.int64) @ weights.astype(np.int64)
        swapped = np.ascontiguousarray(spikes.swapaxes(0, 1)).swapaxes(0, 1)
        for prepared in (Spikes(np.ascontiguousarray(spikes)), Spikes(swapped)):
            product = prepared.times(weights, dtype)
            assert np.array_equal(product, expected)
            for way in (prepared._of_matrices, prepared._of_used, prepared._of_events):
                product = way(weights, dtype).reshape(*prepared.batch.shape[:2], targets)
                assert np.array_equal(product.swapaxes(0, 1) if prepared.swapped else product, expected)


@pytest.mark.parametrize("weight", [-128, 127, -(2**15), 2**15 - 1])
@pytest.mark.parametrize("events", [1, 2, 255, 256, 257, 259])
def test_products_at_the_edge_of_sixteen_bits(weight: int, events: int) -> None:
    spikes = (np.arange(300) < events)[None, None]
    product = Spikes(spikes)._of_events(np.full((300, 3), weight, np.int16), np.float32)
    assert product.tolist() == [[events * weight] * 3]


@pytest.mark.parametrize("density", [0.01, 0.2])
def test_products_without_scipy(density: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product, "_scipy_sparse", lambda: None)
    rng = np.random.default_rng(1)
    weights = rng.integers(-128, 128, (300, 40)).astype(np.int16)
    for samples in (2, 70):
        spikes = rng.random((9, samples, 300)) < density
        assert np.array_equal(
            Spikes(spikes).times(weights, np.float32), spikes.astype(int) @ weights.astype(int)
        )


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
