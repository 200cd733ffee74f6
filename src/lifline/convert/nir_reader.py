"""Networks from NIR graphs, of version 1.0.8, in whichever producer's convention they were written.

NIR's equations are of continuous time, and its graphs do not say how their producer steps them.  With
`a` = dt / τ (``euler``) or 1 − e^(−dt / τ) (``exponential``), a tick of each neuron is ::

    LIF, LI          x = (1 − a) · v + a · (v_leak + r · I)
    CubaLIF, CubaLI  c = (1 − a_syn) · c + a_syn · w_in · I          x = (1 − a) · v + a · (v_leak + r · c)
    IF, I            x = v + r · I                                   (a tick is their unit of time)
    Threshold        x = I
"""

from __future__ import annotations

import dataclasses
import math
import os
from typing import Any, Literal

import numpy as np

from lifline.errors import InputError, MissingExtra
from lifline.network import Network

from .conversion import Conversion, convert
from .floats import FloatNetwork
from .graph import Cell, Edge, Graph, Output, Source
from .maps import Affine, ConversionError, Delay, Identity
from .nir_file import read
from .nir_nodes import CONVENTIONS, RESETS, Convention, check_numbers, node_of
from .nir_restorer import restored
from .nir_writer import is_ours
from .report import NodeReport, Report

try:
    import nir
except ImportError as error:  # pragma: no cover - the extra is installed where tests run
    raise MissingExtra("nir", "convert") from error

ResetName = Literal["zero", "subtract", "none"]


def from_nir(
    graph: nir.NIRGraph | str | os.PathLike[str],
    *,
    dt: float | None = None,
    reset: ResetName | None = None,
    comparison: str | None = None,
    decay: str | None = None,
    reset_delay: bool | None = None,
    loop_delay: int | None = None,
    producer: str = "nir",
    **options: Any,
) -> Conversion:
    """Convert a NIR graph, or a file of one.

    Parameters
    ----------
    graph : nir.NIRGraph or path
    dt : float
        Seconds a tick; needed where the graph has time constants or delays.
    reset : "zero", "subtract" or "none"
        "zero" is NIR's own: to v_reset.  NIR cannot say that a producer subtracts.
    comparison : ">" or ">="
    decay : "euler" or "exponential"
    reset_delay : bool
        Whether the reset comes one tick after the spike, as in snnTorch.
    loop_delay : int
        Ticks that a loop without a delay node takes.
    producer : "nir", "snntorch", "norse", "sinabs", "rockpool" or "spikingjelly"
        Fills in what is not given: see :data:`CONVENTIONS`.
    **options
        Of :func:`lifline.convert.convert`: `scale`, `weight_bits`, `calibrate`, `labels`, `output`, ….

    Returns
    -------
    Conversion
        Of a graph that :func:`to_nir` wrote, the network it was made of, and nothing here is asked for.

    Raises
    ------
    ConversionError
        If the graph is damaged, or has what the contract cannot hold; it names the node and the remedy.
    """
    convention = _convention(
        producer, dt=dt, reset=reset, comparison=comparison, decay=decay, reset_delay=reset_delay,
        loop_delay=loop_delay,
    )  # fmt: skip
    if not isinstance(graph, nir.NIRGraph):
        path = os.fspath(graph)
        try:
            graph = read(path)
            return from_nir(
                graph, dt=dt, reset=reset, comparison=comparison, decay=decay, reset_delay=reset_delay,
                loop_delay=loop_delay, producer=producer, **options,
            )  # fmt: skip
        except InputError as error:
            raise ConversionError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
    if is_ours(graph):
        return _restored(restored(graph))
    return convert(to_graph(graph, convention, producer), **options)


def _restored(network: Network) -> Conversion:
    """The conversion of a graph that was a lifline network: every number is its own."""
    nodes = [
        NodeReport(p.name, type(p.neuron).__name__, f"population '{p.name}', as it was", [])
        for p in network.populations
    ]
    shape = tuple(network.input_shape)
    floats = FloatNetwork(shape, shape, [], [], network.output)
    report = Report(
        "a lifline network, by NIR", network.name, nodes, [], {}, 0.0,
        f"{network.inputs} inputs, as lifline had numbered them", network.input_bits,
    )  # fmt: skip
    return Conversion(network, report, floats)


def _convention(producer: str, **given: Any) -> Convention:
    if producer not in CONVENTIONS:
        raise ConversionError(f"producer must be one of {', '.join(CONVENTIONS)}, not {producer!r}")
    convention = dataclasses.replace(
        CONVENTIONS[producer], **{name: value for name, value in given.items() if value is not None}
    )
    for field, allowed in (
        ("reset", tuple(RESETS)), ("comparison", (">", ">=")), ("decay", ("euler", "exponential")),
    ):  # fmt: skip
        if getattr(convention, field) not in allowed:
            choices = ", ".join(map(repr, allowed))
            raise ConversionError(f"{field} must be {choices}, not {getattr(convention, field)!r}")
    if convention.dt is not None and not 0 < convention.dt < math.inf:
        raise ConversionError(f"dt must be a number of seconds above 0, not {convention.dt!r}")
    return convention


