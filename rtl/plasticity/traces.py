"""Traces: what a source's or a target's spikes leave behind, falling a little each tick.

::

    p ← floor(alpha · p / 256);   p ← p + amplitude (all) or amplitude (nearest) where it has spiked

A synapse changes by the trace before the spike is added, or with `coincident` after.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.plasticity import STDP, Pairing

from ..arithmetic import delay, times
from ..layout import address_bits
from ..memory import Ram
from ..plan import ArrayPlan
from ..rows import STDPRows
from .learner import spikes_layout


def decayed(trace, alpha: int):
    """floor(alpha · trace / 256)."""
    return (times(trace, Const(alpha)) >> 8)[: len(trace)]


def raised(rule: STDP, trace, spiked):
    """A trace after a spike, where there is one."""
    risen = trace + rule.amplitude if rule.pairing is Pairing.ALL else Const(rule.amplitude, len(trace))
    return Mux(spiked, risen[: len(trace)], trace)


def visit_layout(rows: STDPRows) -> data.StructLayout:
    """A source to visit: ``source``; ``trace`` that its synapses change by; ``arrived``, whether it spiked."""
    return data.StructLayout(
        {
            "source": unsigned(address_bits(rows.synapses.shape[0])),
            "trace": unsigned(rows.trace_bits),
            "arrived": 1,
        }
    )


class SourceTraces(wiring.Component):
    """The traces of a channel's sources, several a word, each with a bit that says whether it has spiked.

    Parameters
    ----------
    rows : STDPRows
    every : bool
        Whether all sources are visited in each pass.

    Members
    -------
    arrival : In(stream of address, always ready)
        Sets the bit of a source; not while `running` or `clean`.
    start : In(1)
        Begin a pass over all words: each trace falls, and rises where its source has spiked; the bits are cleared.
    fired : In(1)
        During a pass: a target has spiked, so every source with a trace above 0 is visited, beside those that spiked.
    visit : Out(stream of visit_layout(rows))
        The sources to visit, ascending.
    running : Out(1)
        From the cycle after `start` on until the last visit has been taken.
    clean : In(1), cleaned : Out(1)
        Write 0 everywhere, a word a cycle; `cleaned` in the last.

    Latency: the first visit comes 5 cycles after `start`.  Throughput: a word takes a cycle, or one for each visit.
    """

    LATENCY = 5

    def __init__(self, rows: STDPRows, *, every: bool = False) -> None:
        self.rows = rows
        self.every = every
        super().__init__(
            {
                "arrival": In(
                    stream.Signature(unsigned(address_bits(rows.synapses.shape[0])), always_ready=True)
                ),
                "start": In(1),
                "fired": In(1),
                "visit": Out(stream.Signature(visit_layout(rows))),
                "running": Out(1),
                "clean": In(1),
                "cleaned": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows, rule = self.rows, self.rows.pairs
        places, words, bits = rows.sources_of_word, rows.source_words, rows.trace_bits
        shape = data.StructLayout(
            {"spiked": unsigned(places), "traces": data.ArrayLayout(unsigned(bits), places)}
        )
        m.submodules.ram = ram = Ram(width=shape.size, depth=words)
        written = Signal(shape)
        m.d.comb += ram.write_data.eq(written)
        at = Signal(range(words))  # the word to read next, or to clean
        last = at == words - 1

        # A pass: words move through stages, each on as soon as the one after it is free.
        reading = Signal()
        fetched = Signal()
        read = data.View(shape, ram.data)
        raw_valid = Signal()
        raw = Signal(shape, reset_less=True)
        fallen_valid = Signal()
        fallen = Signal(shape, reset_less=True)
        held_valid = Signal()
        held = Signal(shape, reset_less=True)  # after their spikes
        held_word = Signal(range(words), reset_less=True)
        used = Signal(data.ArrayLayout(unsigned(bits), places), reset_less=True)
        pending = Signal(places)  # of the word that is held, to be visited
        fresh = Signal()  # that word has not been written
        rest = pending & (pending - 1)
        leave = Signal()
        free = [Signal(name=f"free_{stage}") for stage in range(4)]  # fetched, raw, fallen, held
        m.d.comb += [
            leave.eq(~pending.any() | (self.visit.ready & ~rest.any())),
            free[3].eq(~held_valid | leave),
            free[2].eq(~fallen_valid | free[3]),
            free[1].eq(~raw_valid | free[2]),
            free[0].eq(~fetched | free[1]),
            self.running.eq(reading | fetched | raw_valid | fallen_valid | held_valid),
        ]
        with m.If(self.start):
            m.d.sync += [reading.eq(1), at.eq(0), held_word.eq(words - 1)]
        with m.If(free[0]):
            m.d.sync += fetched.eq(reading)
            with m.If(reading):
                m.d.sync += [reading.eq(~last), at.eq(Mux(last, 0, at + 1))]
        with m.If(free[1]):
            m.d.sync += [raw_valid.eq(fetched), raw.eq(read)]
        with m.If(free[2]):
            m.d.sync += [fallen_valid.eq(raw_valid), fallen.spiked.eq(raw.spiked)]
            m.d.sync += [
                fallen.traces[k].eq(decayed(raw.traces[k], rule.alpha_pre)) for k in range(places)
            ]
        after = [raised(rule, fallen.traces[k], fallen.spiked[k]) for k in range(places)]
        by = after if rule.coincident else [fallen.traces[k] for k in range(places)]
        with m.If(free[3]):
            m.d.sync += [
                held_valid.eq(fallen_valid),
                fresh.eq(fallen_valid),
                held.spiked.eq(fallen.spiked),
                pending.eq(
                    Cat(
                        fallen_valid & self._visited(fallen.spiked[k], by[k], k, held_word)
                        for k in range(places)
                    )
                ),
            ]
            m.d.sync += [held.traces[k].eq(after[k]) for k in range(places)]
            m.d.sync += [used[k].eq(by[k]) for k in range(places)]
            with m.If(fallen_valid):
                m.d.sync += held_word.eq(Mux(held_word == words - 1, 0, held_word + 1))
        with m.Else():
            m.d.sync += fresh.eq(0)
            with m.If(self.visit.ready):
                m.d.sync += pending.eq(rest)

        place = Signal(range(max(2, places)))
        for k in reversed(range(places)):
            with m.If(pending[k]):
                m.d.comb += place.eq(k)
        place_bits = (places - 1).bit_length()
        m.d.comb += [
            self.visit.valid.eq(pending.any()),
            self.visit.payload.source.eq(Cat(place[:place_bits], held_word)),
            self.visit.payload.trace.eq(used[place]),
            self.visit.payload.arrived.eq(held.spiked.bit_select(place, 1)),
        ]

        # An arrival: its word is read, and written with its bit a cycle later.
        address = self.arrival.payload
        arrived = Signal()
        word = Signal(range(words), reset_less=True)
        bit = Signal(places, reset_less=True)
        m.d.sync += [
            arrived.eq(self.arrival.valid),
            word.eq(address[place_bits:] if words > 1 else 0),
            bit.eq(1 << address[:place_bits]),
        ]
        before = Signal(places, reset_less=True)  # the bits of a word that the last arrival has written
        again = Signal()  # this one is of the same word
        spiked = Mux(again, before, read.spiked) | bit
        m.d.sync += [
            before.eq(spiked),
            again.eq(arrived & self.arrival.valid & (address[place_bits:] == word if words > 1 else 1)),
        ]

        m.d.comb += [
            ram.en.eq(Mux(self.arrival.valid, 1, reading & free[0])),
            ram.address.eq(Mux(self.arrival.valid, address[place_bits:], at)),
            ram.write.eq(fresh | arrived | self.clean),
            self.cleaned.eq(self.clean & last),
        ]
        with m.If(self.clean):
            m.d.sync += at.eq(Mux(last, 0, at + 1))
            m.d.comb += ram.write_address.eq(at)
        with m.Elif(arrived):
            m.d.comb += [ram.write_address.eq(word), written.eq(read), written.spiked.eq(spiked)]
        with m.Else():
            m.d.comb += [ram.write_address.eq(held_word), written.traces.eq(held.traces)]
        return m

    def _visited(self, spiked, trace, place, word_before):
        """Whether the source at a place of a word is visited."""
        if not self.every:
            return spiked | (self.fired & trace.any())
        words = self.rows.source_words
        left = int(self.rows.synapses.shape[0]) - (words - 1) * self.rows.sources_of_word
        if place < left:
            return Const(1)
        return word_before != (words - 2) % words  # the last word is not full


class TargetTraces(wiring.Component):
    """The traces of an array's neurons, and which of them spiked last: a group a word.

    Parameters
    ----------
    rule : STDP
    array : ArrayPlan
    bits : int
        Of a trace.

    Members
    -------
    spikes : In(stream of spikes_layout(array), always ready)
    fired : Out(1)
        Any neuron has spiked in the tick whose last group has just come, or comes.
    group : In
        A group to read, when no spikes come.
    data : Out(layout(array, bits))
        Its word, a cycle later.

    Latency: a group is written 3 cycles after its spikes have come.
    """

    def __init__(self, rule: STDP, array: ArrayPlan, bits: int) -> None:
        self.rule = rule
        self.array = array
        self.bits = bits
        super().__init__(
            {
                "spikes": In(stream.Signature(spikes_layout(array), always_ready=True)),
                "fired": Out(1),
                "group": In(unsigned(address_bits(array.groups))),
                "data": Out(self.layout(array, bits)),
            }
        )

    @staticmethod
    def layout(array: ArrayPlan, bits: int) -> data.StructLayout:
        """Members: ``spiked``, a bit a lane; ``traces`` that synapses change by, one a lane."""
        traces = data.ArrayLayout(unsigned(bits), array.lanes)
        return data.StructLayout({"spiked": unsigned(array.lanes), "traces": traces})

    def elaborate(self, platform):
        m = Module()
        rule, array = self.rule, self.array
        shape = self.data.shape()
        valid, come = self.spikes.valid, self.spikes.payload
        m.submodules.ram = ram = Ram(width=shape.size, depth=array.groups, zeros=False)
        m.d.comb += [
            ram.en.eq(1),
            ram.address.eq(Mux(valid, come.group, self.group)),
            self.data.eq(ram.data),
        ]
        fired = Signal()
        with m.If(valid):
            m.d.sync += fired.eq(come.spikes.any() | (fired & (come.group != 0)))
        m.d.comb += self.fired.eq(fired)

        started = Signal()  # the sample has had a tick: what is read is from it
        first = delay(m, ~started, 1, "first")
        read_valid = Signal()
        raw_valid = Signal()
        raw = Signal(shape, reset_less=True)
        fallen_valid = Signal()
        fallen = Signal(data.ArrayLayout(unsigned(self.bits), array.lanes), reset_less=True)
        spikes = delay(m, come.spikes, 3, "spikes")
        group = delay(m, come.group, 3, "group")
        with m.If(valid & (come.group == array.groups - 1)):
            m.d.sync += started.eq(1)
        m.d.sync += [
            read_valid.eq(valid),
            raw_valid.eq(read_valid),
            raw.eq(Mux(first, 0, ram.data)),
            fallen_valid.eq(raw_valid),
        ]
        written = Signal(shape)
        m.d.comb += [
            ram.write.eq(fallen_valid),
            ram.write_address.eq(group),
            ram.write_data.eq(written),
            written.spiked.eq(spikes),
        ]
        for lane in range(array.lanes):
            before = raw.traces[lane]
            if not rule.coincident:
                before = raised(rule, before, raw.spiked[lane])
            m.d.sync += fallen[lane].eq(decayed(before, rule.alpha_post))
            after = fallen[lane]
            if rule.coincident:
                after = raised(rule, after, spikes[lane])
            m.d.comb += written.traces[lane].eq(after)
        return m
