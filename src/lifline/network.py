"""The contract: an integer spiking network, which every part of lifline runs bit for bit alike.

Time is discrete: ticks t = 0, 1, ….  At the start of a sample every state is 0, or what its kind says,
and no spike is in flight.  The current of neuron i of a population at tick t is, exactly, in unbounded
integers::

    Σ over projections, Σ over j:  w[j,i] · s_source[j][t − d[j,i]]          (s at t < 0 is 0)

where s is 0 or 1, or 0 … 2^input_bits − 1 of a graded input.  What it does to the neuron is said by
the neuron's kind, in :mod:`lifline.neurons`.  A projection of zero delay delivers in the same tick, so
populations are evaluated in topological order.
``docs/contract.md`` has all equations, and the reasons.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from . import summary
from .errors import LiflineError, NetworkError
from .files import MAX_NETWORK_BYTES, read_npz, write_npz
from .neurons import LIF, Adaptation, Izhikevich, Noise, Reset
from .plasticity import SDSP, STDP, Pairing, Plasticity, RewardSTDP, Rounding
from .population import INPUT, Population, size_and_shape
from .synapses import Convolution, Dense, Sparse, Synapses, average_pool, fuse, sum_pool
from .values import check_integer, equal

#: The contract in one place: networks, and the kinds that they are made of.
__all__ = [
    "INPUT",
    "LIF",
    "SDSP",
    "STDP",
    "Adaptation",
    "Convolution",
    "Dense",
    "Izhikevich",
    "Network",
    "Noise",
    "Pairing",
    "Population",
    "Projection",
    "Reset",
    "RewardSTDP",
    "Rounding",
    "Sparse",
    "average_pool",
    "fuse",
    "sum_pool",
]


@dataclasses.dataclass(frozen=True, eq=False)
class Projection:
    """All synapses from one source to one target.

    Parameters
    ----------
    source : str
        A population, or ``"input"``.
    target : str
        A population; it may be the source itself if every delay is ≥ 1.
    synapses : Synapses or int[source size, target size]
        An array of weights means ``Dense(weights)``.
    plasticity : Plasticity, optional
        How the weights learn while the network runs.

    Raises
    ------
    NetworkError
        If a value is outside of what is said above.
    """

    source: str
    target: str
    synapses: Any  # after __post_init__: Synapses
    plasticity: Plasticity | None = None

    def __post_init__(self) -> None:
        for field in ("source", "target"):
            name = getattr(self, field)
            if not isinstance(name, str):
                raise NetworkError(f"projection {field} must be the name of a population, not {name!r}")
        if self.target == INPUT:
            raise NetworkError(f"projection '{self}': the target must be a population, not '{INPUT}'")
        if not isinstance(self.synapses, Synapses):
            try:
                _set(self, synapses=Dense(self.synapses))
            except NetworkError as error:
                raise NetworkError(f"projection '{self}': {error}") from None
        if self.plasticity is not None and not isinstance(self.plasticity, Plasticity):
            raise NetworkError(
                f"projection '{self}': plasticity must be a rule or None, not {self.plasticity!r}"
            )

    def bound(self, shapes: Mapping[str, tuple[int, ...]]) -> Projection:
        """The same, its synapses between populations of these shapes.

        Raises
        ------
        NetworkError
            If they do not fit.
        """
        try:
            synapses = self.synapses.bound(shapes[self.source], shapes[self.target])
            plasticity = None if self.plasticity is None else self.plasticity.bound(synapses)
        except NetworkError as error:
            raise NetworkError(f"projection '{self}': {error}") from None
        return dataclasses.replace(self, synapses=synapses, plasticity=plasticity)

    def current_range(self) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`lifline.synapses.Synapses.current_range`, whatever the weights learn."""
        if self.plasticity is None:
            return self.synapses.current_range()
        return self.plasticity.current_range(self.synapses)

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"

    def __eq__(self, other: object) -> bool:
        return equal(self, other)

    __hash__ = None  # type: ignore[assignment]


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """Populations and the projections between them: what is trained, simulated and built.

    Parameters
    ----------
    inputs : int or (height, width, channels)
        Number of input channels, ≥ 1, or their shape; projections call them ``"input"``.
    populations : sequence of Population
    projections : sequence of Projection
        Several between the same two are allowed, and from a population to itself.
    output : str
        The population whose spikes are the network's answer.
    name : str
    metadata : dict
        Anything that JSON can hold; it changes nothing.
    input_bits : int
        Width of an input's value, 1 … 8.  With 1 inputs spike or do not; with more they are graded: 0 …
        2^input_bits − 1, which a weight multiplies.
    input_shape : (height, width, channels), optional
        The inputs' shape, where `inputs` does not say it.

    Raises
    ------
    NetworkError
        If names or shapes do not match, or projections that hold a delay of 0 form a cycle.
    """

    inputs: Any  # after __post_init__: int
    populations: Sequence[Population]
    projections: Sequence[Projection]
    output: str
    name: str = ""
    metadata: dict[str, Any] = dataclasses.field(default_factory=dict)
    input_bits: int = 1
    input_shape: Any = None  # after __post_init__, as Population.shape

    def __post_init__(self) -> None:
        inputs, input_shape = size_and_shape("network: inputs", self.inputs, self.input_shape)
        _set(
            self,
            inputs=inputs,
            input_shape=input_shape,
            input_bits=check_integer("network: input_bits", self.input_bits, 1, 8),
            populations=_tuple_of(Population, "populations", self.populations),
            projections=_tuple_of(Projection, "projections", self.projections),
        )
        shapes = {INPUT: self.input_shape}
        for population in self.populations:
            if population.name in shapes:
                raise NetworkError(f"two populations are called '{population.name}'; rename one")
            shapes[population.name] = population.shape
        known = ", ".join(f"'{name}'" for name in shapes)
        for projection in self.projections:
            for field in ("source", "target"):
                name = getattr(projection, field)
                if name not in shapes:
                    raise NetworkError(
                        f"projection '{projection}': {field} '{name}' is not in the network, "
                        f"which has {known}"
                    )
        _set(self, projections=tuple(projection.bound(shapes) for projection in self.projections))
        for projection in self.projections:
            if projection.plasticity is not None and self.largest_value(projection.source) > 1:
                raise NetworkError(
                    f"projection '{projection}': synapses of graded inputs cannot learn; "
                    f"input_bits must be 1, not {self.input_bits}"
                )
        if not isinstance(self.output, str) or self.output not in shapes or self.output == INPUT:
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

    def shape(self, name: str) -> tuple[int, ...]:
        """(size,) or (height, width, channels) of a population, or of the inputs for ``"input"``."""
        shape: tuple[int, ...] = self.input_shape if name == INPUT else self[name].shape
        return shape

    def largest_value(self, name: str) -> int:
        """The largest value of a spike of a population, 1, or of an input for ``"input"``."""
        return int(2**self.input_bits) - 1 if name == INPUT else 1

    def current_range(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest Σ w · s, ≤ 0 and ≥ 0, that a tick can bring to each neuron: int64 (size,)."""
        lowest, highest = (np.zeros(self.size(name), np.int64) for _ in range(2))
        for projection in self.incoming(name):
            value = self.largest_value(projection.source)
            for total, end in zip((lowest, highest), projection.current_range(), strict=True):
                total += value * end
        return lowest, highest

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
                if projection.source != INPUT and projection.synapses.delay_range[0] == 0
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
        return equal(self, other)

    __hash__ = None  # type: ignore[assignment]

    def summary(self) -> str:
        """Two tables for a terminal: populations and projections, with bits, synapses and memory."""
        return summary.text(self)

    def __repr__(self) -> str:
        return summary.line(self)

    def _repr_html_(self) -> str:
        return summary.html(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to one ``.npz`` file: a JSON header and plain integer arrays.

        The same network gives the same bytes; the file appears whole or not at all.
        """
        from . import storage

        write_npz(path, storage.to_arrays(self))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Network:
        """Read a network that :meth:`save` wrote, of this version or of version 1.

        Raises
        ------
        NetworkError
            If the file is missing, damaged, not a network, or holds one that breaks the contract.
        """
        from . import storage

        try:
            return storage.from_arrays(read_npz(path, item_bytes=8, most=MAX_NETWORK_BYTES))
        except LiflineError as error:
            raise NetworkError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None


def _set(instance: object, **values: Any) -> None:
    for field, value in values.items():
        object.__setattr__(instance, field, value)


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
