"""What every address generator is: from the address of an event to the rows that it takes, one a cycle.

::

    address ──► stages - 1 registers ──► the row it is at ──read──► memories ──► group, weights, delays
                                              ▲ next ──┘

A kind of rows from outside of the package registers its own::

    @generator.register
    def _(rows: RingRows) -> type[Generator]:
        return RingGenerator
"""

import functools
from typing import Any

from amaranth.hdl import Const, Module, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from lifline.errors import NetworkError

from ..layout import address_bits
from ..memory import Rom
from ..plan import ArrayPlan, Channel
from ..port import LearnPort, LoadPort, share, teach
from ..rows import Rows
from .banks import Bank


class Generator(wiring.Component):
    """The rows of one channel.

    Parameters
    ----------
    array : ArrayPlan
    channel : Channel
    banks : list of Bank
        The channel's memories.

    Members
    -------
    address : In
        Of an event, `stages` moves before it is walked.
    move : In(stages)
        Bit k: what is in stage k moves on; the last one, that a new event is walked from the next cycle on.
    read : In(1)
        Read the row that it is at.
    next : In(1)
        With `read`: go on to the event's next row, if this is not `last`.
    last : Out(1)
        The row that it is at is the event's last; every event has one or more.
    group, weights, delays : Out
        Of the row that was read last, one cycle later; `delays` only with a ring.  A row of an event
        that touches no neuron has only zeros.
    free : In(1), load_<bank> : In(LoadPort)
        With ``array.load``: no event is on its way, so that the loader may take the memories' ports.
    learn : In(LearnPort)
        Where the channel learns, of its weights.
    """

    def __init__(self, array: ArrayPlan, channel: Channel, banks: list[Bank]) -> None:
        self.array = array
        self.channel = channel
        self.rows: Any = channel.rows
        self.roms = {bank.name: bank.rom for bank in banks}
        members = {
            "address": In(unsigned(address_bits(channel.source_size))),
            "move": In(self.stages(self.rows)),
            "read": In(1),
            "next": In(1),
            "last": Out(1),
            "group": Out(unsigned(address_bits(array.groups))),
            "weights": Out(data.ArrayLayout(signed(array.weight_bits), array.lanes)),
        }
        if array.ring_ticks > 1:
            bits = unsigned(address_bits(array.ring_ticks))
            members["delays"] = Out(data.ArrayLayout(bits, array.lanes))
        if array.load:
            members["free"] = In(1)
            members |= {f"load_{name}": In(LoadPort(rom)) for name, rom in self.roms.items()}
        if channel.rule is not None:
            members["learn"] = In(LearnPort(self.roms["weights"]))
        super().__init__(members)

    @staticmethod
    def stages(rows: Any) -> int:
        """Cycles from an event's address to its first row, 1 or more."""
        raise NotImplementedError

    def read_memory(self, m: Module, name: str, *, en: Any, address: Any) -> Rom:
        """One of the memories, read at `address` where `en`; the loader has its port in between."""
        rom = self.roms[name]
        m.submodules[f"{name}_memory"] = rom
        port = getattr(self, f"load_{name}") if self.array.load else None
        if rom.backing == "learned":
            free = self.free if self.array.load else None
            teach(m, rom, self.learn, port, name, address=address, en=en, free=free)
        elif self.array.load:
            share(m, rom, port, name, address=address, en=en, free=self.free)
        else:
            m.d.comb += [rom.en.eq(en), rom.address.eq(address)]
        return rom

    def add_memories(self, m: Module, word: Any, mask: Any = None) -> None:
        """The channel's weights and delays, of the word that is read.

        Parameters
        ----------
        m : Module
        word : Signal
            Its address, in the cycle in which it is read.
        mask : list of bits, optional
            The lanes that are the event's, a cycle later: the others' weights are 0.
        """
        lanes = self.array.lanes
        for name in ("weights", "delays"):
            if name in self.roms:
                self.read_memory(m, name, en=self.read, address=word)
        weights = self.roms["weights"]
        for lane in range(lanes):
            weight = weights.data.word_select(lane, weights.width // lanes)
            if self.channel.fraction_bits:
                weight = weight[self.channel.fraction_bits :]
            if mask is not None:
                weight = weight & mask[lane].replicate(len(weight))
            m.d.comb += self.weights[lane].eq(weight.as_signed())
        if self.array.ring_ticks == 1:
            return
        for lane in range(lanes):
            delay = Const(self.channel.ring_delays[0])
            if "delays" in self.roms:
                rom = self.roms["delays"]
                bits = self.rows.delay_bits
                delay = rom.data.word_select(lane, bits) if rom.width > bits else rom.data
            m.d.comb += self.delays[lane].eq(delay)

    def later(self, m: Module, value: Any, name: str) -> Signal:
        """A value of the row that is read, a cycle later, as the memories' words are."""
        kept = Signal(value.shape(), name=name, reset_less=True)
        with m.If(self.read):
            m.d.sync += kept.eq(value)
        return kept


@functools.singledispatch
def generator(rows: Rows) -> type[Generator]:
    """The address generator of a kind of rows.

    Raises
    ------
    NetworkError
        If the kind has none.
    """
    raise NetworkError(
        f"the gateware has no address generator for {type(rows).__name__}, the rows of "
        f"{type(rows.synapses).__name__}: register one with lifline.rtl.synapses.generator"
    )
