"""What every rule's circuit is: it hears the spikes that arrive and those of the targets, and changes weights.

::

    arrivals ──► traces of the sources ──┐
                                         ├─► w read, changed, clipped, written ──► bank
    spikes ────► traces of the targets ──┘

A tick's update begins by itself, with the targets' last group; the synapse memory reads no row before it has ended.
"""

import functools
from typing import Any, Protocol

import numpy as np
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from lifline.errors import InputError
from lifline.plasticity import Plasticity
from lifline.teaching import MOST_REWARD

from ..events import found_layout
from ..layout import address_bits
from ..memory import Rom
from ..plan import ArrayPlan, Channel
from ..port import LearnPort, LoadPort
from ..rows import LearnedRows
from ..synapses.banks import own_banks

#: The shape of the host's signal.
REWARD = signed(MOST_REWARD.bit_length() + 1)


def spikes_layout(array: ArrayPlan) -> data.StructLayout:
    """What a group of targets did: ``group``, and ``spikes``, a bit a lane."""
    return data.StructLayout(
        {"group": unsigned(address_bits(array.groups)), "spikes": unsigned(array.lanes)}
    )


class Learner(wiring.Component):
    """The plasticity of one channel.

    Parameters
    ----------
    array : ArrayPlan
    channel : Channel
    bank : Rom
        Its weights.

    Members
    -------
    learning : In(1)
        This sample is learned from; constant from its first event on.  Else nothing changes.
    arrival : In(stream of address, always ready)
        A spike of a source arrives, at least two cycles before the tick's last group of `spikes`.
    spikes : In(stream of spikes_layout(array), always ready)
        Each group of each tick, in order.
    found : In(stream of found_layout(array), always ready)
        Where the channel's rows hear membranes: those that each group has found, once a tick, before its `spikes`.
    running : Out(1)
        From the cycle after a tick's last group on until all its changes have been written.
    busy : Out(1)
        After a reset, where there is something to do at the end of a sample: `arrival` and `spikes` must wait.
    bank : Out(LearnPort)
    reward : In(signed(16))
        Of a rule that needs one: the host's signal, from the reset on that ends a sample.
    load_<bank> : In(LoadPort)
        With ``array.load``, of each of `own`.

    All that outlives a sample is in `bank` and `own`.  What is said there of a reset is said of the end of a sample:
    that is one.
    """

    def __init__(self, array: ArrayPlan, channel: Channel, bank: Rom) -> None:
        self.array = array
        self.channel = channel
        assert channel.rows is not None  # it learns, so it is a projection's
        self.rows: Any = channel.rows
        rule: Any = channel.rule
        self.rule = rule
        #: The memories of its own that can be loaded.
        self.own = own_banks(array, channel)
        super().__init__(
            {
                "learning": In(1),
                "arrival": In(
                    stream.Signature(unsigned(address_bits(channel.source_size)), always_ready=True)
                ),
                "spikes": In(stream.Signature(spikes_layout(array), always_ready=True)),
                "running": Out(1),
                "busy": Out(1),
                "bank": Out(LearnPort(bank)),
            }
            | (
                {"found": In(stream.Signature(found_layout(array), always_ready=True))}
                if isinstance(channel.rows, LearnedRows) and channel.rows.hears_membranes
                else {}
            )
            | {f"load_{bank.name}": In(LoadPort(bank.rom)) for bank in self.own if array.load}
            | ({"reward": In(REWARD)} if rule.rewarded else {})
        )


class LearningCycles(Protocol):
    """How long a rule's updates take, one tick after the other.

    Members
    -------
    settling : int
        Cycles in which a learner is busy when a sample has ended that was learned from.
    """

    @property
    def settling(self) -> int: ...

    def tick(self, arrived: np.ndarray, fired: np.ndarray) -> np.ndarray:
        """Cycles from the targets' last group until rows are read again, int64 (samples,).

        Parameters
        ----------
        arrived : bool (samples, sources)
        fired : bool (samples, targets)
        """
        ...


@functools.singledispatch
def learner(rule: Plasticity) -> type[Learner]:
    """The circuit of a rule.

    Raises
    ------
    InputError
        If it has none.
    """
    raise InputError(f"the gateware cannot learn by {type(rule).__name__}: learn in golden")


@functools.singledispatch
def learning_cycles(rule: Plasticity, channel: Channel, samples: int) -> LearningCycles:
    """The cycles of a rule's updates in so many samples."""
    raise InputError(f"the gateware cannot learn by {type(rule).__name__}: learn in golden")
