"""Memories: read-only with a ``$readmemh`` file, block RAM with a read and a write port, and a register file.

Amaranth writes a memory's contents as literals.  lifline's Verilog reads them from files instead, so that
new weights need no new Verilog; each memory is therefore an instance of a module of ``lifline_memory.v``.
Under Amaranth's own simulator (platform ``None``) it is an :class:`amaranth.lib.memory.Memory`.
"""

import importlib.resources
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from amaranth.hdl import Cat, ClockSignal, Instance, Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from .layout import address_bits
from .plan import Memory

#: Name and text of the Verilog file that every design with a memory needs.
VERILOG_NAME = "lifline_memory.v"

#: Text of the modules that only designs with synapses other than dense ones need, beside those of ``lifline_memory.v``.
ROWS_VERILOG_NAME = "lifline_rows.v"


def text_of(name: str) -> str:
    """The text of a Verilog file beside this one."""
    return importlib.resources.files(__package__).joinpath(name).read_text()


def verilog() -> str:
    """The text of ``lifline_memory.v``."""
    return text_of(VERILOG_NAME)


class Rom(wiring.Component):
    """A read-only memory.

    Parameters
    ----------
    name : str
        Its contents are read from ``mem/<name>.mem``.
    width : int
        Bits of a word.
    words : sequence of int
        The contents, each below 2^width.
    block_bits : int, optional
        Bits of a block RAM.  The Verilog is then sliced by width, so that a block is deep enough for a slice and
        no multiplexer follows it; with several slices, slice k is read from ``mem/<name>.slice_<k>.mem``.

    Members
    -------
    en, address : In
        Read the word at `address`.
    data : Out(width)
        The word, one cycle later; it stays until the next read.
    """

    #: How it is kept; one of :mod:`lifline.rtl.store` can be written.
    backing = "rom"

    # Whoever only asks what a memory holds makes no gateware of it, and is not to be warned of that.
    _MustUse__silence = True

    def __init__(
        self,
        *,
        name: str,
        width: int,
        words: Sequence[int],
        block_bits: int | None = None,
        more: Mapping[str, wiring.Member] | None = None,
    ) -> None:
        self.name = name
        self.width = width
        self.words = [int(word) for word in words]
        #: From the lowest bits up; empty where the memory is whole.
        self.slices: list[Self] = []
        parts = Memory("rom", name, width, len(self.words)).sliced(block_bits)
        if len(parts) > 1:
            low = 0
            for part in parts:
                mask = (1 << part.width) - 1
                words = [word >> low & mask for word in self.words]
                self.slices.append(type(self)(name=part.name, width=part.width, words=words))
                low += part.width
        super().__init__(
            {"en": In(1), "address": In(address_bits(len(self.words))), "data": Out(width)}
            | dict(more or {})
        )

    @classmethod
    def of_rows(
        cls, name: str, rows: np.ndarray, bits: int, block_bits: int | None = None, **options: Any
    ) -> Self:
        """A memory of `rows` (depth, lanes), two's complement of `bits`, lane 0 in the lowest bits."""
        depth, lanes = rows.shape
        ones = (rows[..., None] >> np.arange(bits)) & 1
        packed = np.packbits(
            ones.reshape(depth, lanes * bits).astype(np.uint8), axis=1, bitorder="little"
        )
        words = [int.from_bytes(row.tobytes(), "little") for row in packed]
        return cls(name=name, width=lanes * bits, words=words, block_bits=block_bits, **options)

    @property
    def path(self) -> str:
        """Where the Verilog looks for the contents, relative to its working directory."""
        return f"mem/{self.name}.mem"

    @property
    def text(self) -> str:
        """The contents as a ``$readmemh`` file: one word a line, hexadecimal."""
        digits = (self.width + 3) // 4
        return "".join(f"{word:0{digits}x}\n" for word in self.words)

    @property
    def files(self) -> dict[str, str]:
        """The files that the Verilog reads: path to text."""
        return {part.path: part.text for part in self.slices or [self]}

    def elaborate(self, platform):
        m = Module()
        if platform is None:
            m.submodules.words = words = memory.Memory(
                shape=self.width, depth=len(self.words), init=self.words
            )
            port = words.read_port()
            m.d.comb += [port.en.eq(self.en), port.addr.eq(self.address), self.data.eq(port.data)]
        elif self.slices:
            for index, part in enumerate(self.slices):
                m.submodules[f"slice_{index}"] = part
                m.d.comb += [part.en.eq(self.en), part.address.eq(self.address)]
            m.d.comb += self.data.eq(Cat(part.data for part in self.slices))
        else:
            m.submodules.words = Instance(
                "lifline_rom",
                p_WIDTH=self.width,
                p_DEPTH=len(self.words),
                p_ADDRESS=len(self.address),
                p_FILE=self.path,
                i_clk=ClockSignal(),
                i_en=self.en,
                i_address=self.address,
                o_data=self.data,
            )
        return m


