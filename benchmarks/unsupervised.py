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

import numpy as np

from lifline import encoders, golden, rtl
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
from lifline.sim import simulate

from .measure import Options, Result

TICKS, MAX_RATE = 100, 0.25
CHUNK = 100  #: images that are encoded at once


def untaught(inputs: int, neurons: int, seed: int) -> Network:
    """Random weights from the inputs to the excitatory neurons, which inhibit each other."""
    high = 255
    weights = np.random.default_rng(seed).integers(0, 3 * high // 10, (inputs, neurons))
    rule = STDP(
        alpha_pre=243,
        alpha_post=243,
        amplitude=256,
        eta_plus=16,
        eta_minus=1,
        shift=4,
        pairing=Pairing.NEAREST,
        low=0,
        high=high,
        total=3 * high * inputs // 50,
    )
    adaptation = Adaptation(rho=256, jump=16, bits=24, keep=True)
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


def accuracy(
    network: Network, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> float:
    """Of the integer network."""
    model = golden.Model(network)
    found = [model.simulate(spikes).classes for spikes in encoded(images, rng)]
    return float((np.concatenate(found) == labels).mean())


def in_gateware(images: np.ndarray, options: Options) -> Result:
    """A few of the images (samples, 784), 0 … 1, learned in Verilator and in golden: every weight after each.

    Raises
    ------
    RuntimeError
        If a weight, a threshold or a number of cycles differs.
    """
    neurons, lanes = (20, 4) if options.quick else (100, 10)
    rng = np.random.default_rng([0, neurons])
    network = untaught(784, neurons, 0)
    chosen = rng.permutation(len(images))[: options.rtl]
    spikes = encoders.rate(images[chosen], TICKS, rng, MAX_RATE)
    expected = golden.simulate(network, spikes, learn=True)
    start = time.perf_counter()
    found = simulate(network, spikes, lanes=lanes, learn=True)
    seconds = time.perf_counter() - start
    assert found.cycles is not None
    activity = {"input": spikes, **expected.spikes}
    modelled = rtl.cycles(network, lanes, activity, learn=True)
    if any(expected.differing(found).values()) or found.network != expected.network:
        raise RuntimeError("the gateware has not learned what golden has")
    if not np.array_equal(found.cycles, modelled):
        raise RuntimeError(f"{found.cycles} cycles, the model says {modelled}")
    row = {
        "neurons": neurons,
        "lanes": lanes,
        "images": len(spikes),
        "weights compared": sum(w.size for w in expected.weights.values()),
        "weights that differ": 0,
        "spikes": int(expected.spikes["excitatory"].sum()),
        "cycles an image, mean": float(found.cycles.mean()),
        "cycles, most": int(found.cycles.max()),
        "seconds, with compilation": seconds,
    }
    return Result("Unsupervised MNIST in gateware", [row], cycles_as_modelled=len(spikes))


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
    for neurons, learn, seeds in ((100, 10_000, 3),) if not options.quick else ((20, 100, 1),):
        for seed in range(seeds):
            rng = np.random.default_rng([seed, neurons])
            chosen = rng.permutation(len(images["training"][0]))[:learn]
            start = time.perf_counter()
            network = learned(untaught(784, neurons, seed), images["training"][0][chosen], rng)
            seconds = time.perf_counter() - start
            of = (values[:10_000] for values in images["training"])
            shown, labels = of
            network = labelled(network, counts(network, shown, rng), labels, 10)
            network.save(options.folder / f"unsupervised-{neurons}-{seed}.npz")
            rows.append(
                {
                    "neurons": neurons,
                    "images": learn,
                    "seed": seed,
                    "accuracy": accuracy(network, *images["test"], rng),
                    "images a second": learn / seconds,
                }
            )
            print(rows[-1], flush=True)
    return Result("Unsupervised MNIST", rows)
