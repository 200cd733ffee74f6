"""What a torch module does in a tick, found by running it: which module's output feeds which, and how late.

A module runs a few ticks on tensors that carry their *origin*.  Known modules (linear maps, pools, neurons) are
leaves; what is computed between them (adding, reshaping, scaling, collecting ticks) is followed; anything
else becomes an origin that is refused by name where the answer depends on it.  A neuron's n-th call is its tick
n: a signal from call m of one neuron to call n of another takes n − m ticks, so that hand-written recurrence
is found as well as a ``Sequential``.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .graph import (
    Affine,
    Cell,
    Conv,
    ConversionError,
    Edge,
    Elementwise,
    Flatten,
    Graph,
    Identity,
    Map,
    Output,
    Pool,
    Reshape,
    Source,
)

#: Ticks that a module is run for; recurrence shows in the second.
TICKS = 3

#: Samples; more than one, so that the axis cannot be mistaken.
BATCH = 2


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


Reader = Callable[[str, nn.Module], "Leaf | None"]


@dataclasses.dataclass
class Leaf:
    """A neuron module: its cell, and the maps by which its own spikes return one tick later."""

    cell: Cell
    before: Map | None = None  #: its input weights, where it has them
    recurrent: Map | None = None
    notes: tuple[str, ...] = ()


def trace(
    module: nn.Module,
    shape: tuple[int, ...],
    reader: Reader,
    producer: str,
    *,
    ticks: int | None = None,
    stateful: bool = False,
    sequences: bool = False,
) -> Graph:
    """The float graph of a module.

    Parameters
    ----------
    module : torch.nn.Module
        Is left as it is: a copy runs.
    shape : tuple of int
        Of one input in one tick, channels first.
    reader : callable
        The neurons of a module, or None.
    ticks : int, optional
        The module takes (ticks, samples, *shape) and steps itself; None: found out.
    stateful : bool
        The module takes a state and gives (output, state), as Norse's do.
    sequences : bool
        It is more likely to take ticks than one tick.
    """
    for part in module.modules():
        for name, buffer in part._buffers.items():
            if buffer is not None and buffer.grad_fn is not None:
                part._buffers[name] = buffer.detach()
    ways: list[int | None] = [None, TICKS] if ticks is None else [ticks]
    failed: list[Exception] = []
    for way in reversed(ways) if sequences else ways:
        runner = _Runner(copy.deepcopy(module).eval(), tuple(shape), reader, stateful)
        try:
            with torch.no_grad():
                answer = runner.run(way)
            return runner.graph(signals(answer), producer)
        except Exception as error:  # whatever a user's forward raises on another shape
            failed.append(error)
    refused = [error for error in failed if isinstance(error, ConversionError)]
    if refused:
        raise refused[0] from None
    why = (str(failed[0]).splitlines() or [type(failed[0]).__name__])[0]
    raise ConversionError(
        f"the module cannot be run on an input of the shape {(BATCH, *shape)}, nor with ticks before it: "
        f" {why}; give the shape of one sample in one tick, and ticks= if it steps itself"
    ) from None


class _Runner:
    """Runs a module and records its calls."""

    def __init__(
        self, module: nn.Module, shape: tuple[int, ...], reader: Reader, stateful: bool
    ) -> None:
        self.module, self.shape, self.stateful = module, shape, stateful
        self.leaves: dict[str, Leaf] = {}
        self.calls: dict[str, list[tuple[Origin, int]]] = {}  # by neuron: what fed it, and its lead
        self.dropped: dict[str, str] = {}
        self.note = ""
        self._waiting: list[Any] = []
        names = {m: name or type(module).__name__.lower() for name, m in module.named_modules()}
        inside: set[nn.Module] = set()
        for part, name in names.items():
            if part in inside:
                continue
            leaf = reader(name, part)
            if leaf is not None:
                self.leaves[name] = leaf
            elif not is_map(part):
                continue
            inside.update(m for m in part.modules() if m is not part)
            part.register_forward_pre_hook(self._before, with_kwargs=True)
            part.register_forward_hook(
                self._neuron(name) if leaf else self._map(name), with_kwargs=True
            )

    def run(self, ticks: int | None) -> Any:
        """Run a few ticks, one by one (None) or as the module steps itself; what it returned last."""
        if ticks is not None:
            values = torch.zeros(ticks, BATCH, *self.shape)
            given = signal(values, Origin("input", Source(self.shape)), 2)
            return self.module(given, None)[0] if self.stateful else self.module(given)
        state = answer = None
        for tick in range(TICKS):
            origin = Origin("input", Source(self.shape), tick=tick)
            given = signal(torch.zeros(BATCH, *self.shape), origin, 1)
            if self.stateful:
                answer, state = self.module(given, state)
            else:
                answer = self.module(given)
            if any(len(calls) > 1 for calls in self.calls.values()) and not tick:
                origin.tick = None
                self.note = (
                    "its input stays while it steps itself: give lifline the same values in each tick"
                )
                break
        return answer

    def _before(self, module: nn.Module, args: Any, kwargs: Any) -> Any:
        self._waiting.append((args, kwargs))
        return plain(args), plain(kwargs)

    def _map(self, name: str) -> Any:
        def hook(module: nn.Module, _: Any, __: Any, result: Tensor) -> Any:
            args, kwargs = self._waiting.pop()
            given = signals([args, kwargs])
            if not given:
                return result
            try:
                made = map_of(module, given[0].lead)
            except ConversionError as error:
                raise ConversionError(f"module '{name}' ({type(module).__name__}): {error}") from None
            if made is None:
                self.dropped[name] = f"{type(module).__name__}: does nothing once trained"
                return signal(result, given[0].origin, given[0].lead)
            return signal(result, Origin(name, made, (given[0].origin,)), given[0].lead)

        return hook

    def _neuron(self, name: str) -> Any:
        def hook(module: nn.Module, _: Any, __: Any, result: Any) -> Any:
            args, kwargs = self._waiting.pop()
            given = signals(args[:1])
            if not given:
                raise ConversionError(
                    f"module '{name}': what it gets does not come from the input, or was made anew from numbers"
                )
            calls = self.calls.setdefault(name, [])
            self._check_states(name, signals([args[1:], kwargs]), args[1:], len(calls))
            leaf = self.leaves[name]
            origin = Origin(name, leaf.cell, (), tick=len(calls))
            lead = given[0].lead
            calls.append((given[0].origin, lead))
            if isinstance(result, Tensor):
                return signal(result, origin, lead)
            return (signal(result[0], origin, lead), *self._states(origin, result[1:], lead))

        return hook

    def _states(self, origin: Origin, states: Any, lead: int) -> Any:
        kept = dataclasses.replace(origin, state=True)

        def wrap(value: Any) -> Any:
            if isinstance(value, Tensor):
                return signal(value, kept, lead)
            if isinstance(value, tuple) and hasattr(value, "_fields"):
                return type(value)(*map(wrap, value))
            return value

        return tuple(map(wrap, states))

    def _check_states(self, name: str, given: list[Signal], args: Any, call: int) -> None:
        for state in given:
            if state.origin.name != name or state.origin.tick != call - 1:
                raise ConversionError(
                    f"module '{name}': its state is computed between ticks (from '{state.origin.name}'), which the "
                    "contract's neurons do not know: hand on what the module returned"
                )
        if call and any(
            isinstance(a, Tensor) and not isinstance(a, Signal) and a.numel() for a in args
        ):
            raise ConversionError(
                f"module '{name}': its state is set anew at each tick: hand on what the module returned"
            )

    def graph(self, answer: list[Signal], producer: str) -> Graph:
        """The graph of the last tick, walked back from the answer."""
        graph = Graph(producer)
        if not self.calls:
            raise ConversionError("the module has no spiking neurons that lifline knows")
        builder = _Builder(graph, self)
        ends = [s.origin for s in answer if not s.origin.state] or [s.origin for s in answer]
        if not ends:
            raise ConversionError("the module's answer does not come from its input")
        output = builder.output(ends[0])
        graph.nodes["output"] = Output()
        graph.edges.append(Edge(output, "output"))
        if ends[0].state:
            graph.note(
                output,
                "its membranes are the answer; the contract's is its spikes, unless it never resets",
            )
        for name, why in self.dropped.items():
            graph.note(name, f"dropped: {why}")
        if self.note:
            graph.note("", self.note)
        return graph


class _Builder:
    """Nodes and edges from origins."""

    def __init__(self, graph: Graph, runner: _Runner) -> None:
        self.graph, self.runner = graph, runner
        self.made: dict[tuple[int, int], str] = {}

    def output(self, origin: Origin) -> str:
        """The node of the answer."""
        return self._node(origin, None)[0]

    def _node(self, origin: Origin, tick: int | None) -> tuple[str, int]:
        """The node's name, and the ticks that its signal is late for a neuron in its tick `tick`."""
        node = origin.node
        if isinstance(node, str):
            raise ConversionError(f"the module computes {node}")
        if isinstance(node, Source):
            self.graph.nodes.setdefault("input", node)
            return "input", 0 if origin.tick is None or tick is None else tick - origin.tick
        if isinstance(node, Cell):
            if origin.state and tick is not None:
                raise ConversionError(
                    f"module '{origin.name}': its membrane is sent on: lifline's populations send spikes"
                )
            self._neuron(origin.name)
            return origin.name, 0 if tick is None else tick - (origin.tick or 0)
        key = (id(origin), -1 if tick is None else tick)
        if key not in self.made:
            name, number = origin.name, 2
            while name in self.graph.nodes:
                name, number = f"{origin.name}_{number}", number + 1
            self.made[key] = name
            self.graph.nodes[name] = node
            for given in origin.inputs:
                source, late = self._node(given, tick)
                self.graph.edges.append(Edge(source, name, late))
        return self.made[key], 0

    def _neuron(self, name: str) -> None:
        if name in self.graph.nodes:
            return
        leaf, calls = self.runner.leaves[name], self.runner.calls[name]
        self.graph.nodes[name] = leaf.cell
        for note in leaf.notes:
            self.graph.note(name, note)
        fed, lead = calls[-1]
        source, late = self._node(fed, len(calls) - 1 if lead == 1 else None)
        target = name
        if leaf.before is not None:
            target = f"{name}.input_weights"
            self.graph.nodes[target] = leaf.before
            self.graph.edges.append(Edge(target, name))
        self.graph.edges.append(Edge(source, target, late))
        if leaf.recurrent is not None:
            back = f"{name}.recurrent"
            self.graph.nodes[back] = leaf.recurrent
            self.graph.edges += [Edge(name, back, 1), Edge(back, name)]


