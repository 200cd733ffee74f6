"""The router's and the memories' components, each against a naive model, with and without stalls."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Module, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.network import Network, Population, Projection
from lifline.neurons import LIF
from lifline.rtl.encoder import SpikeEncoder
from lifline.rtl.events import event_layout
from lifline.rtl.layout import address_bits
from lifline.rtl.memory import RegisterFile, Rom
from lifline.rtl.plan import plan
from lifline.rtl.queue import Queue, SpikeQueue
from lifline.rtl.router import SpikeMerge
from lifline.rtl.synapses import OrderedMemory
from lifline.synapses import Dense

from .streams import exchange

STALLS = pytest.mark.parametrize("stall", [None, 1, 2])
MARKER = {"address": 0, "marker": 1}


def network(sizes, projections, **population):
    """Populations p0, p1, … of `sizes[1:]` on `sizes[0]` inputs; projections as (source, target, weights, delays)."""
    populations = [
        Population(f"p{index}", size, LIF(beta=256, threshold=5, **population))
        for index, size in enumerate(sizes[1:])
    ]
    return Network(
        sizes[0],
        populations,
        [Projection(s, t, Dense(np.asarray(w), delays=d)) for s, t, w, d in projections],
        f"p{len(sizes) - 2}",
    )


def spikes(*addresses):
    return [{"address": address, "marker": 0} for address in addresses]


def events(taken):
    """What came out, markers as None."""
    return [None if event["marker"] else event["address"] for _, event in taken]


@pytest.mark.parametrize("depth", [0, -1])
def test_queue_needs_a_depth(depth):
    with pytest.raises(ValueError, match=f"depth of a Queue must be 1 or more, not {depth}"):
        Queue(event_layout(16), depth)


def test_queue_of_depth_one_takes_an_entry_every_other_cycle():
    accepted, taken = exchange(
        Queue(event_layout(16), 1), send={"i": spikes(*range(8))}, receive=["o"], cycles=40
    )
    assert accepted["i"] == list(range(0, 16, 2))
    assert [cycle for cycle, _ in taken["o"]] == [c + Queue.LATENCY for c in accepted["i"]]


@STALLS
@pytest.mark.parametrize("depth", [1, 2, 3, 8])
def test_queue_keeps_order(depth, stall):
    sent = spikes(*np.random.default_rng(depth).integers(0, 16, 40).tolist())
    _, taken = exchange(
        Queue(event_layout(16), depth), send={"i": sent}, receive=["o"], cycles=400, stall=stall
    )
    assert [event for _, event in taken["o"]] == sent


def test_queue_latency_and_throughput():
    accepted, taken = exchange(
        Queue(event_layout(16), 8), send={"i": spikes(*range(16))}, receive=["o"], cycles=40
    )
    assert accepted["i"] == list(range(16))
    assert [cycle for cycle, _ in taken["o"]] == [cycle + Queue.LATENCY for cycle in range(16)]


def test_queue_holds_its_depth():
    accepted, _ = exchange(
        Queue(event_layout(64), 5), send={"i": spikes(*range(30))}, receive=[], cycles=60
    )
    assert len(accepted["i"]) >= 5


def channel_of_lag(lag):
    """A channel of 8 sources to so many neurons that its delay is cheaper in the queue than in a ring."""
    channel = plan(network([8, 64], [("input", "p0", np.ones((8, 64), int), lag)]))["p0"].channels[0]
    assert channel.lag == lag
    return channel


def opened(dut):
    return lambda ctx, cycle: ctx.set(dut.open, 1)


@STALLS
@pytest.mark.parametrize("lag", [0, 1, 3])
def test_spike_queue_starts_with_markers(lag, stall):
    channel = channel_of_lag(lag)
    dut = SpikeQueue(channel)
    ticks = [[1, 2], [], [7], list(range(8)), [], [3]]
    sent = [event for tick in ticks for event in [*spikes(*tick), MARKER]]
    _, taken = exchange(
        dut, send={"i": sent}, receive=["o"], cycles=300, stall=stall, each_cycle=opened(dut)
    )
    expected = [None] * lag + [e for tick in ticks for e in [*tick, None]]
    assert events(taken["o"]) == expected


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_spike_queue_admits_two_ticks_more_than_its_delay(lag):
    channel = channel_of_lag(lag)
    dut = SpikeQueue(channel)
    full_ticks = [*spikes(*range(8)), MARKER] * 6
    accepted, _ = exchange(dut, send={"i": full_ticks}, receive=[], cycles=100, each_cycle=opened(dut))
    assert len(accepted["i"]) == 2 * 9  # `lag` more are in it from the start


def test_spike_queue_waits_for_the_sample_to_begin():
    channel = channel_of_lag(2)
    dut = SpikeQueue(channel)
    _, taken = exchange(
        dut,
        send={"i": []},
        receive=["o"],
        cycles=20,
        each_cycle=lambda ctx, t: ctx.set(dut.open, t >= 10),
    )
    assert [cycle for cycle, _ in taken["o"]] == [10, 11]


def test_channel_without_a_projection_passes_markers_only():
    array = plan(network([8, 2], []))["p0"]
    dut = SpikeQueue(array.channels[0])
    sent = [*spikes(1, 2), MARKER, MARKER, *spikes(3), MARKER]
    _, taken = exchange(dut, send={"i": sent}, receive=["o"], cycles=40, each_cycle=opened(dut))
    assert events(taken["o"]) == [None, None, None]


@STALLS
def test_merge_takes_channels_in_turn(stall):
    ones = np.ones((4, 2), int)
    array = plan(network([4, 2], [("input", "p0", ones, 0)] * 3))["p0"]
    ticks = [([0, 1], [2], []), ([], [], []), ([3], [], [1, 2])]
    send = {
        f"i_{index}": [e for tick in ticks for e in [*spikes(*tick[index]), MARKER]]
        for index in range(3)
    }
    _, taken = exchange(SpikeMerge(array), send=send, receive=["o"], cycles=200, stall=stall)
    expected = []
    for tick in ticks:
        expected += [(channel, address) for channel in range(3) for address in tick[channel]]
        expected.append(None)
    got = [None if e["marker"] else (e["channel"], e["address"]) for _, e in taken["o"]]
    assert got == expected


@STALLS
@pytest.mark.parametrize(("size", "lanes"), [(5, 1), (5, 2), (5, 5), (8, 4), (9, 2)])
def test_ordered_memory_gives_the_rows_of_each_event(size, lanes, stall):
    rng = np.random.default_rng(size * 16 + lanes)
    first, second = rng.integers(-128, 128, (3, size)), rng.integers(-128, 128, (3, size))
    delays = rng.integers(0, 4, (3, size))
    delays.flat[:2] = 0, 3
    array = plan(
        network([3, size], [("input", "p0", first, delays), ("input", "p0", second, 0)]), lanes
    )["p0"]
    order = rng.integers(0, 2, 12), rng.integers(0, 3, 12)
    send = [{"channel": int(c), "address": int(a), "marker": 0} for c, a in zip(*order, strict=True)]
    send.append({"channel": 1, "address": 0, "marker": 1})
    _, taken = exchange(OrderedMemory(array), send={"i": send}, receive=["o"], cycles=600, stall=stall)
    rows = [row for _, row in taken["o"]]
    assert rows.pop()["marker"] == 1
    assert len(rows) == 12 * array.groups
    by_channel = {id(c.projection): i for i, c in enumerate(array.channels)}
    assert sorted(by_channel.values()) == [0, 1]
    for index, row in enumerate(rows):
        channel = array.channels[order[0][index // array.groups]]
        weights, delays = channel.projection.synapses.dense()
        source, group = int(order[1][index // array.groups]), index % array.groups
        assert (row["group"], row["marker"]) == (group, 0)
        for lane in range(lanes):
            neuron = group * lanes + lane
            inside = neuron < size
            assert row["weights"][lane] == (weights[source, neuron] if inside else 0)
            if inside:
                assert row["delays"][lane] == delays[source, neuron] - channel.lag


def test_ordered_memory_gives_a_row_every_cycle():
    array = plan(network([3, 6], [("input", "p0", np.ones((3, 6), int), 0)]), 2)["p0"]
    send = [{"channel": 0, "address": a, "marker": 0} for a in (2, 0, 1)]
    send.append({"channel": 0, "address": 0, "marker": 1})
    accepted, taken = exchange(OrderedMemory(array), send={"i": send}, receive=["o"], cycles=30)
    assert accepted["i"] == [2, 5, 8, 9]  # each event in the cycle of its last row
    assert [cycle for cycle, _ in taken["o"]] == list(range(1, 11))


@pytest.mark.parametrize(
    ("size", "lanes"),
    [(1, 1), (7, 1), (7, 3), (16, 16), (17, 17), (40, 24), (40, 40), (300, 260), (300, 300)],
)
def test_encoder_sends_every_spike_once_in_order(size, lanes):
    rng = np.random.default_rng(size + lanes)
    array = plan(network([1, size], []), lanes)["p0"]
    density = [0, 0.02, 0.3, 1]
    fired = np.stack([rng.random(size) < d for d in density])
    rows = []
    for tick in fired:
        padded = np.zeros(array.groups * lanes, bool)
        padded[:size] = tick
        for group, bits in enumerate(padded.reshape(array.groups, lanes)):
            rows.append({"group": group, "spikes": sum(int(b) << lane for lane, b in enumerate(bits))})
    dut = SpikeEncoder(array)
    # One tick at a time fits at any moment: send the next when the last has left.
    accepted, taken = exchange(dut, send={"i": rows[: array.groups]}, receive=["o"], cycles=30)
    assert events(taken["o"]) == [None]
    assert taken["o"][0][0] == accepted["i"][-1] + SpikeEncoder.latency(array)
    for stall in (None, 3):
        accepted, taken = exchange(
            dut, send={"i": rows}, receive=["o"], cycles=3000 if stall else 900, stall=stall
        )
        expected = [e for tick in fired for e in [*np.flatnonzero(tick).tolist(), None]]
        assert events(taken["o"]) == expected
        if stall is None:  # within a tick an event a cycle
            cycles = [cycle for cycle, _ in taken["o"]]
            ends = [i for i, event in enumerate(events(taken["o"])) if event is None]
            for begin, end in zip([0, *(e + 1 for e in ends)], ends, strict=False):
                assert cycles[end] - cycles[begin] == end - begin


class Replay(wiring.Component):
    """Streams in, one word a cycle, of what drives a register file; what it reads, as a stream."""

    def __init__(self, width, depth):
        self.file = RegisterFile(width=width, depth=depth)
        bits = address_bits(depth)
        layout = data.StructLayout({"address": bits, "write": 1, "to": bits, "data": width})
        super().__init__(
            {
                "i": In(stream.Signature(layout, always_ready=True)),
                "o": Out(stream.Signature(unsigned(width), always_ready=True)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.file = file = self.file
        i = self.i.payload
        m.d.comb += [
            file.address.eq(i.address),
            file.write.eq(i.write & self.i.valid),
            file.write_address.eq(i.to),
            file.write_data.eq(i.data),
            self.o.valid.eq(self.i.valid),
            self.o.payload.eq(file.data),
        ]
        return m


@pytest.mark.parametrize("depth", [2, 3, 5, 16])
def test_register_file_reads_what_was_written_in_earlier_cycles(depth):
    rng = np.random.default_rng(depth)
    send = [
        {
            "address": int(rng.integers(depth)),
            "write": int(rng.random() < 0.7),
            "to": int(rng.integers(depth)),
            "data": int(rng.integers(256)),
        }
        for _ in range(200)
    ]
    _, taken = exchange(Replay(8, depth), send={"i": send}, receive=["o"], cycles=220)
    words = [0] * depth
    expected = []
    for step in send:
        expected.append(words[step["address"]])
        if step["write"]:
            words[step["to"]] = step["data"]
    assert [word for _, word in taken["o"]] == expected


@pytest.mark.parametrize("depth", [0, 1, 17])
def test_register_file_is_small(depth):
    with pytest.raises(ValueError, match=f"depth of a RegisterFile must be in 2 … 16, not {depth}"):
        RegisterFile(width=8, depth=depth)


def test_rom_text_is_two_complement_lane_zero_lowest():
    rom = Rom.of_rows("x", np.array([[-1, 2, 0], [7, -8, 3]]), 4)
    assert rom.text == "02f\n387\n"
    assert rom.path == "mem/x.mem"


def test_slices_of_a_rom_are_its_words_side_by_side():
    rows = np.random.default_rng(0).integers(-128, 128, (300, 5))
    whole, sliced = Rom.of_rows("x", rows, 8), Rom.of_rows("x", rows, 8, block_bits=4096)
    assert whole.files == {"mem/x.mem": whole.text}
    assert [part.width for part in sliced.slices] == [8] * 5  # 4096 bits are 512 words of 8
    assert list(sliced.files) == [f"mem/x.slice_{index}.mem" for index in range(5)]
    parts = [text.split() for text in sliced.files.values()]
    assert ["".join(digits) for digits in zip(*reversed(parts), strict=True)] == whole.text.split()
    assert not Rom.of_rows("x", rows, 8, block_bits=1 << 20).slices
