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
from scipy import sparse

from lifline.errors import InputError
from lifline.neurons import Reset

Shape = tuple[int, ...]


class ConversionError(InputError):
    """A producer's network has something that the contract cannot hold exactly; it says what, and the remedy."""


class Map:
    """An affine map between two neurons: y = matrix · x + constant, after `ticks` ticks."""

    kind = "map"

    def out_shape(self, shape: Shape) -> Shape:
        """The shape of y for an x of `shape`; raises ConversionError where they do not fit."""
        raise NotImplementedError

    def matrix(self, shape: Shape) -> sparse.csr_array:
        """float64 (outputs, inputs), both counted in C order."""
        raise NotImplementedError

    def constant(self, shape: Shape) -> np.ndarray | None:
        """float64 (outputs,), or None where it is 0."""
        return None


@dataclasses.dataclass(eq=False)
class Affine(Map):
    """y = W x + b.

    Parameters
    ----------
    weight : float64 (outputs, inputs)
    bias : float64 (outputs,), optional
    """

    weight: np.ndarray
    bias: np.ndarray | None = None
    kind = "affine map"

    def out_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1 or shape[0] != self.weight.shape[1]:
            raise ConversionError(
                f"takes {self.weight.shape[1]} values in one axis, but gets the shape {shape}: "
                "put a Flatten before it"
            )
        return (self.weight.shape[0],)

    def matrix(self, shape: Shape) -> sparse.csr_array:
        return sparse.csr_array(self.weight)

    def constant(self, shape: Shape) -> np.ndarray | None:
        return self.bias


