"""The golden model against examples worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lifline import LIF, Dense, Network, Population, Projection, Reset
from lifline.golden import simulate


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
