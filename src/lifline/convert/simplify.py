"""From the producer's graph to the float network: maps are folded, membranes start and reset at 0."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
from scipy import sparse

from lifline.network import INPUT
from lifline.neurons import Reset
from lifline.synapses import MAX_DELAY

from .floats import FloatNetwork, FloatNeuron, FloatPopulation, FloatProjection, channels_last
from .folding import folded, matrix_of
from .graph import Cell, Edge, Graph, Output, Source
from .maps import Affine, Conv, ConversionError, Delay, Elementwise, Map, Pool, Shape

#: A matrix of which less than this is not 0 becomes a list of synapses.
SPARSE_BELOW = 0.25

#: A matrix with more entries than this is never made dense.
MOST_DENSE = 1 << 24


@dataclasses.dataclass
class _Path:
    """The maps from a neuron (or the input) to a neuron, in the order of the signal."""

    source: str
    maps: tuple[str, ...]
    edges: tuple[int, ...]  #: the ticks of each edge, from the source's to the neuron's

    @property
    def ticks(self) -> int:
        """Of all edges."""
        return sum(self.edges)


def simplify(graph: Graph, output: str | None = None) -> tuple[FloatNetwork, dict[str, str]]:
    """Fold every map into weights and biases.

    Parameters
    ----------
    graph : Graph
    output : str, optional
        The neuron node whose population is the network's answer, where the graph has several.

    Returns
    -------
    FloatNetwork
    dict of str to str
        The population's name of each neuron node, ``"input"`` of the source's.

    Raises
    ------
    ConversionError
        If the contract cannot hold the graph exactly.
    """
    graph = _with_readouts(graph)
    shapes = graph.shapes()
    sources = [name for name, node in graph.nodes.items() if isinstance(node, Source)]
    if len(sources) != 1:
        raise ConversionError(
            f"the graph has {len(sources)} inputs ({', '.join(sorted(sources))}): lifline networks have one; "
            "concatenate them"
        )
    names = _names([name for name, node in graph.nodes.items() if isinstance(node, Cell)])
    names[sources[0]] = INPUT
    answer = _answer(graph, names, output)
    populations, projections = [], []
    for name, node in graph.nodes.items():
        if isinstance(node, Cell):
            population, incoming = _population(graph, name, node, shapes, names)
            populations.append(population)
            projections += incoming
    source = graph.nodes[sources[0]]
    assert isinstance(source, Source)
    inputs, _ = channels_last(source.shape)
    network = FloatNetwork(inputs, source.shape, populations, projections, names[answer])
    order = [name for group in network.groups() for name in group]
    populations.sort(key=lambda population: order.index(population.name))
    projections.sort(key=lambda projection: order.index(projection.target))
    return network, names


def _with_readouts(graph: Graph) -> Graph:
    """The graph with a neuron that keeps nothing behind each map that ends in an output."""
    nodes, edges = dict(graph.nodes), list(graph.edges)
    for name in [n for n, node in graph.nodes.items() if isinstance(node, Output)]:
        ends = [e.source for e in graph.sources(name)]
        if not ends or isinstance(graph.nodes[ends[0]], Cell):
            continue
        if any(isinstance(graph.nodes[end], Source) for end in ends):
            raise ConversionError("the graph has no neurons between its input and its output")
        path: list[str] = list(ends)
        found: set[str] = set()
        while path:  # only reshapes behind neurons: no readout is needed
            current = path.pop()
            if isinstance(graph.nodes[current], Cell):
                continue
            found.add(current)
            path += [e.source for e in graph.sources(current) if e.source not in found]
        if all(_keeps_values(graph.nodes[n]) for n in found):
            continue
        readout = f"{name}_readout"
        nodes[readout] = Cell("readout", beta=0.0, reset=Reset.NONE, analog=True)
        edges = [e for e in edges if e.target != name]
        edges += [Edge(end, readout) for end in ends] + [Edge(readout, name)]
        graph.note(readout, "added: its membrane is the sum that leaves the last map in each tick")
    return dataclasses.replace(graph, nodes=nodes, edges=edges)


def _keeps_values(node: Any) -> bool:
    return isinstance(node, Map) and not isinstance(node, Affine | Conv | Pool | Elementwise | Delay)


def _names(nodes: list[str]) -> dict[str, str]:
    """Names that the contract allows, for the graph's."""
    names: dict[str, str] = {}
    for node in nodes:
        name = re.sub(r"[^A-Za-z0-9_]", "_", node)[:90]
        if not re.match(r"[A-Za-z]", name):
            name = f"n{name}"
        if name == INPUT:
            name = "input_neurons"
        taken, number = name, 2
        while taken in names.values():
            taken, number = f"{name}_{number}", number + 1
        names[node] = taken
    return names


