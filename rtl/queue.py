"""First in, first out: a queue of anything, and the queue of one channel of spikes.

::

    i ──► block RAM ──► data ──► o          Queue: three cycles, one entry a cycle
    i ──► (whole ticks counted) ──► Queue ──► o, after `lag` markers          SpikeQueue

Why not :class:`amaranth.lib.fifo.SyncFIFOBuffered`: its output is the block RAM's own, whose clock-to-out is 5.6 ns on
an ECP5, and its level is counted in the cycle in which an entry comes.  Here a register follows the RAM, and whether an
entry comes, which is known late in a cycle, reaches one bit in it and the carries of the level in the next.
"""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .events import event_layout
from .layout import address_bits
from .memory import Ram
from .plan import Channel


class Queue(wiring.Component):
    """First in, first out, in block RAM with a register behind it.

    Parameters
    ----------
    layout : shape-like
        Of the payload.
    depth : int
        Entries that it holds at least: 1 or more.  (Two more fit behind the RAM.)

    Members
    -------
    i, o : streams

    Raises
    ------
    ValueError
        If `depth` is less than 1.

    Latency: an entry accepted into an empty queue in cycle c is valid in cycle c + `LATENCY`.
    Throughput: one entry a cycle; with a depth of 1, one every two cycles.
    """

    LATENCY = 3

    def __init__(self, layout, depth: int) -> None:
        if depth < 1:
            raise ValueError(f"depth of a Queue must be 1 or more, not {depth!r}")
        self.depth = depth
        super().__init__({"i": In(stream.Signature(layout)), "o": Out(stream.Signature(layout))})

    def elaborate(self, platform):
        m = Module()
        bits = Value.cast(self.i.payload)
        m.submodules.ram = ram = Ram(width=len(bits), depth=self.depth, zeros=False)
        # Entries in the RAM that have not been read.  One that came in the cycle before is counted apart, so
        # that what decides whether one comes does not reach the carries of the count.
        level = Signal(range(self.depth + 1))
        pushed = Signal()
        head = Signal(address_bits(self.depth))
        tail = Signal(address_bits(self.depth))
        read_valid = Signal()  # ram.data holds an entry
        push = Signal()
        fetch = Signal()
        move = Signal()
        o = Signal(self.o.payload.shape(), reset_less=True)

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
            self.o.payload.eq(o),
        ]
        m.d.sync += [pushed.eq(push), level.eq(level + pushed - fetch)]
        with m.If(push):
            m.d.sync += head.eq(_next(head, self.depth))
        with m.If(fetch):
            m.d.sync += tail.eq(_next(tail, self.depth))
        with m.If(fetch | move):
            m.d.sync += read_valid.eq(fetch)
        with m.If(move):
            m.d.sync += [self.o.valid.eq(read_valid), o.eq(ram.data)]
        return m


class SpikeQueue(wiring.Component):
    """The queue of one channel: a whole tick always fits, and the first `lag` ticks are empty.

    Parameters
    ----------
    channel : Channel
    late : bool
        A tick makes room when `taken` says so, not when its marker leaves: a few events more are then on their way.

    Members
    -------
    i : In(stream of event_layout(source size))
        Not ready at the start of a tick while `lag` + 2 ticks are in the queue.
    o : Out(stream of event_layout(source size))
        First `lag` markers, then what came in.  A channel without a projection drops all but markers.
    open : In(1)
        The sample has begun; the first `lag` markers wait for it.
    taken : In(1)
        Only with `late`: a tick that has left makes room.

    Latency: `Queue.LATENCY` cycles.  Throughput: one event a cycle.
    """

    def __init__(self, channel: Channel, late: bool = False) -> None:
        self.channel = channel
        self.late = late
        layout = event_layout(channel.source_size, channel.value_bits)
        members = {"i": In(stream.Signature(layout)), "o": Out(stream.Signature(layout)), "open": In(1)}
        super().__init__(members | ({"taken": In(1)} if late else {}))

    def elaborate(self, platform):
        m = Module()
        lag = self.channel.lag
        m.submodules.queue = queue = Queue(self.i.payload.shape(), self.channel.queue_depth)
        ticks = Signal(range(lag + 3), init=lag)  # whole ticks in the queue, owed ones included
        inside = Signal()  # a tick has begun to come in
        accept = Signal()
        give = Signal()

        # `inside` says what is meant, and decides nothing: `ticks` rises by a marker that comes in alone, which ends
        # its tick.
        m.d.comb += [
            self.i.ready.eq(inside | (ticks != lag + 2)),
            accept.eq(self.i.valid & self.i.ready),
            queue.i.payload.eq(self.i.payload),
            queue.i.valid.eq(accept & (self.i.payload.marker | (self.channel.projection is not None))),
            self.o.payload.eq(queue.o.payload),
            self.o.valid.eq(queue.o.valid),
            queue.o.ready.eq(self.o.ready),
            give.eq(self.taken if self.late else self.o.valid & self.o.ready & self.o.payload.marker),
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


def _next(index, depth):
    return Mux(index == depth - 1, 0, index + 1)
