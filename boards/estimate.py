"""How much of an FPGA a network will take, before any tool runs: what ``lanes=None`` goes by.

Memories are counted from the gateware itself.  Logic is a linear function fitted to builds (docs/boards.md lists
them, and how good it is): a family's fixed part, the classifier's scores, and for each lane its two sums
(the accumulator and the membrane), the choice among groups that are in registers, and the adders of its leak,
each by its bits.  Place and route has the last word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from amaranth.hdl import Fragment, Instance

from lifline import rtl
from lifline.errors import ToolError
from lifline.network import Network
from lifline.rtl.neurons import LIFArray
from lifline.rtl.plan import REGISTER_GROUPS, ArrayPlan, Lanes
from lifline.rtl.queue import SpikeQueue
from lifline.rtl.synapses import SynapseMemory

from .board import Board, Family
from .classifier import score_shape
from .protocol import WINDOW

#: `choose_lanes` goes no further: wider arrays take long to place and route, and seldom reach their clock.
MOST_LANES = 8

#: Logic that place and route can use in practice.
_USABLE = 0.9

#: Look-up tables of a multiplier for a membrane and its beta, where they are not in a DSP block.
_MULTIPLIER_LUTS = 180


def estimate(network: Network, board: Board, lanes: Lanes) -> dict[str, int]:
    """What a build will take: luts, ffs, brams, dsps.

    Raises
    ------
    InputError
        If `lanes` is not possible.
    """
    arrays = rtl.plan(network, lanes)
    needs = [fixed_need(board, arrays[network.output])]
    needs += [array_need(board, array) for array in arrays.values()]
    return total(board, needs)


def fixed_need(board: Board, output: ArrayPlan) -> dict[str, int]:
    """What a build takes whatever its lanes: luts, brams, dsps; `output` is the population that is classified."""
    scores = output.groups * output.lanes * score_shape(output).width
    return {
        "luts": board.family.base_luts + scores,
        "brams": _blocks(board.family, "lifline_ram", 8, WINDOW),
        "dsps": 0,
    }


def array_need(board: Board, array: ArrayPlan) -> dict[str, int]:
    """What one population takes, with its synapses and queues: luts, brams, dsps."""
    family = board.family
    membrane_bits = array.population.neuron.membrane_bits
    choices = array.groups - 1 if array.groups <= REGISTER_GROUPS else 0
    sums = family.sum_luts + family.choice_luts * choices
    sums *= membrane_bits + array.accumulator_bits
    leak = family.leak_luts * membrane_bits * _leak_adders(array)
    parts = [SynapseMemory(array, family.block_bits), LIFArray(array), *map(SpikeQueue, array.channels)]
    memories = [shape for part in parts for shape in _memories(Fragment.get(part, object()))]
    return {
        "luts": int(array.lanes * (sums + leak)),
        "brams": sum(_blocks(family, *shape) for shape in memories),
        "dsps": multipliers([array]),
    }


def total(board: Board, needs: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """The sum of `needs`, multipliers in logic where there are too few DSPs for all: luts, ffs, brams, dsps."""
    luts, brams, dsps = (sum(need[kind] for need in needs) for kind in ("luts", "brams", "dsps"))
    if dsps > board.dsps:
        luts, dsps = luts + _MULTIPLIER_LUTS * dsps, 0
    return {"luts": luts, "ffs": int(0.65 * luts), "brams": brams, "dsps": dsps}


def multipliers(arrays: Iterable[ArrayPlan]) -> int:
    """Multipliers of a network's gateware: one a lane where neurons that share one differ in beta."""
    return sum(array.lanes for array in arrays if _multiplies(array))


def _multiplies(array: ArrayPlan) -> bool:
    return array.groups > 1 and len(set(array.population.neuron.beta.tolist())) > 1


def _leak_adders(array: ArrayPlan) -> float:
    """Adders of a lane's leak, on average: the canonical signed digits of beta, less one."""
    if _multiplies(array):
        return 0.0
    return float(
        np.mean(
            [
                max(0, (beta ^ 3 * beta).bit_count() - 1)
                for beta in array.population.neuron.beta.tolist()
            ]
        )
    )


def choose_lanes(network: Network, board: Board) -> dict[str, int]:
    """The most lanes, a power of two for all populations and at most `MOST_LANES`, that should fit.

    Raises
    ------
    ToolError
        If not even one lane should fit.
    """
    lanes = MOST_LANES
    while True:
        chosen = rtl.lanes_of(network, lanes)
        need = estimate(network, board, chosen)
        need["luts"] = int(need["luts"] / _USABLE)
        short = board.shortage(need, fewer_lanes=False)
        if short is None:
            return chosen
        if lanes == 1:
            raise ToolError(f"{short} (an estimate; give the lanes to try it nevertheless)")
        lanes //= 2


def _memories(fragment: Any) -> Iterator[tuple[str, int, int]]:
    """Kind, width and depth of each memory in a design."""
    for part, *_ in fragment.subfragments:
        if isinstance(part, Instance):
            yield part.type, part.parameters["WIDTH"], part.parameters["DEPTH"]
        else:
            yield from _memories(part)


def _blocks(family: Family, kind: str, width: int, depth: int) -> int:
    """Block RAMs of one memory; 0 where yosys makes it of logic because it would leave them near empty."""
    blocks = min(-(-width // bits) * -(-depth // words) for words, bits in family.bram_shapes)
    least = family.rom_bits if kind == "lifline_rom" else family.ram_bits
    return blocks if width * depth >= least * blocks else 0
