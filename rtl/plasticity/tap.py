"""What traces show of learning."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from ..memory import Rom


def learned_layout(bank: Rom) -> data.StructLayout:
    """A word that is written into a bank: ``word``, its address, in 32 bits; ``data``."""
    return data.StructLayout({"word": unsigned(32), "data": unsigned(bank.width)})
