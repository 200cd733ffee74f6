"""How much of an FPGA a network will take, before any tool runs: what ``lanes=None`` goes by.

Memories are those that the gateware's plan lists.  Logic is a linear function of a few sizes (:class:`Logic`),
whose coefficients are the family's: `python -m benchmarks area` fits them to builds.  Place and route has the
last word.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Self

import numpy as np

from lifline import rtl
from lifline.encoders import Encoder
from lifline.errors import ToolError
from lifline.network import Network, Population, Projection
from lifline.neurons import LIF, Izhikevich, Neuron
from lifline.neurons.izhikevich import QUADRATIC
from lifline.plasticity import SDSP, STDP, Plasticity, RewardSTDP
from lifline.plasticity.stdp import FACTOR_BITS
from lifline.rtl.encoders import EncoderCircuit
from lifline.rtl.plan import REGISTER_GROUPS, ArrayPlan, Channel, Lanes
from lifline.rtl.rows import Rows, SDSPRows, STDPRows
from lifline.rtl.rows.convolution import ConvolutionRows
from lifline.rtl.rows.learned import SEED_BITS
from lifline.teaching import MOST_REWARD

from .board import Board
from .families import Area, Family
from .memories import SPRAM_BITS, SPRAM_WORDS, choose_memories
from .protocol import LINK_BLOCKS, score_bits

#: `choose_lanes` goes no further: wider arrays take long to place and route, and seldom reach their clock.
MOST_LANES = 8

#: Look-up tables for a bit of a lane's sum where sums are in two banks: the choice of a bank, and of a sum just made.
SUM_LUTS = 2.0

#: Look-up tables of an encoder; of the kinds that there are, the largest takes as many.
ENCODER_LUTS = 180

#: More than a look-up table of any family can hold.
_LUT_BITS = 64

#: Logic that place and route can use in practice, less what the estimate is known to err.
_USABLE = 0.85


@dataclasses.dataclass(frozen=True)
class Logic:
    """The sizes that look-up tables grow with; each field is the factor of one coefficient of :class:`Area`."""

    base: float = 0.0  #: 1 for the whole design
    sums: float = 0.0  #: bits of all lanes' two sums
    choices: float = 0.0  #: the same, times the groups in registers but the first
    adders: float = 0.0  #: bits of the adders of all lanes' leak
    multiplier: float = 0.0  #: multipliers
    scores: float = 0.0  #: bits of the classifier's scores, a look-up table each
    rows: float = 0.0  #: look-up tables of address generators, and of banks of sums
    learning: float = 0.0  #: bits of the adders, choices and registers of what learns

    def __add__(self, other: Self) -> Logic:
        names = [field.name for field in dataclasses.fields(self)]
        return Logic(**{name: getattr(self, name) + getattr(other, name) for name in names})

    def luts(self, area: Area, *, dsps: bool) -> float:
        """Look-up tables; `dsps`: the multipliers are in DSP blocks."""
        return (
            self.scores
            + self.rows
            + area.base * self.base
            + area.sums * self.sums
            + area.choices * self.choices
            + area.adders * self.adders
            + area.learning * self.learning
            + (0 if dsps else area.multiplier * self.multiplier)
        )


@dataclasses.dataclass(frozen=True)
class Need:
    """What a part of a design takes."""

    logic: Logic
    brams: int

    def __add__(self, other: Self) -> Need:
        return Need(self.logic + other.logic, self.brams + other.brams)


def estimate(
    network: Network,
    board: Board,
    lanes: Lanes,
    load: bool = False,
    encoder: Encoder | None = None,
    *,
    learn: bool = False,
) -> dict[str, int]:
    """What a build will take: luts, ffs, brams, dsps; with `load`, one whose memories can be loaded.

    With `encoder`, one that takes raw values; with `learn`, one that learns, which can be loaded, too.

    Raises
    ------
    InputError
        If `lanes` is not possible, or what learns has no gateware.
    """
    load = load or learn
    arrays = rtl.plan(network, lanes, load=load, learn=learn)
    if load and (chosen := choose_memories(arrays, board)):
        arrays = rtl.plan(network, lanes, load=load, learn=learn, spram=chosen)
    need = design_need(board, arrays, network.output) + encoder_need(board, network, encoder)
    return total(board, need)


def design_need(board: Board, arrays: Mapping[str, ArrayPlan], output: str) -> Need:
    """What a whole design takes, its arrays by population."""
    needs = (array_need(board, array) for array in arrays.values())
    return sum(needs, start=fixed_need(board, arrays[output]))


def fixed_need(board: Board, output: ArrayPlan) -> Need:
    """What a build takes whatever its lanes; `output` is the population that is classified."""
    scores = output.groups * output.lanes * score_bits(output.population)
    return Need(Logic(base=1, scores=scores), LINK_BLOCKS)


def encoder_need(board: Board, network: Network, encoder: Encoder | None) -> Need:
    """What an encoder in front of a network takes, beside it."""
    if encoder is None:
        return Need(Logic(), 0)
    memories = EncoderCircuit(encoder, network.inputs).memories
    blocks = sum(board.family.blocks(memory.kind, memory.width, memory.depth) for memory in memories)
    return Need(Logic(rows=ENCODER_LUTS), blocks)


def array_need(board: Board, array: ArrayPlan) -> Need:
    """What one population takes, with its synapses and queues."""
    sums = array.lanes * (array.population.neuron.states[0].bits + array.accumulator_bits)
    logic = Logic(
        sums=sums, choices=sums * (array.groups - 1 if array.groups <= REGISTER_GROUPS else 0)
    )
    logic += _rows(array) + _learning(board.family, array) + _contest(array)
    memories = array.memories(board.family.block_bits)
    blocks = sum(board.family.blocks(memory.kind, memory.width, memory.depth) for memory in memories)
    return Need(logic + lane_logic(array.population.neuron, array), blocks)


def _rows(array: ArrayPlan) -> Logic:
    """What an array takes that has other synapses than dense ones, or graded inputs."""
    luts = sum(rows_luts(channel.rows) for channel in array.channels if channel.rows is not None)
    if array.in_order:
        luts = 0
    elif array.ring_ticks == 1 and array.groups > 1:
        luts += SUM_LUTS * array.lanes * array.accumulator_bits
    return Logic(rows=luts, multiplier=array.lanes if array.value_bits > 1 else 0)


def _contest(array: ArrayPlan) -> Logic:
    """What decides who wins: in each lane a margin, two comparisons of keys and what they choose."""
    if not array.winners:
        return Logic()
    neuron = array.population.neuron
    key = neuron.margin_bits + (array.groups * array.lanes - 1).bit_length()
    held = sum(state.bits for state in neuron.states if state.name in neuron.resets)
    return Logic(learning=array.lanes * (3 * key + held))


def _learning(family: Family, array: ArrayPlan) -> Logic:
    """What the circuits take that change the weights of an array."""
    learners = (
        learner_logic(channel.rule, family, array, channel)
        for channel in array.channels
        if channel.rule is not None
    )
    return sum(learners, start=Logic())


@functools.singledispatch
def learner_logic(rule: Plasticity, family: Family, array: ArrayPlan, channel: Channel) -> Logic:
    """What the circuit of a rule takes; of one that registers nothing, ten adders of w in each lane."""
    return Logic(learning=10 * array.lanes * (channel.weight_bits + channel.fraction_bits))


@learner_logic.register
def _pairs(rule: STDP, family: Family, array: ArrayPlan, channel: Channel) -> Logic:
    """Traces that fall and rise, of a word of sources and of each lane; in each lane two changes of w, and its ends."""
    rows = channel.rows
    assert isinstance(rows, STDPRows)
    w, trace = rows.w_bits, rows.trace_bits
    word = rows.sources_of_word * trace * (_digits(rule.alpha_pre) + 3)
    lane = 6 * w + trace * (_digits(rule.alpha_post) + _digits(rule.eta_minus) + 2)
    blocks = 0
    if rule.soft:
        lane += 4 * w
        blocks += 2 * _blocks(w, trace + abs(rule.eta_plus).bit_length(), family)
    if rule.total is not None:
        total, factor = w + (channel.source_size - 1).bit_length(), FACTOR_BITS + w
        lane += 4 * total + 3 * factor + 5 * w
        blocks += _blocks(w, factor, family)
    if rows.random:  # the stages of a hash
        word += 8 * SEED_BITS
        lane += 6 * SEED_BITS
    return Logic(learning=word + array.lanes * lane, multiplier=array.lanes * blocks)


@learner_logic.register
def _(rule: SDSP, family: Family, array: ArrayPlan, channel: Channel) -> Logic:
    """A calcium that falls and rises, and four comparisons of it; a change of w, its ends, and where it drifts to."""
    rows = channel.rows
    assert isinstance(rows, SDSPRows)
    lane = 5 * rows.w_bits + rows.calcium_bits * (_digits(rule.alpha) + 5)
    return Logic(learning=4 * rows.sources_of_word + array.lanes * lane)


@learner_logic.register
def _rewarded(rule: RewardSTDP, family: Family, array: ArrayPlan, channel: Channel) -> Logic:
    """As of its pairs; in each lane the eligibility, which falls, its product with the reward, and the ends of w."""
    e, w = rule.eligibility_bits, channel.weight_bits + channel.fraction_bits
    signal = e + MOST_REWARD.bit_length() + 1
    lane = e * (_digits(rule.alpha) + 4) + 2 * signal + 6 * w
    blocks = _blocks(MOST_REWARD.bit_length() + 1, e, family)
    more = Logic(learning=array.lanes * lane, multiplier=array.lanes * blocks)
    return _pairs(rule.pairs, family, array, channel) + more


def _blocks(one: int, other: int, family: Family) -> int:
    """DSP blocks of a product of numbers of so many bits."""
    return -(-one // family.multiplier_bits) * -(-other // (family.multiplier_bits - 1))


@functools.singledispatch
def rows_luts(rows: Rows) -> float:
    """Look-up tables of the address generator of a kind of rows."""
    return 100


@rows_luts.register
def _(rows: ConvolutionRows) -> float:
    """Counters and addresses of three loops, and the tables of lines and columns."""
    height, width, _ = rows.synapses.source_shape
    address = (rows.layout.groups * rows.contents["weights"].depth).bit_length()
    tables = sum(max(1, size / 16) for size in (height, width)) * address
    return 100 + 8 * address + tables


@functools.singledispatch
def lane_logic(neuron: Neuron, array: ArrayPlan) -> Logic:
    """What the equation of a kind of neuron takes in all lanes of an array, beyond the sums of every kind.

    Of a kind that registers nothing: an adder for each bit of its further states.
    """
    return Logic(sums=array.lanes * sum(state.bits for state in neuron.states[1:]))


@lane_logic.register
def _(neuron: LIF, array: ArrayPlan) -> Logic:
    """A product for each leak (of membrane, current, adaptation), and the sums of the parts that are there."""
    logic = _product(neuron.beta, neuron.membrane_bits, array)
    if neuron.alpha is not None:
        logic += _product(neuron.alpha, neuron.current_bits, array)
        logic += Logic(sums=array.lanes * neuron.current_bits)
    if neuron.adaptation is not None:
        logic += _product(neuron.adaptation.rho, neuron.adaptation.bits, array)
        logic += Logic(sums=2 * array.lanes * neuron.adaptation.bits)
    if neuron.noise is not None:
        logic += Logic(sums=array.lanes * (16 + int(abs(neuron.noise.table).max()).bit_length()))
    return logic


@lane_logic.register
def _(neuron: Izhikevich, array: ArrayPlan) -> Logic:
    """The square of the membrane, 0.04 of it, the two products of the recovery, and some eight sums."""
    square = Logic(multiplier=array.lanes)
    quadratic = Logic(adders=array.lanes * neuron.membrane_bits * _digits(QUADRATIC))
    recovery = _product(neuron.a, neuron.recovery_bits, array) + _product(
        neuron.b, neuron.membrane_bits, array
    )
    sums = Logic(sums=4 * array.lanes * (neuron.membrane_bits + neuron.recovery_bits))
    return square + quadratic + recovery + sums


def _product(factors: np.ndarray, bits: int, array: ArrayPlan) -> Logic:
    """A product in each lane: a multiplier where neurons that share the lane differ, else adders."""
    values = factors.tolist()
    if array.groups > 1 and len(set(values)) > 1:
        return Logic(multiplier=array.lanes)
    return Logic(adders=array.lanes * bits * float(np.mean([_digits(value) for value in values])))


def _digits(factor: int) -> int:
    """Adders of a product with a constant: its canonical signed digits, less one."""
    return max(0, (abs(factor) ^ 3 * abs(factor)).bit_count() - 1)


def total(board: Board, need: Need) -> dict[str, int]:
    """`need` in what a board has, multipliers in logic where there are too few DSPs for all: luts, ffs, brams, dsps."""
    dsps = int(need.logic.multiplier)
    fit = dsps <= board.dsps
    luts = int(need.logic.luts(board.family.area, dsps=fit))
    ffs = int(board.family.area.ffs * luts)
    return {"luts": luts, "ffs": ffs, "brams": need.brams, "dsps": dsps if fit else 0}


def uses_dsps(board: Board, arrays: Mapping[str, ArrayPlan]) -> bool:
    """Whether a build's multipliers go into DSP blocks: there are some, and the board has as many."""
    multipliers = sum(
        (
            lane_logic(array.population.neuron, array) + _rows(array) + _learning(board.family, array)
        ).multiplier
        for array in arrays.values()
    )
    return 0 < multipliers <= board.dsps