@dataclasses.dataclass(eq=False)
class Conv(Map):
    """A cross-correlation, as torch and NIR have it; of one dimension with a height of 1.

    Parameters
    ----------
    weight : float64 (channels out, channels in / groups, height, width)
    bias : float64 (channels out,), optional
    stride, dilation : (y, x)
    padding : (y, x)
        Zeros on both sides.
    groups : int
    """

    weight: np.ndarray
    bias: np.ndarray | None = None
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    kind = "convolution"

    def out_shape(self, shape: Shape) -> Shape:
        if len(shape) not in (2, 3):
            raise ConversionError(f"takes (channels, height, width), but gets the shape {shape}")
        channels = self.weight.shape[1] * self.groups
        if shape[0] != channels:
            raise ConversionError(f"takes {channels} channels, but gets the shape {shape}")
        image = (1, *shape[1:]) if len(shape) == 2 else shape[1:]
        out = tuple(
            (image[i] + 2 * self.padding[i] - self.dilation[i] * (self.weight.shape[2 + i] - 1) - 1)
            // self.stride[i]
            + 1
            for i in range(2)
        )
        if min(out) < 1:
            raise ConversionError(f"its kernel is larger than its input of the shape {shape}")
        whole = (self.weight.shape[0], *out)
        return (whole[0], whole[2]) if len(shape) == 2 else whole

    def matrix(self, shape: Shape) -> sparse.csr_array:
        image = (1, *shape[1:]) if len(shape) == 2 else shape[1:]
        out = self.out_shape(shape)
        _, height, width = out if len(out) == 3 else (out[0], 1, out[1])
        outputs, inside = self.weight.shape[:2]
        target, source, ky, kx = np.nonzero(self.weight)
        base = (target // (outputs // self.groups)) * inside + source  # the input channel
        y, x = (v.ravel() for v in np.mgrid[:height, :width])
        rows = y[:, None] * self.stride[0] - self.padding[0] + ky * self.dilation[0]
        columns = x[:, None] * self.stride[1] - self.padding[1] + kx * self.dilation[1]
        on_map = (rows >= 0) & (rows < image[0]) & (columns >= 0) & (columns < image[1])
        place, tap = np.nonzero(on_map)
        to = (target[tap] * height + y[place]) * width + x[place]
        at = (base[tap] * image[0] + rows[on_map]) * image[1] + columns[on_map]
        values = self.weight[target, source, ky, kx][tap]
        return sparse.csr_array((values, (to, at)), shape=(math.prod(out), math.prod(shape)))

    def constant(self, shape: Shape) -> np.ndarray | None:
        if self.bias is None:
            return None
        out = self.out_shape(shape)
        return np.repeat(self.bias, math.prod(out[1:]))


@dataclasses.dataclass(eq=False)
class Pool(Map):
    """Sums or averages over windows, channel by channel; `padding` counts as zeros, and in the average."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)
    average: bool = False
    kind = "pool"

    def conv(self, shape: Shape) -> Conv:
        """The convolution, one group a channel, that does the same."""
        if len(shape) not in (2, 3):
            raise ConversionError(f"takes (channels, height, width), but gets the shape {shape}")
        value = 1 / math.prod(self.size) if self.average else 1.0
        weight = np.full((shape[0], 1, *self.size), value)
        return Conv(weight, None, self.stride, self.padding, groups=shape[0])

    def out_shape(self, shape: Shape) -> Shape:
        return self.conv(shape).out_shape(shape)

    def matrix(self, shape: Shape) -> sparse.csr_array:
        return self.conv(shape).matrix(shape)


@dataclasses.dataclass(eq=False)
class Elementwise(Map):
    """y = scale · x + offset, element by element: of all, of a channel, or of each element.

    Parameters
    ----------
    scale, offset : float64 (), (channels,) or the shape of x
    """

    scale: np.ndarray
    offset: np.ndarray | None = None
    kind = "scale"

    def spread(self, values: np.ndarray, shape: Shape) -> np.ndarray:
        """`values` for each element, (elements,)."""
        values = np.asarray(values, np.float64)
        if values.shape != shape:
            if values.size == 1:
                values = values.reshape(())
            elif values.shape == shape[:1]:
                values = values.reshape(-1, *[1] * (len(shape) - 1))
            else:
                raise ConversionError(f"has the shape {values.shape}, but gets the shape {shape}")
        return np.broadcast_to(values, shape).ravel()

    def out_shape(self, shape: Shape) -> Shape:
        self.spread(self.scale, shape)
        return shape

    def matrix(self, shape: Shape) -> sparse.csr_array:
        return sparse.csr_array(sparse.diags_array(self.spread(self.scale, shape)))

    def constant(self, shape: Shape) -> np.ndarray | None:
        return None if self.offset is None else self.spread(self.offset, shape)


@dataclasses.dataclass(eq=False)
class Flatten(Map):
    """Axes `start` … `end` become one; the elements stay in C order."""

    start: int = 0
    end: int = -1
    kind = "flatten"

    def out_shape(self, shape: Shape) -> Shape:
        start, end = (axis % len(shape) for axis in (self.start, self.end))
        return (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])

    def matrix(self, shape: Shape) -> sparse.csr_array:
        return sparse.csr_array(sparse.eye_array(math.prod(shape)))


@dataclasses.dataclass(eq=False)
class Reshape(Map):
    """The same elements in another shape, in C order."""

    shape: Shape
    kind = "reshape"

    def out_shape(self, shape: Shape) -> Shape:
        if math.prod(self.shape) != math.prod(shape):
            raise ConversionError(f"makes the shape {self.shape} of {shape}, which has another size")
        return self.shape

    def matrix(self, shape: Shape) -> sparse.csr_array:
        return sparse.csr_array(sparse.eye_array(math.prod(shape)))


@dataclasses.dataclass(eq=False)
class Identity(Map):
    """y = x: what a producer's node leaves behind that only passes signals on."""

    kind = "identity"

    def out_shape(self, shape: Shape) -> Shape:
        return shape

    def matrix(self, shape: Shape) -> sparse.csr_array:
        return sparse.csr_array(sparse.eye_array(math.prod(shape)))


@dataclasses.dataclass(eq=False)
class Delay(Map):
    """y[t] = x[t − ticks]: one number of ticks for all, or one for each element."""

    ticks: np.ndarray
    kind = "delay"

    def spread(self, shape: Shape) -> np.ndarray:
        """The ticks of each element, int64 (elements,)."""
        return Elementwise(self.ticks).spread(self.ticks, shape).astype(np.int64)

    def out_shape(self, shape: Shape) -> Shape:
        self.spread(shape)
        return shape

    def matrix(self, shape: Shape) -> sparse.csr_array:
        return sparse.csr_array(sparse.eye_array(math.prod(shape)))


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
                return node.out_shape(shape)
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


def snapped(values: np.ndarray) -> np.ndarray:
    """`values`, those that float32 moved off a multiple of 1/256 put back."""
    near = np.rint(values * 256) / 256
    return np.where(np.abs(values - near) < 2e-6, near, values)
