"""The spike router: from every source to every array that it projects to, a queue for each channel.

::

    i_input  ──fork──┬─ SpikeQueue ────┐
                     └─ SpikeQueue ──┐ ├─ SpikeMerge ── o_hidden
    i_hidden ──fork──┬───────────────┼─┘ (recurrence: its queue starts with markers in it)
                     └─ SpikeQueue ──┴─── SpikeMerge ── o_output
    i_output ──fork────────────────────── o            (the network's answer)

A fork hands each event to all of its consumers in one cycle, when all of them are ready.  A queue admits
the first event of a tick only when fewer than `lag` + 2 ticks are in it, and has room for all of them, so
that within a tick nothing stalls.  A merge takes the channels of a tick one after the other, each until its
marker.  No order of arrival is decided anywhere: results and cycles depend on the events alone.  For the
same reason nothing moves before the sample's first event, not even the markers that queues start with.
"""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.network import INPUT, Network

from .events import event_layout, merged_layout
from .memory import Ram
from .plan import ArrayPlan, Channel, address_bits


class Queue(wiring.Component):
    """First in, first out, in block RAM with a register behind it.

    Parameters
    ----------
    layout : shape-like
        Of the payload.
    depth : int
        Entries that it holds at least.

    Members
    -------
    i, o : streams

    Latency: an entry accepted into an empty queue in cycle c is valid in cycle c + `LATENCY`.
    Throughput: one entry a cycle.
    """

    LATENCY = 3

    def __init__(self, layout, depth: int) -> None:
        self.depth = depth
        super().__init__({"i": In(stream.Signature(layout)), "o": Out(stream.Signature(layout))})

    def elaborate(self, platform):
        m = Module()
        bits = self.i.payload.as_value() if isinstance(self.i.payload, data.View) else self.i.payload
        m.submodules.ram = ram = Ram(width=len(bits), depth=self.depth)
        # Entries in the RAM that have not been read.  One that came in the cycle before is counted apart, so
        # that what decides whether one comes does not reach the carries of the count.
        level, pushed = Signal(range(self.depth + 1)), Signal()
        head, tail = Signal(range(self.depth)), Signal(range(self.depth))
        read_valid = Signal()  # ram.data holds an entry
        push, fetch, move = Signal(), Signal(), Signal()

        m.d.comb += [
            self.i.ready.eq((level != self.depth) & ~(pushed & (level == self.depth - 1))),
            push.eq(self.i.valid & self.i.ready),
            move.eq(~self.o.valid | self.o.ready),
            fetch.eq((pushed | (level != 0)) & (~read_valid | move)),
            ram.write.eq(push),
            ram.write_address.eq(head),
            ram.write_data.eq(bits),
            ram.en.eq(fetch),
            ram.address.eq(tail),
        ]
        m.d.sync += [pushed.eq(push), level.eq(level + pushed - fetch)]
        with m.If(push):
            m.d.sync += head.eq(_next(head, self.depth))
        with m.If(fetch):
            m.d.sync += tail.eq(_next(tail, self.depth))
        with m.If(fetch | move):
            m.d.sync += read_valid.eq(fetch)
        with m.If(move):
            m.d.sync += [self.o.valid.eq(read_valid), self.o.payload.eq(ram.data)]
        return m


