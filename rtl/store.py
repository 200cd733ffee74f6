"""Memories that can be loaded: block RAM with a file, single-port RAM without one, and registers.

Each is a bank with the words of a :class:`lifline.rtl.memory.Rom`; `bank` makes the one that a plan asks for, so that
what reads it need not know which it is::

    Rom         block RAM, read-only, from a file
    Store       block RAM that starts from a file ("block"), or the UP5K's single-port RAM ("spram"), which is empty
    Learned     block RAM from a file, with a second port that writes what has been learned
    Registers   up to 16 words, read without a clock, from a file
"""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, ClockSignal, Instance, Module
from amaranth.lib import memory
from amaranth.lib.wiring import In

from .layout import address_bits
from .memory import Rom, simulate, text_of
from .plan import ArrayPlan

#: Text of the modules that these memories are instances of, beside those of ``lifline_memory.v``.
VERILOG_NAME = "lifline_load.v"
LEARNED_VERILOG_NAME = "lifline_learned.v"


def verilog(load: bool, learn: bool) -> str:
    """The text of ``lifline_load.v`` and of ``lifline_learned.v``, where they are needed."""
    return text_of(VERILOG_NAME) * load + text_of(LEARNED_VERILOG_NAME) * learn


class Store(Rom):
    """A memory with one port, which reads a word or writes one.

    Parameters
    ----------
    name, width, words, block_bits
        As of :class:`Rom`; single-port RAM is not sliced.
    backing : "block" or "spram"

    Members
    -------
    en, address : In
        Read the word at `address`.
    data : Out(width)
        The word, one cycle later; it stays until the next read or write.
    write, write_data : In
        Write the word at `address`, and read none.
    """

    def __init__(
        self,
        *,
        name: str,
        width: int,
        words: Sequence[int],
        block_bits: int | None = None,
        backing: str = "block",
    ) -> None:
        self.backing = backing
        spram = backing == "spram"
        super().__init__(
            name=name, width=width, words=words, block_bits=None if spram else block_bits,
            more={"write": In(1), "write_data": In(width)},
        )  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        if platform is None:
            init = [] if self.backing == "spram" else self.words
            m.submodules.words = words = memory.Memory(
                shape=self.width, depth=len(self.words), init=init
            )
            read, write = words.read_port(), words.write_port()
            m.d.comb += [
                read.en.eq(self.en & ~self.write),
                read.addr.eq(self.address),
                self.data.eq(read.data),
                write.en.eq(self.write),
                write.addr.eq(self.address),
                write.data.eq(self.write_data),
            ]
        elif self.slices:
            low = 0
            for index, part in enumerate(self.slices):
                m.submodules[f"slice_{index}"] = part
                m.d.comb += [
                    part.en.eq(self.en),
                    part.address.eq(self.address),
                    part.write.eq(self.write),
                    part.write_data.eq(self.write_data[low : low + part.width]),
                ]
                low += part.width
            m.d.comb += self.data.eq(Cat(part.data for part in self.slices))
        else:
            file = {} if self.backing == "spram" else {"p_FILE": self.path}
            m.submodules.words = Instance(
                "lifline_spram" if self.backing == "spram" else "lifline_store",
                p_WIDTH=self.width,
                p_DEPTH=len(self.words),
                p_ADDRESS=len(self.address),
                **file,
                i_clk=ClockSignal(),
                i_en=self.en,
                i_address=self.address,
                o_data=self.data,
                i_write=self.write,
                i_write_data=self.write_data,
            )
        return m


class Learned(Rom):
    """Block RAM with a port to read and one to write: what learns.  A read sees the writes of earlier cycles.

    A word that is read in the cycle that writes it is undefined.

    Parameters
    ----------
    name, width, words, block_bits
        As of :class:`Rom`.

    Members
    -------
    en, address, data
        As of :class:`Rom`.
    write, write_address, write_data : In
        Write a word.
    """

    backing = "learned"

    def __init__(
        self, *, name: str, width: int, words: Sequence[int], block_bits: int | None = None
    ) -> None:
        address = address_bits(len(words))
        super().__init__(
            name=name, width=width, words=words, block_bits=block_bits,
            more={"write": In(1), "write_address": In(address), "write_data": In(width)},
        )  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        if platform is None:
            read = simulate(m, self, len(self.words), init=self.words)
            m.d.comb += read.en.eq(self.en)
        elif self.slices:
            low = 0
            for index, part in enumerate(self.slices):
                m.submodules[f"slice_{index}"] = part
                m.d.comb += [
                    part.en.eq(self.en),
                    part.address.eq(self.address),
                    part.write.eq(self.write),
                    part.write_address.eq(self.write_address),
                    part.write_data.eq(self.write_data[low : low + part.width]),
                ]
                low += part.width
            m.d.comb += self.data.eq(Cat(part.data for part in self.slices))
        else:
            m.submodules.words = Instance(
                "lifline_learned",
                p_WIDTH=self.width,
                p_DEPTH=len(self.words),
                p_ADDRESS=len(self.address),
                p_FILE=self.path,
                i_clk=ClockSignal(),
                i_en=self.en,
                i_address=self.address,
                o_data=self.data,
                i_write=self.write,
                i_write_address=self.write_address,
                i_write_data=self.write_data,
            )
        return m


class Registers(Rom):
    """A few words with an asynchronous read and a write port; a read sees the writes of earlier cycles.

    Parameters
    ----------
    name, width, words
        As of :class:`Rom`.

    Members
    -------
    address : In
    data : Out(width)
        The word at `address`, in the same cycle.
    write, write_address, write_data : In
        Write a word.
    """

    backing = "registers"

    def __init__(
        self, *, name: str, width: int, words: Sequence[int], block_bits: int | None = None
    ) -> None:
        address = address_bits(len(words))
        super().__init__(
            name=name, width=width, words=words,
            more={"write": In(1), "write_address": In(address), "write_data": In(width)},
        )  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        if platform is None:
            simulate(m, self, len(self.words), init=self.words, domain="comb")
        else:
            m.submodules.words = Instance(
                "lifline_registers",
                p_WIDTH=self.width,
                p_DEPTH=len(self.words),
                p_ADDRESS=len(self.address),
                p_FILE=self.path,
                i_clk=ClockSignal(),
                i_address=self.address,
                o_data=self.data,
                i_write=self.write,
                i_write_address=self.write_address,
                i_write_data=self.write_data,
            )
        return m


def bank(
    array: ArrayPlan, name: str, rows: np.ndarray, bits: int, block_bits: int | None = None
) -> Rom:
    """The memory of `rows` that the plan asks for; see :meth:`Rom.of_rows`."""
    backing = array.backing(name)
    if backing == "rom":
        return Rom.of_rows(name, rows, bits, block_bits)
    if backing == "learned":
        return Learned.of_rows(name, rows, bits, block_bits)
    if backing == "registers":
        return Registers.of_rows(name, rows, bits)
    return Store.of_rows(name, rows, bits, block_bits, backing=backing)
