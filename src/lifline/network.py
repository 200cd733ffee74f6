"""The contract: an integer spiking network, which every part of lifline runs bit for bit alike.

Time is discrete: ticks t = 0, 1, ….  At the start of a sample every membrane is 0 and no spike is in
flight.  For neuron i of a population, at tick t, exactly, in unbounded integers::

    I[t] = bias + Σ over projections, Σ over j:  w[j,i] · s_source[j][t − d[j,i]]      (s at t < 0 is 0)
    u    = floor(beta · v[t−1] / 256)                                                  (arithmetic shift)

    reset_delay = False:   x = sat(u + I[t]);  s[t] = x > θ
                           SUBTRACT: v[t] = x − θ·s[t]     ZERO: v[t] = 0 if s[t] else x     NONE: v[t] = x
    reset_delay = True:    SUBTRACT: x = sat(u + I[t] − θ·s[t−1])
                           ZERO:     x = sat(floor(beta · (0 if s[t−1] else v[t−1]) / 256) + I[t])
                           s[t] = x > θ;  v[t] = x          (with NONE, reset_delay changes nothing)

``sat`` clips to the two's complement range of `membrane_bits`.  A projection of zero delay delivers in
the same tick, so populations are evaluated in topological order.  ``docs/contract.md`` has the reasons.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import operator
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .errors import InputError, NetworkError
from .files import read_npz, write_npz

#: The name by which a projection calls the network's inputs.
INPUT = "input"

#: Membranes decay by beta / 2**BETA_BITS a tick.
BETA_BITS = 8

MAX_DELAY = 255

_FORMAT = "lifline-network-1"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_INT32 = 2**31


class Reset(enum.Enum):
    """What a spike does to the membrane that fired it."""

    SUBTRACT = "subtract"  #: the threshold is taken off
    ZERO = "zero"  #: the membrane returns to 0
    NONE = "none"  #: nothing (a readout)


@dataclasses.dataclass(frozen=True, eq=False)
class Population:
    """A group of LIF neurons that share one update rule; see the equations of :mod:`lifline.network`.

    Parameters
    ----------
    name : str
        A letter, then letters, digits or ``_``; not ``"input"``.
    size : int
        Number of neurons, ≥ 1.
    beta : int or int[size]
        The fraction of the membrane that is kept each tick, in 1/256; 0 … 256 (256: no leak).
    threshold : int or int[size]
        A neuron spikes where its membrane is greater; 0 ≤ threshold < 2^(membrane_bits − 1).
    reset : Reset or str
    reset_delay : bool
        Whether a spike resets its membrane one tick later, as snnTorch's ``Leaky`` does by default.
    bias : int or int[size]
        A constant input current; any 32-bit integer.
    membrane_bits : int
        Width of the membrane in two's complement, 8 … 24.

    Raises
    ------
    NetworkError
        If a value is outside of what is said above.
    """

    name: str
    size: int
    beta: Any  # after __post_init__: int64[size], read-only
    threshold: Any
    reset: Reset = Reset.SUBTRACT
    reset_delay: bool = False
    bias: Any = 0
    membrane_bits: int = 16

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise NetworkError(
                f"population name must be a letter followed by letters, digits or '_', not {self.name!r}"
            )
        if self.name == INPUT:
            raise NetworkError(f"population name '{INPUT}' is taken by the network's inputs; rename it")
        where = f"population '{self.name}'"
        _set(self, size=_integer(f"{where}: size", self.size, 1, _INT32 - 1))
        bits = _integer(f"{where}: membrane_bits", self.membrane_bits, 8, 24)
        try:
            _set(self, reset=Reset(self.reset))
        except ValueError:
            choices = ", ".join(f"'{reset.value}'" for reset in Reset)
            raise NetworkError(f"{where}: reset must be one of {choices}, not {self.reset!r}") from None
        if not isinstance(self.reset_delay, bool | np.bool_):
            raise NetworkError(f"{where}: reset_delay must be True or False, not {self.reset_delay!r}")
        vector = functools.partial(_integers, shape=(self.size,))
        _set(
            self,
            membrane_bits=bits,
            reset_delay=bool(self.reset_delay),
            beta=vector(f"{where}: beta", self.beta, low=0, high=1 << BETA_BITS),
            threshold=vector(f"{where}: threshold", self.threshold, low=0, high=2 ** (bits - 1) - 1),
            bias=vector(f"{where}: bias", self.bias, low=-_INT32, high=_INT32 - 1),
        )

    @property
    def membrane_range(self) -> tuple[int, int]:
        """The smallest and the largest value that a membrane can hold."""
        return -(2 ** (self.membrane_bits - 1)), 2 ** (self.membrane_bits - 1) - 1

    def __eq__(self, other: object) -> bool:
        return _equal(self, other)

    __hash__ = None  # type: ignore[assignment]


@dataclasses.dataclass(frozen=True, eq=False)
class Projection:
    """All synapses from one source to one target.

    Parameters
    ----------
    source : str
        A population, or ``"input"``.
    target : str
        A population; it may be the source itself if every delay is ≥ 1.
    weights : int[source size, target size]
        Two's complement of `weight_bits`.
    delays : int or int[source size, target size]
        In ticks, 0 … 255.
    weight_bits : int
        2 … 16.

    Raises
    ------
    NetworkError
        If a value is outside of what is said above.
    """

    source: str
    target: str
    weights: Any  # after __post_init__: int64[source size, target size], read-only
    delays: Any = 0
    weight_bits: int = 8

    def __post_init__(self) -> None:
        for field in ("source", "target"):
            name = getattr(self, field)
            if not isinstance(name, str):
                raise NetworkError(f"projection {field} must be the name of a population, not {name!r}")
        if self.target == INPUT:
            raise NetworkError(f"projection '{self}': the target must be a population, not '{INPUT}'")
        where = f"projection '{self}'"
        bits = _integer(f"{where}: weight_bits", self.weight_bits, 2, 16)
        weights = _array(f"{where}: weights", self.weights)
        shape = weights.shape
        if len(shape) != 2 or 0 in shape:
            raise NetworkError(
                f"{where}: weights must have the shape (source size, target size), not {shape}"
            )
        limit = 2 ** (bits - 1)
        _set(
            self,
            weight_bits=bits,
            weights=_integers(f"{where}: weights", weights, shape=shape, low=-limit, high=limit - 1),
            delays=_integers(f"{where}: delays", self.delays, shape=shape, low=0, high=MAX_DELAY),
        )

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"

    def __eq__(self, other: object) -> bool:
        return _equal(self, other)

    __hash__ = None  # type: ignore[assignment]


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """Populations and the projections between them: what is trained, simulated and built.

    Parameters
    ----------
    inputs : int
        Number of input channels, ≥ 1; projections call them ``"input"``.
    populations : sequence of Population
    projections : sequence of Projection
        Several between the same two are allowed, and from a population to itself.
    output : str
        The population whose spikes are the network's answer.
    name : str
    metadata : dict
        Anything that JSON can hold; it changes nothing.

    Raises
    ------
    NetworkError
        If names or shapes do not match, or projections that hold a delay of 0 form a cycle.
    """

    inputs: int
    populations: Sequence[Population]
    projections: Sequence[Projection]
    output: str
    name: str = ""
    metadata: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        _set(
            self,
            inputs=_integer("network: inputs", self.inputs, 1, _INT32 - 1),
            populations=_tuple_of(Population, "populations", self.populations),
            projections=_tuple_of(Projection, "projections", self.projections),
        )
        sizes = {INPUT: self.inputs}
        for population in self.populations:
            if population.name in sizes:
                raise NetworkError(f"two populations are called '{population.name}'; rename one")
            sizes[population.name] = population.size
        known = ", ".join(f"'{name}'" for name in sizes)
        for projection in self.projections:
            for field in ("source", "target"):
                name = getattr(projection, field)
                if name not in sizes:
                    raise NetworkError(
                        f"projection '{projection}': {field} '{name}' is not in the network, "
                        f"which has {known}"
                    )
            shape = (sizes[projection.source], sizes[projection.target])
            if projection.weights.shape != shape:
                raise NetworkError(
                    f"projection '{projection}': weights have the shape {projection.weights.shape}, "
                    f"must have (source size, target size) = {shape}"
                )
        if not isinstance(self.output, str) or self.output not in sizes or self.output == INPUT:
            raise NetworkError(
                f"network: output must be the name of a population, not {self.output!r}; "
                f"the network has {known}"
            )
        if not isinstance(self.name, str):
            raise NetworkError(f"network: name must be a string, not {self.name!r}")
        try:
            _set(self, metadata=json.loads(json.dumps(dict(self.metadata))))
        except (TypeError, ValueError):
            raise NetworkError(
                f"network: metadata must be a dict that JSON can hold, not {self.metadata!r}"
            ) from None
        self.order  # noqa: B018 -- refuses cycles of zero delay

    def __getitem__(self, name: str) -> Population:
        """The population called `name`."""
        for population in self.populations:
            if population.name == name:
                return population
        raise KeyError(name)

    def size(self, name: str) -> int:
        """Number of neurons of a population, or of inputs for ``"input"``."""
        return self.inputs if name == INPUT else self[name].size

    def incoming(self, name: str) -> tuple[Projection, ...]:
        """The projections that end at population `name`, in the network's order."""
        return tuple(projection for projection in self.projections if projection.target == name)

    def outgoing(self, name: str) -> tuple[Projection, ...]:
        """The projections that start at population `name` (or ``"input"``), in the network's order."""
        return tuple(projection for projection in self.projections if projection.source == name)

    @functools.cached_property
    def order(self) -> tuple[Population, ...]:
        """The populations in the order of their evaluation within a tick."""
        waits = {
            population.name: {
                projection.source
                for projection in self.incoming(population.name)
                if projection.source != INPUT and not projection.delays.all()
            }
            for population in self.populations
        }
        order: list[Population] = []
        while waits:
            ready = next((name for name, sources in waits.items() if not sources), None)
            if ready is None:
                raise NetworkError(
                    f"projections with a delay of 0 form a cycle: {' -> '.join(_cycle(waits))}; "
                    "give every synapse of one of them a delay of 1 or more"
                )
            order.append(self[ready])
            del waits[ready]
            for sources in waits.values():
                sources.discard(ready)
        return tuple(order)

    def __eq__(self, other: object) -> bool:
        return _equal(self, other)

    __hash__ = None  # type: ignore[assignment]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to one ``.npz`` file: a JSON header and plain integer arrays.

        The same network gives the same bytes; the file appears whole or not at all.
        """
        header = {
            "format": _FORMAT,
            "inputs": self.inputs,
            "output": self.output,
            "name": self.name,
            "metadata": self.metadata,
            "populations": [
                {
                    "name": population.name,
                    "size": population.size,
                    "reset": population.reset.value,
                    "reset_delay": population.reset_delay,
                    "membrane_bits": population.membrane_bits,
                }
                for population in self.populations
            ],
            "projections": [
                {
                    "source": projection.source,
                    "target": projection.target,
                    "weight_bits": projection.weight_bits,
                }
                for projection in self.projections
            ],
        }
        text = json.dumps(header, sort_keys=True, separators=(",", ":"))
        arrays = {"header": np.frombuffer(text.encode(), dtype=np.uint8)}
        for index, population in enumerate(self.populations):
            for field in ("beta", "threshold", "bias"):
                arrays[f"populations.{index}.{field}"] = getattr(population, field).astype(np.int32)
        for index, projection in enumerate(self.projections):
            arrays[f"projections.{index}.weights"] = projection.weights.astype(np.int16)
            arrays[f"projections.{index}.delays"] = projection.delays.astype(np.uint8)
        write_npz(path, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Network:
        """Read a network that :meth:`save` wrote.

        Raises
        ------
        NetworkError
            If the file is missing, damaged, not a network, or holds one that breaks the contract.
        """
        try:
            arrays = read_npz(path)
        except InputError as error:
            raise NetworkError(str(error)) from None
        if "header" not in arrays:
            raise NetworkError(f"{path}: not a lifline network: it holds no array 'header'")
        try:
            header = json.loads(arrays["header"].astype(np.uint8).tobytes().decode())
            if header["format"] != _FORMAT:
                raise NetworkError(
                    f"{path}: its format is {header['format']!r}, this lifline reads {_FORMAT!r}"
                )
            return cls(
                inputs=header["inputs"],
                output=header["output"],
                name=header["name"],
                metadata=header["metadata"],
                populations=[
                    Population(
                        **fields,
                        **{  # type: ignore[arg-type]
                            # never a scalar, which the header's size could blow up to gigabytes
                            field: np.atleast_1d(arrays[f"populations.{index}.{field}"])
                            for field in ("beta", "threshold", "bias")
                        },
                    )
                    for index, fields in enumerate(header["populations"])
                ],
                projections=[
                    Projection(
                        **fields,
                        weights=arrays[f"projections.{index}.weights"],
                        delays=arrays[f"projections.{index}.delays"],
                    )
                    for index, fields in enumerate(header["projections"])
                ],
            )
        except NetworkError as error:
            raise NetworkError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
        except KeyError as error:
            raise NetworkError(f"{path}: not a whole lifline network: {error} is missing") from None
        except (TypeError, ValueError, AttributeError, RecursionError):
            raise NetworkError(f"{path}: not a lifline network: its header is damaged") from None


def _set(instance: object, **values: Any) -> None:
    for field, value in values.items():
        object.__setattr__(instance, field, value)


def _integer(where: str, value: Any, low: int, high: int) -> int:
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise NetworkError(f"{where} must be an integer, not {value!r}") from None
    if not low <= number <= high:
        raise NetworkError(f"{where} must be in {low} … {high}, not {number}")
    return number


def _array(where: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError:  # a list whose rows differ in length
        raise NetworkError(f"{where} must be a rectangular array of integers") from None


def _integers(where: str, value: Any, *, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
    """`value` as a read-only int64 array of `shape`; a single integer is repeated."""
    array = _array(where, value)
    if array.dtype.kind not in "iu":
        raise NetworkError(f"{where} must be integers, not {array.dtype}; round and cast them first")
    if array.shape not in ((), shape):
        raise NetworkError(f"{where} must be one integer or have the shape {shape}, not {array.shape}")
    wrong = (array < low) | (array > high)
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        at = f" at {index}" if index else ""
        raise NetworkError(f"{where} must be in {low} … {high}, not {array[index]}{at}")
    array = np.broadcast_to(array, shape).astype(np.int64)
    array.setflags(write=False)
    return array


def _tuple_of(kind: type, field: str, values: Iterable[Any]) -> tuple[Any, ...]:
    items = tuple(values) if isinstance(values, Iterable) else (values,)
    for item in items:
        if not isinstance(item, kind):
            raise NetworkError(f"network: {field} must hold {kind.__name__} objects, not {item!r}")
    return items


def _cycle(waits: dict[str, set[str]]) -> list[str]:
    """One cycle in `waits` (each name has a non-empty set of names it waits for), in spike direction."""
    path = [next(iter(waits))]
    while path.count(path[-1]) == 1:
        path.append(min(waits[path[-1]]))
    return path[path.index(path[-1]) :][::-1]


def _equal(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return NotImplemented
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name))
        if isinstance(getattr(one, field.name), np.ndarray)
        else getattr(one, field.name) == getattr(other, field.name)
        for field in dataclasses.fields(one)
    )
