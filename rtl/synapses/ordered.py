"""Ordered memory: the synapses of an array whose events take all groups in order, one wide row at a time.

::

    event ──► address + group · sources ──► block RAM per projection ──► row of `lanes` weights
              (`groups` cycles an event)                                 (group 0, 1, …)
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..events import merged_layout, row_layout
from ..memory import Rom
from ..plan import ArrayPlan
from ..port import LearnPort, LoadPort, share, teach
from .banks import synapse_banks


class OrderedMemory(wiring.Component):
    """Turns each event into the rows of synapses that start at its source.

    Parameters
    ----------
    array : ArrayPlan
    block_bits : int, optional
        Bits of a block RAM, for memories sliced by width; see :class:`lifline.rtl.memory.Rom`.

    Members
    -------
    i : In(stream of merged_layout(array))
    o : Out(stream of row_layout(array))
        For an event, rows of group 0 … groups − 1; for a marker, a marker.
    load_0, load_1, … : In(LoadPort)
        With ``array.load``, of each of `roms`.  A request waits while a row waits in `o`, then takes the place
        of one.
    learn_<channel> : In(LearnPort)
        Of the weights of each channel that learns.

    Latency: 1 cycle.  Throughput: one row a cycle, hence an event every `groups` cycles, a marker in one.
    """

    def __init__(self, array: ArrayPlan, block_bits: int | None = None) -> None:
        self.array = array
        self.banks = synapse_banks(array, block_bits)
        #: By channel.
        self.weights = {bank.channel: bank.rom for bank in self.banks if bank.name == "weights"}
        #: By channel; absent where all its synapses share one delay.
        self.delays = {bank.channel: bank.rom for bank in self.banks if bank.name == "delays"}
        super().__init__(
            {
                "i": In(stream.Signature(merged_layout(array))),
                "o": Out(stream.Signature(row_layout(array))),
            }
            | {f"load_{n}": In(LoadPort(rom)) for n, rom in enumerate(self.roms) if array.load}
            | {f"learn_{index}": In(LearnPort(self.weights[index])) for index in array.plastic}
        )

    @property
    def roms(self) -> list[Rom]:
        """The memories that hold a file."""
        return [bank.rom for bank in self.banks]

    def elaborate(self, platform):
        m = Module()
        array, event, row = self.array, self.i.payload, self.o.payload
        group = Signal.like(row.group)  # of the row that goes into the output stage
        row_group = Signal.like(row.group, reset_less=True)  # of the row that is there
        row_marker = Signal(reset_less=True)
        channel = Signal.like(event.channel, reset_less=True)
        last_row = Signal()
        issue = Signal()  # a row, or a marker, goes into the output stage
        advance = Signal()
        come = self.i.valid
        take = advance
        ports = {}
        if array.load:
            ports = {rom.name: getattr(self, f"load_{n}") for n, rom in enumerate(self.roms)}
            asked = Signal()  # the loader takes the memories' ports, as soon as no row waits
            m.d.comb += asked.eq(Cat(port.write | port.read for port in ports.values()).any())
            come = come & ~asked
            take = take & ~asked

        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            issue.eq(come & advance),
            last_row.eq(event.marker | (group == array.groups - 1)),
            self.i.ready.eq(take & last_row),
        ]
        with m.If(advance):
            m.d.sync += self.o.valid.eq(come)
        with m.If(issue):
            m.d.sync += [
                group.eq(Mux(last_row, 0, group + 1)),
                row_group.eq(group),
                row_marker.eq(event.marker),
                channel.eq(event.channel),  # at a marker, too, where no weight is looked at
            ]
        m.d.comb += [row.group.eq(row_group), row.marker.eq(row_marker)]
        if array.value_bits > 1:
            value = Signal.like(event.value, reset_less=True)
            with m.If(issue):
                m.d.sync += value.eq(event.value)
            m.d.comb += row.value.eq(value)

        for index, weights in self.weights.items():
            m.submodules[f"weights_{index}"] = weights
            sources = array.channels[index].source_size
            address = event.address[: len(weights.address)]
            if array.groups > 1:
                following = Signal(
                    range(sources * array.groups), name=f"following_{index}", reset_less=True
                )
                address = Mux(group == 0, event.address, following)
                with m.If(issue):
                    m.d.sync += following.eq(address + sources)
            for member, roms in (("weights", self.weights), ("delays", self.delays)):
                rom = roms.get(index)
                if rom is None:
                    continue
                if rom.backing == "learned":
                    teach(
                        m, rom, getattr(self, f"learn_{index}"), ports.get(rom.name), f"{member}_{index}",
                        address=address, en=issue, free=advance,
                    )  # fmt: skip
                elif array.load:
                    port = ports[rom.name]
                    share(m, rom, port, f"{member}_{index}", address=address, en=issue, free=advance)
                else:
                    m.d.comb += [rom.address.eq(address), rom.en.eq(issue)]
            if index in self.delays:
                m.submodules[f"delays_{index}"] = self.delays[index]

        with m.Switch(channel):
            for index, weights in self.weights.items():
                with m.Case(index) if index < max(self.weights) else m.Default():
                    for lane in range(array.lanes):
                        bits = weights.width // array.lanes
                        weight = weights.data.word_select(lane, bits)
                        if fraction := array.channels[index].fraction_bits:
                            weight = weight[fraction:]
                        weight = weight.as_signed()
                        m.d.comb += row.weights[lane].eq(weight)
                        if array.ring_ticks > 1:
                            m.d.comb += row.delays[lane].eq(self._delay(index, lane))
        return m

    def _delay(self, index, lane):
        if index in self.delays:
            rom = self.delays[index]
            return rom.data.word_select(lane, rom.width // self.array.lanes)
        return Const(self.array.channels[index].ring_delays[0])
