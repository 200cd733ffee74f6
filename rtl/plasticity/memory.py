"""Learning memory: the synapses of an array of which some learn, around a synapse memory that only reads.

::

    events ──► gate ──┬──► OrderedMemory or RowMemory ──► rows
                      │          ▲ banks
                      └──► Learner of each channel that learns ◄── spikes of the array

Once a tick's last marker has passed, the gate is closed until every learner has changed its weights by that tick.  So
the rows of the next tick are read from memories that nothing changes, and results do not depend on timing.
"""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..events import found_layout, merged_layout, row_layout
from ..memory import Rom
from ..plan import ArrayPlan
from ..port import LoadPort
from ..synapses import OrderedMemory, RowMemory, read_memory
from ..synapses.banks import Bank
from .learner import REWARD, Learner, learner, spikes_layout
from .tap import learned_layout


class LearningMemory(wiring.Component):
    """The synapse memory of an array of which channels learn.

    Parameters
    ----------
    array, block_bits
        As of :class:`RowMemory`.

    Members
    -------
    i, o, taken, load_0, load_1, …
        As of the :class:`OrderedMemory` or :class:`RowMemory` within.
    learning : In(1)
        This sample is learned from; constant from its first event on.
    spikes : In(stream of spikes_layout(array), always ready)
        What each group of the array does.
    found : In(stream of found_layout(array), always ready)
        Where a learner hears membranes: those that each group has found, before its spikes.
    learned : Out(1)
        A tick's weights have changed, and the next tick's rows can be read.
    busy : Out(1)
        At work after a sample.
    reward : In(signed(16))
        Where a rule needs one, the host's signal, from the reset on that ends a sample.
    tap_<channel> : Out(stream of learned_layout, always ready)
        Each word that is written.

    Latency: that of the memory within.  With `learning` no row is read from a tick's marker on until `learned`.
    """

    def __init__(self, array: ArrayPlan, block_bits: int | None = None) -> None:
        self.array = array
        self.memory: OrderedMemory | RowMemory = read_memory(array, block_bits)
        self.learners: dict[int, Learner] = {}
        for index, rom in self._plastic.items():
            channel = array.channels[index]
            assert channel.rule is not None
            self.learners[index] = learner(channel.rule)(array, channel, rom)
        super().__init__(
            {
                "i": In(stream.Signature(merged_layout(array))),
                "o": Out(stream.Signature(row_layout(array))),
                "learning": In(1),
                "spikes": In(stream.Signature(spikes_layout(array), always_ready=True)),
                "learned": Out(1),
                "busy": Out(1),
            }
            | ({} if array.in_order else {"taken": Out(len(array.channels))})
            | (
                {"found": In(stream.Signature(found_layout(array), always_ready=True))}
                if array.hears_membranes
                else {}
            )
            | ({"reward": In(REWARD)} if array.rewarded else {})
            | {f"load_{n}": In(LoadPort(rom)) for n, rom in enumerate(self.roms) if array.load}
            | {
                f"tap_{index}": Out(stream.Signature(learned_layout(rom), always_ready=True))
                for index, rom in self._plastic.items()
            }
        )

    #: Cycles from the end of the last update to the first event that passes the gate.
    LATENCY = 0

    @property
    def _plastic(self) -> dict[int, Rom]:
        """The weights of each channel that learns."""
        return {
            bank.channel: bank.rom
            for bank in self.memory.banks
            if bank.name == "weights" and bank.channel in self.array.plastic
        }

    @property
    def banks(self) -> list[Bank]:
        return self.memory.banks + [bank for of in self.learners.values() for bank in of.own]

    @property
    def roms(self) -> list[Rom]:
        """The memories that hold a file."""
        return [bank.rom for bank in self.banks]

    def elaborate(self, platform):
        m = Module()
        array = self.array
        m.submodules.memory = memory = self.memory
        wiring.connect(m, memory.o, wiring.flipped(self.o))
        if array.load:
            ports = [getattr(memory, f"load_{n}") for n in range(len(memory.roms))]
            ports += [
                getattr(circuit, f"load_{bank.name}")
                for circuit in self.learners.values()
                for bank in circuit.own
            ]
            for n, port in enumerate(ports):
                wiring.connect(m, wiring.flipped(getattr(self, f"load_{n}")), port)
        if not array.in_order:
            m.d.comb += self.taken.eq(memory.taken)

        event = self.i.payload
        moved = Signal()
        closed = Signal()
        ended = Signal()  # the targets' last group has come
        running = 0
        m.d.comb += [
            memory.i.payload.eq(event),
            memory.i.valid.eq(self.i.valid & ~closed),
            self.i.ready.eq(memory.i.ready & ~closed),
            moved.eq(self.i.valid & self.i.ready),
        ]
        busy = 0
        for index, circuit in self.learners.items():
            m.submodules[f"learner_{index}"] = circuit
            arrives = moved & ~event.marker & (event.channel == index)
            tap = getattr(self, f"tap_{index}")
            m.d.comb += [
                circuit.learning.eq(self.learning),
                circuit.arrival.valid.eq(arrives),
                circuit.arrival.payload.eq(event.address),
                circuit.spikes.valid.eq(self.spikes.valid),
                circuit.spikes.payload.eq(self.spikes.payload),
                tap.valid.eq(circuit.bank.write),
                tap.payload.word.eq(circuit.bank.write_address),
                tap.payload.data.eq(circuit.bank.write_data),
            ]
            if circuit.rows.hears_membranes:
                m.d.comb += [
                    circuit.found.valid.eq(self.found.valid),
                    circuit.found.payload.eq(self.found.payload),
                ]
            if circuit.rule.rewarded:
                m.d.comb += circuit.reward.eq(self.reward)
            wiring.connect(m, circuit.bank, getattr(memory, f"learn_{index}"))
            running = running | circuit.running
            busy = busy | circuit.busy
        m.d.comb += [self.busy.eq(busy), self.learned.eq(ended & ~running)]

        last_marker = event.marker & (event.channel == len(array.channels) - 1)
        last_group = self.spikes.payload.group == array.groups - 1
        m.d.sync += ended.eq(self.learning & self.spikes.valid & last_group | (ended & ~self.learned))
        with m.If(self.learned):
            m.d.sync += closed.eq(0)
        with m.Elif(self.learning & moved & last_marker):
            m.d.sync += closed.eq(1)
        return m
