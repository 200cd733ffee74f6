"""Weights that are rounded together: integers within their limits, and a membrane that is off by less."""

from __future__ import annotations

import numpy as np
import pytest

from lifline.convert.floats import FloatNetwork, FloatNeuron, FloatPopulation, FloatProjection
from lifline.convert.quantise import quantise
from lifline.convert.rounding import compensated, moment, together
from lifline.convert.scales import Choices, Observed
from lifline.neurons import Reset


def cost(whole: np.ndarray, reals: np.ndarray, squares: np.ndarray) -> np.ndarray:
    off = whole - reals
    return np.asarray(np.einsum("ji,jk,ki->i", off, squares, off))


@pytest.mark.parametrize("seed", range(5))
def test_the_sum_of_squares_is_less_than_of_the_nearest_integers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sources = int(rng.integers(3, 40))
    common = rng.standard_normal((500, 2)) @ rng.standard_normal((2, sources))
    traces = common + rng.standard_normal((500, sources)) * 0.3
    squares = traces.T @ traces
    reals = rng.standard_normal((sources, 6)) * 3
    limits = np.full(sources, 7.0)
    whole = compensated(reals, limits, squares)
    assert whole.dtype == np.int64
    assert (whole >= -8).all()
    assert (whole <= 7).all()
    nearest = np.rint(reals).clip(-8, 7)
    assert (cost(whole, reals, squares) <= cost(nearest, reals, squares) * (1 + 1e-9)).all(), seed
    assert cost(whole, reals, squares).sum() < 0.5 * cost(nearest, reals, squares).sum(), seed


def test_integers_stay() -> None:
    rng = np.random.default_rng(1)
    traces = rng.random((50, 8))
    reals = rng.integers(-5, 6, (8, 3)).astype(float)
    assert (compensated(reals, np.full(8, 7.0), traces.T @ traces) == reals).all()


def network(weights: np.ndarray, delays: object = 0) -> FloatNetwork:
    inputs, size = weights.shape
    neuron = FloatNeuron(np.full(size, 0.75), np.ones(size), np.zeros(size), Reset.SUBTRACT)
    population = FloatPopulation("a", (size,), neuron, np.zeros(size))
    projection = FloatProjection("input", "a", weights, delays)
    return FloatNetwork((inputs,), (inputs,), [population], [projection], "a")


def test_what_meets_in_a_neuron_is_filtered_and_late() -> None:
    floats = network(np.ones((1, 1)), delays=2)
    spikes = np.zeros((1, 5, 1), np.uint8)
    spikes[0, 0] = 1
    squares = moment(floats, floats["a"], {"input": spikes})
    trace = np.array([0, 0, 1, 0.75, 0.75**2])
    ones = np.cumsum(0.75 ** np.arange(5))
    wanted = [[trace @ trace, trace @ ones], [trace @ ones, ones @ ones]]
    assert squares == pytest.approx(np.array(wanted), rel=1e-9)
    assert (
        moment(network(np.ones((2, 2)), np.eye(2, dtype=int)), floats["a"], {"input": spikes}) is None
    )


def test_the_bias_takes_up_what_is_left() -> None:
    """Sources that always spike together are one: their errors, and the bias, make up for each other."""
    floats = network(np.full((2, 1), 0.4))
    spikes = np.ones((1, 20, 2), np.uint8)
    squares = moment(floats, floats["a"], {"input": spikes})
    observed = {"a": Observed(np.full(1, 4.0), np.full(1, 1.0), squares)}
    made, _ = quantise(floats, Choices(scale=3.0), observed)
    total = made.projections[0].synapses.weights.sum() + made["a"].neuron.bias[0]
    floors = (1 - 1 / 4) / 2  # half a unit each, on average: 192/256 is 3/4
    assert abs(total - (2 * 0.4 * 3 + floors)) <= 0.5
    assert together(floats.projections) == floats.projections
