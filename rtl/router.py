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

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.network import INPUT, Network

from .events import event_layout, merged_layout
from .layout import address_bits
from .plan import ArrayPlan
from .queue import SpikeQueue


class SpikeMerge(wiring.Component):
    """The channels of one array in turn: all events of the first, then of the second, …, then a marker.

    Where the array's events do not take all groups in order, the markers of all channels pass.

    Parameters
    ----------
    array : ArrayPlan

    Members
    -------
    i_0, i_1, … : In(stream of event_layout(source size))
        One for each channel of the plan.
    o : Out(stream of merged_layout(array))

    Latency: 0 cycles.  A marker that does not pass takes one cycle in which `o` is idle.
    """

    def __init__(self, array: ArrayPlan) -> None:
        self.array = array
        super().__init__(
            {
                f"i_{index}": In(
                    stream.Signature(event_layout(channel.source_size, channel.value_bits))
                )
                for index, channel in enumerate(array.channels)
            }
            | {"o": Out(stream.Signature(merged_layout(array)))}
        )

    def elaborate(self, platform):
        m = Module()
        array = self.array
        last = len(array.channels) - 1
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
                    if array.value_bits > 1:
                        graded = array.channels[index].value_bits > 1
                        m.d.comb += self.o.payload.value.eq(i.payload.value if graded else 1)
                    if index == last or not array.in_order:
                        m.d.comb += [self.o.valid.eq(i.valid), i.ready.eq(self.o.ready)]
                        with m.If(i.valid & i.ready & i.payload.marker):
                            m.d.sync += turn.eq(0 if index == last else index + 1)
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
    taken_<population> : In(channels)
        From a :class:`RowMemory`: the channels whose tick has been taken.
    """

    def __init__(self, network: Network, arrays: dict[str, ArrayPlan]) -> None:
        self.network = network
        self.arrays = arrays
        self.sources = [INPUT, *arrays]
        super().__init__(
            {f"i_{source}": In(stream.Signature(self._layout(source))) for source in self.sources}
            | {
                f"taken_{name}": In(len(array.channels))
                for name, array in arrays.items()
                if not array.in_order
            }
            | {f"o_{name}": Out(stream.Signature(merged_layout(a))) for name, a in arrays.items()}
            | {"o": Out(stream.Signature(event_layout(network.size(network.output))))}
        )

    def _layout(self, source: str):
        bits = self.network.input_bits if source == INPUT else 1
        return event_layout(self.network.size(source), bits)

    def elaborate(self, platform):
        m = Module()
        # The sample's first event has come in.  Whether it is ready decides nothing: all queues are empty, so it is
        # taken as soon as it is valid.
        begun = Signal()
        with m.If(getattr(self, f"i_{INPUT}").valid & getattr(self, f"i_{INPUT}").ready):
            m.d.sync += begun.eq(1)
        consumers: dict[str, list[Any]] = {source: [] for source in self.sources}
        consumers[self.network.output].append(self.o)
        for name, array in self.arrays.items():
            m.submodules[f"{name}_merge"] = merge = SpikeMerge(array)
            for index, channel in enumerate(array.channels):
                m.submodules[f"{name}_queue_{index}"] = queue = SpikeQueue(channel, not array.in_order)
                if queue.late:
                    m.d.comb += queue.taken.eq(getattr(self, f"taken_{name}")[index])
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
