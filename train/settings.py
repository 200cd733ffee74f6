"""Settings: what a training depends on besides data and seed, each with its range and meaning.

A setting is a field of a frozen dataclass, declared once with :func:`setting`: default, meaning, range.  The check when
settings are made, the table that ``lifline train TASK --help`` prints and the error messages all read that
declaration.  A class that derives from another may give a field another default, and nothing else::

    class MySettings(Settings):
        epochs: int = 80                                                    # another default
        drop: float = setting(0.05, "fraction of spikes left out", FRACTION)   # a setting of its own
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import math
from collections.abc import Collection
from typing import Any, NamedTuple, TypeVar

from lifline.errors import InputError
from lifline.values import brief

from .losses import LOSSES
from .rules import RULES
from .rules.feedback import FEEDBACK

T = TypeVar("T")


#: Numbers from here on are refused without a range's text saying so, for nobody means them.
_UNTOLD = 1e6


@dataclasses.dataclass(frozen=True)
class Range:
    """The numbers that a setting may be: `least` … `most`, without the end that is open."""

    least: float = 0
    most: float = math.inf
    above: bool = False  #: whether `least` itself is too small
    below: bool = False  #: whether `most` itself is too large

    def __contains__(self, value: float) -> bool:
        low = value > self.least if self.above else value >= self.least
        high = value < self.most if self.below else value <= self.most
        return low and high and math.isfinite(value)

    def __str__(self) -> str:
        if self.most >= _UNTOLD:
            return f"above {self.least:g}" if self.above else f"{self.least:g} or more"
        if not (self.above or self.below):
            return f"{self.least:g} … {self.most:g}"
        low = f"above {self.least:g}" if self.above else f"{self.least:g} or more"
        return f"{low}, {'less than' if self.below else 'at most'} {self.most:g}"


FRACTION = Range(0, 1)
BELOW_ONE = Range(0, 1, below=True)
POSITIVE = Range(0, 1e6, above=True)  # single precision overflows far above
NOT_NEGATIVE = Range(0, 1e6)
COUNT = Range(1, 10**9)
SIZE = Range(1, 1 << 14)  #: of a population, and other numbers that memory grows with


def setting(default: T, meaning: str, allowed: Range | Collection[str] | None = None) -> T:
    """A field of settings.

    Parameters
    ----------
    default : bool, int, float or str
        Its type is the setting's.
    meaning : str
        In one line.
    allowed : Range, or a list or other collection of str; optional
        What it may be: numbers, or one of a few words.  By default anything of its type.
    """
    field: T = dataclasses.field(default=default, metadata={"meaning": meaning, "allowed": allowed})
    return field


class Description(NamedTuple):
    """A setting, as help texts show it."""

    name: str
    default: bool | int | float | str
    range: str  #: in words, such as "0 … 1"
    meaning: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What :func:`lifline.train.fit` needs to know.

    Raises
    ------
    InputError
        If a setting is of another type or out of its range; the message names setting, range and value.

    Examples
    --------
    >>> Settings(epochs=20, quantised=0.3).batch
    128
    >>> Settings(dropped=0.5)
    Traceback (most recent call last):
    TypeError: Settings.__init__() got an unexpected keyword argument 'dropped'
    """

    epochs: int = setting(50, "passes over the training samples", COUNT)
    batch: int = setting(128, "samples in a step", COUNT)
    learning_rate: float = setting(3e-3, "peak of the one-cycle schedule", POSITIVE)
    weight_decay: float = setting(0.0, "of all parameters but delays", NOT_NEGATIVE)
    rule: str = setting("surrogate", "what computes the gradients, see docs/rules.md", RULES)
    feedback: str = setting(
        "symmetric", "how errors reach hidden populations (superspike, eprop)", FEEDBACK
    )
    trace: float = setting(
        0.75, "what a trace keeps of itself each tick (superspike, resume)", BELOW_ONE
    )
    target_rate: float = setting(
        0.5, "spikes a tick that the label's neuron should fire (superspike, resume)", FRACTION
    )
    loss: str = setting("spike_count", "what training minimises", list(LOSSES))
    label_smoothing: float = setting(0.0, "share of a label that is spread over all", BELOW_ONE)
    delay_rate: float = setting(
        100.0, "learning rate of delays, times that of the weights", NOT_NEGATIVE
    )
    annealing: float = setting(
        0.25, "fraction of the epochs in which the Gaussians around learned delays narrow", FRACTION
    )
    quantised: float = setting(
        1.0, "fraction of the epochs, at the end, that train quantised", FRACTION
    )
    quantised_rate: float = setting(
        0.2, "their peak learning rate after a floating-point phase, times learning_rate", POSITIVE
    )
    rate_low: float = setting(0.0, "spikes a tick below which a neuron is urged on", FRACTION)
    rate_high: float = setting(1.0, "spikes a tick above which a neuron is held back", FRACTION)
    rate_cost: float = setting(0.0, "weight of both in the loss (rate_low, rate_high)", NOT_NEGATIVE)
    delay_cost: float = setting(
        0.0, "weight of the length of all delay lines in the loss", NOT_NEGATIVE
    )
    row_cost: float = setting(
        0.0,
        "weight of a thousand rows of synapses a sample in the loss: cycles, see docs",
        NOT_NEGATIVE,
    )
    sparsity: float = setting(
        0.0, "fraction of each matrix's weights that is pruned, the smallest", BELOW_ONE
    )
    pruning: float = setting(
        0.5, "fraction of the epochs in which they go, from the first on", Range(0, 1, above=True)
    )
    validation: float = setting(
        0.0, "fraction of the training samples held out, to choose settings by", BELOW_ONE
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = _checked(self, field.name, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        if self.rate_low > self.rate_high:
            raise InputError(
                f"setting 'rate_low' must be at most rate_high = {self.rate_high:g}, not {self.rate_low:g}"
            )


def changed(settings: Any, changes: dict[str, Any]) -> Any:
    """`settings` with other values for some fields; a number, or true or false, may be text.

    Raises
    ------
    InputError
        If there is no such setting, or it cannot have this value.
    """
    values = {}
    for name, value in changes.items():
        if name not in (known := [field.name for field in dataclasses.fields(settings)]):
            raise InputError(f"no setting '{name}'; the settings are {', '.join(known)}")
        kind = type(getattr(settings, name))
        values[name] = _parsed(value, kind) if isinstance(value, str) else value
        _checked(settings, name, values[name])
    return dataclasses.replace(settings, **values)


def describe(settings: Any) -> list[Description]:
    """Name, default, range and meaning of each setting; those of the most derived class first."""
    found = []
    for field in dataclasses.fields(settings):
        depth, metadata = _declaration(settings, field.name)
        default = getattr(settings, field.name)
        words = _allowed(type(default), metadata)
        found.append((depth, Description(field.name, default, words, metadata.get("meaning", ""))))
    return [description for _, description in sorted(found, key=lambda pair: pair[0])]


def _declaration(settings: Any, name: str) -> tuple[int, dict[str, Any]]:
    """How far up the class that declared a field is, and what :func:`setting` said there."""
    for depth, cls in enumerate(type(settings).__mro__):
        if name in inspect.get_annotations(cls):
            metadata = getattr(cls, "__dataclass_fields__")[name].metadata  # noqa: B009
            if "meaning" in metadata:
                return depth, dict(metadata)
    return 0, {}


def _allowed(kind: type, metadata: dict[str, Any]) -> str:
    allowed = metadata.get("allowed")
    if isinstance(allowed, Range):
        return str(allowed)
    if allowed is not None:
        return ", ".join(allowed)
    return {bool: "true, false", str: "text"}.get(kind, "any number")


def _checked(settings: Any, name: str, value: Any) -> Any:
    """`value`, as a float where the setting is one.

    Raises
    ------
    InputError
        If it is not what :func:`setting` allows.
    """
    _, metadata = _declaration(settings, name)
    default = next(f.default for f in dataclasses.fields(settings) if f.name == name)
    kind = type(default)
    allowed = metadata.get("allowed")
    numbers = kind in (int, float)
    fits = isinstance(value, (int, float) if kind is float else kind)
    if numbers and isinstance(value, bool):
        fits = False
    if fits and allowed is not None:
        fits = value in allowed
    elif fits and kind is float:
        fits = math.isfinite(value)
    if not fits:
        words = _allowed(kind, metadata)
        if isinstance(allowed, Range):
            words = f"in {words}" if "…" in words else words
            words = (
                f"an integer{' ' if words.startswith('in') else ', '}{words}" if kind is int else words
            )
            if numbers and not isinstance(value, str) and _UNTOLD <= allowed.most < value < math.inf:
                words += f", at most {allowed.most:g}"
        elif allowed is not None:
            words = f"one of {words}"
        elif kind is bool:
            words = "true or false"
        raise InputError(f"setting '{name}' must be {words}, not {brief(value)}")
    return float(value) if kind is float else value


def _parsed(text: str, kind: type) -> Any:
    """The value that `text` stands for, or `text` where it stands for none."""
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text
