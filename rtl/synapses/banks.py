"""The memories of an array's channels: all of them are made here."""

import dataclasses

from ..memory import Rom
from ..plan import ArrayPlan
from ..rows import Content
from ..store import bank


@dataclasses.dataclass(frozen=True)
class Bank:
    """A memory of a channel, and what it holds."""

    channel: int  #: its index in the plan
    name: str  #: of the content: "weights", "delays", …
    content: Content
    rom: Rom


def banks_of(array: ArrayPlan, block_bits: int | None = None) -> list[Bank]:
    """The memories of all channels, in the order of the plan.

    Parameters
    ----------
    array : ArrayPlan
    block_bits : int, optional
        Bits of a block RAM, for memories sliced by width; see :class:`lifline.rtl.memory.Rom`.
    """
    banks = []
    for index, channel in enumerate(array.channels):
        for name, content in channel.contents.items():
            path = f"{array.population.name}.{index}.from_{channel.source}.{name}"
            rom = bank(array, path, content.values(), content.bits, block_bits)
            banks.append(Bank(index, name, content, rom))
    return banks
