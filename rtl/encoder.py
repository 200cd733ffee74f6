"""Spike encoder: from a bit for each neuron to one event for each spike.

::

    groups of spikes ──► Queue (only groups that spiked, and the last of a tick)
                           │ opened when a tick is whole
                           ▼
                         BlockEncoder: blocks of RADIX bits ──► … ──► BlockEncoder: bits ──► events, marker

A tick leaves only when its sweep has ended, and then one event a cycle without a gap, however the spikes
lie.  That costs a group's cycle each tick and makes every later cycle depend on the number of spikes alone.
"""

from amaranth.hdl import Cat, Const, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .events import event_layout, trace_layout
from .layout import address_bits
from .plan import TICKS, ArrayPlan
from .queue import Queue

#: Bits, or blocks of bits, among which one encoder finds the first in a cycle.
RADIX = 16


class BlockEncoder(wiring.Component):
    """Splits a word into its non-zero blocks, one a cycle, lowest first.

    Parameters
    ----------
    prefix : int
        Bits of the position that is known already.
    width : int
        Bits of a word.
    block : int
        Bits of a block.

    Members
    -------
    i, o : streams of ``layout(prefix, width)`` and ``layout(prefix + index bits, block)``
        ``last`` marks the end of a tick.  A word without ones is dropped, unless it is the last.

    Latency: 1 cycle.  Throughput: a block a cycle.
    """

    def __init__(self, *, prefix: int, width: int, block: int) -> None:
        self.blocks = -(-width // block)
        self.block = block
        self.index_bits = (self.blocks - 1).bit_length()
        super().__init__(
            {
                "i": In(stream.Signature(self.layout(prefix, width))),
                "o": Out(stream.Signature(self.layout(prefix + self.index_bits, block))),
            }
        )

    @staticmethod
    def layout(prefix: int, width: int) -> data.StructLayout:
        """Members: ``position``; ``bits``; ``last``."""
        return data.StructLayout({"position": unsigned(prefix), "bits": unsigned(width), "last": 1})

    def elaborate(self, platform):
        m = Module()
        word = Signal(self.i.payload.shape(), reset_less=True)
        pending = Signal(self.blocks, reset_less=True)  # blocks with ones that have not been sent
        # Registers, since `ready` runs through all levels.
        final = Signal(reset_less=True)  # at most one block is left
        found = Signal(reset_less=True)  # the word had ones
        incoming = Cat(
            self.i.payload.bits[index * self.block : (index + 1) * self.block].any()
            for index in range(self.blocks)
        )
        m.d.comb += self.i.ready.eq(~self.o.valid | (self.o.ready & final))
        with m.If(self.i.ready):
            m.d.sync += [
                word.eq(self.i.payload),
                self.o.valid.eq(self.i.valid),
                pending.eq(incoming),
                final.eq(~_at_least(2, incoming)),
                found.eq(incoming.any()),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += [pending.eq(_without_lowest(pending)), final.eq(~_at_least(3, pending))]

        index = Signal(address_bits(self.blocks))
        m.d.comb += [
            self.o.payload.position.eq(Cat(index[: self.index_bits], word.position)),
            self.o.payload.last.eq(word.last & final),
        ]
        for block in reversed(range(self.blocks)):
            with m.If(pending[block]):
                m.d.comb += index.eq(block)
                if self.block > 1:
                    bits = word.bits[block * self.block : (block + 1) * self.block]
                    m.d.comb += self.o.payload.bits.eq(bits)
        if self.block == 1:
            m.d.comb += self.o.payload.bits.eq(found)
        return m


class SpikeEncoder(wiring.Component):
    """Makes events of an array's spikes.

    Parameters
    ----------
    array : ArrayPlan

    Members
    -------
    i : In(stream of trace_layout(array), always ready)
        Every group of every tick; of these only ``group`` and ``spikes`` are read.
    o : Out(stream of event_layout(size))
        The spikes of each tick in ascending order, then a marker.

    Latency: a tick's first event or marker comes `latency(array)` cycles after its last group.
    Throughput: one event or marker a cycle.
    """

    def __init__(self, array: ArrayPlan) -> None:
        self.array = array
        super().__init__(
            {
                "i": In(stream.Signature(trace_layout(array), always_ready=True)),
                "o": Out(stream.Signature(event_layout(array.population.size))),
            }
        )

    @staticmethod
    def latency(array: ArrayPlan) -> int:
        """Cycles from a tick's last group to its first event or marker."""
        return Queue.LATENCY + len(_block_sizes(array.lanes))

    def _positions(self, m):
        """What is kept of a group: its number, or the number of its first neuron, and the bits that this takes."""
        array, layout = self.array, self.array.layout
        if layout.linear:
            return self.i.payload.group, address_bits(array.groups)
        first = Signal(range(array.population.size))
        of_block = Signal(range(layout.groups_per_block))  # groups come in order
        last_lanes = layout.block - (layout.groups_per_block - 1) * layout.lanes
        with m.If(self.i.valid):
            m.d.sync += [of_block.eq(of_block + 1), first.eq(first + layout.lanes)]
            with m.If(of_block == layout.groups_per_block - 1):
                m.d.sync += [of_block.eq(0), first.eq(first + last_lanes)]
            with m.If(self.i.payload.group == array.groups - 1):
                m.d.sync += first.eq(0)
        return first, len(first)

    def elaborate(self, platform):
        m = Module()
        array, groups = self.array, self.array.groups
        last = Signal()
        m.d.comb += last.eq(self.i.payload.group == groups - 1)

        position, position_bits = self._positions(m)
        layout = BlockEncoder.layout(position_bits, array.lanes)
        m.submodules.queue = queue = Queue(layout, TICKS * groups)
        m.d.comb += [
            queue.i.valid.eq(self.i.valid & (self.i.payload.spikes.any() | last)),
            queue.i.payload.position.eq(position),
            queue.i.payload.bits.eq(self.i.payload.spikes),
            queue.i.payload.last.eq(last),
        ]

        # Ticks that are in the queue from the first group to the last.
        whole = Signal(range(TICKS + 1))
        ended = Signal(Queue.LATENCY - 1)  # the last group is on its way through the queue
        taken = Signal()
        m.d.comb += taken.eq(queue.o.valid & queue.o.ready & queue.o.payload.last)
        m.d.sync += [
            ended.eq(Cat(self.i.valid & last, ended)),
            whole.eq(whole + ended[-1] - taken),
        ]

        words, width, prefix = queue.o, array.lanes, position_bits
        for level, block in enumerate(_block_sizes(array.lanes)):
            blocks = BlockEncoder(prefix=prefix, width=width, block=block)
            m.submodules[f"blocks_{level}"] = blocks
            m.d.comb += [
                blocks.i.payload.eq(words.payload),
                blocks.i.valid.eq(words.valid),
                words.ready.eq(blocks.i.ready),
            ]
            if level == 0:
                with m.If(whole == 0):
                    m.d.comb += [blocks.i.valid.eq(0), words.ready.eq(0)]
            words, width, prefix = blocks.o, block, prefix + blocks.index_bits

        # A spike, then a marker if it was the tick's last.
        lane_bits = prefix - position_bits
        lane, position = words.payload.position[:lane_bits], words.payload.position[lane_bits:]
        first = position * array.lanes if array.layout.linear else position
        spike_sent = Signal()
        m.d.comb += [
            self.o.valid.eq(words.valid),
            self.o.payload.marker.eq(~words.payload.bits | spike_sent),
            self.o.payload.address.eq(first + lane),
            words.ready.eq(self.o.ready & (self.o.payload.marker | ~words.payload.last)),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += spike_sent.eq(~self.o.payload.marker & words.payload.last)
        return m


def _without_lowest(bits):
    """`bits` with the lowest one cleared; `bits & (bits - 1)` would be a chain of carries."""
    return Cat(bit & bits[:index].any() for index, bit in enumerate(bits))


def _at_least(count, bits):
    """Whether so many of `bits` are ones, as a tree."""

    def reached(part):  # for 0 … count whether so many of a part are
        if len(part) == 1:
            return [Const(1), part, *[Const(0)] * (count - 1)]
        left, right = reached(part[: len(part) // 2]), reached(part[len(part) // 2 :])
        return [
            Cat(left[n] & right[total - n] for n in range(total + 1)).any()
            for total in range(count + 1)
        ]

    return reached(bits)[count]


def _block_sizes(width: int) -> list[int]:
    """Bits of a block at each level, down to 1.

    With ``<=`` a width that is a power of `RADIX` would have a level of one block more, which finds the same spikes.
    """
    sizes = [1]
    while sizes[0] * RADIX < width:
        sizes.insert(0, sizes[0] * RADIX)
    return sizes