def check_size(network: Network, board: Board, load: bool = False) -> None:
    """Refuse a network that no lanes could fit on a board, before it is planned: that takes minutes for millions.

    Raises
    ------
    ToolError
    """
    needed = rtl.memory_bits(network)
    there = board.brams * board.family.block_bits + board.luts * _LUT_BITS + board.ffs
    if load:
        there += board.sprams * SPRAM_WORDS * SPRAM_BITS
    if needed > there:
        raise ToolError(
            f"states, synapses and queues take {needed / 1e6:,.1f} Mbit, {board.name} has {there / 1e6:,.1f} Mbit in "
            "block RAMs and logic: choose fewer neurons, smaller weight_bits or a bigger board"
        )


def choose_lanes(
    network: Network,
    board: Board,
    load: bool = False,
    encoder: Encoder | None = None,
    *,
    learn: bool = False,
) -> dict[str, int]:
    """The most lanes, a power of two for all populations and at most `MOST_LANES`, that should fit.

    Raises
    ------
    ToolError
        If not even one lane should fit.
    """
    lanes = MOST_LANES
    while True:
        chosen = rtl.lanes_of(network, lanes)
        need = estimate(network, board, chosen, load, encoder, learn=learn)
        need["luts"] = int(need["luts"] / _USABLE)
        short = board.shortage(need, fewer_lanes=False)
        if short is None:
            return chosen
        if lanes == 1:
            raise ToolError(f"{short} (an estimate; give the lanes to try it nevertheless)")
        lanes //= 2


def largest_dense(board: Board) -> int:
    """The largest N such that a dense network of N inputs, N hidden neurons and 10 outputs should fit on a board.

    Weights have 8 bits, all neurons one beta; a lane each.
    """

    def fits(size: int) -> bool:
        network = Network(
            size,
            [Population("hidden", size, LIF(230, 100)), Population("output", 10, LIF(230, 100))],
            [
                Projection("input", "hidden", np.full((size, size), -128)),
                Projection("hidden", "output", np.full((size, 10), -128)),
            ],
            "output",
        )
        need = estimate(network, board, 1)
        need["luts"] = int(need["luts"] / _USABLE)
        return board.shortage(need) is None

    low, high = 0, 2048
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
