"""What a model cannot be made of, refused at once and by name: modules of other libraries, synapses of other sizes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from lifline.errors import NetworkError
from lifline.network import INPUT

from .connection import Connection
from .neurons import Trainable


def check_populations(populations: Iterable[tuple[str, Any]]) -> list[int]:
    """The sizes of populations, (name, what was given); what is not ours is refused.

    Raises
    ------
    NetworkError
    """
    sizes = []
    for name, given in populations:
        if not isinstance(given, Trainable):
            raise NetworkError(
                f"population '{name}' must be a lifline.train.LIF, or another kind that learns, not {_named(given)}: "
                "give LIF(size, beta=…, threshold=…), or convert a trained module with lifline.convert"
            )
        sizes.append(given.size)
    return sizes


def checked_projections(projections: Iterable[Any]) -> list[tuple[str, str, Connection]]:
    """Projections, (source, target, synapses of ours); others are refused.

    Raises
    ------
    NetworkError
    """
    found = []
    for given in projections:
        if not isinstance(given, tuple | list) or len(given) != 3:
            raise NetworkError(f"a projection must be (source, target, synapses), not {_named(given)}")
        source, target, synapses = given
        if isinstance(synapses, Connection):
            found.append((source, target, synapses))
            continue
        instead = "Synapses(source size, target size)"
        if type(synapses).__name__ == "Linear":
            instead = f"Synapses({synapses.in_features}, {synapses.out_features})"
            if synapses.bias is not None:
                instead += ", and the bias to the population"
        elif type(synapses).__name__.startswith("Conv"):
            instead = "lifline.train.Conv2d"
        raise NetworkError(
            f"projection {source} -> {target} must have synapses of lifline.train, not {_named(synapses)}: "
            f"give {instead}, or convert a trained module with lifline.convert"
        )
    return found


def check_sizes(
    source: str,
    target: str,
    synapses: Connection,
    inputs: tuple[int, ...],
    populations: Mapping[str, Trainable],
) -> None:
    """Refuse synapses between other sizes or shapes than their source and target have; names are checked elsewhere.

    Raises
    ------
    NetworkError
    """
    shapes = [
        inputs if name == INPUT else getattr(populations.get(name), "shape", None)
        for name in (source, target)
    ]
    if None in shapes:
        return
    sizes = tuple(math.prod(shape) for shape in shapes if shape)
    if synapses.shape != sizes:
        raise NetworkError(
            f"projection {source} -> {target}: weights have the shape {synapses.shape}, must have "
            f"(source size, target size) = {sizes}"
        )
    for name, shape, wanted in zip((source, target), shapes, synapses.fits, strict=True):
        if wanted not in (None, shape):
            raise NetworkError(
                f"projection {source} -> {target}: '{name}' has the shape {shape}, its convolution is for {wanted}"
            )


def _named(given: Any) -> str:
    """Such as ``a snntorch.Leaky``."""
    kind = type(given)
    return (
        f"{given!r}"
        if kind.__module__ == "builtins"
        else f"a {kind.__module__.partition('.')[0]} {kind.__name__}"
    )