def _answer(graph: Graph, names: dict[str, str], output: str | None) -> str:
    """The neuron node whose spikes or membranes leave the graph."""
    if output is not None:
        found = [n for n, name in names.items() if output in (n, name) and name != INPUT]
        if not found:
            known = ", ".join(f"'{name}'" for name in names.values() if name != INPUT)
            raise ConversionError(
                f"output '{output}' is no neuron node of the graph, which has {known}"
            )
        return found[0]
    ends: list[str] = []
    waiting = [n for n, node in graph.nodes.items() if isinstance(node, Output)]
    seen: set[str] = set()
    while waiting:
        for edge in graph.sources(waiting.pop()):
            if edge.source in seen:
                continue
            seen.add(edge.source)
            if isinstance(graph.nodes[edge.source], Cell):
                ends.append(edge.source)
            elif not isinstance(graph.nodes[edge.source], Source):
                waiting.append(edge.source)
    if not ends:
        raise ConversionError("no neurons lead to an output: a lifline network answers by neurons")
    if len(ends) > 1:
        raise ConversionError(
            f"the graph answers by {', '.join(map(repr, sorted(ends)))}: choose one with output=NAME"
        )
    return ends[0]


def _population(
    graph: Graph, name: str, cell: Cell, shapes: dict[str, Shape], names: dict[str, str]
) -> tuple[FloatPopulation, list[FloatProjection]]:
    shape, order = channels_last(shapes[name])
    neuron, gain, shift = _neuron(name, cell, shapes[name], order)
    projections = []
    for path in _paths(graph, name):
        bias = _constant(graph, path, shapes, cell.delay)
        ticks = path.ticks + cell.delay
        if bias is not None:
            neuron.bias = neuron.bias + bias[order] * gain
        projection = _projection(graph, path, shapes, name, ticks)
        projection.source, projection.target = names[path.source], names[name]
        if abs(projection.weights).max():
            projections.append(projection.scaled(gain))
        else:
            graph.note(name, f"all weights from '{path.source}' are 0: no synapses")
    return FloatPopulation(names[name], shape, neuron, shift), projections


def _neuron(
    name: str, cell: Cell, shape: Shape, order: np.ndarray
) -> tuple[FloatNeuron, np.ndarray, np.ndarray]:
    """The neuron whose membrane is the producer's minus a shift; its gain for all that arrives; the shift."""

    def spread(values: Any) -> np.ndarray:
        try:
            spreader = Elementwise(np.asarray(values, np.float64))
            return spreader.spread(spreader.scale, shape)[order]
        except ConversionError as error:
            raise ConversionError(f"node '{name}' ({cell.kind}): a parameter {error}") from None

    beta, gain = spread(cell.beta), spread(cell.gain) * spread(cell.gain_in)
    alpha = None if cell.alpha is None else spread(cell.alpha)
    for what, decay in (("membrane", beta), ("current", alpha)):
        if decay is not None and not ((decay >= 0) & (decay <= 1)).all():
            raise ConversionError(
                f"node '{name}' ({cell.kind}): keeps {decay.min():.6g} … {decay.max():.6g} of its {what} each tick, "
                "must be 0 … 1: its time constant is shorter than dt, so give a shorter dt"
            )
    drive, v_reset = spread(cell.drive), spread(cell.v_reset)
    rest = np.divide(
        drive, 1 - beta, out=np.zeros_like(drive), where=beta < 1
    )  # drive = (1 − β) · rest
    if cell.reset is Reset.ZERO:
        shift = v_reset
        start = None if cell.initial is None else spread(cell.initial)
        if start is not None and (start != v_reset).any():
            raise ConversionError(
                f"node '{name}' ({cell.kind}): its membrane starts at {start[0]:g} but resets to {v_reset[0]:g}; the "
                "contract's starts at what it resets to: make v_leak and v_reset equal"
            )
    else:
        shift = rest if cell.initial is None else spread(cell.initial)
    bias = drive - (1 - beta) * shift
    if alpha is not None and np.abs(bias).max(initial=0) > 1e-12 * max(1.0, np.abs(rest).max()):
        raise ConversionError(
            f"node '{name}' ({cell.kind}): a constant drive of the membrane behind a synaptic current is not in the "
            "contract: make v_leak equal to v_reset"
        )
    bias = np.zeros_like(bias) if alpha is not None else bias
    threshold = spread(cell.threshold) - shift
    if not cell.analog and (threshold < 0).any():
        raise ConversionError(
            f"node '{name}' ({cell.kind}): its threshold lies {-threshold.min():g} below its resting membrane; the "
            "contract's is 0 or more: raise v_threshold"
        )
    if cell.reset is Reset.SUBTRACT and (threshold != spread(cell.threshold)).any():
        raise ConversionError(
            f"node '{name}' ({cell.kind}): subtracts its threshold from a membrane that rests at {shift[0]:g}; the "
            "contract's rests at 0: make v_leak 0"
        )
    adaptation = None
    if cell.adaptation is not None:
        adaptation = (spread(cell.adaptation[0]), spread(cell.adaptation[1]))
    neuron = FloatNeuron(
        beta, threshold, bias, cell.reset, cell.reset_delay, cell.strict, cell.analog, alpha, adaptation
    )
    return neuron, gain, shift


