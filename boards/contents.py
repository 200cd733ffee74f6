"""Which block RAM of a routed design holds which memory of the network, and its words.

A memory of the gateware is an instance in the exported Verilog whose parameter FILE names a file of words.  yosys makes
block RAMs of it, called after the instance (``….weights_0.slice_3.words.words.0.0``), or logic where it is small.
nextpnr puts each somewhere; the family knows where the routed design's file then has its contents, and in what order
(:class:`~lifline.boards.families.BlockRAMs`).  All of that is looked up when a design is built, and compared with the
contents that are there: a memory that is not found bit by bit counts as one that cannot be changed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .families import BlockRAMs

_MODULE = re.compile(r"^module (\S+?)\s*\(.*?^endmodule", re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(r"^  (\w+) (?:#\((.*?)\) )? ?\\?([^\s(]+) +\(", re.MULTILINE | re.DOTALL)
_PARAMETER = re.compile(r"\.(\w+)\((?:32'd(\d+)|\"([^\"]*)\")\)")
_NOT_INSTANCES = {"assign", "input", "output", "wire", "reg", "always", "if", "initial", "module"}


@dataclasses.dataclass(frozen=True)
class Memory:
    """A memory of the gateware, read from a file."""

    instance: str  #: its path below the top module
    file: str
    width: int
    depth: int

    def bits(self, text: str) -> np.ndarray:
        """The words of its file, uint8 (depth, width), the lowest bit first."""
        digits = -(-self.width // 4)
        lines = text.split()
        if len(lines) != self.depth or any(len(line) != digits for line in lines):
            raise ValueError(f"{self.file} has other words than {self.depth} of {self.width} bits")
        padded = bytes.fromhex("".join(line.zfill(digits + digits % 2) for line in lines))
        words = np.frombuffer(padded, np.uint8).reshape(self.depth, -1)
        return np.unpackbits(words[:, ::-1], axis=1, bitorder="little")[:, : self.width]


@dataclasses.dataclass(frozen=True)
class Part:
    """What of a memory is in one block RAM: some neighbouring bits of some neighbouring words."""

    location: str  #: in the routed design
    word_bits: int  #: of the block RAM
    first_word: int
    words: int
    first_bit: int
    bits: int

    def of(self, memory: np.ndarray) -> np.ndarray:
        """Its bits of the words of a memory."""
        rows = slice(self.first_word, self.first_word + self.words)
        return memory[rows, self.first_bit : self.first_bit + self.bits]

    def positions(self, block_rams: BlockRAMs) -> np.ndarray:
        """Where these are in the contents of the block RAM."""
        return block_rams.positions(self.word_bits, self.words)[:, : self.bits]


def memories(texts: Mapping[str, str], top: str) -> list[Memory]:
    """The memories of an exported design that are read from files.

    Parameters
    ----------
    texts : mapping
        The Verilog files, as :func:`lifline.rtl.export` writes them.
    top : str
        Name of the top module.
    """
    modules = {
        match[1].lstrip("\\"): match[0] for text in texts.values() for match in _MODULE.finditer(text)
    }

    def walk(module: str, path: str) -> Iterator[Memory]:
        for kind, parameters, name in _INSTANCE.findall(modules[module]):
            if kind in _NOT_INSTANCES:
                continue
            inner = f"{path}.{name}" if path else name
            values = {match[1]: match[2] or match[3] for match in _PARAMETER.finditer(parameters)}
            if values.get("FILE"):
                yield Memory(inner, values["FILE"], int(values["WIDTH"]), int(values["DEPTH"]))
            elif kind in modules:
                yield from walk(kind, inner)

    return list(walk(top, ""))


def locate(
    memory: Memory,
    words: np.ndarray,
    netlist: Mapping[str, Any],
    placed: Mapping[str, Any],
    routed: Mapping[str, np.ndarray],
    block_rams: BlockRAMs,
) -> list[Part]:
    """The block RAMs that hold a memory; none where it is not found, every bit of it, in block RAMs.

    Parameters
    ----------
    memory : Memory
    words : (depth, width)
        Its bits.
    netlist, placed : mapping
        The cells of yosys's netlist, and of nextpnr's.
    routed : mapping
        The contents of the block RAMs of the routed design.
    """
    path = re.escape(memory.instance)
    names = re.compile(rf"(?:^|\.){path}\.\w+\.(\d+)\.(\d+)$")
    cells = sorted(
        (int(match[1]), int(match[2]), name)
        for name, cell in netlist.items()
        if cell["type"] in block_rams.cells and (match := names.search(name))
    )
    if not cells or len({(copy, index) for copy, index, _ in cells}) < len(cells):
        return []
    widths = set.intersection(*(block_rams.widths(netlist[name]["parameters"]) for *_, name in cells))
    for word_bits in widths:
        for words_first in (False, True):
            parts = []
            for _, index, name in cells:
                location = block_rams.location(name, placed) or ""
                part = _part(memory, word_bits, index, words_first, location, block_rams)
                if part is None or location not in routed:
                    break
                found = routed[location][part.positions(block_rams)]
                if not np.array_equal(found, part.of(words)):
                    break
                parts.append(part)
            if len(parts) == len(cells) and _covered(memory, parts):
                return parts
    return []


def find_words(
    words: np.ndarray, routed: Mapping[str, np.ndarray], block_rams: BlockRAMs
) -> list[Part]:
    """The one block RAM whose contents are `words`, uint8 (depth, width); none where it is not one."""
    depth, width = words.shape
    found: dict[str, Part] = {}
    for word_bits in (width, width + 1):  # a byte may have nine bits
        if depth * word_bits > block_rams.bits:
            continue
        part = Part("", word_bits, 0, depth, 0, width)
        positions = part.positions(block_rams)
        found |= {
            location: dataclasses.replace(part, location=location)
            for location, bits in routed.items()
            if np.array_equal(bits[positions], words)
        }
    return list(found.values()) if len(found) == 1 else []


def _part(
    memory: Memory, word_bits: int, index: int, words_first: bool, location: str, block_rams: BlockRAMs
) -> Part | None:
    """What the block RAM with a number holds, if they are numbered along the words' bits, or along the words."""
    deep = block_rams.bits * 8 // 9 if block_rams.bits % 9 == 0 and word_bits < 9 else block_rams.bits
    capacity = deep // word_bits
    columns, rows = -(-memory.width // word_bits), -(-memory.depth // capacity)
    column, row = (index // rows, index % rows) if words_first else (index % columns, index // columns)
    if column >= columns or row >= rows:
        return None
    first_bit, first_word = column * word_bits, row * capacity
    return Part(
        location,
        word_bits,
        first_word,
        min(capacity, memory.depth - first_word),
        first_bit,
        min(word_bits, memory.width - first_bit),
    )


def _covered(memory: Memory, parts: list[Part]) -> bool:
    """Whether the parts are the whole memory."""
    whole = np.zeros((memory.depth, memory.width), bool)
    for part in parts:
        part.of(whole)[:] = True
    return bool(whole.all())


def read_cells(path: Path, top: str) -> dict[str, Any]:
    """The cells of the module `top` of a netlist in yosys's JSON."""
    import json

    cells: dict[str, Any] = json.loads(path.read_text())["modules"][top]["cells"]
    return cells
