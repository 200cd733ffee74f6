"""What every kind's rows are: the words of its memories, and how many rows each event takes.

A *row* is what one event does to one group of neurons in one cycle.  The plan, the cycle model, the estimate,
the export and the gateware read these, so none of them decides anything twice.  A kind of synapses from outside
of the package registers its own, or one that is there::

    @rows.register
    def _(synapses: Ring) -> type[Rows]:
        return SparseRows
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lifline.errors import NetworkError
from lifline.synapses import Synapses

from ..layout import Layout

if TYPE_CHECKING:
    from lifline.network import Projection


@dataclasses.dataclass(frozen=True)
class Content:
    """What a memory of a channel holds."""

    depth: int  #: words
    entries: int  #: numbers side by side in a word, the first in the lowest bits
    bits: int  #: of each
    signed: bool
    word: str  #: which word is where, for a reader of the manifest
    values: Callable[[], np.ndarray]  #: int64 (depth, entries)
    own: bool = False  #: of the circuit that learns, rather than of the memory that reads rows

    @property
    def width(self) -> int:
        """Bits of a word."""
        return self.entries * self.bits


class Rows:
    """The rows of one projection in the gateware of its target.

    Parameters
    ----------
    synapses : Synapses
    layout : Layout
        Of the target.
    lag : int
        Ticks of every delay that the channel's queue takes over.
    delay_bits : int, optional
        Bits of a delay in the design that the synapses are loaded into; by default as many as they need.
    """

    #: Whether each event takes the groups 0 … groups − 1, one after the other.
    in_order: ClassVar[bool] = False

    def __init__(self, synapses: Any, layout: Layout, lag: int, delay_bits: int | None = None) -> None:
        self._delay_bits = delay_bits
        self.synapses = synapses
        self.layout = layout
        self.lag = lag

    def of(self, projection: Projection) -> Rows:
        """The rows of another projection, loaded into the same memories."""
        return type(self)(projection.synapses, self.layout, self.lag, self.delay_bits)

    @staticmethod
    def block(synapses: Any) -> int | None:
        """Neurons whose groups must not be shared with others, such as the channels of a position; None: any may be."""
        return None

    @staticmethod
    def stored(synapses: Any) -> int:
        """Synapses that are in memory."""
        raise NotImplementedError

    @functools.cached_property
    def taken(self) -> np.ndarray:
        """Rows that an event of each source neuron takes, each in a cycle: int64 (source size,), 1 or more."""
        raise NotImplementedError

    @property
    def contents(self) -> dict[str, Content]:
        """The memories by name, of which ``weights`` is one."""
        raise NotImplementedError

    @property
    def delay_bits(self) -> int:
        """Bits of a synapse's delay in memory; 0 where all synapses share one."""
        if self._delay_bits is not None:
            return self._delay_bits
        least, most = self.synapses.delay_range
        return 0 if least == most else int(most - self.lag).bit_length()


@functools.singledispatch
def rows(synapses: Synapses) -> type[Rows]:
    """The rows of a kind of synapses.

    Raises
    ------
    NetworkError
        If the kind has none.
    """
    raise NetworkError(
        f"the gateware has no rows for synapses of the kind {type(synapses).__name__}: register them with "
        "lifline.rtl.rows.rows"
    )