def _paths(graph: Graph, name: str) -> list[_Path]:
    """All paths of maps that end at a neuron."""
    paths: list[_Path] = []

    def back(node: str, maps: tuple[str, ...], ticks: tuple[int, ...]) -> None:
        for edge in graph.sources(node):
            source = graph.nodes[edge.source]
            if isinstance(source, Map):
                if edge.source in maps:
                    raise ConversionError(f"node '{edge.source}' is in a loop that holds no neuron")
                back(edge.source, (edge.source, *maps), (edge.ticks, *ticks))
                continue
            if isinstance(source, Cell) and source.analog:
                raise ConversionError(
                    f"node '{edge.source}' ({source.kind}) sends its membrane on to '{name}': lifline's populations "
                    "send spikes; make it the output, or a spiking neuron"
                )
            paths.append(_Path(edge.source, maps, (edge.ticks, *ticks)))

    back(name, (), ())
    return paths


def _constant(graph: Graph, path: _Path, shapes: dict[str, Shape], late: int) -> np.ndarray | None:
    """What the maps' biases add to each neuron, (size,) in C order.

    A bias that several sources' paths share is counted once: with the first of the paths.
    """
    total: np.ndarray | None = None
    shape = shapes[path.source]
    for index, name in enumerate(path.maps):
        node = graph.nodes[name]
        assert isinstance(node, Map)
        if total is not None:
            total = node.matrix(shape) @ total
        own = node.constant(shape)
        if own is not None and own.any() and _first(graph, path, index):
            behind = [graph.nodes[n] for n in path.maps[index + 1 :]]
            if late + sum(path.edges[index + 1 :]) or any(isinstance(n, Delay) for n in behind):
                raise ConversionError(
                    f"node '{name}' adds a bias that a delay behind it holds back, so that it starts late, which the "
                    "contract's bias does not: put the bias behind the delay, or leave it out"
                )
            total = own.copy() if total is None else total + own
        shape = shapes[name]
    return total


def _first(graph: Graph, path: _Path, index: int) -> bool:
    """Whether `path` is the first of the paths that pass through its map of this index."""
    chain = (path.source, *path.maps[: index + 1])
    return all(
        graph.sources(path.maps[position])[0].source == chain[position] for position in range(index + 1)
    )


def _projection(
    graph: Graph, path: _Path, shapes: dict[str, Shape], target: str, ticks: int
) -> FloatProjection:
    """The path's maps as one: shared weights where they are convolutions, a matrix elsewhere."""
    maps = [(name, graph.nodes[name]) for name in path.maps]
    delays: Any = ticks
    at_source = at_target = None
    steps = [(n, m) for n, m in maps if not _keeps_values(m)]
    linear = [m for _, m in steps if isinstance(m, Map) and not isinstance(m, Delay)]
    for position, (name, node) in enumerate(steps):
        if not isinstance(node, Delay):
            continue
        spread = node.spread(shapes[name])
        if (spread == spread[0]).all():
            delays = delays + int(spread[0])
        elif all(isinstance(m, Delay | Elementwise) for _, m in steps[:position]):
            at_source = spread if at_source is None else at_source + spread
        elif all(isinstance(m, Delay | Elementwise) for _, m in steps[position:]):
            at_target = spread if at_target is None else at_target + spread
        else:
            raise ConversionError(
                f"node '{name}' (delay): differs between signals that two maps mix; delay spikes or currents instead"
            )
    _, rows = channels_last(shapes[path.source])
    _, columns = channels_last(shapes[target])
    if at_source is not None or at_target is not None:
        size = (len(rows), len(columns))
        delays = np.full(size, delays, np.int64)
        if at_source is not None:
            delays += at_source[rows][:, None]
        if at_target is not None:
            delays += at_target[columns][None, :]
    if np.max(delays) > MAX_DELAY:
        raise ConversionError(
            f"node '{target}': a delay of {int(np.max(delays))} ticks, of which the contract has {MAX_DELAY}: "
            "give a longer dt"
        )
    conv = None
    if np.ndim(delays) == 0 and len(shapes[path.source]) > 1:
        conv = folded(linear, shapes[path.source])
    matrix = matrix_of(maps, shapes, path.source)
    weights: Any = sparse.csr_array(matrix.T.tocsr()[rows][:, columns])
    weights.eliminate_zeros()
    weights.sort_indices()
    if conv is None and _dense(weights, delays):
        weights = weights.toarray()
    return FloatProjection("", "", weights, delays, conv)


def _dense(weights: sparse.csr_array, delays: Any) -> bool:
    entries = weights.shape[0] * weights.shape[1]
    return entries <= MOST_DENSE and (
        entries <= 64 or np.ndim(delays) > 0 or weights.nnz >= SPARSE_BELOW * entries
    )
