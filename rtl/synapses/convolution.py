"""Convolutions: an event walks the positions of the kernel that lie on the map, a group of channels a cycle.

::

    address ──► position, channel ──► y, x ──► tables of y, of x, of the channel ──► first group, first word, numbers
                (divided by constants)                                                │ walked: groups of channels,
                                                                                      ▼ then x, then y

A walk adds constants: from a group of channels to the next, from a position to the next in its line, from a
line to the next.  The tables are small: an entry for each line, each column and each channel of the source.
"""

import dataclasses

import numpy as np
from amaranth.hdl import Array, Cat, Const, Module, Signal, Value

from ..arithmetic import quotient, times
from ..rows.convolution import ConvolutionRows
from .generator import Generator, generator


class ConvolutionGenerator(Generator):
    """Divides the address, looks up where its rows begin, and walks them."""

    @staticmethod
    def stages(rows: ConvolutionRows) -> int:
        _, width, channels = rows.synapses.source_shape
        divisions = _is_division(channels) + (_is_division(width) and rows.synapses.source_shape[0] > 1)
        return int(divisions) + 2

    def elaborate(self, platform):
        m = Module()
        stage = self.stages(self.rows) - 2
        y, x, channel = self._coordinates(m)
        begin = self._look_up(m, self.move[stage], y, x, channel)
        self._walk(m, begin)
        return m

    def _coordinates(self, m):
        """Line, column and channel of the event; each division by what is no power of two takes a stage."""
        height, width, channels = self.rows.synapses.source_shape
        stage = 0
        position, channel = self.address, Const(0)
        if channels > 1:
            position, channel = self._divide(m, stage, position, channels, height * width * channels)
            stage += _is_division(channels)
        if height == 1 or width == 1:
            return (Const(0), position, channel) if height == 1 else (position, Const(0), channel)
        if _is_division(width):
            channel = self._keep(m, stage, channel, "channel")
        y, x = self._divide(m, stage, position, width, height * width)
        return y, x, channel

    def _divide(self, m, stage, value, divisor, below):
        """Quotient and remainder, one stage later where `divisor` is no power of two."""
        bits = (divisor - 1).bit_length()
        if not _is_division(divisor):
            return value[bits:], value[:bits]
        whole = self._keep(m, stage, quotient(value, divisor, below), f"quotient_{stage}")
        value = self._keep(m, stage, value, f"value_{stage}")
        return whole, (value - times(whole, Const(divisor)))[:bits]

    def _keep(self, m, stage, value, name):
        """A register behind a stage."""
        if isinstance(value, Const):
            return value
        kept = Signal(value.shape(), name=name, reset_less=True)
        with m.If(self.move[stage]):
            m.d.sync += kept.eq(value)
        return kept

    def _look_up(self, m, move, y, x, channel):
        """Where the event's rows begin, and the loops over them, from tables with a register behind each."""
        rows: ConvolutionRows = self.rows
        axis_y, axis_x = rows.axes
        of_line, of_position, _ = rows.word_steps
        of_map = rows.layout.groups_per_block
        steps_y = axis_y.position_step * rows.map_width * of_map, axis_y.kernel_step * of_line
        steps_x = axis_x.position_step * of_map, axis_x.kernel_step * of_position

        def table(index, values, name):
            """The entry of `values` at `index`, behind a register."""
            if (values == values[0]).all():
                return Const(int(values[0]), max(1, int(values[0]).bit_length()))
            entry = Signal(range(int(values.max()) + 1), name=name, reset_less=True)
            with m.If(move):
                m.d.sync += entry.eq(Array(Const(int(value), len(entry)) for value in values)[index])
            return entry

        def axis(index, axis, name, groups, words):
            return (
                table(index, axis.position * groups, f"{name}_group"),
                table(index, axis.kernel * words, f"{name}_word"),
                table(index, np.maximum(axis.count - 1, 0), f"{name}_rest"),
                table(index, (axis.count == 0).astype(int), f"{name}_void"),
            )

        y_group, y_word, y_rest, y_void = axis(y, axis_y, "y", rows.map_width * of_map, of_line)
        x_group, x_word, x_rest, x_void = axis(x, axis_x, "x", of_map, of_position)
        groups = rows.groups_of_channel
        lanes = rows.lanes_of_channel % rows.layout.lanes
        loops = [
            _Loop("channels", table(channel, groups - 1, "channels_rest"), 1, 1, int(groups.max())),
            _Loop("x", x_rest, -steps_x[0], steps_x[1], int(axis_x.count.max())),
            _Loop("y", y_rest, -steps_y[0], steps_y[1], int(axis_y.count.max())),
        ]
        return _Begin(
            group=y_group + x_group + table(channel, rows.first_group, "channel_group"),
            word=y_word + x_word + table(channel, rows.first_word, "channel_word"),
            loops=[loop for loop in loops if loop.most > 1],
            void=_either(y_void, x_void),
            first_lane=table(channel, lanes[:, 0], "channel_first_lane"),
            last_lane=table(channel, lanes[:, 1], "channel_last_lane"),
        )

    def _walk(self, m, begin):
        """The row that it is at, in nested loops, the innermost first: each knows where its turn began."""
        start = self.move[-1]
        loops = begin.loops
        turns = [_Turn(self, loop.name, loop.most) for loop in loops]
        group = [turn.group for turn in turns] or [Signal.like(self.group, reset_less=True)]
        word = [turn.word for turn in turns] or [
            Signal.like(self.roms["weights"].address, name="word", reset_less=True)
        ]
        with m.If(start):
            m.d.sync += [register.eq(begin.group) for register in group]
            m.d.sync += [register.eq(begin.word) for register in word]
            for loop, turn in zip(loops, turns, strict=True):
                single = (loop.rest == 0) | begin.void
                m.d.sync += [turn.left.eq(loop.rest), turn.all.eq(loop.rest)]
                m.d.sync += [turn.end.eq(single), turn.single.eq(single)]
        ended = Const(1)
        for index, (loop, turn) in enumerate(zip(loops, turns, strict=True)):
            within = turns[:index]  # these start over
            to_group = Signal.like(turn.group, name=f"{loop.name}_to_group")
            to_word = Signal.like(turn.word, name=f"{loop.name}_to_word")
            m.d.comb += [
                to_group.eq(turn.group + loop.group_step),
                to_word.eq(turn.word + loop.word_step),
            ]
            with m.If(self.next & ended & ~turn.end):
                m.d.sync += [turn.left.eq(turn.left - 1), turn.end.eq(turn.left == 1)]
                m.d.sync += [one.group.eq(to_group) for one in (*within, turn)]
                m.d.sync += [one.word.eq(to_word) for one in (*within, turn)]
                m.d.sync += [one.left.eq(one.all) for one in within]
                m.d.sync += [one.end.eq(one.single) for one in within]
            ended = ended & turn.end
        m.d.comb += [self.last.eq(ended), self.group.eq(self.later(m, group[0], "row_group"))]
        self.add_memories(m, word[0], self._mask(m, begin, turns))

    def _mask(self, m, begin, turns):
        """The lanes that are the event's in the row that was read; None if all are in every row."""
        lanes = range(self.array.lanes)
        start = self.move[-1]
        void = begin.void
        if not isinstance(void, Const):
            void = Signal(reset_less=True)
            with m.If(start):
                m.d.sync += void.eq(begin.void)
        if not self.rows.masked:
            never = isinstance(void, Const) and not void.value
            return None if never else [self.later(m, ~void, "touches")] * len(lanes)
        first_lane = Signal(range(len(lanes)), reset_less=True)
        last_lane = Signal(range(len(lanes)), reset_less=True)
        with m.If(start):
            m.d.sync += [first_lane.eq(begin.first_lane), last_lane.eq(begin.last_lane)]
        in_first, in_last = Const(1), Const(1)  # of the groups of the event's channels
        if begin.loops and begin.loops[0].name == "channels":
            in_first, in_last = turns[0].left == turns[0].all, turns[0].end
        mask = Cat(
            ~void & ~(in_first & (lane < first_lane)) & ~(in_last & (lane > last_lane))
            for lane in lanes
        )
        return list(self.later(m, mask, "mask"))


