"""Networks in files of the format ``lifline-network-1``, as lifline 0.2 wrote and ran them.

The generator and the writer below are frozen: they use nothing of lifline, so that the same seed gives the same
file for good.  ``version1.sha256`` holds, for 200 of them, the SHA-256 of the file's arrays and of the recording that
lifline 0.2 made of it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

INPUT = "input"
RESETS = ("subtract", "zero", "none")
TICKS, SAMPLES = 24, 3

_EXTREME = 0.15  #: how often a parameter sits at an end of its range


class Projection(NamedTuple):
    """The synapses from one source to one target."""

    source: str
    target: str
    weights: np.ndarray
    delays: np.ndarray
    weight_bits: int


class Population(NamedTuple):
    """Neurons of version 1, which were LIF."""

    name: str
    size: int
    beta: np.ndarray
    threshold: np.ndarray
    bias: np.ndarray
    reset: str
    reset_delay: bool
    membrane_bits: int


class Network(NamedTuple):
    """What a file of version 1 holds."""

    inputs: int
    populations: list[Population]
    projections: list[Projection]
    output: str


def version1_network(rng: np.random.Generator) -> Network:
    """A network of any shape that version 1 allowed; the same state gives the same network."""
    count = int(rng.integers(1, 4))
    rank = [f"p{i}" for i in range(count)]
    sizes = {name: int(rng.integers(1, 13)) for name in (INPUT, *rank)}
    sources = (INPUT, *rank)
    pairs = [(sources[int(rng.integers(0, i + 1))], name) for i, name in enumerate(rank)]
    for _ in range(int(rng.integers(0, 5))):
        if rng.random() < 0.25:
            pairs.append(pairs[int(rng.integers(len(pairs)))])
        else:
            pairs.append((sources[int(rng.integers(count + 1))], rank[int(rng.integers(count))]))
    projections = []
    for source, target in pairs:
        forward = source == INPUT or rank.index(source) < rank.index(target)
        shape = (sizes[source], sizes[target])
        bits = int(rng.integers(2, 17))
        delays = np.broadcast_to(_delays(rng, shape, 0 if forward else 1, 40), shape)
        projections.append(Projection(source, target, _weights(rng, shape, bits), delays, bits))
    populations = [
        _population(rng, name, sizes[name], [p for p in projections if p.target == name])
        for name in rank
    ]
    return Network(
        sizes[INPUT],
        [populations[i] for i in rng.permutation(count)],
        [projections[i] for i in rng.permutation(len(projections))],
        rank[int(rng.integers(count))],
    )


def version1_spikes(rng: np.random.Generator, inputs: int) -> np.ndarray:
    """Input spikes, uint8 (samples, ticks, inputs): each sample of another density, some ticks silent."""
    density = rng.choice([0.05, 0.2, 0.5, 0.9, 1.0], size=(SAMPLES, 1, 1))
    quiet = rng.random((SAMPLES, TICKS, 1)) < 0.15
    return ((rng.random((SAMPLES, TICKS, inputs)) < density) & ~quiet).astype(np.uint8)


def write(path: Path, network: Network) -> str:
    """Write the file; its SHA-256 is of the arrays' names and bytes, which no compression changes."""
    header = {
        "format": "lifline-network-1",
        "inputs": network.inputs,
        "output": network.output,
        "name": "version 1",
        "metadata": {},
        "populations": [
            {
                name: getattr(p, name)
                for name in ("name", "size", "reset", "reset_delay", "membrane_bits")
            }
            for p in network.populations
        ],
        "projections": [
            {name: getattr(p, name) for name in ("source", "target", "weight_bits")}
            for p in network.projections
        ],
    }
    arrays = {"header": np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)}
    for index, population in enumerate(network.populations):
        for name in ("beta", "threshold", "bias"):
            arrays[f"populations.{index}.{name}"] = getattr(population, name).astype(np.int32)
    for index, projection in enumerate(network.projections):
        arrays[f"projections.{index}.weights"] = projection.weights.astype(np.int16)
        arrays[f"projections.{index}.delays"] = projection.delays.astype(np.uint8)
    np.savez_compressed(path, **arrays)
    return digest(arrays.items())


