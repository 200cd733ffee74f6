"""The rows of every kind of synapses: what is planned, and what the gateware makes of an event, against the matrix."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Module, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.errors import InputError, NetworkError
from lifline.network import Network, Population, Projection
from lifline.neurons import LIF
from lifline.rtl import cycles
from lifline.rtl.arithmetic import quotient
from lifline.rtl.encoder import SpikeEncoder
from lifline.rtl.layout import Layout
from lifline.rtl.plan import block_of, lanes_of, plan
from lifline.rtl.rows import rows
from lifline.rtl.synapses import RowMemory, generator
from lifline.synapses import Convolution, Sparse, Synapses, sum_pool

from .streams import exchange
from .structures import arrays

SEEDS = pytest.mark.parametrize("seed", range(12))


def matrix_rows(array, channel, source):
    """The rows that an event must take, from the matrix: {group: (weights, delays)}; of lanes without a synapse 0."""
    weights, delays = channel.projection.synapses.dense()
    by_group = array.layout.by_group(weights[source])
    late = array.layout.by_group(delays[source])
    return {g: (by_group[g], late[g]) for g in range(array.groups) if by_group[g].any()}


@SEEDS
def test_rows_taken_reach_every_synapse(seed):
    _, array = arrays(seed)
    for channel in array.channels:
        for source, taken in enumerate(channel.rows.taken):
            assert taken >= max(1, len(matrix_rows(array, channel, source)))
            if not isinstance(channel.projection.synapses, Sparse | Convolution):
                assert taken == array.groups


@SEEDS
def test_weights_are_stored_once(seed):
    _, array = arrays(seed)
    for channel in array.channels:
        stored = channel.rows.contents["weights"]
        synapses = channel.projection.synapses
        assert stored.values().shape == (stored.depth, stored.entries)
        if isinstance(synapses, Convolution):
            ky, kx, ins, outs = synapses.weights.shape
            assert stored.depth == ky * kx * ins * -(-outs // array.lanes)
        assert np.abs(stored.values()).sum() == np.abs(synapses.weights).sum()


@pytest.mark.parametrize("stall", [None, 1])
@SEEDS
def test_row_memory_gives_the_rows_of_each_event(seed, stall):
    _, array = arrays(seed, longest=3 * (seed % 2))
    rng = np.random.default_rng(seed)
    events = []
    for index, channel in enumerate(array.channels):
        events += [(index, int(s), 0) for s in rng.integers(0, channel.source_size, 8)]
        events.append((index, 0, 1))
    send = [{"channel": c, "address": a, "marker": m} for c, a, m in events]
    limit = 400 + sum(int(array.channels[c].rows.taken[a]) for c, a, m in events if not m)
    _, taken = exchange(
        RowMemory(array),
        send={"i": send},
        receive=["o"],
        cycles=limit * (1 if stall is None else 5),
        stall=stall,
    )
    got = iter(taken["o"])
    last = None
    for index, source, marker in events:
        channel = array.channels[index]
        if marker:
            continue
        expected = matrix_rows(array, channel, source)
        groups = []
        for _ in range(channel.rows.taken[source]):
            cycle, row = next(got)
            assert not row["marker"]
            weights, delays = expected.get(row["group"], (np.zeros(array.lanes), None))
            assert row["weights"] == weights.tolist()
            if array.ring_ticks > 1 and delays is not None:
                on = np.flatnonzero(weights)
                assert [row["delays"][i] for i in on] == (delays[on] - channel.lag).tolist()
            if any(row["weights"]):
                groups.append(row["group"])
            if stall is None and last is not None:
                assert cycle - last[0] == 1 + (index - last[1])  # a cycle for the marker of a channel
            last = cycle, index
        assert sorted(groups) == sorted(expected)
    assert next(got)[1]["marker"] == 1
    assert next(got, None) is None


def test_a_row_memory_says_when_a_channel_has_been_taken():
    _, array = arrays(0)
    dut = RowMemory(array)
    seen = []
    send = [{"channel": c, "address": 0, "marker": m} for c in range(3) for m in (0, 1)]
    exchange(
        dut,
        send={"i": send},
        receive=["o"],
        cycles=200,
        each_cycle=lambda ctx, cycle: seen.append(ctx.get(dut.taken)),
    )
    assert [taken for taken in seen if taken] == [1, 2, 4]


class Quotient(wiring.Component):
    """A quotient, a cycle later."""

    def __init__(self, divisor, below):
        self.divisor = divisor
        self.below = below
        bits = unsigned(max(1, (below - 1).bit_length()))
        super().__init__(
            {
                "i": In(stream.Signature(bits, always_ready=True)),
                "o": Out(stream.Signature(bits, always_ready=True)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        value = quotient(self.i.payload, self.divisor, self.below)
        m.d.sync += [self.o.payload.eq(value), self.o.valid.eq(self.i.valid)]
        return m


@pytest.mark.parametrize(
    ("divisor", "below"), [(3, 9), (3, 1000), (7, 49), (10, 980), (28, 784), (34, 1156), (6, 7)]
)
def test_quotient(divisor, below):
    dut = Quotient(divisor, below)
    got = []

    def look(ctx, cycle):
        got.append(ctx.get(dut.o.payload))
        ctx.set(dut.i.payload, cycle % below)

    exchange(dut, send={}, receive=[], cycles=below + 1, each_cycle=look)
    assert got[1:] == [value // divisor for value in range(below)]


@pytest.mark.parametrize(("size", "block", "lanes"), [(12, 12, 5), (12, 3, 2), (12, 4, 2), (20, 5, 3)])
def test_layout_has_a_slot_for_each_neuron(size, block, lanes):
    layout = Layout(size, block, lanes)
    neurons = layout.by_group(np.arange(1, size + 1))
    assert neurons.shape == (layout.groups, lanes)
    assert neurons[neurons > 0].tolist() == list(range(1, size + 1))
    assert [neurons.flat[slot] for slot in layout.slots] == list(range(1, size + 1))
    for group in neurons:
        blocks = {(n - 1) // block for n in group if n}
        assert len(blocks) == 1
    assert layout.linear == (neurons.flat[:size] > 0).all()


@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 5])
def test_encoder_names_the_neurons_of_a_map(lanes):
    kernel = np.ones((1, 1, 2, 5), int)
    shape = (2, 3, 5)
    network = Network(
        (2, 3, 2),
        [Population("p", shape, LIF(256, 5))],
        [Projection("input", "p", Convolution(kernel))],
        "p",
    )
    array = plan(network, lanes)["p"]
    fired = np.random.default_rng(lanes).random((3, 30)) < 0.4
    words = [
        {"group": g, "spikes": sum(int(b) << lane for lane, b in enumerate(bits))}
        for tick in fired
        for g, bits in enumerate(array.layout.by_group(tick.astype(int)))
    ]
    _, taken = exchange(SpikeEncoder(array), send={"i": words}, receive=["o"], cycles=300)
    got = [None if event["marker"] else event["address"] for _, event in taken["o"]]
    assert got == [e for tick in fired for e in [*np.flatnonzero(tick).tolist(), None]]


def pool_network(channels=4, **options):
    pool = sum_pool(2, channels=channels)
    return Network(
        (4, 4, channels),
        [Population("p", (2, 2, channels), LIF(256, 5))],
        [Projection("input", "p", pool)],
        "p",
        **options,
    )


@pytest.mark.parametrize("lanes", [1, 2, 3, 4])
def test_a_pool_takes_one_row_an_event(lanes):
    array = plan(pool_network(), lanes)["p"]
    assert (array.channels[0].rows.taken == 1).all()


def test_sums_are_as_wide_as_values_make_them():
    low, high = plan(pool_network(input_bits=3))["p"].accumulator_range
    assert (low, high) == (0, 4 * 7)


def test_padding_narrows_the_sums():
    """A kernel of 5 x 5 on a map of 3 x 3 never lies on more than nine inputs."""
    kernel = np.ones((5, 5, 1, 1), int)
    network = Network(
        (3, 3, 1),
        [Population("p", (3, 3, 1), LIF(256, 5))],
        [Projection("input", "p", Convolution(kernel, padding=2))],
        "p",
    )
    assert plan(network)["p"].accumulator_range == (0, 9)


def test_lanes_of_a_map_are_channels():
    network = pool_network(3)
    assert block_of(network, network["p"]) == 3
    assert lanes_of(network, 64) == {"p": 3}
    with pytest.raises(InputError, match="lanes of 'p' must be in 1 … 3, its channels, not 4"):
        lanes_of(network, {"p": 4})


def test_two_maps_in_one_population_are_refused():
    one = Convolution(np.ones((1, 1, 1, 2), int), stride=2)  # (4, 4, 1) -> (2, 2, 2)
    two = Convolution(np.ones((4, 1, 1, 2), int))  # (4, 4, 1) -> (1, 4, 2)
    three = Convolution(np.ones((4, 4, 1, 8), int))  # (4, 4, 1) -> (1, 1, 8)
    network = Network(
        (4, 4, 1),
        [Population("p", 8, LIF(256, 5))],
        [Projection("input", "p", kind) for kind in (one, two)],
        "p",
    )
    assert block_of(network, network["p"]) == 2
    network = Network(
        (4, 4, 1),
        [Population("p", 8, LIF(256, 5))],
        [Projection("input", "p", kind) for kind in (one, three)],
        "p",
    )
    with pytest.raises(InputError, match="'p': its projections make maps of 2 and of 8 channels"):
        plan(network)


def test_cycles_ask_for_spikes_where_rows_differ():
    kernel = np.ones((3, 3, 1, 2), int)
    network = Network(
        (4, 4, 1),
        [Population("p", (4, 4, 2), LIF(256, 50))],
        [Projection("input", "p", Convolution(kernel, padding=1))],
        "p",
    )
    counts = {"input": np.full(3, 4), "p": np.zeros(3, int)}
    with pytest.raises(InputError, match="'input' take from 4 to 9 rows in 'p': give the spikes"):
        cycles(network, 2, counts)
    corner, middle = np.zeros((2, 3, 16), int)
    corner[:, 0], middle[:, 5] = 1, 1
    silent = np.zeros((3, 32), int)
    took = [cycles(network, 2, {"input": spikes, "p": silent}) for spikes in (corner, middle)]
    assert took[1] > took[0]


def test_kinds_without_rows_or_generator_are_named():
    class Ring(Synapses):
        pass

    with pytest.raises(NetworkError, match="has no rows for synapses of the kind Ring"):
        rows(Ring())
    with pytest.raises(NetworkError, match="has no address generator for Odd, the rows of Ring"):
        generator(type("Odd", (), {"synapses": Ring()})())
