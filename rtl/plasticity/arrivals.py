"""Arrivals: which sources have spiked in a tick, a bit each."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..layout import address_bits
from ..memory import Ram
from ..rows import SDSPRows


def source_layout(rows: SDSPRows) -> data.StructLayout:
    """A source to visit: ``source``; ``arrived``, whether it spiked."""
    return data.StructLayout({"source": unsigned(address_bits(rows.synapses.shape[0])), "arrived": 1})


class SourceArrivals(wiring.Component):
    """A bit for each of a channel's sources that says whether it has spiked, several a word.

    Parameters
    ----------
    rows : SDSPRows

    Members
    -------
    arrival : In(stream of address, always ready)
        Sets the bit of a source; not while `running` or `clean`.
    start : In(1)
        Begin a pass over all words, which clears the bits.
    visit : Out(stream of source_layout(rows))
        The sources to visit, ascending: those that have spiked or, with drift, all.
    running : Out(1)
        From the cycle after `start` on until the last visit has been taken.
    clean : In(1), cleaned : Out(1)
        Write 0 everywhere, a word a cycle; `cleaned` in the last.

    Latency: the first visit comes 4 cycles after `start`.  Throughput: a word takes a cycle, or one for each visit.
    """

    LATENCY = 4

    def __init__(self, rows: SDSPRows) -> None:
        self.rows = rows
        super().__init__(
            {
                "arrival": In(
                    stream.Signature(unsigned(address_bits(rows.synapses.shape[0])), always_ready=True)
                ),
                "start": In(1),
                "visit": Out(stream.Signature(source_layout(rows))),
                "running": Out(1),
                "clean": In(1),
                "cleaned": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        sources, places, words = (
            self.rows.synapses.shape[0],
            self.rows.sources_of_word,
            self.rows.source_words,
        )
        m.submodules.ram = ram = Ram(width=places, depth=words)
        at = Signal(range(words))  # the word to read next, or to clean
        last = at == words - 1

        # A pass: words move through stages, each on as soon as the one after it is free.
        reading = Signal()
        fetched = Signal()
        raw_valid = Signal()
        raw = Signal(places, reset_less=True)
        raw_word = Signal(range(words), reset_less=True)
        held_valid = Signal()
        held = Signal(places, reset_less=True)
        held_word = Signal(range(words), reset_less=True)
        pending = Signal(places)  # of the word that is held, to be visited
        rest = pending & (pending - 1)
        leave = Signal()
        load = Signal()
        free = [Signal(name=f"free_{stage}") for stage in range(3)]  # fetched, raw, held
        m.d.comb += [
            leave.eq(~pending.any() | (self.visit.ready & ~rest.any())),
            free[2].eq(~held_valid | leave),
            free[1].eq(~raw_valid | free[2]),
            free[0].eq(~fetched | free[1]),
            load.eq(raw_valid & free[2]),
            self.running.eq(reading | fetched | raw_valid | held_valid),
        ]
        with m.If(self.start):
            m.d.sync += [reading.eq(1), raw_word.eq(0)]
        with m.If(free[0]):
            m.d.sync += fetched.eq(reading)
            with m.If(reading):
                m.d.sync += [reading.eq(~last), at.eq(Mux(last, 0, at + 1))]
        with m.If(free[1]):
            m.d.sync += [raw_valid.eq(fetched), raw.eq(ram.data)]
        wanted = raw
        if self.rows.drifts:  # all that there are: the last word may have fewer
            everyone = (1 << places) - 1
            fewer = (1 << sources - places * (words - 1)) - 1
            wanted = Mux(raw_word == words - 1, Const(fewer, places), Const(everyone, places))
        with m.If(free[2]):
            m.d.sync += [
                held_valid.eq(raw_valid),
                held.eq(raw),
                held_word.eq(raw_word),
                pending.eq(Mux(raw_valid, wanted, 0)),
            ]
            with m.If(raw_valid):
                m.d.sync += raw_word.eq(raw_word + 1)
        with m.Elif(self.visit.ready):
            m.d.sync += pending.eq(rest)

        place = Signal(range(max(2, places)))
        for k in reversed(range(places)):
            with m.If(pending[k]):
                m.d.comb += place.eq(k)
        place_bits = (places - 1).bit_length()
        m.d.comb += [
            self.visit.valid.eq(pending.any()),
            self.visit.payload.source.eq(Cat(place[:place_bits], held_word)),
            self.visit.payload.arrived.eq(held.bit_select(place, 1)),
        ]

        # An arrival: its word is read, and written with its bit a cycle later.
        address = self.arrival.payload
        of_word = address[place_bits:] if words > 1 else Const(0)
        arrived = Signal()
        word = Signal(range(words), reset_less=True)
        bit = Signal(places, reset_less=True)
        before = Signal(places, reset_less=True)  # the bits of a word that the last arrival has written
        again = Signal()  # this one is of the same word
        bits = Mux(again, before, ram.data) | bit
        m.d.sync += [
            arrived.eq(self.arrival.valid),
            word.eq(of_word),
            bit.eq(1 << address[:place_bits]),
            before.eq(bits),
            again.eq(arrived & self.arrival.valid & (of_word == word)),
        ]

        m.d.comb += [
            ram.en.eq(Mux(self.arrival.valid, 1, reading & free[0])),
            ram.address.eq(Mux(self.arrival.valid, of_word, at)),
            ram.write.eq(load | arrived | self.clean),
            ram.write_address.eq(Mux(self.clean, at, Mux(arrived, word, raw_word))),
            ram.write_data.eq(Mux(arrived & ~self.clean, bits, 0)),
            self.cleaned.eq(self.clean & last),
        ]
        with m.If(self.clean):
            m.d.sync += at.eq(Mux(last, 0, at + 1))
        return m