@dataclasses.dataclass
class _Loop:
    """One of the nested loops over an event's rows."""

    name: str
    rest: Value  #: turns after the first
    group_step: int  #: from a turn to the next
    word_step: int
    most: int  #: turns of any event


class _Turn:
    """The registers of a loop."""

    def __init__(self, generator: Generator, name: str, most: int) -> None:
        address = generator.roms["weights"].address
        self.group = Signal.like(generator.group, name=f"{name}_at_group", reset_less=True)
        self.word = Signal.like(
            address, name=f"{name}_at_word", reset_less=True
        )  #: both of its first row
        self.left = Signal(range(most), name=f"{name}_left", reset_less=True)  #: turns after this one
        self.end = Signal(name=f"{name}_end", reset_less=True)  #: there are none
        self.all = Signal(range(most), name=f"{name}_all", reset_less=True)  #: turns after the first
        self.single = Signal(name=f"{name}_single", reset_less=True)  #: there are none


@dataclasses.dataclass
class _Begin:
    """The first row of an event, and the loops that lead to the others."""

    group: Value
    word: Value
    loops: list[_Loop]  #: of more than one turn, the innermost first
    void: Value  #: the event touches nothing: one row of zeros
    first_lane: Value  #: of the event's channels, in their first group
    last_lane: Value  #: in their last group


def _either(left: Value, right: Value) -> Value:
    """Whether one of two bits is set; a constant if both are."""
    if isinstance(left, Const) and isinstance(right, Const):
        return Const(left.value | right.value, 1)
    return left | right


def _is_division(divisor: int) -> bool:
    """Whether dividing by it takes more than a choice of bits."""
    return divisor & (divisor - 1) != 0


@generator.register
def _(rows: ConvolutionRows) -> type[Generator]:
    return ConvolutionGenerator
