"""What kinds of neurons do: by hand, and beside the literature's patterns and probabilities."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np

from lifline import LIF, Adaptation, Network, Noise, Population, Projection, golden
from lifline.golden import reference

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "izhikevich.py"


def run(neuron: LIF, current: list[int]) -> dict[str, list[int]]:
    """Spikes and states of one neuron, (ticks,), that gets a current in each tick."""
    bits = [[1 if value >> bit & 1 else 0 for bit in range(10)] for value in current]
    network = Network(
        10,
        [Population("n", 1, neuron)],
        [Projection("input", "n", [[2**b] for b in range(6)] + [[0]] * 4)],
        "n",
    )
    result = golden.simulate(network, np.array(bits))
    states = {name: values[:, 0].tolist() for name, values in result.states["n"].items()}
    return {"spikes": result.spikes["n"][:, 0].tolist(), **states}


def test_a_filtered_current_by_hand() -> None:
    # alpha ½: c = 8, floor(4) + 4 = 8, floor(4) = 4, 2, 1, floor(½) = 0;  beta ½: v = floor(v / 2) + c
    did = run(LIF(128, 63, alpha=128), [8, 4, 0, 0, 0, 0])
    assert did["current"] == [8, 8, 4, 2, 1, 0]
    assert did["membrane"] == [8, 12, 10, 7, 4, 2]


def test_an_adaptive_threshold_by_hand() -> None:
    # beta 0, I = 5: θ = 4 + a;  a rises by 3 after a spike, and halves.
    did = run(LIF(0, 4, adaptation=Adaptation(128, 3)), [5] * 7)
    assert did["adaptation"] == [0, 3, 1, 0, 3, 1, 0]
    assert did["spikes"] == [1, 0, 0, 1, 0, 0, 1]
    assert did["membrane"] == [1, 5, 5, 1, 5, 5, 1]


def test_a_spike_far_below_the_bare_threshold_saturates() -> None:
    # a = −128 lets x = −20 spike; x − threshold = −147 saturates at −128.
    neuron = LIF(
        0,
        127,
        bias=-20,
        membrane_bits=8,
        adaptation=Adaptation(256, -(2**23), bits=9),
        noise=Noise([-50], 1),
    )
    did = run(neuron, [0, 0])
    assert did["adaptation"][0] == 0
    low = LIF(0, 127, bias=-20, membrane_bits=8, noise=Noise([-(2**23)], 1))
    assert run(low, [0])["membrane"] == [-128]
    assert run(low, [0])["spikes"] == [1]


def test_the_generator_has_the_full_period() -> None:
    r, seen = 1, set()
    while r not in seen:
        seen.add(r)
        r = reference.xorshift16(r)
    assert len(seen) == 65535
    assert 0 not in seen


def test_seeds_are_distinct_and_reproducible() -> None:
    seeds = Noise.seeds(65535, 3)
    assert len(set(seeds.tolist())) == 65535
    assert seeds.min() == 1
    assert np.array_equal(Noise.seeds(65535, 3), seeds)
    assert len(Noise.seeds(70000)) == 70000


def test_noise_fires_at_the_logistic_rate() -> None:
    """Over 100,000 ticks at 20 points, within the binomial distribution's central 99 %."""
    scale, ticks = 60.0, 100_000
    points = np.round(np.linspace(-4, 4, 20) * scale).astype(int)
    threshold = 2000
    neuron = LIF(
        0, threshold, bias=threshold + points, reset="none",
        noise=Noise.logistic(scale, len(points), seed=1, index_bits=12),
    )  # fmt: skip
    network = Network(
        1,
        [Population("n", len(points), neuron)],
        [Projection("input", "n", np.zeros((1, 20), int))],
        "n",
    )
    rates = golden.simulate(network, np.zeros((ticks, 1), np.uint8)).spikes["n"].mean(axis=0)
    p = 1 / (1 + np.exp(-points / scale))
    limits = 2.5758 * np.sqrt(p * (1 - p) / ticks)
    for point, rate, expected, limit in zip(points, rates, p, limits, strict=True):
        print(f"x − θ = {point:5d}: {rate:.5f}, σ = {expected:.5f} ± {limit:.5f}")
    assert (np.abs(rates - p) <= limits).all()


def test_izhikevich_fires_as_its_equation() -> None:
    """The example's table: spikes in a second of six patterns, in integers and in float64."""
    output = subprocess.run(
        [sys.executable, str(EXAMPLE)], capture_output=True, text=True, check=True
    ).stdout
    counts = {
        line[:26].strip(): [int(n) for n in line[26:].split()] for line in output.splitlines()[1:]
    }
    assert len(counts) == 6
    for pattern, (integers, floats, fine) in counts.items():
        assert abs(integers - floats) <= 1, pattern
        assert math.isclose(integers, fine, rel_tol=0.1), pattern  # Euler's step of 1/4 ms