_NOTHING = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.Identity)
_MAPS = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.AvgPool1d, nn.AvgPool2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.Flatten,
    nn.Unflatten,
)  # fmt: skip
_NO = {
    nn.MaxPool1d: "max pooling is no sum of spikes: pool spikes by AvgPool, or by a stride",
    nn.MaxPool2d: "max pooling is no sum of spikes: pool spikes by AvgPool2d, or by a stride",
    nn.ReLU: "a ReLU between maps is not in the contract: leave it out, or put spiking neurons there",
    nn.LayerNorm: "LayerNorm depends on its input: use BatchNorm, which folds into weights",
    nn.GroupNorm: "GroupNorm depends on its input: use BatchNorm, which folds into weights",
}


def is_map(module: nn.Module) -> bool:
    """Whether a module is a leaf here."""
    return isinstance(module, (*_NOTHING, *_MAPS, *_NO))


def map_of(module: nn.Module, lead: int = 1) -> Map | None:
    """What a module of torch's is in the float graph, of tensors with so many leading axes; None: nothing."""
    for kind, why in _NO.items():
        if isinstance(module, kind):
            raise ConversionError(why)
    if isinstance(module, _NOTHING):
        return None
    if isinstance(module, nn.Linear):
        return Affine(real(module.weight), None if module.bias is None else real(module.bias))
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        return _conv(module)
    if isinstance(module, nn.AvgPool1d | nn.AvgPool2d):
        flat = isinstance(module, nn.AvgPool1d)
        divisor = getattr(module, "divisor_override", None)
        if module.ceil_mode or divisor or (not module.count_include_pad and np.any(module.padding)):
            raise ConversionError(
                "ceil_mode, divisor_override and count_include_pad=False are not in the contract"
            )
        size, stride = _pair(module.kernel_size, flat, 1), _pair(module.stride, flat, 1)
        return Pool(size, stride, _pair(module.padding, flat, 0), average=True)
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        if module.running_mean is None or module.running_var is None:
            raise ConversionError(
                "BatchNorm without running statistics depends on its batch: train it with them"
            )
        gain = 1 / np.sqrt(real(module.running_var) + module.eps)
        offset = -real(module.running_mean) * gain
        if module.affine:
            gain, offset = gain * real(module.weight), offset * real(module.weight) + real(module.bias)
        return Elementwise(gain, offset)
    if isinstance(module, nn.Flatten):
        if 0 <= module.start_dim < lead:
            raise ConversionError(
                f"Flatten from axis {module.start_dim} mixes samples: flatten from {lead}"
            )
        start = module.start_dim - lead if module.start_dim > 0 else module.start_dim
        end = module.end_dim - lead if module.end_dim > 0 else module.end_dim
        return Flatten(start, end)
    raise ConversionError(f"{type(module).__name__} is not known")


