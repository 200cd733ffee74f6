"""Between the loader and a bank: the bank's one port, which the design has first.

::

    design ──► address, en ──┬──► bank ──► data ──► design
    LoadPort ────────────────┘              └─────► one part ──► register ──► LoadPort
"""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .layout import address_bits
from .memory import Rom

#: Bits of a part of a word.
PART_BITS = 16


def parts_of(width: int) -> int:
    """Parts of a word of so many bits."""
    return -(-width // PART_BITS)


class LoadPort(wiring.Signature):
    """What the loader wants of a bank.

    Parameters
    ----------
    bank : Rom

    Members
    -------
    write, read : Out(1)
        Held until `taken`.
    address, data, part : Out
        The word, what to write there, and the part of it to answer.
    taken : In(1)
        Done in this cycle.
    answer : In(16)
        The part that was read, in the second cycle after `taken`.
    """

    def __init__(self, bank: Rom) -> None:
        super().__init__(
            {
                "write": Out(1),
                "read": Out(1),
                "address": Out(len(bank.address)),
                "data": Out(bank.width),
                "part": Out(address_bits(parts_of(bank.width))),
                "taken": In(1),
                "answer": In(PART_BITS),
            }
        )


def share(m: Module, bank: Rom, port, member: str, *, address, en, free) -> None:
    """Give a bank's port to the design at `address`, where `en`, and to the loader where it asks and may: `free`."""
    asks = port.write | port.read
    parts = Array(
        bank.data[low : low + PART_BITS]
        for low in range(0, PART_BITS * parts_of(bank.width), PART_BITS)
    )
    answer = Signal(
        PART_BITS, name=f"{member}_answer", reset_less=True
    )  # a sample's end changes no answer
    m.d.comb += [
        port.answer.eq(answer),
        bank.write_data.eq(port.data),
        bank.write.eq(port.write & free),
        port.taken.eq(asks & free),
    ]
    if bank.backing == "registers":
        if len(bank.words) > 1:  # else there is no address
            m.d.comb += [
                bank.address.eq(Mux(free, port.address, address)),
                bank.write_address.eq(port.address),
            ]
        with m.If(port.taken):
            m.d.sync += answer.eq(parts[port.part])
    else:
        m.d.comb += [
            bank.address.eq(Mux(asks & free, port.address, address)),
            bank.en.eq(en | (port.read & free)),
        ]
        m.d.sync += answer.eq(parts[port.part])