def simulate(m, ram, depth, *, init=(), domain="sync"):
    """A memory with a read and a write port for Amaranth's own simulator; the read port, but for its enable."""
    m.submodules.words = words = memory.Memory(shape=ram.width, depth=depth, init=init)
    read, write = words.read_port(domain=domain), words.write_port()
    m.d.comb += [
        read.addr.eq(ram.address),
        ram.data.eq(read.data),
        write.en.eq(ram.write),
        write.addr.eq(ram.write_address),
        write.data.eq(ram.write_data),
    ]
    return read


class Ram(wiring.Component):
    """A memory with one read and one write port; a read sees the writes of earlier cycles.

    Parameters
    ----------
    width, depth : int
        Bits of a word, number of words.
    zeros : bool
        Whether it starts as zeros; else as anything, for a memory that is read only where it has been written.
    apart : bool
        Whether nobody uses a word that is read in the cycle that writes it, which is then undefined.  An ECP5's widest
        block RAMs promise nothing else: they would need two registers and a multiplexer for each bit, one of these
        behind the RAM.

    Members
    -------
    en, address : In
        Read the word at `address`.
    data : Out(width)
        The word, one cycle later; it stays until the next read.
    write, write_address, write_data : In
        Write a word.
    """

    #: A memory of more words is sliced by width, so that an ECP5's block RAM, of so many bits, is deep enough for a
    #: slice: yosys would take blocks of fewer words, and multiplexers behind them.
    DEEP, DEEPEST = 2048, 1 << 14

    def __init__(self, *, width: int, depth: int, zeros: bool = True, apart: bool = False) -> None:
        self.zeros = zeros
        self.apart = apart
        self.width = width
        self.depth = depth
        super().__init__(
            {
                "en": In(1),
                "address": In(address_bits(depth)),
                "data": Out(width),
                "write": In(1),
                "write_address": In(address_bits(depth)),
                "write_data": In(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        if platform is None:
            read = simulate(m, self, self.depth)
            m.d.comb += read.en.eq(self.en)
            return m
        address = address_bits(self.depth)
        step = self.width if self.depth <= self.DEEP else max(1, self.DEEPEST >> address)
        for low in range(0, self.width, step):
            part = slice(low, min(low + step, self.width))
            words = Instance(
                "lifline_ram_apart" if self.apart else "lifline_ram",
                p_WIDTH=part.stop - low,
                p_DEPTH=self.depth,
                p_ADDRESS=address,
                **({} if self.zeros else {"p_ZEROS": 0}),
                i_clk=ClockSignal(),
                i_en=self.en,
                i_address=self.address,
                o_data=self.data[part],
                i_write=self.write,
                i_write_address=self.write_address,
                i_write_data=self.write_data[part],
            )
            m.submodules["words" if step >= self.width else f"words_{low}"] = words
        return m


class RegisterFile(wiring.Component):
    """A few words with one write port and an asynchronous read; a read sees the writes of earlier cycles.

    An ECP5 keeps it in LUT RAM, 16 words of 4 bits in the place of four look-up tables.  An iCE40 has none:
    there each bit is a flip-flop, and a multiplexer reads, so it pays for a few words only.  Its words start
    as zeros, but no reset reaches them.

    Parameters
    ----------
    width, depth : int
        Bits of a word, number of words: 2 … 16.

    Members
    -------
    address : In
    data : Out(width)
        The word at `address`, in the same cycle.
    write, write_address, write_data : In
        Write a word.

    Raises
    ------
    ValueError
        If `depth` is not in 2 … 16.
    """

    def __init__(self, *, width: int, depth: int) -> None:
        if not 2 <= depth <= 16:
            raise ValueError(f"depth of a RegisterFile must be in 2 … 16, not {depth!r}")
        self.width = width
        self.depth = depth
        super().__init__(
            {
                "address": In(address_bits(depth)),
                "data": Out(width),
                "write": In(1),
                "write_address": In(address_bits(depth)),
                "write_data": In(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        if platform is None:
            simulate(m, self, self.depth, domain="comb")
        else:
            m.submodules.words = Instance(
                "lifline_register_file",
                p_WIDTH=self.width,
                p_DEPTH=self.depth,
                p_ADDRESS=address_bits(self.depth),
                i_clk=ClockSignal(),
                i_address=self.address,
                o_data=self.data,
                i_write=self.write,
                i_write_address=self.write_address,
                i_write_data=self.write_data,
            )
        return m