def _conv(module: Any) -> Conv:
    flat = isinstance(module, nn.Conv1d)
    weight = real(module.weight)
    weight = weight[:, :, None, :] if flat else weight
    if module.padding_mode != "zeros":
        raise ConversionError(f"padding_mode is '{module.padding_mode}', the contract pads with zeros")
    padding = module.padding
    dilation = _pair(module.dilation, flat, 1)
    if isinstance(padding, str):
        spans = [dilation[i] * (weight.shape[2 + i] - 1) for i in range(2)]
        if padding == "same" and any(span % 2 for span in spans):
            raise ConversionError(
                "padding='same' of an even kernel pads one side more: give an odd kernel"
            )
        padding = (spans[0] // 2, spans[1] // 2) if padding == "same" else (0, 0)
        flat_padding = (padding[0], padding[1])
    else:
        flat_padding = _pair(padding, flat, 0)
    bias = None if module.bias is None else real(module.bias)
    return Conv(weight, bias, _pair(module.stride, flat, 1), flat_padding, dilation, module.groups)


def _pair(value: Any, flat: bool, beside: int) -> tuple[int, int]:
    values = [int(v) for v in np.ravel(value)]
    if flat:
        return beside, values[0]
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])


def real(tensor: Any) -> np.ndarray:
    """A tensor's numbers, float64."""
    values = np.asarray(torch.as_tensor(tensor).detach().cpu().to(torch.float64).numpy())
    if not np.isfinite(values).all():
        raise ConversionError("holds a NaN or an infinity: training has diverged")
    return values
