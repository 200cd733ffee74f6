"""Networks from NIR graphs, of version 1.0.8, in whichever producer's convention they were written.

NIR's equations are of continuous time, and its graphs do not say how their producer steps them.  With
`a` = dt / τ (``euler``) or 1 − e^(−dt / τ) (``exponential``), a tick of each neuron is ::

    LIF, LI          x = (1 − a) · v + a · (v_leak + r · I)
    CubaLIF, CubaLI  c = (1 − a_syn) · c + a_syn · w_in · I          x = (1 − a) · v + a · (v_leak + r · c)
    IF, I            x = v + r · I                                   (a tick is their unit of time, as for all producers)
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
from lifline.neurons import Reset

from . import nir_writer
from .conversion import Conversion, convert
from .floats import FloatNetwork
from .graph import (
    Affine,
    Cell,
    Conv,
    ConversionError,
    Delay,
    Edge,
    Elementwise,
    Flatten,
    Graph,
    Identity,
    Node,
    Output,
    Pool,
    Source,
    snapped,
)
from .report import NodeReport, Report

try:
    import nir
except ImportError as error:  # pragma: no cover - the extra is installed where tests run
    raise MissingExtra("nir", "convert") from error

ResetName = Literal["zero", "subtract", "none"]


@dataclasses.dataclass(frozen=True)
class Convention:
    """What a producer means by a NIR graph, where NIR itself does not say.

    Parameters
    ----------
    dt : float, optional
        Seconds a tick.
    decay : "euler" or "exponential"
    reset : "zero" (to v_reset, as NIR's equations), "subtract" (the threshold), "none"
    reset_delay : bool
        The reset comes one tick after the spike.
    comparison : ">" (NIR's) or ">="
    loop_delay : int, optional
        Ticks that a spike takes round a loop without a delay node; None: such loops are refused.
    clamp : bool
        Decays beyond 0 … 1 are clamped, as the producer does in its forward.
    """

    dt: float | None = None
    decay: str = "euler"
    reset: str = "zero"
    reset_delay: bool = False
    comparison: str = ">"
    loop_delay: int | None = None
    clamp: bool = False


#: By producer.  Of snnTorch what `Leaky` and `Synaptic` compute, not what its exporter says of their reset.
CONVENTIONS = {
    "nir": Convention(),
    "snntorch": Convention(dt=1e-4, reset="subtract", reset_delay=True, loop_delay=1, clamp=True),
    "norse": Convention(dt=1e-3, loop_delay=1),
    "sinabs": Convention(dt=1.0, decay="exponential", reset="subtract", comparison=">=", loop_delay=1),
    "rockpool": Convention(dt=1e-3, decay="exponential", reset="subtract", loop_delay=1),
    "spikingjelly": Convention(dt=1.0, reset="zero", comparison=">=", loop_delay=1),
}

_RESETS = {"zero": Reset.ZERO, "subtract": Reset.SUBTRACT, "none": Reset.NONE}
_SPIKING = (nir.IF, nir.LIF, nir.CubaLIF, nir.Threshold)
_ANALOG = (nir.I, nir.LI, nir.CubaLI)


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
    if nir_writer.is_ours(graph):
        return _restored(nir_writer.restored(graph))
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


def read(path: str | os.PathLike[str]) -> nir.NIRGraph:
    """Read a ``.nir`` file; its types are checked by :func:`to_graph`, not by nir.

    Raises
    ------
    ConversionError
        If there is no such file, or it holds no graph.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise ConversionError(f"{path}: there is no such file")
    try:
        graph = nir.read(path, type_check=False)
    except KeyboardInterrupt:
        raise
    except Exception as error:  # h5py and nir raise whatever they come upon
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConversionError(
            f"{path}: not a NIR graph that nir {nir.version} can read: {what}"
        ) from None
    if not isinstance(graph, nir.NIRGraph):
        raise ConversionError(f"{path}: holds a {type(graph).__name__}, not a graph")
    return graph


def _convention(producer: str, **given: Any) -> Convention:
    if producer not in CONVENTIONS:
        raise ConversionError(f"producer must be one of {', '.join(CONVENTIONS)}, not {producer!r}")
    convention = dataclasses.replace(
        CONVENTIONS[producer], **{name: value for name, value in given.items() if value is not None}
    )
    for field, allowed in (
        ("reset", tuple(_RESETS)), ("comparison", (">", ">=")), ("decay", ("euler", "exponential")),
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
        _check_numbers(name, node)
        try:
            made.nodes[name] = _node(node, convention, lambda text, name=name: made.note(name, text))
        except ConversionError as error:
            raise ConversionError(f"node '{name}' ({type(node).__name__}): {error}") from None
    made.edges = [Edge(*edge) for edge in edges]
    _add_ends(made)
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


def _check_numbers(name: str, node: Any) -> None:
    if isinstance(node, Identity):
        return
    for field, value in vars(node).items():
        if field in ("input_type", "output_type", "metadata", "nodes", "edges") or isinstance(
            value, str
        ):
            continue
        if value is None:
            continue
        try:
            array = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            raise ConversionError(
                f"node '{name}' ({type(node).__name__}): {field} is no number: {value!r}"
            ) from None
        allowed_infinite = field in ("tau", "tau_mem", "tau_syn", "r", "w_in")
        if np.isnan(array).any() or (np.isinf(array).any() and not allowed_infinite):
            raise ConversionError(
                f"node '{name}' ({type(node).__name__}): {field} holds a NaN or an infinity: mend the graph"
            )


def _node(node: Any, convention: Convention, note: Any) -> Node:
    """What a NIR node is in the float graph."""
    if isinstance(node, Identity):
        return node
    if isinstance(node, nir.Input):
        return Source(tuple(int(n) for n in np.ravel(node.input_type["input"])))
    if isinstance(node, nir.Output):
        return Output()
    if isinstance(node, nir.Affine | nir.Linear):
        weight = _real(node.weight)
        if weight.ndim != 2:
            raise ConversionError(f"its weight has the shape {weight.shape}, must have two axes")
        return Affine(weight, _real(node.bias).ravel() if isinstance(node, nir.Affine) else None)
    if isinstance(node, nir.Scale):
        return Elementwise(_real(node.scale))
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        return _conv(node)
    if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
        average = isinstance(node, nir.AvgPool2d)
        return Pool(_pair(node.kernel_size), _pair(node.stride), _pair(node.padding), average)
    if isinstance(node, nir.Flatten):
        return Flatten(int(node.start_dim), int(node.end_dim))
    if isinstance(node, nir.Delay):
        return _delay(node, convention)
    if isinstance(node, (*_SPIKING, *_ANALOG)):
        return _cell(node, convention, note)
    raise ConversionError(
        "is no node of NIR 1.0.8 that lifline knows; it knows Affine, Linear, Scale, Conv1d, Conv2d, SumPool2d, "
        "AvgPool2d, Flatten, Delay, Threshold, I, IF, LI, LIF, CubaLI, CubaLIF and subgraphs"
    )


def _real(values: Any) -> np.ndarray:
    return np.asarray(values, np.float64)


def _pair(value: Any) -> tuple[int, int]:
    flat = [int(v) for v in np.ravel(value)]
    return (flat[0], flat[0]) if len(flat) == 1 else (flat[0], flat[1])


def _conv(node: Any) -> Conv:
    weight = _real(node.weight)
    one_dimensional = isinstance(node, nir.Conv1d)
    if one_dimensional:
        weight = weight[:, :, None, :]

    def pair(value: Any, beside: int) -> tuple[int, int]:
        return (beside, int(np.ravel(value)[0])) if one_dimensional else _pair(value)

    stride, dilation = pair(node.stride, 1), pair(node.dilation, 1)
    if isinstance(node.padding, str):
        padding = (0, 0)
        if node.padding == "same":
            if stride != (1, 1):
                raise ConversionError("padding='same' needs a stride of 1: give the padding in numbers")
            spans = [dilation[i] * (weight.shape[2 + i] - 1) for i in range(2)]
            if any(span % 2 for span in spans):
                raise ConversionError(
                    "padding='same' of an even kernel pads one side more than the other: give an odd kernel"
                )
            padding = (spans[0] // 2, spans[1] // 2)
    else:
        padding = pair(node.padding, 0)
    bias = None if node.bias is None else _real(node.bias).ravel()
    return Conv(weight, bias, stride, padding, dilation, int(node.groups))


def _delay(node: Any, convention: Convention) -> Delay:
    seconds = _real(node.delay)
    if convention.dt is None:
        raise ConversionError("its delay is in seconds: give dt, the seconds of a tick")
    ticks = seconds / convention.dt
    if (ticks < 0).any() or (np.abs(ticks - np.rint(ticks)) > 1e-3).any():
        raise ConversionError(
            f"its delay of {seconds.ravel()[np.argmax(np.abs(ticks - np.rint(ticks)).ravel())]:g} s is no multiple "
            f"of dt = {convention.dt:g} s: give another dt, or round the delays"
        )
    return Delay(np.rint(ticks))


def _step(node: Any, field: str, convention: Convention) -> tuple[np.ndarray, np.ndarray]:
    """The decay of a tick, and a: what a time constant does."""
    tau = _real(getattr(node, field))
    if convention.dt is None:
        raise ConversionError(
            f"its {field} of {tau.ravel()[0]:g} s needs dt, the seconds of a tick: give dt, or producer="
        )
    if convention.decay == "exponential":
        if (tau <= 0).any():
            raise ConversionError(f"its {field} is {tau.min():g} s, must be above 0")
        decay = np.exp(-convention.dt / tau)
        return decay, 1 - decay
    with np.errstate(divide="ignore"):
        step = np.where(np.isinf(tau), 0.0, convention.dt / tau)
    if convention.clamp:
        step = np.where(step < 0, 0.0, step)
    decay = snapped(1 - step)
    if ((decay < 0) | (decay > 1)).any():
        raise ConversionError(
            f"its {field} of {tau.ravel()[np.argmax(step)]:g} s is shorter than dt = {convention.dt:g} s, so that a "
            "tick would keep less than nothing: give a shorter dt"
        )
    return decay, 1 - decay


def _gain(a: np.ndarray, factor: Any, tau: Any, convention: Convention) -> np.ndarray:
    """a · factor; where both the factor and τ are without end (a producer's decay of 1), their quotient, 1."""
    factor = _real(factor)
    clamped = convention.clamp & (_real(tau) < 0) & (factor < 0)
    endless = (np.isinf(factor) & np.isinf(_real(tau))) | clamped
    return snapped(np.where(endless, 1.0, a * np.where(endless, 0.0, factor)))


def _cell(node: Any, convention: Convention, note: Any) -> Cell:
    kind = type(node).__name__
    analog = isinstance(node, _ANALOG)
    reset = Reset.NONE if analog else _RESETS[convention.reset]
    common: dict[str, Any] = {
        "kind": kind,
        "analog": analog,
        "reset": reset,
        "reset_delay": convention.reset_delay and reset is not Reset.NONE,
        "strict": convention.comparison == ">",
    }
    if isinstance(node, nir.Threshold):
        common |= {"reset": Reset.ZERO, "reset_delay": False}
        note("keeps nothing from tick to tick: a neuron with beta = 0")
        return Cell(beta=0.0, threshold=_real(node.threshold), **common)
    if not analog:
        common["threshold"] = _real(node.v_threshold)
        if reset is Reset.ZERO:
            common["v_reset"] = _real(node.v_reset)
            if _real(node.v_reset).any():
                note("its membrane starts at v_reset, where NIR does not say")
    else:
        note("does not spike: a readout, which answers by its membrane")
    if isinstance(node, nir.I | nir.IF):
        return Cell(beta=1.0, gain=_real(node.r), **common)
    cuba = isinstance(node, nir.CubaLI | nir.CubaLIF)
    field = "tau_mem" if cuba else "tau"
    decay, a = _step(node, field, convention)
    common |= {"beta": decay, "gain": _gain(a, node.r, getattr(node, field), convention)}
    common["drive"] = a * _real(node.v_leak)
    if convention.clamp and (_real(getattr(node, field)) < 0).any():
        note("its beta was above 1, which the producer clamps in its forward: clamped to 1")
    if cuba:
        syn, a_syn = _step(node, "tau_syn", convention)
        common |= {"alpha": syn, "gain_in": _gain(a_syn, node.w_in, node.tau_syn, convention)}
    return Cell(**common)


def _add_ends(graph: Graph) -> None:
    """Inputs and outputs where a graph has none, as nir itself adds them."""
    if not any(isinstance(node, Source) for node in graph.nodes.values()):
        raise ConversionError("the graph has no Input node: add one, with the shape of the input")
    if not any(isinstance(node, Output) for node in graph.nodes.values()):
        ends = [name for name in graph.nodes if not graph.targets(name)]
        for name in ends:
            graph.nodes[f"output_{name}"] = Output()
            graph.edges.append(Edge(name, f"output_{name}"))


def _break_loops(graph: Graph, convention: Convention) -> None:
    """Give the loops that no delay node holds the producer's delay, where spikes leave their neuron."""
    for name in [n for n, node in graph.nodes.items() if isinstance(node, Cell)]:
        for edge in graph.targets(name):
            ends = _undelayed(graph, edge)
            if name not in ends:
                continue
            if len(ends) > 1:
                raise ConversionError(
                    f"node '{name}' is in a loop without delay that reaches {', '.join(map(repr, sorted(ends - {name})))}, "
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
