"""A reward task: a network learns which of two answers each of four stimuli asks for, told only "right" or "wrong".

A stimulus is a group of inputs that spike more often than the others, at random.  Two neurons answer: the one with
more spikes.  They inhibit each other, and of those that would spike in one tick one does (`winners=1`).  The host sees
the answer and sends reward − what it expected, an integer, at the end of each sample; by `RewardSTDP` the synapses
that took part change.  Which stimulus asks for which answer is drawn by the seed.

After R. V. Florian, "Reinforcement learning through modulation of spike-timing-dependent synaptic plasticity", Neural
Computation 19, 2007; the expected reward that is taken off: N. Frémaux and W. Gerstner, "Neuromodulated
spike-timing-dependent plasticity, and theory of three-factor learning rules", Frontiers in Neural Circuits 9, 2016.
"""

from __future__ import annotations

import time

import numpy as np

from lifline import golden
from lifline.network import (
    LIF,
    STDP,
    Dense,
    Network,
    Population,
    Projection,
    Reset,
    RewardSTDP,
    Rounding,
)

from .measure import Options, Result
from .plots import curves

STIMULI, GROUP, TICKS = 4, 12, 40
RATE, REST = 0.25, 0.03  #: spikes a tick of an input in the stimulus, and of the others
TRIALS = 300
TESTS = 400  #: samples of which accuracies are, with weights as they are
SEEDS = 5
LAST = 20  #: trials of the running share of right answers
RIGHT = 2**11  #: the signal of an answer that nobody expected to be right
ONE = 2**8  #: an expected reward of 1


def untaught(seed: int) -> Network:
    """Equal chances: random weights from every input to both neurons."""
    inputs = STIMULI * GROUP
    weights = np.random.default_rng([seed, 0]).integers(30, 50, (inputs, 2))
    pairs = STDP(
        alpha_pre=230,
        alpha_post=230,
        amplitude=256,
        eta_plus=16,
        eta_minus=8,
        shift=6,
        low=0,
        high=100,
        rounding=Rounding.STOCHASTIC,
        seed=seed,
    )
    neuron = LIF(beta=230, threshold=500, reset=Reset.ZERO, membrane_bits=16)
    return Network(
        inputs,
        [Population("answer", 2, neuron, winners=1)],
        [
            Projection("input", "answer", Dense(weights), RewardSTDP(pairs, alpha=256, shift=11)),
            Projection("answer", "answer", Dense([[0, -1000], [-1000, 0]], 1, 11)),
        ],
        "answer",
    )


def trials(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which stimulus each sample shows, and its spikes (samples, ticks, inputs)."""
    shown = rng.integers(STIMULI, size=count)
    rates = np.full((count, STIMULI, GROUP), REST)
    rates[np.arange(count), shown] = RATE
    spikes = rng.random((count, TICKS, STIMULI * GROUP)) < rates.reshape(count, 1, -1)
    return shown, spikes.astype(np.uint8)


def taught(
    network: Network, asked: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[Network, list[bool]]:
    """The network after so many trials, and whether each answer was right; `asked`: of each stimulus."""
    expected = ONE // 2
    right = []
    for stimulus, spikes in zip(*trials(count, rng), strict=True):
        answer = golden.simulate(network, spikes).classes
        right.append(bool(answer == asked[stimulus]))
        signal = RIGHT * (ONE * right[-1] - expected) // ONE
        expected += (ONE * right[-1] - expected) // 16
        after = golden.simulate(network, spikes, learn=True, reward=signal).network
        assert after is not None
        network = after
    return network, right


def accuracy(network: Network, asked: np.ndarray, rng: np.random.Generator, count: int) -> float:
    """Of a network that does not learn."""
    shown, spikes = trials(count, rng)
    return float((golden.simulate(network, spikes).classes == asked[shown]).mean())


def run(options: Options) -> Result:
    count, tests, seeds = (20, 20, 1) if options.quick else (TRIALS, TESTS, SEEDS)
    rows, lines = [], {}
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 1])
        asked = rng.permutation(np.arange(STIMULI) % 2)
        network = untaught(seed)
        before = accuracy(network, asked, rng, tests)
        start = time.perf_counter()
        network, right = taught(network, asked, count, rng)
        seconds = time.perf_counter() - start
        last = np.convolve(right, np.ones(LAST) / LAST, "valid")
        reached = np.flatnonzero(last >= 0.9)
        rows.append(
            {
                "seed": seed,
                "before": before,
                "after": accuracy(network, asked, rng, tests),
                f"first trial with 90 % of the last {LAST} right": int(reached[0]) + LAST
                if len(reached)
                else None,
                "trials a second": count / seconds,
            }
        )
        lines[f"seed {seed}"] = last.tolist()
    curves(options.folder / "reward.png", lines, x="trials", y=f"right of the last {LAST}", first=LAST)
    notes = [
        f"{STIMULI} stimuli of {GROUP} inputs, two answers, {count} trials. Accuracies are of {tests} new samples "
        "each, with the weights as they are."
    ]
    return Result("A reward task", rows, notes, plots=["reward.png"])
