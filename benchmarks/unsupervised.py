"""Unsupervised digits after Diehl & Cook: STDP, adaptive thresholds and inhibition, all in integers, in golden.

Images spike at a rate; each excitatory neuron learns a prototype of its own, since a spike inhibits all others and
raises the neuron's threshold.  Labels are used only afterwards: each neuron answers for the classes that it spikes
for in training images, by a readout that makes it an ordinary network.  Source: P. U. Diehl and M. Cook,
"Unsupervised learning of digit recognition using spike-timing-dependent plasticity", Frontiers in Computational
Neuroscience 9, 2015, where 100 neurons reach 82.9 % after three passes over the 60,000 images.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from lifline import encoders, golden, rtl
from lifline.boards import connect
from lifline.network import (
    LIF,
    STDP,
    Adaptation,
    Dense,
    Network,
    Pairing,
    Population,
    Projection,
    Reset,
)
from lifline.recording import Recording
from lifline.sim import simulate

from .measure import Options, Result

TICKS, MAX_RATE = 100, 0.25


@dataclasses.dataclass(frozen=True)
class Setting:
    """How so many neurons learn.  Those of 400 were chosen on training images that they had not learned from."""

    neurons: int
    images: int  #: to learn from, once each
    seeds: int
    eta_plus: int  #: of STDP
    jump: int  #: of the threshold, with each spike
    read: int  #: the bare threshold of the finished network; learning takes 3,000


SETTINGS = (Setting(100, 10_000, 3, 16, 16, 3000), Setting(400, 20_000, 3, 32, 64, 1000))
QUICK = (Setting(20, 100, 1, 16, 16, 3000), Setting(20, 100, 1, 32, 64, 1000))

CHUNK = 100  #: images that are encoded at once
ON_BOARD = 100  #: images that are learned over a line


def untaught(inputs: int, neurons: int, seed: int, *, eta_plus: int = 16, jump: int = 16) -> Network:
    """Random weights from the inputs to the excitatory neurons, which inhibit each other."""
    high = 255
    weights = np.random.default_rng(seed).integers(0, 3 * high // 10, (inputs, neurons))
    rule = STDP(
        alpha_pre=243,
        alpha_post=243,
        amplitude=256,
        eta_plus=eta_plus,
        eta_minus=1,
        shift=4,
        pairing=Pairing.NEAREST,
        low=0,
        high=high,
        total=3 * high * inputs // 50,
    )
    adaptation = Adaptation(rho=256, jump=jump, bits=24, keep=True)
    neuron = LIF(beta=250, threshold=3000, reset=Reset.ZERO, membrane_bits=20, adaptation=adaptation)
    others = 1 - np.eye(neurons, dtype=np.int64)
    return Network(
        inputs,
        [Population("excitatory", neurons, neuron)],
        [
            Projection("input", "excitatory", Dense(weights, 0, 9), rule),
            Projection("excitatory", "excitatory", Dense(-20000 * others, 1, 16)),
        ],
        "excitatory",
    )


def encoded(images: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Spikes of images (samples, inputs) of 0 … 1, a part of them after the other."""
    for first in range(0, len(images), CHUNK):
        yield encoders.rate(images[first : first + CHUNK], TICKS, rng, MAX_RATE)


def learned(network: Network, images: np.ndarray, rng: np.random.Generator) -> Network:
    """The network after these images."""
    for spikes in encoded(images, rng):
        after = golden.simulate(network, spikes, learn=True).network
        assert after is not None
        network = after
    return network


