"""The networks of the NIR graphs that :mod:`lifline.convert.nir_writer` wrote."""

from __future__ import annotations

import json
import math
from typing import Any

import nir
import numpy as np

from lifline.errors import NetworkError
from lifline.fields import unpack
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import LIF, Neuron
from lifline.plasticity import Plasticity
from lifline.synapses import Synapses

from .maps import MOST_ELEMENTS, ConversionError
from .nir_writer import FORMAT, flat


def restored(graph: nir.NIRGraph) -> Network:
    """The network of a graph that :func:`to_nir` wrote; its weights, thresholds and decays are read from the nodes.

    Raises
    ------
    ConversionError
        If nodes are missing, or hold what is no integer of the contract.
    """
    said = graph.metadata["lifline"]
    try:
        if _text(said["format"]) != FORMAT:
            raise ConversionError(
                f"its lifline metadata is of the format {_text(said['format'])!r}, not {FORMAT!r}"
            )
        header, dt = json.loads(_text(said["header"])), float(said["dt"])
        reader = _Reader(graph, header, dt)
        return reader.network()
    except (ConversionError, NetworkError):
        raise
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise ConversionError(
            f"its nodes and its lifline metadata do not agree ({type(error).__name__}: {error}): write it anew "
            "with to_nir, or remove the metadata"
        ) from None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class _Reader:
    def __init__(self, graph: nir.NIRGraph, header: Any, dt: float) -> None:
        self.graph, self.header, self.dt = graph, header, dt
        self.shapes = {INPUT: tuple(header["inputs"])} | {
            p["name"]: tuple(p["shape"]) for p in header["populations"]
        }
        for name, shape in self.shapes.items():
            if not 0 < math.prod(shape) <= MOST_ELEMENTS:
                raise ConversionError(
                    f"'{name}' has the shape {shape}, must have 1 … {MOST_ELEMENTS:,} elements"
                )

    def network(self) -> Network:
        header = self.header
        return Network(
            inputs=_size(tuple(header["inputs"])),
            populations=[self._population(fields) for fields in header["populations"]],
            projections=[self._projection(fields) for fields in header["projections"]],
            output=header["output"],
            name=header["name"],
            metadata=header["metadata"],
            input_bits=header["input_bits"],
        )

    def _population(self, fields: Any) -> Population:
        name = fields["name"]
        node = self.graph.nodes[name]
        arrays = self._arrays(node)
        if fields["neuron"]["kind"] == LIF.__name__:
            arrays |= self._lif(name, node, fields["neuron"])
        return Population(
            name, _size(self.shapes[name]), unpack(Neuron, fields["neuron"], "neuron", arrays)
        )

    @staticmethod
    def _arrays(node: Any) -> dict[str, np.ndarray]:
        kept = node.metadata.get("lifline", {}) if isinstance(node.metadata, dict) else {}
        return {name: np.asarray(values) for name, values in kept.items()}

    def _lif(self, name: str, node: Any, fields: Any) -> dict[str, np.ndarray]:
        inverse = np.argsort(flat(self.shapes[name])[1])

        def neurons(values: Any) -> np.ndarray:
            return np.asarray(values, np.float64).ravel()[inverse]

        def decay(tau: Any) -> np.ndarray:
            return _integers(name, 256 * (1 - self.dt / neurons(tau)), 1e-3)

        size = math.prod(self.shapes[name])
        bias = np.zeros(size, np.int64)
        for source, target in self.graph.edges:
            given = getattr(self.graph.nodes[source], "bias", None) if target == name else None
            if given is not None:
                values = np.asarray(given, np.float64).ravel()
                spread = np.repeat(values, size // len(values))  # a channel's in C order
                bias += _integers(name, neurons(spread))
        arrays = {"bias": bias}
        if isinstance(node, nir.I | nir.IF):
            arrays["beta"] = np.full(size, 256)
        elif isinstance(node, nir.LI | nir.LIF):
            arrays["beta"] = decay(node.tau)
        else:
            arrays["beta"], arrays["alpha"] = decay(node.tau_mem), decay(node.tau_syn)
        if hasattr(node, "v_threshold"):
            arrays["threshold"] = _integers(name, neurons(node.v_threshold))
        return {f"neuron.{field}": values for field, values in arrays.items()}

    def _projection(self, fields: Any) -> Projection:
        nodes = [self.graph.nodes[name] for name in fields["nodes"]]
        arrays = self._arrays(nodes[0])
        where = f"{fields['source']} -> {fields['target']}"
        if fields["plain"]:
            weights = np.sum([np.asarray(node.weight, np.float64) for node in nodes], axis=0)
            if isinstance(nodes[0], nir.Conv2d):
                weights = weights.transpose(2, 3, 1, 0)
            else:
                rows, columns = (
                    np.argsort(flat(self.shapes[fields[end]])[1]) for end in ("source", "target")
                )
                weights = weights.T[rows][:, columns]
            arrays["synapses.weights"] = _integers(where, weights)
            arrays.setdefault("synapses.delays", np.full(weights.shape, fields["delay"]))
        plasticity = fields["plasticity"]
        if plasticity is not None:
            plasticity = unpack(Plasticity, plasticity, "plasticity", arrays)
        synapses = unpack(Synapses, fields["synapses"], "synapses", arrays)
        return Projection(fields["source"], fields["target"], synapses, plasticity)


def _size(shape: tuple[int, ...]) -> Any:
    return tuple(shape) if len(shape) == 3 else shape[0]


def _integers(where: str, values: np.ndarray, tolerance: float = 1e-6) -> np.ndarray:
    near = np.rint(values)
    if not np.isfinite(values).all() or (np.abs(values - near) > tolerance).any():
        raise ConversionError(
            f"'{where}' holds numbers that are no integers of lifline's: remove the metadata"
        )
    return near.astype(np.int64)
