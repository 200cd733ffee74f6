"""Row memory: the synapses of an array whose events each take the rows that they touch.

::

    event ──► stage 1 ──► … ──► stage n: the row it is at ──► memories ──► row
              (channel, value; in every channel's generator what becomes of the address)

The stages are a queue in registers: what can move on does, and the next event is at its first row when the one before
leaves its last.  So a row leaves every cycle, also from one event to the next.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..events import merged_layout, row_layout
from ..memory import Rom
from ..plan import ArrayPlan
from ..port import LearnPort, LoadPort
from .banks import synapse_banks
from .generator import Generator, generator


class RowMemory(wiring.Component):
    """Turns each event into the rows of synapses that start at its source.

    Parameters
    ----------
    array : ArrayPlan
    block_bits : int, optional
        Bits of a block RAM, for memories sliced by width; see :class:`lifline.rtl.memory.Rom`.

    Members
    -------
    i : In(stream of merged_layout(array))
        Of every channel its events, then a marker; the channels in turn.
    o : Out(stream of row_layout(array))
        For an event, its rows, one or more; for the marker of the last channel, a marker.
    taken : Out(channels)
        A bit a channel: its marker has been taken, and with it all rows of its tick before.
    load_0, load_1, … : In(LoadPort)
        With ``array.load``, of each of `roms`.  A request waits until the events that have come in have left, and
        no other comes in.
    learn_<channel> : In(LearnPort)
        Of the weights of each channel that learns.

    Latency: `stages(array)` + 1 cycles.  Throughput: one row, or marker of a channel, a cycle.

    Raises
    ------
    NetworkError
        If a channel's kind of synapses has no generator.
    """

    def __init__(self, array: ArrayPlan, block_bits: int | None = None) -> None:
        self.array = array
        self.banks = synapse_banks(array, block_bits)
        self.generators: dict[int, Generator] = {}  #: by channel
        for index, channel in enumerate(array.channels):
            if channel.rows is not None:
                banks = [bank for bank in self.banks if bank.channel == index]
                self.generators[index] = generator(channel.rows)(array, channel, banks)
        super().__init__(
            {
                "i": In(stream.Signature(merged_layout(array))),
                "o": Out(stream.Signature(row_layout(array))),
                "taken": Out(len(array.channels)),
            }
            | {f"load_{n}": In(LoadPort(rom)) for n, rom in enumerate(self.roms) if array.load}
            | {
                f"learn_{index}": In(LearnPort(self.generators[index].roms["weights"]))
                for index in array.plastic
            }
        )

    @staticmethod
    def stages(array: ArrayPlan) -> int:
        """Cycles from an event's coming in to its first row's being read."""
        return max(
            generator(channel.rows).stages(channel.rows) for channel in array.channels if channel.rows
        )

    @property
    def roms(self) -> list[Rom]:
        """The memories that hold a file."""
        return [bank.rom for bank in self.banks]

    def elaborate(self, platform):
        m = Module()
        array, row = self.array, self.o.payload
        stages = self.stages(array)
        last_channel = len(array.channels) - 1

        # The stages: stage 0 is the input, the last one is walked.
        come = self.i.valid
        if array.load:
            asked = Signal()  # the loader takes the memories' ports, as soon as the stages are empty
            ports = [getattr(self, f"load_{n}") for n in range(len(self.roms))]
            m.d.comb += asked.eq(Cat(port.write | port.read for port in ports).any())
            come = come & ~asked
        valid = [come] + [Signal(name=f"valid_{s}") for s in range(1, stages + 1)]
        items = [self.i.payload]
        items += [
            Signal.like(items[0], name=f"item_{s}", reset_less=True) for s in range(1, stages + 1)
        ]
        move = [Signal(name=f"move_{s}") for s in range(stages)]  # from stage s to the next
        leave = Signal()
        ready = leave
        for s in reversed(range(stages)):
            ready = ready | ~valid[s + 1]  # stage s + 1 is empty, or can move on
            m.d.comb += move[s].eq(valid[s] & ready)
            with m.If(ready):
                m.d.sync += valid[s + 1].eq(valid[s])
            with m.If(move[s]):
                m.d.sync += items[s + 1].eq(items[s])
        m.d.comb += self.i.ready.eq(ready & ~asked if array.load else ready)

        # The walk.
        item = items[stages]
        advance = Signal()
        issue = Signal()  # a row, or a marker, goes into the output stage
        passes = Signal()  # the item is a marker of which the sums hear nothing
        last = Signal()  # row of the event
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            passes.eq(item.marker & (item.channel != last_channel)),
            issue.eq(valid[stages] & advance & ~passes),
            leave.eq(valid[stages] & (passes | (advance & (last | item.marker)))),
            self.taken.eq(Mux(leave & item.marker, 1 << item.channel, 0)),
        ]
        with m.If(advance):
            m.d.sync += self.o.valid.eq(issue)

        # The output stage, beside the memories' words.
        channel = Signal.like(item.channel, reset_less=True)
        marker = Signal(reset_less=True)
        with m.If(issue):
            m.d.sync += [channel.eq(item.channel), marker.eq(item.marker)]
        m.d.comb += row.marker.eq(marker)
        if array.value_bits > 1:
            value = Signal.like(item.value, reset_less=True)
            with m.If(issue):
                m.d.sync += value.eq(item.value)
            m.d.comb += row.value.eq(value)

        for index, rows in self.generators.items():
            m.submodules[f"rows_{index}"] = rows
            own = Signal(name=f"own_{index}")
            first = stages - rows.stages(rows.rows)  # it takes the address from this stage on
            m.d.comb += [
                own.eq(~item.marker & (item.channel == index)),
                rows.address.eq(items[first].address),
                rows.move.eq(Cat(move[first:])),
                rows.read.eq(issue & own),
                rows.next.eq(issue & own & ~rows.last),
            ]
            with m.If(own):
                m.d.comb += last.eq(rows.last)
            if index in array.plastic:
                wiring.connect(m, wiring.flipped(getattr(self, f"learn_{index}")), rows.learn)
        if array.load:
            for port, bank in zip(ports, self.banks, strict=True):
                rows = self.generators[bank.channel]
                wiring.connect(m, wiring.flipped(port), getattr(rows, f"load_{bank.name}"))
            for rows in self.generators.values():
                m.d.comb += rows.free.eq(advance & ~Cat(valid[1:]).any())
        with m.Switch(channel):
            for index, rows in self.generators.items():
                with m.Case(index) if index < max(self.generators) else m.Default():
                    m.d.comb += [row.group.eq(rows.group), row.weights.eq(rows.weights)]
                    if array.ring_ticks > 1:
                        m.d.comb += row.delays.eq(rows.delays)
        return m
