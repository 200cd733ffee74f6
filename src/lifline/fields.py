"""Typed fields: what a field of a kind holds, said in one place.

A *kind* (a neuron model, a synapse structure, a plasticity rule) is a frozen dataclass whose fields are
made with :func:`integer`, :func:`pair`, :func:`per_neuron`, :func:`array`, :func:`choice`, :func:`flag`
and :func:`part`.  Each carries its range, its shape and a one-line meaning.  Validation, files, summaries,
first-divergence reports, random test networks and the tables of ``docs/contract.md`` read them, so that
a new kind needs none of these to be changed::

    @dataclasses.dataclass(frozen=True, eq=False, repr=False)
    class Perfect(Neuron):
        \"\"\"v[t] = sat(v[t−1] + I[t]);  s[t] = v[t] > threshold.\"\"\"

        threshold: Any = per_neuron("a neuron spikes where its membrane is greater", low=0, high=2**15 - 1)
        membrane_bits: int = integer("width of the membrane", low=8, high=24, default=16)
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np

from .errors import NetworkError
from .values import brief, check_array, check_integer, equal, in_words, shape_in_words, short

Bound = int | Callable[[Any], int]

Self = TypeVar("Self", bound="Kind")

_MISSING = dataclasses.MISSING
_KEY = "lifline"


@dataclasses.dataclass(frozen=True)
class Field:
    """What a field of a kind holds."""

    meaning: str
    optional: bool = False  #: whether it may be None, and the part that it belongs to is then absent

    @property
    def range(self) -> str:
        """Its values, for tables."""
        raise NotImplementedError

    @property
    def late(self) -> bool:
        """Whether its range depends on other fields, so that these are checked first."""
        return False

    def check(self, where: str, value: Any, owner: Kind) -> Any:
        """`value` as it is kept; what cannot be used is a `NetworkError` that begins with `where`."""
        raise NotImplementedError

    def pack(self, value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
        """`value` for a JSON header; an array goes to `arrays` as `name`, and the header says so."""
        return value

    def unpack(self, value: Any, name: str, arrays: Mapping[str, np.ndarray]) -> Any:
        """What `pack` was given."""
        return value


@dataclasses.dataclass(frozen=True)
class Ranged(Field):
    """Integers within a range."""

    low: Bound = 0
    high: Bound = 0

    @property
    def range(self) -> str:
        return f"{in_words(self.low)} … {in_words(self.high)}"

    @property
    def late(self) -> bool:
        return callable(self.low) or callable(self.high)


@dataclasses.dataclass(frozen=True)
class Integer(Ranged):
    """One integer for all neurons."""

    def check(self, where: str, value: Any, owner: Kind) -> int:
        return check_integer(where, value, bound(self.low, owner), bound(self.high, owner))


@dataclasses.dataclass(frozen=True)
class Pair(Ranged):
    """An integer for each axis of a map: (y, x), or one for both."""

    def check(self, where: str, value: Any, owner: Kind) -> tuple[int, int]:
        if not isinstance(value, tuple | list):
            value = (value, value)
        if len(value) != 2:
            raise NetworkError(f"{where} must be one integer or (y, x), not {brief(value)}")
        low, high = bound(self.low, owner), bound(self.high, owner)
        y, x = (check_integer(where, number, low, high) for number in value)
        return y, x

    def pack(self, value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
        return list(value)


@dataclasses.dataclass(frozen=True)
class Array(Ranged):
    """An array of integers; read-only int64 once its owner is made."""

    per: str = "neuron"  #: what there is a number for: a neuron, a synapse, an entry of a table
    axes: tuple[str, ...] = ("size",)  #: of the array
    or_axes: tuple[str, ...] = ()  #: of the array, where it has fewer
    one: bool = True  #: whether one integer for all will do
    unit: str = ""  #: such as "1/256"
    storage: str = "int32"  #: dtype in a file

    def check(self, where: str, value: Any, owner: Kind) -> np.ndarray:
        low, high = bound(self.low, owner), bound(self.high, owner)
        values = check_array(where, value, low=low, high=high)
        shapes = [axes for axes in (self.or_axes, self.axes) if axes]
        if values.ndim not in map(len, shapes) and not (self.one and values.ndim == 0):
            shape = " or ".join(shape_in_words(axes) for axes in shapes)
            one = "be one integer or " if self.one else ""
            raise NetworkError(f"{where} must {one}have the shape {shape}, not {values.shape}")
        if values.ndim and 0 in values.shape:
            raise NetworkError(f"{where} must not be empty: its shape is {values.shape}")
        return values

    def pack(self, value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
        arrays[name] = value.astype(self.storage)
        return "array"

    def unpack(self, value: Any, name: str, arrays: Mapping[str, np.ndarray]) -> Any:
        # never a scalar, which the header's size could blow up to gigabytes
        return np.atleast_1d(arrays[name])


@dataclasses.dataclass(frozen=True)
class Choice(Field):
    """A member of an enumeration; its value will do."""

    of: type[enum.Enum] = enum.Enum

    @property
    def range(self) -> str:
        return ", ".join(f"`{member.value}`" for member in self.of)

    def check(self, where: str, value: Any, owner: Kind) -> enum.Enum:
        try:
            return self.of(value)
        except ValueError:
            choices = ", ".join(f"'{member.value}'" for member in self.of)
            raise NetworkError(f"{where} must be one of {choices}, not {value!r}") from None

    def pack(self, value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
        return value.value


@dataclasses.dataclass(frozen=True)
class Flag(Field):
    """True or False."""

    @property
    def range(self) -> str:
        return "true, false"

    def check(self, where: str, value: Any, owner: Kind) -> bool:
        if not isinstance(value, bool | np.bool_):
            raise NetworkError(f"{where} must be True or False, not {value!r}")
        return bool(value)


@dataclasses.dataclass(frozen=True)
class Part(Field):
    """A kind within a kind, or None."""

    of: Any = None  #: the part's class

    @property
    def range(self) -> str:
        return f"`{self.of.__name__}`{' or none' if self.optional else ''}"

    def check(self, where: str, value: Any, owner: Kind) -> Any:
        if not isinstance(value, self.of):
            wanted = f"{self.of.__name__}{' or None' if self.optional else ''}"
            raise NetworkError(f"{where} must be of type {wanted}, not {value!r}")
        return value

    def pack(self, value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
        return pack(value, name, arrays)

    def unpack(self, value: Any, name: str, arrays: Mapping[str, np.ndarray]) -> Any:
        return unpack(self.of, value, name, arrays)


def integer(
    meaning: str, *, low: Bound, high: Bound, default: Any = _MISSING, optional: bool = False
) -> Any:
    """A field: one integer for all neurons of a population, or all synapses of a projection; None where `optional`."""
    return _field(Integer(meaning, optional, low, high), default)


def pair(meaning: str, *, low: Bound, high: Bound, default: Any = _MISSING) -> Any:
    """A field: an integer for each axis of a map, (y, x), or one for both."""
    return _field(Pair(meaning, low=low, high=high), default)


def per_neuron(
    meaning: str,
    *,
    low: Bound,
    high: Bound,
    default: Any = _MISSING,
    unit: str = "",
    optional: bool = False,
) -> Any:
    """A field: an integer for all neurons, or one for each; None where `optional`."""
    return _field(Array(meaning, optional, low, high, unit=unit), default)


def array(
    meaning: str,
    *,
    per: str,
    axes: tuple[str, ...],
    or_axes: tuple[str, ...] = (),
    low: Bound,
    high: Bound,
    default: Any = _MISSING,
    unit: str = "",
    storage: str = "int32",
) -> Any:
    """A field: an array of integers, one `per` "synapse" or table "entry"; with a default, one for all will do."""
    one = default is not _MISSING
    return _field(Array(meaning, False, low, high, per, axes, or_axes, one, unit, storage), default)


def choice(meaning: str, of: type[enum.Enum], default: Any = _MISSING) -> Any:
    """A field: a member of an enumeration."""
    return _field(Choice(meaning, of=of), default)


def flag(meaning: str, default: Any = _MISSING) -> Any:
    """A field: True or False."""
    return _field(Flag(meaning), default)


def part(meaning: str, of: type[Kind], *, optional: bool = True) -> Any:
    """A field: a kind within a kind; where it is optional, None by default: then it costs nothing."""
    return _field(Part(meaning, optional, of), None if optional else _MISSING)


def _field(field: Field, default: Any) -> Any:
    return dataclasses.field(default=default, metadata={_KEY: field})


class Kind:
    """Base of all kinds: a frozen dataclass of typed fields, checked when it is made.

    Raises
    ------
    NetworkError
        If a field's value is outside of what the field says.
    """

    def __post_init__(self) -> None:
        fields = sorted(self.fields().items(), key=lambda item: item[1].late)
        for name, field in fields:
            value = getattr(self, name)
            if value is None and field.optional:
                continue
            object.__setattr__(self, name, field.check(f"{self.label}: {name}", value, self))

    @classmethod
    def fields(cls) -> dict[str, Field]:
        """The typed fields, by name."""
        return {
            f.name: f.metadata[_KEY]
            for f in dataclasses.fields(cls)  # type: ignore[arg-type]
            if _KEY in f.metadata
        }

    @property
    def label(self) -> str:
        """How messages call it."""
        return type(self).__name__

    @classmethod
    def per_neuron(cls, name: str) -> bool:
        """Whether a field is an array with a number for each neuron."""
        field = cls.fields()[name]
        return isinstance(field, Array) and field.per == "neuron"

    def arrays(self) -> Iterator[tuple[str, Array, np.ndarray]]:
        """Name, field and values of each array that is there, those of parts as ``part.field``."""
        for name, field in self.fields().items():
            value = getattr(self, name)
            if isinstance(value, Kind):
                for inner, array_field, values in value.arrays():
                    yield f"{name}.{inner}", array_field, values
            elif isinstance(field, Array) and value is not None:
                yield name, field, value

    def sized(self: Self, size: int, where: str) -> Self:
        """The same with each array per neuron of the shape (size,); `where` begins a message."""
        changes: dict[str, Any] = {}
        for name in self.fields():
            value = getattr(self, name)
            if isinstance(value, Kind):
                changes[name] = value.sized(size, f"{where}: {name}")
            elif self.per_neuron(name) and value is not None:
                if value.shape not in ((), (size,)):
                    raise NetworkError(
                        f"{where}: {name} must be one integer or have the shape ({size},), not {value.shape}"
                    )
                changes[name] = np.broadcast_to(value, (size,))
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]

    def __eq__(self, other: object) -> bool:
        return equal(self, other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        values = ((name, getattr(self, name)) for name in self.fields())
        return f"{self.label}({', '.join(f'{name}={short(v)}' for name, v in values if v is not None)})"


class Family(Kind):
    """Base of the kinds that a file names: each subclass is found again by its class's name."""

    kinds: ClassVar[dict[str, type[Family]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if Family in cls.__bases__:  # a family: it has kinds of its own
            cls.kinds = {}
        else:
            cls.kinds[cls.__name__] = cls


def pack(kind: Kind, prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """`kind` as a JSON header; its arrays go to `arrays`, named ``prefix.field``."""
    header: dict[str, Any] = {"kind": type(kind).__name__} if isinstance(kind, Family) else {}
    for name, field in kind.fields().items():
        value = getattr(kind, name)
        if value is not None:
            header[name] = field.pack(value, f"{prefix}.{name}", arrays)
    return header


def unpack(
    cls: type[Kind], header: Mapping[str, Any], prefix: str, arrays: Mapping[str, np.ndarray]
) -> Any:
    """What `pack` was given: a `cls`, or one of its kinds.

    Raises
    ------
    NetworkError
        If the kind is unknown, or its fields are not as they must be.
    KeyError
        If an array is missing.
    """
    values = dict(header)
    if issubclass(cls, Family):
        kind = values.pop("kind")
        if kind not in cls.kinds:
            known = ", ".join(cls.kinds)
            raise NetworkError(
                f"{prefix}: the kind {kind!r} is unknown, known are {known}: import the module that defines it"
            )
        cls = cls.kinds[kind]
    fields = cls.fields()
    for name in values:
        if name not in fields:
            raise NetworkError(f"{prefix}: {cls.__name__} has no field {name!r}")
        values[name] = fields[name].unpack(values[name], f"{prefix}.{name}", arrays)
    return cls(**values)


def table(kind: type[Kind], part_of: str = "") -> list[tuple[str, str, str]]:
    """(field, range, meaning) of each field, parts included, as the docs show them."""
    rows = []
    for name, field in kind.fields().items():
        unit = f", in {field.unit}" if isinstance(field, Array) and field.unit else ""
        per = f" per {field.per}" if isinstance(field, Array) else ""
        optional = " or none" if field.optional and not isinstance(field, Part) else ""
        rows.append((f"`{part_of}{name}`{per}", f"{field.range}{unit}{optional}", field.meaning))
        if isinstance(field, Part):
            rows += table(field.of, f"{part_of}{name}.")
    return rows


def bound(value: Bound, owner: Any) -> int:
    """An end of a range."""
    return value(owner) if callable(value) else value
