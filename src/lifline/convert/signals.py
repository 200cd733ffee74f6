"""Tensors that know where they come from, through whatever torch computes with them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .maps import Elementwise, Identity, Reshape


@dataclasses.dataclass(eq=False)
class Origin:
    """Where a signal comes from: a node, and what feeds it."""

    name: str
    node: Any  #: Source, Map, Cell, or a str: why it cannot be converted
    inputs: tuple[Origin, ...] = ()
    tick: int | None = None  #: of a neuron's or the input's
    state: bool = False  #: a neuron's membrane or current


class Signal(Tensor):
    """A tensor with an origin; `lead` axes (1: samples, 2: ticks and samples) come before the producer's shape."""

    origin: Origin
    lead: int

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*plain(args), **plain(kwargs))
        if isinstance(result, Tensor) and result.is_floating_point():
            return follow(func.__name__, result, args, kwargs)
        return result


def plain(value: Any) -> Any:
    """`value` with ordinary tensors for signals."""
    if isinstance(value, Signal):
        return value.as_subclass(Tensor)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(plain, value))
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value))
    return value


def signal(tensor: Tensor, origin: Origin, lead: int) -> Signal:
    """`tensor` with an origin."""
    made = tensor.as_subclass(Signal)
    made.origin, made.lead = origin, lead
    return made


def signals(value: Any) -> list[Signal]:
    """The signals in arguments or results, in their order."""
    if isinstance(value, Signal):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [s for v in value for s in signals(v)] if isinstance(value, list | tuple) else []


_SAME = {
    "detach",
    "clone",
    "contiguous",
    "to",
    "float",
    "double",
    "requires_grad_",
    "type_as",
    "cpu",
    "type",
}
_ORDERED = {"flatten", "view", "reshape", "squeeze", "unsqueeze", "unflatten"}
_ADDS = {"add", "__add__", "__radd__", "add_", "__iadd__"}
_SUBTRACTS = {"sub", "__sub__", "sub_", "__isub__", "__rsub__", "rsub"}
_MULTIPLIES = {"mul", "__mul__", "__rmul__", "mul_", "__imul__", "multiply"}
_DIVIDES = {"div", "__truediv__", "true_divide", "div_"}
_NEW = {"zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "new_zeros"}


def follow(name: str, result: Tensor, args: Any, kwargs: Any) -> Tensor:
    """The result of a torch function, with its origin."""
    given = signals([args, kwargs])
    first = given[0]
    lead = first.lead
    name = {"__get__": "view"}.get(name, name)  # a property, such as .T, is refused below by its shape
    if name in _NEW:
        return result
    if name in _SAME:
        return signal(result, first.origin, lead)
    if name == "__getitem__" and lead == 2 and isinstance(args[1], int):
        tick = args[1] % first.shape[0]
        origin = (
            dataclasses.replace(first.origin, tick=tick) if first.origin.tick is None else first.origin
        )
        return signal(result, origin, 1)
    if name in ("stack", "cat") and all(s.lead == 1 for s in given) and result.ndim > first.ndim:
        if len({s.origin.name for s in given}) == 1:  # its ticks
            return signal(result, given[-1].origin, 2)
        return signal(result, Origin("add", Identity(), tuple(s.origin for s in given)), 2)
    if name in ("sum", "mean") and lead == 2 and result.shape == first.shape[1:]:
        return signal(result, first.origin, 1)
    made = _map_of(name, result, args, given, kwargs)
    return signal(result, made, lead)


def _map_of(name: str, result: Tensor, args: Any, given: list[Signal], kwargs: Any) -> Origin:
    first = given[0]
    kept = result.shape[: first.lead] == first.shape[: first.lead]
    shape = tuple(result.shape[first.lead :])
    if name in _ORDERED and kept:
        if shape == tuple(first.shape[first.lead :]):
            return first.origin
        return Origin("reshape", Reshape(shape), (first.origin,))
    if len(given) == 2 and result.shape == given[1].shape == first.shape:
        if name in _ADDS and not kwargs:
            return Origin("add", Identity(), (first.origin, given[1].origin))
        if name in _SUBTRACTS and not kwargs:
            minus = Origin("minus", Elementwise(np.array(-1.0)), (given[1].origin,))
            return Origin("add", Identity(), (first.origin, minus))
    if len(given) == 1 and len(args) == 2 and not kwargs and result.shape == first.shape:
        scaled = _by_constant(name, args, first, shape)
        if scaled is not None:
            return Origin(name.strip("_"), scaled, (first.origin,))
    if name == "neg":
        return Origin("minus", Elementwise(np.array(-1.0)), (first.origin,))
    if "max_pool" in name:
        why = "max pooling, which is no sum of spikes: pool spikes by AvgPool2d, or by a stride"
    else:
        why = f"'{name}', which is no affine map: use Linear, Conv, AvgPool2d, BatchNorm, adding or scaling"
    return Origin(name, why, tuple(s.origin for s in given))


def _by_constant(name: str, args: Any, of: Signal, shape: tuple[int, ...]) -> Elementwise | None:
    """The map that adds, or multiplies by, a constant."""
    left = isinstance(args[0], Signal)
    value = args[1] if left else args[0]
    constant = torch.as_tensor(value).detach().to(torch.float64)
    if constant.ndim >= of.ndim and constant.shape[: of.lead] != (1,) * of.lead:
        return None
    array = np.broadcast_to(
        constant.reshape(constant.shape[max(0, constant.ndim - len(shape)) :]).numpy(), shape
    )
    reverse = name.startswith("__r") or name == "rsub" or not left
    one = np.ones(())
    if name in _ADDS:
        return Elementwise(one, array)
    if name in _SUBTRACTS:
        return Elementwise(-one, array) if reverse else Elementwise(one, -array)
    if name in _MULTIPLIES:
        return Elementwise(array)
    if name in _DIVIDES and not reverse:
        return Elementwise(1 / array)
    return None
