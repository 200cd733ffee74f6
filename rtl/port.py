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


class LearnPort(wiring.Signature):
    """What changes a bank wants of it, one of :class:`lifline.rtl.store.Learned`.

    Parameters
    ----------
    bank : Rom

    Members
    -------
    take : Out(1)
        The port to read is not the design's now.
    en, address : Out, data : In
        Where `take`: read a word, and the word, `LATENCY` cycles later.
    write, write_address, write_data : Out
        Write a word, at any time.
    """

    #: Cycles from the address to its word: one to the bank, and one in it.
    LATENCY = 2

    def __init__(self, bank: Rom) -> None:
        address = len(bank.address)
        super().__init__(
            {
                "take": Out(1),
                "en": Out(1),
                "address": Out(address),
                "data": In(bank.width),
                "write": Out(1),
                "write_address": Out(address),
                "write_data": Out(bank.width),
            }
        )


def teach(
    m: Module, bank: Rom, learner, port=None, member: str = "", *, address, en, free=None
) -> None:
    """Give a bank that learns to the design at `address`, where `en`, and to what it learns by, which goes first.

    The loader's `port`, where there is one, has it as in `share`, when nothing is learned.  What is learned is read and
    written from registers, a cycle after it was asked for, since the way to all block RAMs is long.
    """
    held = {
        name: Signal.like(  # for a sample's end, too
            getattr(learner, name), name=f"{member or 'bank'}_{name}", reset_less=True
        )
        for name in ("take", "en", "address", "write", "write_address", "write_data")
    }
    m.d.sync += [value.eq(getattr(learner, name)) for name, value in held.items()]
    m.d.comb += learner.data.eq(bank.data)
    address = Mux(held["take"], held["address"], address)
    en = Mux(held["take"], held["en"], en)
    write = held["write"]
    written = [held["write_address"], held["write_data"]]
    if port is None:
        m.d.comb += [bank.address.eq(address), bank.en.eq(en), bank.write.eq(write)]
    else:
        free = free & ~held["take"] & ~write
        share(m, bank, port, member, address=address, en=en, free=free, write=write)
        theirs = (port.address, port.data)
        written = [Mux(write, *pair) for pair in zip(written, theirs, strict=True)]
    m.d.comb += [bank.write_address.eq(written[0]), bank.write_data.eq(written[1])]


def share(m: Module, bank: Rom, port, member: str, *, address, en, free, write=None) -> None:
    """Give a bank's port to the design at `address`, where `en`, and to the loader where it asks and may: `free`.

    Where the design writes the bank itself, `write`, the caller gives address and data.
    """
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
        bank.write_data.eq(port.data) if write is None else [],
        bank.write.eq(port.write & free if write is None else write | (port.write & free)),
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