class SpikeQueue(wiring.Component):
    """The queue of one channel: a whole tick always fits, and the first `lag` ticks are empty.

    Parameters
    ----------
    channel : Channel

    Members
    -------
    i : In(stream of event_layout(source size))
        Not ready at the start of a tick while `lag` + 2 ticks are in the queue.
    o : Out(stream of event_layout(source size))
        First `lag` markers, then what came in.  A channel without a projection drops all but markers.
    open : In(1)
        The sample has begun; the first `lag` markers wait for it.

    Latency: `Queue.LATENCY` cycles.  Throughput: one event a cycle.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        layout = event_layout(channel.source_size)
        super().__init__(
            {"i": In(stream.Signature(layout)), "o": Out(stream.Signature(layout)), "open": In(1)}
        )

    def elaborate(self, platform):
        m = Module()
        lag = self.channel.lag
        m.submodules.queue = queue = Queue(self.i.payload.shape(), self.channel.queue_depth)
        ticks = Signal(range(lag + 3), init=lag)  # whole ticks in the queue, owed ones included
        inside = Signal()  # a tick has begun to come in
        accept, give = Signal(), Signal()

        m.d.comb += [
            self.i.ready.eq(inside | (ticks != lag + 2)),
            accept.eq(self.i.valid & self.i.ready),
            queue.i.payload.eq(self.i.payload),
            queue.i.valid.eq(accept & (self.i.payload.marker | (self.channel.projection is not None))),
            self.o.payload.eq(queue.o.payload),
            self.o.valid.eq(queue.o.valid),
            queue.o.ready.eq(self.o.ready),
            give.eq(self.o.valid & self.o.ready & self.o.payload.marker),
        ]
        if lag:
            owed = Signal(range(lag + 1), init=lag)  # markers to give before anything that came in
            with m.If(owed != 0):
                m.d.comb += [
                    self.o.valid.eq(self.open),
                    self.o.payload.marker.eq(1),
                    queue.o.ready.eq(0),
                ]
                with m.If(self.o.valid & self.o.ready):
                    m.d.sync += owed.eq(owed - 1)
        with m.If(accept):
            m.d.sync += inside.eq(~self.i.payload.marker)
        m.d.sync += ticks.eq(ticks + (accept & self.i.payload.marker) - give)
        return m


class SpikeMerge(wiring.Component):
    """The channels of one array in turn: all events of the first, then of the second, …, then a marker.

    Parameters
    ----------
    array : ArrayPlan

    Members
    -------
    i_0, i_1, … : In(stream of event_layout(source size))
        One for each channel of the plan.
    o : Out(stream of merged_layout(array))

    Latency: 0 cycles.  The marker of every channel but the last takes one cycle in which `o` is idle.
    """

    def __init__(self, array: ArrayPlan) -> None:
        self.array = array
        super().__init__(
            {
                f"i_{index}": In(stream.Signature(event_layout(channel.source_size)))
                for index, channel in enumerate(array.channels)
            }
            | {"o": Out(stream.Signature(merged_layout(array)))}
        )

    def elaborate(self, platform):
        m = Module()
        last = len(self.array.channels) - 1
        turn = Signal(address_bits(last + 1))
        m.d.comb += self.o.payload.channel.eq(turn)
        with m.Switch(turn):
            for index in range(last + 1):
                i = getattr(self, f"i_{index}")
                with m.Case(index) if index < last else m.Default():
                    m.d.comb += [
                        self.o.payload.address.eq(i.payload.address),
                        self.o.payload.marker.eq(i.payload.marker),
                    ]
                    if index == last:
                        m.d.comb += [self.o.valid.eq(i.valid), i.ready.eq(self.o.ready)]
                        with m.If(i.valid & i.ready & i.payload.marker):
                            m.d.sync += turn.eq(0)
                    else:
                        m.d.comb += [
                            self.o.valid.eq(i.valid & ~i.payload.marker),
                            i.ready.eq(self.o.ready | i.payload.marker),
                        ]
                        with m.If(i.valid & i.payload.marker):
                            m.d.sync += turn.eq(index + 1)
        return m


class SpikeRouter(wiring.Component):
    """All forks, queues and merges of a network.

    Parameters
    ----------
    network : Network
    arrays : dict of ArrayPlan
        By population.

    Members
    -------
    i_<source> : In(stream of event_layout(source size))
        The spikes of the input and of each population.
    o_<population> : Out(stream of merged_layout)
        What each population receives, tick by tick.
    o : Out(stream of event_layout(output size))
        The spikes of the output population.
    """

    def __init__(self, network: Network, arrays: dict[str, ArrayPlan]) -> None:
        self.network = network
        self.arrays = arrays
        self.sources = [INPUT, *arrays]
        super().__init__(
            {
                f"i_{source}": In(stream.Signature(event_layout(network.size(source))))
                for source in self.sources
            }
            | {f"o_{name}": Out(stream.Signature(merged_layout(a))) for name, a in arrays.items()}
            | {"o": Out(stream.Signature(event_layout(network.size(network.output))))}
        )

    def elaborate(self, platform):
        m = Module()
        begun = Signal()  # the sample's first event has come in
        with m.If(getattr(self, f"i_{INPUT}").valid & getattr(self, f"i_{INPUT}").ready):
            m.d.sync += begun.eq(1)
        consumers: dict[str, list[Any]] = {source: [] for source in self.sources}
        consumers[self.network.output].append(self.o)
        for name, array in self.arrays.items():
            m.submodules[f"{name}_merge"] = merge = SpikeMerge(array)
            for index, channel in enumerate(array.channels):
                m.submodules[f"{name}_queue_{index}"] = queue = SpikeQueue(channel)
                m.d.comb += queue.open.eq(begun)
                wiring.connect(m, queue.o, getattr(merge, f"i_{index}"))
                consumers[channel.source].append(queue.i)
            wiring.connect(m, merge.o, wiring.flipped(getattr(self, f"o_{name}")))
        for source, outs in consumers.items():
            i = getattr(self, f"i_{source}")
            m.d.comb += i.ready.eq(_all(out.ready for out in outs))
            for out in outs:
                others = [other.ready for other in outs if other is not out]
                m.d.comb += [out.payload.eq(i.payload), out.valid.eq(i.valid & _all(others))]
        return m


def _all(bits):
    result = 1
    for bit in bits:
        result = result & bit
    return result


def _next(index, depth):
    return Mux(index == depth - 1, 0, index + 1)