def counts(network: Network, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Spikes of each excitatory neuron, int64 (samples, neurons); nothing is learned."""
    model = golden.Model(network)
    parts = [model.simulate(spikes).spikes["excitatory"] for spikes in encoded(images, rng)]
    return np.concatenate([part.sum(axis=1, dtype=np.int64) for part in parts])


def labelled(network: Network, fired: np.ndarray, labels: np.ndarray, classes: int) -> Network:
    """With a readout: each neuron counts for a class as often as it spikes for it rather than for others."""
    rates = np.stack([fired[labels == label].mean(axis=0) for label in range(classes)], axis=1)
    shares = rates / np.maximum(rates.sum(axis=1, keepdims=True), 1e-9)
    readout = Population("classes", classes, LIF(0, 0, Reset.NONE))
    return dataclasses.replace(
        network,
        populations=[*network.populations, readout],
        projections=[
            *network.projections,
            Projection("excitatory", "classes", Dense(np.rint(127 * shares).astype(np.int64))),
        ],
        output="classes",
    )


def sensitive(network: Network, threshold: int) -> Network:
    """With another bare threshold, so that an image has more spikes to be read from."""
    excitatory, *others = network.populations
    neuron = dataclasses.replace(excitatory.neuron, threshold=threshold)
    return dataclasses.replace(
        network, populations=[dataclasses.replace(excitatory, neuron=neuron), *others]
    )


def accuracy(
    network: Network, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> float:
    """Of the integer network."""
    model = golden.Model(network)
    found = [model.simulate(spikes).classes for spikes in encoded(images, rng)]
    return float((np.concatenate(found) == labels).mean())


def in_gateware(images: np.ndarray, options: Options) -> Result:
    """A few of the images (samples, 784), 0 … 1, learned in gateware and in golden.

    In Verilator every weight is compared after each image; over the line to a virtual board, which is compiled with
    all that a board has, those that are read back after the last of some.

    Raises
    ------
    RuntimeError
        If a weight, a threshold, a spike or a number of cycles differs.
    """
    neurons, lanes = (20, 4) if options.quick else (100, 10)
    rng = np.random.default_rng([0, neurons])
    network = untaught(784, neurons, 0)
    chosen = rng.permutation(len(images))[: options.rtl]
    spikes = encoders.rate(images[chosen], TICKS, rng, MAX_RATE)
    start = time.perf_counter()
    expected = golden.simulate(network, spikes, learn=True)
    seconds = {"golden": time.perf_counter() - start}
    start = time.perf_counter()
    found = simulate(network, spikes, lanes=lanes, learn=True)
    seconds["Verilator"] = time.perf_counter() - start
    assert found.cycles is not None
    if any(expected.differing(found).values()) or found.network != expected.network:
        raise RuntimeError("the gateware has not learned what golden has")
    cycles = _cycles(network, lanes, spikes, expected)
    if not np.array_equal(found.cycles, cycles):
        raise RuntimeError(f"{found.cycles} cycles, the model says {cycles}")
    part = spikes[:ON_BOARD]
    start = time.perf_counter()
    with connect("virtual", network, lanes=lanes, learn=True, timeout=60) as device:
        line = device.run(part, learn=True)
    seconds["virtual board"] = time.perf_counter() - start
    assert line.network is not None
    learned_of = expected if len(part) == len(spikes) else golden.simulate(network, part, learn=True)
    same = np.array_equal(line.spikes["excitatory"], learned_of.spikes["excitatory"])
    if line.network != learned_of.network or not same:
        raise RuntimeError("the board has not learned what golden has")
    modelled = _cycles(network, lanes, part, learned_of)
    if not np.array_equal(line.cycles[~line.stalled], modelled[~line.stalled]):
        raise RuntimeError(f"{line.cycles} cycles, the model says {modelled}")
    line.network.save(options.folder / "unsupervised-board.npz")
    weights = sum(w[0].size for w in expected.weights.values())
    rows = [
        {
            "learned by": name,
            "neurons": neurons,
            "lanes": lanes,
            "images": count,
            "weights compared": compared,
            "that differ": 0,
            "images a second, with compilation": count / seconds[name],
        }
        for name, count, compared in (
            ("golden", len(spikes), 0),
            ("Verilator", len(spikes), weights * len(spikes)),
            ("virtual board", len(part), weights),
        )
    ]
    fired = int(expected.spikes["excitatory"].sum())
    notes = [
        f"{fired:,} spikes; cycles of an image: {cycles.mean():,.0f} on average, {cycles.max():,} at most, before its "
        f"weights are normalised in {rtl.settling(network, lanes):,}.",
        "The board's weights were read back over the line and saved: unsupervised-board.npz.  "
        f"{int((~line.stalled).sum())} of its images fit into its queue, and took the model's cycles.",
    ]
    return Result("Unsupervised MNIST in gateware", rows, notes, cycles_as_modelled=len(spikes))


def _cycles(network: Network, lanes: int, spikes: np.ndarray, expected: Recording) -> np.ndarray:
    """What the model says of samples that are learned from."""
    activity = {"input": spikes, **expected.spikes}
    return np.asarray(rtl.cycles(network, lanes, activity, learn=True))


def run(options: Options) -> Result:
    from lifline.train import datasets

    training, test = datasets.mnist()
    if options.rtl:
        return in_gateware(training.images.reshape(-1, 784) / 255, options)
    few = 200 if options.quick else None
    images = {
        name: (part.images[:few].reshape(-1, 784) / 255, part.labels[:few])
        for name, part in (("training", training), ("test", test))
    }
    rows = []
    for setting in QUICK if options.quick else SETTINGS:
        for seed in range(setting.seeds):
            rows.append(_measured(setting, seed, images, options))
            print(rows[-1], flush=True)
    return Result("Unsupervised MNIST", rows)


def _measured(
    setting: Setting, seed: int, images: dict[str, tuple[np.ndarray, np.ndarray]], options: Options
) -> dict[str, Any]:
    """A row: the network learned, read and saved."""
    rng = np.random.default_rng([seed, setting.neurons])
    values, labels = images["training"]
    chosen = rng.permutation(len(values))[: setting.images]
    first = untaught(784, setting.neurons, seed, eta_plus=setting.eta_plus, jump=setting.jump)
    start = time.perf_counter()
    network = learned(first, values[chosen], rng)
    seconds = time.perf_counter() - start
    network = sensitive(network, setting.read)
    network = labelled(network, counts(network, values[:10_000], rng), labels[:10_000], 10)
    network.save(options.folder / f"unsupervised-{setting.neurons}-{seed}.npz")
    return {
        "neurons": setting.neurons,
        "images": setting.images,
        "seed": seed,
        "accuracy": accuracy(network, *images["test"], rng),
        "images a second": setting.images / seconds,
    }
