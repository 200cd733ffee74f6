"""Contest: of a population of which only some may spike, those that do.

::

    lanes ──► memory, a group a word ──┬─► pass 1 … k: the greatest key below that of the pass before
                                       └─► pass k + 1: a spike wins where its key reaches the last pass's ──► o

A neuron's *key* is its margin x − θ and, in lower bits, how far it stands from the end: no two are equal, and of equal
margins that of the lower index is greater.  The k-th greatest key is all that the last pass needs to know: where fewer
neurons are above their thresholds it is 0, and all of them win.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .arithmetic import delay
from .events import trace_layout
from .memory import Ram
from .plan import ArrayPlan


def contest_layout(array: ArrayPlan) -> data.StructLayout:
    """What the lanes say of a group.

    Members: ``group``; ``spikes``, a bit a lane: who is above its threshold; ``margins``, by how far; each state as it
    is then; and ``held_<state>``, what a spike changes, without one.
    """
    neuron = array.population.neuron
    shown, lanes = trace_layout(array), array.lanes
    margins = data.ArrayLayout(unsigned(neuron.margin_bits), lanes)
    members = {name: field.shape for name, field in shown} | {"margins": margins}
    held = {f"held_{name}": shown[name].shape for name in neuron.resets}
    return data.StructLayout(members | held)


class Contest(wiring.Component):
    """Holds the groups of a tick until it is known who wins.

    Parameters
    ----------
    array : ArrayPlan
        With `winners`.

    Members
    -------
    i : In(stream of contest_layout(array), always ready)
        The groups of a tick in order, one a cycle; the next tick's first `interval(array)` cycles later, or more.
    o : Out(stream of trace_layout(array), always ready)
        The same groups, `latency(array)` cycles later.

    Latency: k passes of groups + ceil(log2 lanes) + 2 cycles, and 5.
    """

    #: Cycles from what comes in to the first pass, and from a pass's word to what goes out.
    WRITE, DECIDE = 2, 3

    def __init__(self, array: ArrayPlan) -> None:
        self.array = array
        super().__init__(
            {
                "i": In(stream.Signature(contest_layout(array), always_ready=True)),
                "o": Out(stream.Signature(trace_layout(array), always_ready=True)),
            }
        )

    @staticmethod
    def period(array: ArrayPlan) -> int:
        """Cycles of a pass: the next one needs to know what the last group's lanes have."""
        return array.groups + (array.lanes - 1).bit_length() + 2

    @classmethod
    def latency(cls, array: ArrayPlan) -> int:
        """Cycles from a group's coming in to its going out."""
        return cls.WRITE + array.winners * cls.period(array) + cls.DECIDE

    @classmethod
    def interval(cls, array: ArrayPlan) -> int:
        """Least cycles from a tick's first group to the next tick's."""
        return array.winners * cls.period(array) + array.groups

    def elaborate(self, platform):
        m = Module()
        array, shape = self.array, self.i.payload.shape()
        groups, period = array.groups, self.period(array)
        come = Signal(shape, reset_less=True)
        come_valid = Signal()
        m.d.sync += [come.eq(self.i.payload), come_valid.eq(self.i.valid)]
        m.submodules.ram = ram = Ram(width=shape.size, depth=groups, zeros=False)

        # The passes, one after the other, each over all groups.
        reading = Signal()
        step = Signal(range(period))
        number = Signal(range(array.winners + 1))
        last_pass = number == array.winners
        fetch = Signal()
        turn = Signal()  # the pass's last group is about to be known
        m.d.comb += [
            ram.write.eq(come_valid),
            ram.write_address.eq(come.group),
            ram.write_data.eq(come),
            fetch.eq(reading & (step < groups)),
            turn.eq(reading & (step == period - 1)),
            ram.en.eq(1),
            ram.address.eq(step),
        ]
        with m.If(reading):
            m.d.sync += step.eq(step + 1)
            with m.If(turn):
                m.d.sync += [step.eq(0), number.eq(number + 1)]
            with m.If(last_pass & (step == groups - 1)):
                m.d.sync += reading.eq(0)
        with m.If(come_valid & (come.group == 0)):
            m.d.sync += [reading.eq(1), step.eq(0), number.eq(0)]

        # A word: which of its keys are below that of the pass before.
        word = Signal(shape, reset_less=True)
        m.d.sync += word.eq(ram.data)
        searches = delay(m, fetch & ~last_pass, 2, "searches", reset_less=False)
        decides = delay(m, fetch & last_pass, 2, "decides", reset_less=False)
        first = delay(m, number == 0, 2, "first")
        keys = self._keys(word)
        before = Signal(len(keys[0]), reset_less=True)  # the pass before's
        # Cleared, as what comes into it, at the end of a sample, which may be amid a pass.
        best = Signal(len(before))
        below = [Signal(name=f"below_{index}") for index in range(array.lanes)]
        level = []
        for index, key in enumerate(keys):
            m.d.comb += below[index].eq(key < before)
            candidate = Signal.like(best, name=f"candidate_{index}")
            wanted = searches & word.spikes[index] & (first | below[index])
            m.d.sync += candidate.eq(Mux(wanted, key, 0))
            level.append(candidate)

        # The greatest of a group, and of the pass.
        while len(level) > 1:
            greater: list[Signal] = []
            for left, right in zip(
                level[::2], [*level[1::2], None][: -(-len(level) // 2)], strict=True
            ):
                later = Signal.like(best, name=f"greatest_{len(level)}_{len(greater)}")
                m.d.sync += later.eq(left if right is None else Mux(left < right, right, left))
                greater.append(later)
            level = greater
        with m.If(delay(m, turn, 2, "turned", reset_less=False)):
            m.d.sync += [before.eq(best), best.eq(0)]
        with m.Elif(best < level[0]):
            m.d.sync += best.eq(level[0])

        # The last pass: who wins.
        wins = Signal(array.lanes, reset_less=True)
        decided = Signal(shape, reset_less=True)
        m.d.sync += [
            wins.eq(word.spikes & ~Cat(below)),
            decided.eq(word),
            self.o.valid.eq(decides),
        ]
        m.d.comb += [self.o.payload.group.eq(decided.group), self.o.payload.spikes.eq(wins)]
        neuron = array.population.neuron
        for state in neuron.states:
            for index in range(array.lanes):
                value = decided[state.name][index]
                if state.name in neuron.resets:
                    value = Mux(wins[index], value, decided[f"held_{state.name}"][index])
                m.d.comb += self.o.payload[state.name][index].eq(value)
        return m

    def _keys(self, word):
        """Each lane's margin, above what makes it greater than those of later lanes and groups."""
        array = self.array
        bits = (array.lanes - 1).bit_length()
        group = ~word.group if array.groups > 1 else Const(0, 0)
        keys = []
        for index in range(array.lanes):
            place = Const((1 << bits) - 1 - index, bits)
            keys.append(Cat(place, group, word.margins[index]))
        return keys
