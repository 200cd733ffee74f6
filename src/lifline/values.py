"""Values of fields: checked against their ranges, compared, shown."""

from __future__ import annotations

import dataclasses
import enum
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import NetworkError


def brief(value: Any) -> str:
    """A value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"


def check_integer(where: str, value: Any, low: int, high: int) -> int:
    """`value` as an int within a range."""
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise NetworkError(f"{where} must be an integer, not {brief(value)}") from None
    if not low <= number <= high:
        raise NetworkError(f"{where} must be in {low} … {high}, not {_digits(number)}")
    return number


def _digits(number: int) -> str:
    return str(number) if abs(number) < 10**20 else "a number of more than 20 digits"


def check_array(where: str, value: Any, *, low: int, high: int) -> np.ndarray:
    """`value` as a read-only int64 array within a range."""
    try:
        values = np.asarray(value)
    except ValueError:  # a list whose rows differ in length
        raise NetworkError(f"{where} must be a rectangular array of integers") from None
    if values.dtype.kind not in "iu":
        raise NetworkError(f"{where} must be integers, not {values.dtype}; round and cast them first")
    wrong = (values < low) | (values > high)
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        at = f" at {index}" if index else ""
        raise NetworkError(f"{where} must be in {low} … {high}, not {values[index]}{at}")
    values = values.astype(np.int64)
    values.setflags(write=False)
    return values


def equal(one: Any, other: Any) -> bool:
    """Whether two of one class are equal, field by field, but for those with ``compare=False``."""
    if type(one) is not type(other):
        return NotImplemented
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name))
        if isinstance(getattr(one, field.name), np.ndarray)
        else getattr(one, field.name) == getattr(other, field.name)
        for field in dataclasses.fields(one)
        if field.compare
    )


def short(value: Any) -> str:
    """A value in a few characters: an array by its range and shape."""
    if isinstance(value, enum.Enum):
        return f"'{value.value}'"
    if not isinstance(value, np.ndarray):
        return repr(value)
    if not value.size:
        return "[]"
    low, high = int(value.min()), int(value.max())
    if low == high:
        return str(low)
    return f"<{'×'.join(map(str, value.shape))}: {low} … {high}>"


def shape_in_words(axes: tuple[str, ...]) -> str:
    """Such as (source size, target size), or (size,)."""
    return f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"


def in_words(value: int | Callable[[Any], int]) -> str:
    """An end of a range, for tables: a function by its docstring."""
    if callable(value):
        return (value.__doc__ or "…").rstrip(".")
    for power in (15, 16, 31, 23):
        for offset, text in ((0, ""), (1, " − 1")):
            if value == 2**power - offset:
                return f"2^{power}{text}"
            if value == -(2**power) and not offset:
                return f"−2^{power}"
    return str(value).replace("-", "−")
