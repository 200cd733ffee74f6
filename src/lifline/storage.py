"""A network as named arrays, as ``network.npz`` holds them: a JSON header, and an array for each field that has one.

Kinds are read and written by their typed fields (:mod:`lifline.fields`), so a new kind needs no change
here. ``docs/formats.md`` describes the file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import NetworkError
from .fields import pack, unpack
from .network import Network, Population, Projection
from .neurons import LIF, Neuron
from .plasticity import Plasticity
from .synapses import Dense, Synapses

FORMAT = "lifline-network-2"
VERSION_1 = "lifline-network-1"


def to_arrays(network: Network) -> dict[str, np.ndarray]:
    """What a file holds of `network`; the same network gives the same arrays in the same order."""
    arrays: dict[str, np.ndarray] = {}
    header = {
        "format": FORMAT,
        "inputs": _header_size(network.inputs, network.input_shape),
        "input_bits": network.input_bits,
        "output": network.output,
        "name": network.name,
        "metadata": network.metadata,
        "populations": [
            {
                "name": population.name,
                "size": _header_size(population.size, population.shape),
                "neuron": pack(population.neuron, f"populations.{index}", arrays),
                **({} if population.winners is None else {"winners": population.winners}),
            }
            for index, population in enumerate(network.populations)
        ],
        "projections": [
            {
                "source": projection.source,
                "target": projection.target,
                "synapses": pack(projection.synapses, f"projections.{index}", arrays),
                "plasticity": None
                if projection.plasticity is None
                else pack(projection.plasticity, f"projections.{index}.plasticity", arrays),
            }
            for index, projection in enumerate(network.projections)
        ],
    }
    text = json.dumps(header, sort_keys=True, separators=(",", ":"))
    return {"header": np.frombuffer(text.encode(), dtype=np.uint8), **arrays}


def digest(network: Network) -> bytes:
    """SHA-256 of what `network` computes: of its file's arrays, but for its name and metadata.

    Equal networks have equal digests, however their files were packed.
    """
    sha = hashlib.sha256()
    for name, array in to_arrays(dataclasses.replace(network, name="", metadata={})).items():
        whole = np.ascontiguousarray(array)
        whole = whole.astype(whole.dtype.newbyteorder("<"))
        sha.update(f"{name}:{whole.dtype.str}:{whole.shape};".encode() + whole.tobytes())
    return sha.digest()


def from_arrays(arrays: Mapping[str, np.ndarray]) -> Network:
    """The network of a file's arrays, of this version or of version 1.

    Raises
    ------
    NetworkError
        If they are not a network's, or of one that breaks the contract.
    """
    if "header" not in arrays:
        raise NetworkError("not a lifline network: it holds no array 'header'")
    text = arrays["header"]
    if text.dtype != np.uint8 or text.ndim != 1:
        raise NetworkError(
            f"not a lifline network: its header is {text.dtype}{text.shape}, must be uint8, the bytes of a text"
        )
    try:
        header = json.loads(text.tobytes().decode())
        if header["format"] == VERSION_1:
            header = _from_version_1(header)
        elif header["format"] != FORMAT:
            raise NetworkError(
                f"its format is {header['format']!r}, this lifline reads {FORMAT!r} and {VERSION_1!r}"
            )
        return Network(
            inputs=_from_header(header["inputs"]),
            input_bits=header["input_bits"],
            output=header["output"],
            name=header["name"],
            metadata=header["metadata"],
            populations=[
                _read_population(fields, f"populations.{index}", arrays)
                for index, fields in enumerate(header["populations"])
            ],
            projections=[
                _read_projection(fields, f"projections.{index}", arrays)
                for index, fields in enumerate(header["projections"])
            ],
        )
    except KeyError as error:
        raise NetworkError(f"not a whole lifline network: {error} is missing") from None
    except NetworkError:
        raise
    except (TypeError, ValueError, AttributeError, RecursionError):
        raise NetworkError("not a lifline network: its header is damaged") from None


def _read_population(
    fields: Mapping[str, Any], prefix: str, arrays: Mapping[str, np.ndarray]
) -> Population:
    try:
        neuron = unpack(Neuron, fields["neuron"], prefix, arrays)
    except NetworkError as error:
        raise NetworkError(f"population '{fields['name']}': {error}") from None
    return Population(
        fields["name"], _from_header(fields["size"]), neuron, winners=fields.get("winners")
    )


def _read_projection(
    fields: Mapping[str, Any], prefix: str, arrays: Mapping[str, np.ndarray]
) -> Projection:
    where = f"projection '{fields['source']} -> {fields['target']}'"
    plasticity = fields["plasticity"]
    try:
        synapses = unpack(Synapses, fields["synapses"], prefix, arrays)
        if plasticity is not None:
            plasticity = unpack(Plasticity, plasticity, f"{prefix}.plasticity", arrays)
    except NetworkError as error:
        raise NetworkError(f"{where}: {error}") from None
    return Projection(fields["source"], fields["target"], synapses, plasticity)


def _from_version_1(header: dict[str, Any]) -> dict[str, Any]:
    """The header of a file of version 1, in which all neurons are LIF and all synapses dense, as one of version 2."""

    def neuron(fields: dict[str, Any]) -> dict[str, Any]:
        given = {name: fields[name] for name in ("reset", "reset_delay", "membrane_bits")}
        return {"kind": LIF.__name__, **dict.fromkeys(("beta", "threshold", "bias"), "array"), **given}

    def synapses(fields: dict[str, Any]) -> dict[str, Any]:
        matrices = dict.fromkeys(("weights", "delays"), "array")
        return {"kind": Dense.__name__, **matrices, "weight_bits": fields["weight_bits"]}

    return {
        **header,
        "input_bits": 1,
        "populations": [
            {"name": fields["name"], "size": fields["size"], "neuron": neuron(fields)}
            for fields in header["populations"]
        ],
        "projections": [
            {
                "source": fields["source"],
                "target": fields["target"],
                "synapses": synapses(fields),
                "plasticity": None,
            }
            for fields in header["projections"]
        ],
    }


def _header_size(size: int, shape: tuple[int, ...]) -> int | list[int]:
    return size if len(shape) == 1 else list(shape)


def _from_header(size: Any) -> Any:
    return tuple(size) if isinstance(size, list) else size
