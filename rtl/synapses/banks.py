"""The memories of an array's channels: all of them are made here."""

import dataclasses

from ..memory import Rom
from ..plan import ArrayPlan, Channel
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
    """The memories of all channels, in the order of the plan; behind them what circuits that learn keep for themselves.

    Parameters
    ----------
    array : ArrayPlan
    block_bits : int, optional
        Bits of a block RAM, for memories sliced by width; see :class:`lifline.rtl.memory.Rom`.
    """
    return [
        *synapse_banks(array, block_bits),
        *(bank for index in array.plastic for bank in own_banks(array, array.channels[index])),
    ]


def synapse_banks(array: ArrayPlan, block_bits: int | None = None) -> list[Bank]:
    """Those of all channels that are read for rows."""
    return [
        _bank(array, index, name, block_bits)
        for index, channel in enumerate(array.channels)
        for name, content in channel.contents.items()
        if not content.own
    ]


def own_banks(array: ArrayPlan, channel: Channel) -> list[Bank]:
    """Those of the circuit by which a channel learns."""
    index = next(i for i, other in enumerate(array.channels) if other is channel)
    return [_bank(array, index, name) for name, content in channel.contents.items() if content.own]


def _bank(array: ArrayPlan, index: int, name: str, block_bits: int | None = None) -> Bank:
    channel = array.channels[index]
    content = channel.contents[name]
    path = f"{array.population.name}.{index}.from_{channel.source}.{name}"
    rom = bank(array, path, content.values(), content.bits, block_bits)
    return Bank(index, name, content, rom)