def to_graph(graph: nir.NIRGraph, convention: Convention, producer: str = "nir") -> Graph:
    """The float graph of a NIR graph."""
    made = Graph(f"NIR ({producer})" if producer != "nir" else "NIR")
    nodes, edges = _flat(graph)
    for name, node in nodes.items():
        check_numbers(name, node)
        try:
            with np.errstate(all="ignore"):  # what is then infinite is refused
                made.nodes[name] = node_of(
                    node, convention, lambda text, name=name: made.note(name, text)
                )
        except ConversionError as error:
            raise ConversionError(f"node '{name}' ({type(node).__name__}): {error}") from None
    made.edges = [Edge(*edge) for edge in edges]
    _add_ends(made)
    _drop_axes(made)
    _break_loops(made, convention)
    if convention.comparison == ">=":
        made.note(
            "", "spikes at x ≥ threshold: integer thresholds are one lower than they would be for >"
        )
    if convention.reset == "subtract":
        made.note(
            "",
            "a spike takes the threshold off its membrane; NIR's v_reset says otherwise, and is not read",
        )
    return made


def _flat(graph: nir.NIRGraph, prefix: str = "") -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Nodes and edges with subgraphs written out, their nodes called SUBGRAPH.NODE."""
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str]] = []
    entry: dict[str, str] = {}
    leave: dict[str, str] = {}
    for name, node in graph.nodes.items():
        whole = f"{prefix}{name}"
        if not isinstance(node, nir.NIRGraph):
            nodes[whole] = node
            continue
        inner, wires = _flat(node, f"{whole}.")
        for ends, kind in ((entry, nir.Input), (leave, nir.Output)):
            found = [n for n in node.nodes if isinstance(node.nodes[n], kind)]
            if len(found) != 1:
                raise ConversionError(
                    f"subgraph '{whole}' has {len(found)} {kind.__name__} nodes, must have one"
                )
            ends[whole] = f"{whole}.{found[0]}"
            inner[ends[whole]] = Identity()
        nodes |= inner
        edges += wires
    known = {*nodes, *entry}
    for source, target in graph.edges:
        for end in (source, target):
            if f"{prefix}{end}" not in known:
                raise ConversionError(
                    f"edge ('{source}', '{target}'): there is no node '{end}'; the graph has "
                    f"{', '.join(map(repr, graph.nodes))}"
                )
        one, two = f"{prefix}{source}", f"{prefix}{target}"
        edges.append((leave.get(one, one), entry.get(two, two)))
    return nodes, list(dict.fromkeys(edges))


def _add_ends(graph: Graph) -> None:
    """Inputs and outputs where a graph has none, as nir itself adds them."""
    if not any(isinstance(node, Source) for node in graph.nodes.values()):
        raise ConversionError("the graph has no Input node: add one, with the shape of the input")
    if not any(isinstance(node, Output) for node in graph.nodes.values()):
        ends = [name for name in graph.nodes if not graph.targets(name)]
        for name in ends:
            graph.nodes[f"output_{name}"] = Output()
            graph.edges.append(Edge(name, f"output_{name}"))


def _drop_axes(graph: Graph) -> None:
    """Take the axes of samples and ticks, of length 1, off an input that a matrix takes: Rockpool writes them."""
    for name, node in graph.nodes.items():
        if not isinstance(node, Source) or len(node.shape) == 1 or math.prod(node.shape[:-1]) != 1:
            continue
        readers = [graph.nodes[edge.target] for edge in graph.targets(name)]
        if all(isinstance(r, Affine) and r.weight.shape[1] == node.shape[-1] for r in readers):
            graph.note(
                name, f"its shape {node.shape} has axes of samples and ticks, which are left out"
            )
            node.shape = node.shape[-1:]


def _break_loops(graph: Graph, convention: Convention) -> None:
    """Give the loops that no delay node holds the producer's delay, where spikes leave their neuron."""
    for name in [n for n, node in graph.nodes.items() if isinstance(node, Cell)]:
        for edge in graph.targets(name):
            ends = _undelayed(graph, edge)
            if name not in ends:
                continue
            if len(ends) > 1:
                raise ConversionError(
                    f"node '{name}' is in a loop without delay that reaches {', '.join(sorted(ends - {name}))}, "
                    "too, and which of its spikes come late is not said: add a Delay node"
                )
            if convention.loop_delay is None:
                raise ConversionError(
                    f"node '{name}' is in a loop without delay (by '{edge.target}'), and NIR does not say how its "
                    "producer steps it: give loop_delay=1 (as snnTorch and Norse do), or add a Delay node"
                )
            index = graph.edges.index(edge)
            graph.edges[index] = Edge(edge.source, edge.target, edge.ticks + convention.loop_delay)
            graph.note(
                name, f"its spikes come back by '{edge.target}' after {convention.loop_delay} tick"
            )


def _undelayed(graph: Graph, start: Edge) -> set[str]:
    """The neurons that an edge leads to by ways without delay; behind others than its own if those lead back."""
    found: set[str] = set()
    waiting, seen = [start], {start}
    while waiting:
        edge = waiting.pop()
        node = graph.nodes[edge.target]
        delayed = isinstance(node, Delay) and bool((node.ticks >= 1).all())
        if edge.ticks or delayed:
            continue
        if isinstance(node, Cell):
            found.add(edge.target)
            if edge.target == start.source or not _leads(graph, edge.target, start.source):
                continue
        new = [e for e in graph.targets(edge.target) if e not in seen]
        seen.update(new)
        waiting += new
    return found


def _leads(graph: Graph, source: str, target: str) -> bool:
    """Whether there is a way without delay."""
    waiting, seen = [source], {source}
    while waiting:
        for edge in graph.targets(waiting.pop()):
            node = graph.nodes[edge.target]
            if edge.ticks or (isinstance(node, Delay) and bool((node.ticks >= 1).all())):
                continue
            if edge.target == target:
                return True
            if edge.target not in seen:
                seen.add(edge.target)
                waiting.append(edge.target)
    return False
