"""The float graph: what every producer's network becomes first, in the producer's own numbers and shapes.

::

    snnTorch ─┐
    Norse  ───┼─> Graph ──simplify──> FloatNetwork ──quantise──> Network
    NIR  ─────┘

Shapes are as the producer has them, channels first: ``(channels, height, width)``, ``(channels, length)`` or
``(size,)``; elements are counted in C order.  Between neurons there are only *maps*: affine, so that a path
of them is one matrix and one vector.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from lifline.neurons import Reset

from .maps import MOST_ELEMENTS, ConversionError, Elementwise, Map, Shape


@dataclasses.dataclass(eq=False)
class Source:
    """The network's input."""

    shape: Shape


@dataclasses.dataclass(eq=False)
class Cell:
    """Neurons as the producer steps them, one tick after another.

    ::

        c[t] = gain_in · I[t − delay]      or, with alpha:  alpha · c[t−1] + gain_in · I[t − delay]
        x    = beta · v[t−1] + gain · c[t] + drive
        s[t] = x > threshold (+ adaptation)                or ≥, where not `strict`

    and the reset as in the contract, to `v_reset`.  Each parameter is one number, or has the neurons' shape,
    or is one for each channel.

    Parameters
    ----------
    initial : float, optional
        v before the first tick; None where the producer does not say.
    analog : bool
        The output is v, not spikes (LI, I, CubaLI).
    adaptation : (rho, jump), optional
        a[t] = rho · a[t−1] + jump · s[t−1] is added to the threshold.
    """

    kind: str
    beta: Any
    threshold: Any = 0.0
    alpha: Any = None
    gain_in: Any = 1.0
    gain: Any = 1.0
    drive: Any = 0.0
    v_reset: Any = 0.0
    initial: Any = None
    reset: Reset = Reset.ZERO
    reset_delay: bool = False
    strict: bool = True
    analog: bool = False
    adaptation: tuple[Any, Any] | None = None
    delay: int = 0


@dataclasses.dataclass(eq=False)
class Output:
    """Where the network's answer leaves."""


Node = Source | Map | Cell | Output


@dataclasses.dataclass(frozen=True)
class Edge:
    """From one node to another; several that end at one node are added."""

    source: str
    target: str
    ticks: int = 0


@dataclasses.dataclass
class Graph:
    """Nodes by name, edges, and what is to be said of the nodes.

    Parameters
    ----------
    producer : str
        Whose numbers these are, such as ``"snnTorch"``.
    nodes : dict of str to Node
    edges : list of Edge
    notes : dict of str to list of str
        For each node what the conversion did that its name does not say; ``""``: of the whole graph.
    """

    producer: str
    nodes: dict[str, Node] = dataclasses.field(default_factory=dict)
    edges: list[Edge] = dataclasses.field(default_factory=list)
    notes: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def note(self, name: str, text: str) -> None:
        """Add to what is said of a node."""
        self.notes.setdefault(name, []).append(text)

    def sources(self, name: str) -> list[Edge]:
        """The edges that end at a node."""
        return [edge for edge in self.edges if edge.target == name]

    def targets(self, name: str) -> list[Edge]:
        """The edges that start at a node."""
        return [edge for edge in self.edges if edge.source == name]

    def ordered(self) -> Graph:
        """The same graph, its nodes in the order in which signals reach them from the input."""
        order = [name for name, node in self.nodes.items() if isinstance(node, Source)]
        for name in order:  # grows as it is walked
            order += [e.target for e in self.targets(name) if e.target not in order]
        order += [name for name in self.nodes if name not in order]
        return dataclasses.replace(self, nodes={name: self.nodes[name] for name in order})

    def shapes(self) -> dict[str, Shape]:
        """The shape of what leaves each node.

        Raises
        ------
        ConversionError
            If a node gets shapes that do not fit, or none at all.
        """
        shapes: dict[str, Shape] = {
            name: node.shape for name, node in self.nodes.items() if isinstance(node, Source)
        }
        waiting = [name for name in self.nodes if name not in shapes]
        while waiting:
            ready = [name for name in waiting if any(e.source in shapes for e in self.sources(name))]
            if not ready:
                raise ConversionError(f"node '{waiting[0]}' is not connected to the input: remove it")
            for name in ready:
                given = next(shapes[e.source] for e in self.sources(name) if e.source in shapes)
                shapes[name] = self._out_shape(name, given)
                waiting.remove(name)
        for edge in self.edges:
            node, given, own = self.nodes[edge.target], shapes[edge.source], shapes[edge.target]
            if isinstance(node, Map):
                given = self._out_shape(edge.target, given)
            if math.prod(given) != math.prod(own) or (given != own and 1 not in (len(given), len(own))):
                raise ConversionError(
                    f"node '{edge.target}' has the shape {own}, but gets {shapes[edge.source]} from '{edge.source}'"
                )
        return shapes

    def _out_shape(self, name: str, shape: Shape) -> Shape:
        node = self.nodes[name]
        try:
            if isinstance(node, Map):
                out = node.out_shape(shape)
                if math.prod(out) > MOST_ELEMENTS:
                    raise ConversionError(f"makes {out}, more than {MOST_ELEMENTS:,} elements")
                return out
            if isinstance(node, Cell):
                Elementwise(np.zeros(())).spread(np.asarray(node.threshold, float), shape)
        except ConversionError as error:
            raise ConversionError(f"node '{name}' ({kind_of(node)}): {error}") from None
        return shape


def kind_of(node: Node) -> str:
    """What a person calls a node."""
    if isinstance(node, Cell):
        return node.kind
    return node.kind if isinstance(node, Map) else type(node).__name__.lower()