def digest(arrays: object) -> str:
    """SHA-256 of named arrays, in their order: names, shapes and little-endian bytes."""
    result = hashlib.sha256()
    for name, array in arrays:  # type: ignore[attr-defined]
        result.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        result.update(np.ascontiguousarray(array).tobytes())
    return result.hexdigest()


def recorded(
    network: Network,
    spikes: dict[str, np.ndarray],
    membrane: dict[str, np.ndarray],
    classes: np.ndarray,
) -> str:
    """SHA-256 of what a witness did: every spike, every membrane, every class."""
    arrays = []
    for name in sorted(p.name for p in network.populations):
        arrays += [
            (f"{name}.spikes", spikes[name].astype("u1")),
            (f"{name}.membrane", membrane[name].astype("<i4")),
        ]
    return digest([*arrays, ("classes", classes.astype("<i8"))])


def known() -> list[tuple[int, str, str]]:
    """Seed, SHA-256 of the file's arrays, SHA-256 of the recording."""
    lines = Path(__file__).with_name("version1.sha256").read_text().splitlines()
    return [(int(seed), file, recording) for seed, file, recording in (line.split() for line in lines)]


def _weights(rng: np.random.Generator, shape: tuple[int, int], bits: int) -> np.ndarray:
    limit = 2 ** (bits - 1)
    if rng.random() < _EXTREME:
        return rng.choice(np.array([-limit, limit - 1]), size=shape)
    scale = limit if rng.random() < 0.5 else max(2, limit // 4)
    weights = rng.integers(-scale, scale, size=shape)
    if rng.random() < 0.3:
        weights = np.abs(weights + (weights == -limit))  # all excitatory: these saturate
    if rng.random() < 0.3:
        weights = weights * (rng.random(shape) < 0.5)
    return weights


def _delays(
    rng: np.random.Generator, shape: tuple[int, int], least: int, greatest: int
) -> int | np.ndarray:
    kind = rng.random()
    if kind < 0.3:
        return least
    if kind < 0.5:
        return int(rng.integers(least, greatest + 1))
    longest = int(rng.integers(least, greatest + 1))  # short delays are as likely as long ones
    return rng.integers(least, longest + 1, size=shape)


def _population(
    rng: np.random.Generator,
    name: str,
    size: int,
    incoming: list[Projection],
) -> Population:
    drive = np.concatenate([projection.weights for projection in incoming])
    scale = int(np.sqrt((drive.astype(float) ** 2).sum(axis=0)).mean()) + 1  # of one tick's current
    fitting = scale.bit_length() + 2  # a membrane of so many bits saturates now and then
    low, high = 8, 24
    wanted = (
        fitting + int(rng.integers(-2, 3)) if rng.random() < 0.7 else int(rng.integers(low, high + 1))
    )
    bits = min(max(wanted, low), high)
    top = 2 ** (bits - 1) - 1

    def per_neuron(values: np.ndarray) -> np.ndarray:
        return values if rng.random() < 0.5 else np.full(size, values[0])

    beta = rng.integers(128, 257, size=size) if rng.random() < 0.7 else rng.integers(0, 257, size=size)
    if rng.random() < _EXTREME:
        beta = rng.choice(np.array([0, 256]), size=size)
    threshold = np.minimum(rng.integers(0, scale + 1, size=size), top)
    if rng.random() < _EXTREME:
        threshold = np.minimum(rng.choice(np.array([0, 1, top], dtype=np.int64), size=size), top)
    bias = np.zeros(size, dtype=np.int64)
    if rng.random() < 0.4:
        bias = rng.integers(-scale, scale + 1, size=size) // 4
    if rng.random() < 0.05:
        bias = rng.integers(-4 * top, 4 * top + 1, size=size)
    return Population(
        name,
        size,
        per_neuron(beta),
        per_neuron(threshold),
        reset=RESETS[int(rng.integers(3))],
        reset_delay=bool(rng.integers(2)),
        bias=per_neuron(bias),
        membrane_bits=bits,
    )
