"""What is derived from a network: widths, lanes, and where its delays are kept."""

from __future__ import annotations

import numpy as np
import pytest

from lifline.errors import InputError
from lifline.network import Network, Population, Projection
from lifline.neurons import LIF
from lifline.rtl.parameters import signed_bits
from lifline.rtl.plan import lanes_of, plan
from lifline.synapses import Dense


def network(sizes, projections):
    populations = [
        Population(f"p{i}", size, LIF(beta=256, threshold=5)) for i, size in enumerate(sizes[1:])
    ]
    return Network(
        sizes[0],
        populations,
        [Projection(s, t, Dense(w, delays=d)) for s, t, w, d in projections],
        "p0",
    )


@pytest.mark.parametrize(
    ("low", "high", "bits"),
    [
        (0, 0, 1),
        (-1, 0, 1),
        (0, 1, 2),
        (-2, 1, 2),
        (-128, 127, 8),
        (-129, 0, 9),
        (0, 128, 9),
        (3, 5, 4),
    ],
)
def test_signed_bits(low, high, bits):
    assert signed_bits(low, high) == bits


def test_accumulators_are_as_wide_as_the_weights_need():
    weights = np.array([[127, -128], [127, -128], [127, 1]])
    array = plan(network([3, 2], [("input", "p0", weights, 0)]))["p0"]
    assert array.accumulator_range == (-256, 381)
    assert array.accumulator_bits == 10


def test_rows_are_grouped_and_padded():
    array = plan(network([2, 3], [("input", "p0", np.array([[1, 2, 3], [4, 5, 6]]), 0)]), 2)["p0"]
    weights = array.channels[0].rows.contents["weights"]
    assert weights.values().tolist() == [[1, 2], [4, 5], [3, 0], [6, 0]]


def test_lanes():
    net = network([2, 3, 5], [])
    assert lanes_of(net, 4) == {"p0": 3, "p1": 4}
    assert lanes_of(net, {"p1": 5}) == {"p0": 1, "p1": 5}
    with pytest.raises(InputError, match="lanes: 'q' is no population; the network has p0, p1"):
        lanes_of(net, {"q": 1})
    with pytest.raises(InputError, match="lanes of 'p0' must be in 1 … 3, its size, not 4"):
        lanes_of(net, {"p0": 4})
    for wrong in (0, -1, 1.5, True, "2"):
        with pytest.raises(InputError, match="must be an integer ≥ 1"):
            lanes_of(net, wrong)


def test_equal_delays_are_kept_where_fewer_bits_do():
    many, few = np.ones((2, 500), int), np.ones((500, 2), int)
    array = plan(network([2, 500], [("input", "p0", many, 9)]), 500)["p0"]
    assert (array.channels[0].lag, array.ring_ticks) == (9, 1)  # a queue of 3 events a tick
    array = plan(network([500, 2], [("input", "p0", few, 9)]), 2)["p0"]
    assert (array.channels[0].lag, array.ring_ticks) == (1, 9)  # a ring of 2 accumulators a tick
    assert array.channels[0].rows.delay_bits == 0


def test_delays_are_split_between_queue_and_ring():
    delays = np.array([[3, 5], [4, 7]])
    array = plan(network([2, 2], [("input", "p0", np.ones((2, 2), int), delays)]))["p0"]
    (channel, _) = array.channels
    stored = channel.rows.contents["delays"].values()  # a lane: group · sources + source
    assert (stored.reshape(2, 2).T + channel.lag == delays).all()
    assert channel.ring_delays == (3 - channel.lag, 7 - channel.lag)
    assert array.ring_ticks == channel.ring_delays[1] + 1


def test_a_loop_has_a_marker_in_it():
    ones = np.ones((2, 2), int)
    delays = np.array([[1, 9], [30, 2]])
    array = plan(network([2, 2], [("input", "p0", ones, 0), ("p0", "p0", ones, delays)]))["p0"]
    assert [(c.source, c.lag >= 1) for c in array.channels] == [("input", False), ("p0", True)]


def test_populations_that_the_input_cannot_reach_within_a_tick_get_its_markers():
    ones = np.ones((2, 2), int)
    arrays = plan(
        network([2, 2, 2, 2], [("input", "p0", ones, 0), ("p0", "p1", ones, 1), ("p1", "p2", ones, 0)])
    )
    assert [c.projection is None for c in arrays["p0"].channels] == [False]
    assert [c.projection is None for c in arrays["p1"].channels] == [False, True]
    assert [c.projection is None for c in arrays["p2"].channels] == [False, True]
