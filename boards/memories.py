"""Which memories of a design that can be loaded are in block RAM, and which in the UP5K's single-port RAM."""

from __future__ import annotations

from collections.abc import Mapping

from lifline.rtl.plan import ArrayPlan, Memory

from .board import Board
from .protocol import LINK_BLOCKS

#: A single-port RAM of the iCE40 UltraPlus.
SPRAM_WORDS, SPRAM_BITS = 16384, 16


def sprams(memory: Memory) -> int:
    """Single-port RAMs that a memory takes."""
    return -(-memory.width // SPRAM_BITS) * -(-memory.depth // SPRAM_WORDS)


def choose_memories(arrays: Mapping[str, ArrayPlan], board: Board) -> dict[str, str]:
    """The banks that go into single-port RAM: the largest first, until the rest fits into block RAM.

    Parameters
    ----------
    arrays : mapping
        Of a design that can be loaded, as :func:`lifline.rtl.plan` with ``load`` gives them.
    board : Board

    Returns
    -------
    dict
        As ``memories`` of :class:`lifline.rtl.Accelerator` takes it: empty where block RAM holds everything, or
        there is no single-port RAM.
    """
    family = board.family

    def blocks(memory: Memory) -> int:
        return family.blocks(memory.kind, memory.width, memory.depth)

    memories = [memory for array in arrays.values() for memory in array.memories()]
    needed = LINK_BLOCKS + sum(map(blocks, memories))
    left = board.sprams
    chosen: dict[str, str] = {}
    for memory in sorted(memories, key=blocks, reverse=True):
        if needed <= board.brams or memory.kind != "store":
            continue
        if sprams(memory) <= left:
            left -= sprams(memory)
            needed -= blocks(memory)
            chosen[memory.name] = "spram"
    return chosen
