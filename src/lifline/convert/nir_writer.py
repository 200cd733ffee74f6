"""Networks to NIR graphs, and the same networks back.

A population becomes the NIR neuron nearest to it, its synapses Affine, Linear or Conv2d nodes, one a projection
(one a delay where delays differ, each with a Delay node), all in the network's integers::

    LIF, beta = 256    IF(r = 1)                               LIF      LIF(τ = dt / (1 − β), r = τ / dt)
    LIF, alpha         CubaLIF(… w_in = τ_syn / dt)             readout  LI, or CubaLI

What NIR has no field for stands in metadata: the graph's ``lifline`` holds a JSON header (names, shapes, widths,
resets, kinds), a node's the arrays of its kind.  A reader that ignores it computes the same network without
integers: no floor after a decay, no saturation, resets to 0 in the tick of the spike even where the network
subtracts or resets late, no adaptation or noise, and its own equation for kinds that NIR does not have (a
network of such neurons is an ``IF`` to it).
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from lifline.errors import MissingExtra
from lifline.fields import pack
from lifline.files import atomic_write
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import LIF, Neuron, Reset
from lifline.synapses import Convolution, Dense

from .floats import channels_last
from .maps import ConversionError

try:
    import nir
except ImportError as error:  # pragma: no cover - the extra is installed where tests run
    raise MissingExtra("nir", "convert") from error

FORMAT = "lifline-nir-1"

#: A decay of 1 as a time constant: NIR's are finite.
_ENDLESS = 2.0**24


def to_nir(
    network: Network, path: str | os.PathLike[str] | None = None, *, dt: float = 1e-3
) -> nir.NIRGraph:
    """A NIR graph of a network, from which :func:`from_nir` makes the identical network.

    Parameters
    ----------
    network : Network
    path : path, optional
        A ``.nir`` file to write, as well.
    dt : float
        Seconds that a tick is to be to other readers.
    """
    if not 0 < dt < math.inf:
        raise ConversionError(f"dt must be a number of seconds above 0, not {dt!r}")
    graph = _Writer(network, dt).graph()
    if path is not None:
        whole = io.BytesIO()
        nir.write(whole, graph)
        with atomic_write(path) as file:
            file.write(whole.getvalue())
    return graph


def is_ours(graph: nir.NIRGraph) -> bool:
    """Whether :func:`to_nir` wrote a graph."""
    metadata = graph.metadata if isinstance(graph.metadata, dict) else {}
    return isinstance(metadata.get("lifline"), Mapping)


def flat(shape: tuple[int, ...]) -> tuple[tuple[int, ...], np.ndarray]:
    """NIR's shape of a lifline shape, and lifline's index of each of its elements in C order."""
    if len(shape) != 3:
        return shape, np.arange(shape[0])
    height, width, channels = shape
    order = channels_last((channels, height, width))[1]
    return (channels, height, width), np.argsort(order)


class _Writer:
    def __init__(self, network: Network, dt: float) -> None:
        self.network, self.dt = network, dt
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []
        self.shapes = {INPUT: network.input_shape, **{p.name: p.shape for p in network.populations}}
        self.biased = {p.name: self._bias(p) for p in network.populations}

    def graph(self) -> nir.NIRGraph:
        network = self.network
        self.nodes[INPUT] = nir.Input(np.array(flat(network.input_shape)[0]))
        self.spatial = {
            p.name: len(p.shape) == 3
            and all(self._as_conv(q) for q in network.incoming(p.name))
            and bool(network.incoming(p.name))
            and self._in_channels(p)
            for p in network.populations
        }
        self.spatial[INPUT] = len(network.input_shape) == 3
        populations = [self._population(p) for p in network.populations]
        projections = [self._projection(i, p) for i, p in enumerate(network.projections)]
        for population in network.populations:
            self._rest_of_bias(population)
        shape = self._shape(network.output)
        self.nodes["output"] = nir.Output(np.array(shape))
        self.edges.append((network.output, "output"))
        header = {
            "inputs": list(network.input_shape),
            "input_bits": network.input_bits,
            "output": network.output,
            "name": network.name,
            "metadata": network.metadata,
            "populations": populations,
            "projections": projections,
        }
        metadata = {
            "lifline": {"format": FORMAT, "dt": self.dt, "header": json.dumps(header, sort_keys=True)}
        }
        return nir.NIRGraph(self.nodes, self.edges, metadata=metadata, type_check=False)

    def _shape(self, name: str) -> tuple[int, ...]:
        return flat(self.shapes[name])[0] if self.spatial[name] else (self.network.size(name),)

    def _order(self, name: str) -> np.ndarray:
        """Lifline's index of each element of a node, in C order."""
        return flat(self.shapes[name])[1]

    def _elements(self, name: str, values: Any) -> np.ndarray:
        """A value for each neuron, in the node's shape."""
        spread = np.broadcast_to(np.asarray(values, np.float64), (self.network.size(name),))
        return np.ascontiguousarray(spread[self._order(name)].reshape(self._shape(name)))

    @staticmethod
    def _bias(population: Population) -> np.ndarray | None:
        bias = getattr(population.neuron, "bias", None)
        return None if bias is None or not np.any(bias) else np.asarray(bias)

    def _population(self, population: Population) -> dict[str, Any]:
        arrays: dict[str, np.ndarray] = {}
        neuron, name = population.neuron, population.name
        if population.winners is not None:
            raise ConversionError(f"population '{name}': NIR has no winners; leave them out")
        header = pack(neuron, "neuron", arrays)
        node = self._neuron(name, neuron)
        said = {"beta", "threshold", "bias", "alpha"} if isinstance(neuron, LIF) else set()
        if neuron.readout:  # NIR's have none
            said.discard("threshold")
        kept = {k: v for k, v in arrays.items() if k.removeprefix("neuron.") not in said}
        if kept:
            node.metadata = {"lifline": kept}
        self.nodes[name] = node
        return {"name": name, "shape": list(population.shape), "neuron": header}

    def _neuron(self, name: str, neuron: Neuron) -> Any:
        def of(values: Any) -> np.ndarray:
            return self._elements(name, values)

        if not isinstance(neuron, LIF):
            return nir.IF(r=of(1.0), v_threshold=of(1.0), v_reset=of(0.0))
        readout = neuron.reset is Reset.NONE
        zeros = of(0.0)
        threshold = {} if readout else {"v_threshold": of(neuron.threshold), "v_reset": zeros}
        if neuron.alpha is None and (np.asarray(neuron.beta) == 256).all():
            kind = nir.I if readout else nir.IF
            node = kind(r=of(1.0), **threshold)
        else:
            tau = of(_endless(neuron.beta)) * self.dt
            if neuron.alpha is None:
                kind = nir.LI if readout else nir.LIF
                node = kind(tau=tau, r=tau / self.dt, v_leak=zeros, **threshold)
            else:
                syn = of(_endless(neuron.alpha)) * self.dt
                kind = nir.CubaLI if readout else nir.CubaLIF
                node = kind(
                    tau_syn=syn,
                    tau_mem=tau,
                    r=tau / self.dt,
                    v_leak=zeros,
                    w_in=syn / self.dt,
                    **threshold,
                )
        return node

    def _in_channels(self, population: Population) -> bool:
        """Whether all neurons of a channel have one bias, as those of a convolution in NIR."""
        bias = self.biased[population.name]
        if bias is None:
            return True
        of_channels = bias.reshape(-1, population.shape[-1])
        return bool((of_channels == of_channels[0]).all())

    def _as_conv(self, projection: Projection) -> bool:
        synapses = projection.synapses
        return (
            isinstance(synapses, Convolution)
            and len(self.shapes[projection.source]) == 3
            and len(self.shapes[projection.target]) == 3
        )

    def _projection(self, index: int, projection: Projection) -> dict[str, Any]:
        synapses, arrays = projection.synapses, {}  # type: Any, dict[str, np.ndarray]
        header = pack(synapses, "synapses", arrays)
        plasticity = None
        if projection.plasticity is not None:
            plasticity = pack(projection.plasticity, "plasticity", arrays)
        spatial = self.spatial[projection.source] and self.spatial[projection.target]
        conv = self._as_conv(projection) and spatial
        plain = conv or isinstance(synapses, Dense)
        weights, delays = (synapses.weights, synapses.delays) if conv else synapses.dense()
        differ = bool(np.ptp(delays)) if delays.size else False
        names = []
        for number, delay in enumerate(np.unique(delays)):
            name = f"synapses_{index}" + (f"_{number}" if number else "")
            masked = np.where(delays == delay, weights, 0)
            self._node(name, projection, masked, int(delay), conv)
            names.append(name)
        kept = arrays
        if plain:
            said = {"synapses.weights"} if differ else {"synapses.weights", "synapses.delays"}
            kept = {k: v for k, v in arrays.items() if k not in said}
        if kept:
            self.nodes[names[0]].metadata = {"lifline": kept}
        return {
            "source": projection.source,
            "target": projection.target,
            "nodes": names,
            "plain": plain,
            "delay": int(np.min(delays)) if delays.size else 0,
            "synapses": header,
            "plasticity": plasticity,
        }

    def _node(
        self, name: str, projection: Projection, weights: np.ndarray, delay: int, conv: bool
    ) -> None:
        source, target = projection.source, projection.target
        bias = self.biased[target]
        if conv:
            synapses = projection.synapses
            channels = weights.shape[3]
            given = np.zeros(channels)
            if bias is not None:
                given = bias.reshape(-1, channels)[0].astype(np.float64)
                self.biased[target] = None
            height, width, _ = self.shapes[source]
            self.nodes[name] = nir.Conv2d(
                input_shape=(height, width),
                weight=np.ascontiguousarray(weights.transpose(3, 2, 0, 1).astype(np.float64)),
                stride=tuple(synapses.stride), padding=tuple(synapses.padding),
                dilation=tuple(synapses.dilation), groups=int(synapses.groups), bias=given,
            )  # fmt: skip
            before = source
        else:
            matrix = weights[self._order(source)][:, self._order(target)].T.astype(np.float64)
            if bias is not None:
                self.nodes[name] = nir.Affine(np.ascontiguousarray(matrix), self._flat_bias(target))
                self.biased[target] = None
            else:
                self.nodes[name] = nir.Linear(np.ascontiguousarray(matrix))
            before = self._flattened(source)
        if delay:
            shape = self._shape(source) if conv else (self.network.size(source),)
            held = f"{name}_delay"
            self.nodes[held] = nir.Delay(np.full(shape, delay * self.dt))
            self.edges += [(before, held), (held, name)]
        else:
            self.edges.append((before, name))
        self.edges.append((name, target))

    def _flat_bias(self, target: str) -> np.ndarray:
        bias = self.biased[target]
        assert bias is not None
        return np.asarray(bias[self._order(target)], np.float64)

    def _flattened(self, source: str) -> str:
        """The node that has a source's elements in one axis."""
        if not self.spatial[source]:
            return source
        name = f"{source}_flat"
        if name not in self.nodes:
            self.nodes[name] = nir.Flatten({"input": np.array(self._shape(source))}, 0, -1)
            self.edges.append((source, name))
        return name

    def _rest_of_bias(self, population: Population) -> None:
        """A map without weights to a population without synapses, which has its bias and lets it be reached."""
        name = population.name
        if self.biased[name] is None and self.network.incoming(name):
            return
        size = self.network.size(name)
        bias = np.zeros(size) if self.biased[name] is None else self._flat_bias(name)
        node = f"{name}_bias"
        self.nodes[node] = nir.Affine(np.zeros((size, self.network.inputs)), bias)
        self.edges += [(self._flattened(INPUT), node), (node, name)]


def _endless(decay: Any) -> np.ndarray:
    """τ / dt of a decay in 1/256."""
    left = 1 - np.asarray(decay, np.float64) / 256
    return np.where(left > 0, 1 / np.maximum(left, 1 / _ENDLESS), _ENDLESS)
