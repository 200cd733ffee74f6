"""Networks and spikes to measure with."""

from __future__ import annotations

import os

import numpy as np

from lifline.errors import InputError
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import LIF
from lifline.synapses import Dense


def feed_forward(rng: np.random.Generator, *sizes: int, bits: int = 8, max_delay: int = 0) -> Network:
    """Fully connected LIF populations with random weights, and thresholds that let them spike.

    beta is 0.95; a reset comes a tick later, as in snnTorch's ``Leaky``.
    """
    names = [INPUT, *(f"hidden{i}" for i in range(1, len(sizes) - 1)), "output"]
    limit = 2 ** (bits - 1)
    layers = list(zip(names, names[1:], sizes, sizes[1:], strict=False))
    return Network(
        inputs=sizes[0],
        populations=[
            Population(
                name, size, LIF(beta=243, threshold=int(limit * before**0.5) // 2, reset_delay=True)
            )
            for _, name, before, size in layers
        ],
        projections=[
            Projection(
                source,
                name,
                Dense(
                    rng.integers(-limit, limit, (before, size)),
                    rng.integers(0, max_delay + 1, (before, size)),
                    bits,
                ),
            )
            for source, name, before, size in layers
        ],
        output="output",
        name="-".join(map(str, sizes)),
    )


def independent(rng: np.random.Generator, density: float, *shape: int) -> np.ndarray:
    """Spikes, uint8 of `shape`, each by itself."""
    return (rng.random(shape) < density).astype(np.uint8)


def pictures(rng: np.random.Generator, samples: int) -> tuple[str, np.ndarray]:
    """Handwritten digits, brightness 0 … 1, (samples, 784), and what they are.

    MNIST's test images where ``$LIFLINE_DATA`` has them, else scikit-learn's digits in a frame.
    """
    from lifline.train import datasets

    if os.environ.get("LIFLINE_DATA"):
        try:
            images = datasets.mnist().test.images
            return "MNIST", images[rng.permutation(len(images))[:samples]].reshape(-1, 784) / 255
        except InputError:
            pass
    from sklearn.datasets import load_digits

    small = load_digits().images / 16
    chosen = small[rng.permutation(len(small))[:samples]]
    large = np.kron(chosen, np.ones((2, 2)))
    return "digits in a frame", np.pad(large, ((0, 0), (6, 6), (6, 6))).reshape(-1, 784)


def rate_coded(rng: np.random.Generator, images: np.ndarray, ticks: int, gain: float = 1) -> np.ndarray:
    """Spikes, uint8 (samples, ticks, pixels): in each tick with the probability `gain` · brightness."""
    shape = (len(images), ticks, images.shape[1])
    return (rng.random(shape) < gain * images[:, None]).astype(np.uint8)
