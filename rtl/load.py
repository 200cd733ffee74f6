"""The load port: fills and reads back the memories of a design while it runs, and says what belongs into them.

::

    load ──► parts of 16 bits ──► a word ──► bank 0: weights ─┐
                                        ├──► bank 1: …        ├──► one part ──► loaded
                                        └──► bank n           ─┘

A bank has one port, which the design and the loader share.  A request waits for a cycle in which the design leaves the
port free or can wait itself; then the design's next row comes a cycle later, and nothing else changes.

In Python: `words` is what every bank holds for a network, and `check_same_shape` refuses a network that a design
was not built for.
"""

import dataclasses
from collections.abc import Iterator

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.network import Network

from .fit import check_same_shape, fitted
from .layout import address_bits
from .memory import Rom
from .plan import ArrayPlan, Lanes, plan
from .port import PART_BITS, LoadPort, parts_of
from .synapses.banks import banks_of
from .update import stored_banks

__all__ = ["LoadPort", "Loader", "check_same_shape", "load_layout", "loadable", "parts_of", "words"]


def load_layout(banks: list[Rom]) -> data.StructLayout:
    """A request: to write or read one part of one word of a bank.

    Members: ``data``, 16 bits to write; ``part``, the lowest bits first; ``word``; ``bank``, as numbered in the
    manifest; ``write``.
    """
    return data.StructLayout(
        {
            "data": unsigned(PART_BITS),
            "part": unsigned(address_bits(max(parts_of(bank.width) for bank in banks))),
            "word": unsigned(address_bits(max(len(bank.words) for bank in banks))),
            "bank": unsigned(address_bits(len(banks))),
            "write": unsigned(1),
        }
    )


@dataclasses.dataclass(frozen=True)
class _Request:
    data: Signal
    part: Signal
    word: Signal
    bank: Signal
    write: Signal


class Loader(wiring.Component):
    """Takes requests one after the other, and gives each to its bank.

    Parameters
    ----------
    banks : list of Rom
        All that can be loaded, in the order of their numbers.

    Members
    -------
    load : In(stream of load_layout(banks))
        The parts of a word are written in order, and the word with the last.
    loaded : Out(stream of 16 bits)
        For each request with ``write`` = 0 the part; 0 for one that there is not.
    clear : In(1)
        Take the fault away.
    fault : Out(1)
        A request has been dropped since: there is no such bank, word or part, or a part was written out of order.
    bank_0, bank_1, … : Out(LoadPort)

    Throughput: a part that is not a word's last every two cycles, a word three cycles after its last part, or when its
    bank's port is free.
    """

    def __init__(self, banks: list[Rom]) -> None:
        self.banks = banks
        super().__init__(
            {
                "load": In(stream.Signature(load_layout(banks))),
                "loaded": Out(stream.Signature(unsigned(PART_BITS))),
                "clear": In(1),
                "fault": Out(1),
            }
            | {f"bank_{index}": Out(LoadPort(bank)) for index, bank in enumerate(banks)}
        )

    def elaborate(self, platform):
        m = Module()
        ports = [getattr(self, f"bank_{index}") for index in range(len(self.banks))]
        # The request, each field a register of its own, which gives its name to the ports of all modules below.
        fields = self.load.payload.shape()
        request = _Request(
            **{name: Signal(field.shape, name=name, reset_less=True) for name, field in fields}
        )
        widest = max(parts_of(bank.width) for bank in self.banks)
        gathered = Signal(
            PART_BITS * (widest - 1), reset_less=True
        )  # the parts before, the last on top
        whole = Cat(gathered, request.data)
        part = Signal.like(request.part)  # to come next
        known = Signal()  # there is such a part
        last = Signal()
        taken = Signal()
        answer = Signal(PART_BITS)

        for index, (bank, port) in enumerate(zip(self.banks, ports, strict=True)):
            parts = parts_of(bank.width)
            m.d.comb += [
                port.address.eq(request.word),
                port.data.eq(whole[PART_BITS * (widest - parts) :]),
                port.part.eq(request.part),
            ]
            with m.If(request.bank == index):
                m.d.comb += [
                    known.eq((request.word < len(bank.words)) & (request.part < parts)),
                    last.eq(request.part == parts - 1),
                    taken.eq(port.taken),
                    answer.eq(port.answer),
                ]

        with m.If(self.clear):
            m.d.sync += self.fault.eq(0)
        with m.FSM():
            with m.State("idle"):
                m.d.comb += self.load.ready.eq(1)
                m.d.sync += [value.eq(self.load.payload[name]) for name, value in vars(request).items()]
                with m.If(self.load.valid):
                    m.next = "check"
            with m.State("check"):
                m.d.sync += self.loaded.payload.eq(0)
                with m.If(~known | (request.write & (request.part != part))):
                    m.d.sync += [part.eq(0), self.fault.eq(1)]
                    m.next = "idle"
                    with m.If(~request.write):
                        m.next = "answer"
                with m.Elif(request.write & ~last):
                    m.d.sync += [gathered.eq(whole[PART_BITS:]), part.eq(part + 1)]
                    m.next = "idle"
                with m.Else():
                    with m.If(request.write):
                        m.d.sync += part.eq(0)
                    m.next = "bank"
            with m.State("bank"):
                for index, port in enumerate(ports):
                    with m.If(request.bank == index):
                        m.d.comb += [port.write.eq(request.write), port.read.eq(~request.write)]
                with m.If(taken):
                    m.next = "wait"
                    with m.If(request.write):
                        m.next = "idle"
            with m.State("wait"):
                m.next = "take"
            with m.State("take"):
                m.d.sync += self.loaded.payload.eq(answer)
                m.next = "answer"
            with m.State("answer"):
                m.d.comb += self.loaded.valid.eq(1)
                with m.If(self.loaded.ready):
                    m.next = "idle"
        return m


def words(
    network: Network,
    lanes: Lanes = 1,
    *,
    built: Network | None = None,
    any_weights: bool = False,
    learn: bool = False,
) -> list[tuple[int, list[int]]]:
    """What every bank holds for a network: (bank, its words), banks as numbered in the manifest.

    Parameters
    ----------
    network : Network
        To load.
    lanes, any_weights, learn
        As the design was built with.
    built : Network, optional
        That the design was built for; by default `network` itself.

    Raises
    ------
    InputError
        If the design is not built for such a network; see :func:`check_same_shape`.
    """
    arrays = plan(built or network, lanes, load=True, any_weights=any_weights, learn=learn)
    if built is not None:
        arrays = fitted(arrays, built, network)
    banks = (bank for array in arrays.values() for bank in loadable(array))
    return [(index, bank.words) for index, bank in enumerate(banks)]


def loadable(array: ArrayPlan) -> Iterator[Rom]:
    """The banks of a population that can be loaded, in the order of the manifest."""
    yield from (bank.rom for bank in banks_of(array))
    yield from stored_banks(array).values()
