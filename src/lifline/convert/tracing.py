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

import torch
from torch import Tensor, nn

from .graph import Cell, Edge, Graph, Output, Source
from .maps import ConversionError, Map
from .signals import Origin, Signal, plain, signal, signals
from .torch_maps import is_map, map_of

#: Ticks that a module is run for; recurrence shows in the second.
TICKS = 3

#: Samples; more than one, so that the axis cannot be mistaken.
BATCH = 2


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
