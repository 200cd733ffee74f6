"""A group of neurons of one kind, or the inputs: their name, size and shape."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

from .errors import NetworkError
from .neurons import Neuron
from .values import brief, check_integer, equal

#: The name by which a projection calls the network's inputs.
INPUT = "input"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")  # files and Verilog modules are named after it
_INT32 = 2**31


@dataclasses.dataclass(frozen=True, eq=False)
class Population:
    """A group of neurons of one kind.

    Parameters
    ----------
    name : str
        A letter, then up to 99 letters, digits or ``_``; not ``"input"``.
    size : int or (height, width, channels)
        Number of neurons, ≥ 1.  Of a shape, neuron (y, x, c) has the index (y · width + x) · channels
        + c.
    neuron : Neuron
        Its kind and parameters; each parameter per neuron is one integer for all, or has the shape
        (size,).  Afterwards all of them are int64[size], read-only.
    shape : (height, width, channels), optional
        The shape, where `size` does not say it.
    winners : int, optional
        At most so many of its neurons spike in a tick: of those whose x is above their threshold θ, the ones
        with the greatest x − θ; of equals the lower index.  The others do as if they had stayed below it.

    Raises
    ------
    NetworkError
        If a value is outside of what is said above.
    """

    name: str
    size: Any  # after __post_init__: int
    neuron: Neuron
    shape: Any = None  # after __post_init__: (size,), or (height, width, channels)
    winners: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise NetworkError(
                f"population name must be a letter followed by up to 99 letters, digits or '_', not {brief(self.name)}"
            )
        if self.name == INPUT:
            raise NetworkError(f"population name '{INPUT}' is taken by the network's inputs; rename it")
        where = f"population '{self.name}'"
        size, shape = size_and_shape(f"{where}: size", self.size, self.shape)
        if not isinstance(self.neuron, Neuron):
            raise NetworkError(f"{where}: neuron must be a neuron such as LIF(…), not {self.neuron!r}")
        values = {"size": size, "shape": shape, "neuron": self.neuron.sized(size, where)}
        if self.winners is not None:
            values["winners"] = check_integer(f"{where}: winners", self.winners, 1, size)
            if not self.neuron.ranked:
                raise NetworkError(
                    f"{where}: {self.neuron.label} neurons cannot be ranked by how far they are above their "
                    "thresholds; leave winners out"
                )
        for field, value in values.items():
            object.__setattr__(self, field, value)

    def __eq__(self, other: object) -> bool:
        return equal(self, other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        size = self.size if len(self.shape) == 1 else self.shape
        winners = "" if self.winners is None else f", winners={self.winners}"
        return f"Population({self.name!r}, {size}, {self.neuron!r}{winners})"


def size_and_shape(where: str, value: Any, shape: Any) -> tuple[int, tuple[int, ...]]:
    """A number of neurons and their shape, of either."""
    if shape is None and not isinstance(value, tuple | list):
        size = check_integer(where, value, 1, _INT32 - 1)
        return size, (size,)
    given = value if shape is None else shape
    if not isinstance(given, tuple | list) or len(given) not in (1, 3):
        raise NetworkError(f"{where} must be an integer or (height, width, channels), not {given!r}")
    names = ("height", "width", "channels") if len(given) == 3 else ("size",)
    dimensions = tuple(
        check_integer(f"{where}: {name}", number, 1, _INT32 - 1)
        for name, number in zip(names, given, strict=True)
    )
    size = check_integer(where, math.prod(dimensions), 1, _INT32 - 1)
    if not isinstance(value, tuple | list) and value != size:
        raise NetworkError(f"{where} is {value}, but the shape {dimensions} has {size}")
    return size, dimensions
