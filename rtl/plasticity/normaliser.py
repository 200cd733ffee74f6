"""Normalisation: at the end of a sample the weights of each target sum to the rule's total.

::

    w ← clip( w · floor(total · 2^(fraction_bits + 16) / S) >> 16 )        S = Σ_j w[j, i], where S > 0

A group of targets after the other: its weights are summed, every lane divides, and its weights are scaled.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from lifline.plasticity.stdp import FACTOR_BITS

from ..arithmetic import delay
from ..memory import Rom
from ..plan import ArrayPlan, Channel
from ..port import LearnPort
from ..rows import STDPRows


class Divider(wiring.Component):
    """floor(numerator / divisor) of a constant by a number, a bit a cycle.

    Parameters
    ----------
    numerator : int
    divisor_bits, quotient_bits : int

    Members
    -------
    start : In(1)
        Take `divisor`, which is above 0.
    step : In(1)
        A bit more; as many as the numerator has.
    divisor : In(divisor_bits)
    quotient : Out(quotient_bits)
        After the last step; all ones where the quotient is wider.
    """

    def __init__(self, *, numerator: int, divisor_bits: int, quotient_bits: int) -> None:
        self.numerator = numerator
        super().__init__(
            {
                "start": In(1),
                "step": In(1),
                "divisor": In(divisor_bits),
                "quotient": Out(quotient_bits),
            }
        )

    @property
    def steps(self) -> int:
        return self.numerator.bit_length()

    def elaborate(self, platform):
        m = Module()
        bits = len(self.divisor)
        left = Signal(self.steps, reset_less=True)  # of the numerator
        rest = Signal(bits, reset_less=True)
        found = Signal.like(self.quotient, reset_less=True)
        wide = Signal(reset_less=True)
        raised = Cat(left[-1], rest)
        difference = raised - self.divisor
        fits = ~difference[-1]
        with m.If(self.start):
            m.d.sync += [left.eq(self.numerator), rest.eq(0), found.eq(0), wide.eq(0)]
        with m.Elif(self.step):
            m.d.sync += [
                left.eq(left << 1),
                rest.eq(Mux(fits, difference[:bits], raised[:bits])),
                found.eq(Cat(fits, found)),
                wide.eq(wide | found[-1]),
            ]
        m.d.comb += self.quotient.eq(found | wide.replicate(len(found)))
        return m


class Normaliser(wiring.Component):
    """Normalises the weights of a channel.

    Parameters
    ----------
    array, channel, bank
        As of :class:`Learner`; the channel's rule has a `total`.

    Members
    -------
    go : In(1)
        Held until `done`.
    done : Out(1)
        In the last cycle.
    bank : Out(LearnPort)

    Latency: for each group of targets twice the number of sources, the bits of total · 2^(fraction_bits + 16), and 10.
    """

    #: Cycles from the reading of a word to its being summed, and written.
    SUM, SCALE = LearnPort.LATENCY + 1, LearnPort.LATENCY + 3

    #: Bits of the lower part of a factor: two products, each of which fits a DSP block, and then their sum.
    LOW = 17

    def __init__(self, array: ArrayPlan, channel: Channel, bank: Rom) -> None:
        self.array = array
        self.channel = channel
        super().__init__({"go": In(1), "done": Out(1), "bank": Out(LearnPort(bank))})

    @classmethod
    def cycles(cls, channel: Channel) -> int:
        """Cycles from `go` to `done`, the first and the last not included."""
        rows = channel.rows
        assert isinstance(rows, STDPRows)
        steps = cls._numerator(rows).bit_length()
        return rows.layout.groups * (2 * channel.source_size + steps + cls.SUM + cls.SCALE + 2)

    @staticmethod
    def _numerator(rows: STDPRows) -> int:
        rule = rows.pairs
        return int(rule.total) << (rule.fraction_bits + FACTOR_BITS)

    def elaborate(self, platform):
        """All of one machine: its states, and beside them what every lane does."""
        from .stdp import clipped

        m = Module()
        array, channel, bank = self.array, self.channel, self.bank
        rows = channel.rows
        assert isinstance(rows, STDPRows)
        rule = rows.pairs
        sources, bits = channel.source_size, rows.w_bits
        sum_bits = bits + (sources - 1).bit_length()
        low, high = rule.range(rows.synapses.weight_bits)
        # A factor of more bits moves every weight but 0 to an end, as one of all ones does.
        divide = [
            Divider(
                numerator=self._numerator(rows),
                divisor_bits=sum_bits,
                quotient_bits=FACTOR_BITS + bits,
            )
            for _ in range(array.lanes)
        ]
        steps = divide[0].steps
        source = Signal(range(sources))
        group = Signal(range(array.groups))
        address = Signal.like(bank.address)  # of the word that is read
        first = Signal.like(bank.address)  # of the group
        wait = Signal(range(max(steps, 8)))
        begin = Signal()
        reading = Signal()
        scaling = Signal()
        load = Signal()  # of the dividers
        step = Signal()
        summing = delay(m, reading & ~scaling, self.SUM, "summing", reset_less=False)
        word = Signal(array.lanes * bits, reset_less=True)
        m.d.sync += word.eq(bank.data)
        m.d.comb += [
            bank.take.eq(1),
            bank.en.eq(reading),
            bank.address.eq(address),
            bank.write.eq(delay(m, reading & scaling, self.SCALE, "scaled", reset_less=False)),
            bank.write_address.eq(delay(m, address, self.SCALE, "written")),
        ]
        last_source, last_group = source == sources - 1, group == array.groups - 1
        with m.If(reading):
            m.d.sync += [address.eq(address + 1), source.eq(Mux(last_source, 0, source + 1))]
        with m.FSM():
            with m.State("rest"):
                m.d.sync += [group.eq(0), first.eq(0), address.eq(0)]
                with m.If(self.go):
                    m.d.comb += begin.eq(1)
                    m.next = "sum"
            with m.State("sum"):
                m.d.comb += reading.eq(1)
                m.d.sync += wait.eq(self.SUM)
                with m.If(last_source):
                    m.next = "summed"
            with m.State("summed"):
                m.d.comb += load.eq(1)
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.sync += wait.eq(steps - 1)
                    m.next = "divide"
            with m.State("divide"):
                m.d.comb += step.eq(1)
                m.d.sync += [wait.eq(wait - 1), address.eq(first)]
                with m.If(wait == 0):
                    m.next = "scale"
            with m.State("scale"):
                m.d.comb += [reading.eq(1), scaling.eq(1)]
                m.d.sync += wait.eq(self.SCALE)
                with m.If(last_source):
                    m.next = "scaled"
            with m.State("scaled"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.sync += [group.eq(group + 1), first.eq(address)]
                    m.d.comb += begin.eq(1)
                    m.next = "sum"
                    with m.If(last_group):
                        m.d.comb += self.done.eq(1)
                        m.next = "rest"

        written = []
        for lane, divider in enumerate(divide):
            m.submodules[f"divide_{lane}"] = divider
            w = word.word_select(lane, bits).as_signed()
            total = Signal(signed(sum_bits), name=f"sum_{lane}", reset_less=True)
            with m.If(begin):
                m.d.sync += total.eq(0)
            with m.Elif(summing):
                m.d.sync += total.eq(total + w)
            m.d.comb += [divider.start.eq(load), divider.step.eq(step), divider.divisor.eq(total)]
            factor = Signal(len(divider.quotient), name=f"factor_{lane}", reset_less=True)
            # S ≤ 0: nothing changes
            m.d.sync += factor.eq(Mux(total > 0, divider.quotient, 1 << FACTOR_BITS))
            parts = []
            for name, part in (("low", factor[: self.LOW]), ("high", factor[self.LOW :])):
                product = w * part
                parts.append(Signal(product.shape(), name=f"{name}_{lane}", reset_less=True))
                m.d.sync += parts[-1].eq(product)
            scaled = Signal(
                signed(bits + len(divider.quotient) + 1), name=f"scaled_{lane}", reset_less=True
            )
            m.d.sync += scaled.eq(parts[0] + (parts[1] << self.LOW))
            written.append(clipped(scaled >> FACTOR_BITS, low, high, bits))
        m.d.comb += bank.write_data.eq(Cat(written))
        return m
