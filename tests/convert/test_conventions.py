"""What each producer means by a NIR graph, against its forward as its source has it, in NumPy: 0 differing spikes."""

from __future__ import annotations

import itertools
from typing import Any

import nir
import numpy as np
import pytest

from lifline import golden
from lifline.convert import ConversionError, from_nir

SIZE, SAMPLES, TICKS = 5, 4, 30


def graph(*nodes: Any, shape: tuple[int, ...] = (3,)) -> nir.NIRGraph:
    named = {"input": nir.Input(np.array(shape)), **{f"n{i}": n for i, n in enumerate(nodes)}}
    named["output"] = nir.Output(np.array([SIZE]))
    names = list(named)
    return nir.NIRGraph(named, list(itertools.pairwise(names)), type_check=False)


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, spikes, and what arrives in each tick."""
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((SIZE, 3)) * 1.5
    spikes = (rng.random((SAMPLES, TICKS, 3)) < 0.3).astype(np.uint8)
    return weights, spikes, spikes @ weights.T


def differing(made: nir.NIRGraph, spikes: np.ndarray, expected: np.ndarray, **given: Any) -> int:
    conversion = from_nir(made, weight_bits=16, calibrate=spikes, **given)
    found = golden.simulate(conversion.network, conversion.inputs(spikes)).spikes
    assert expected.any()
    return int((found[conversion.network.output] != expected).sum())


ONES = np.ones(SIZE)
HALF = 1 / np.log(2)  #: the time constant, in ticks, of which e^(−1 / τ) is ½


@pytest.mark.parametrize("seed", range(3))
def test_rockpool(seed: int) -> None:
    """isyn += I, v *= a, isyn *= b, v += isyn, s = v ≥ θ, v −= s θ; r is written as τ e^(−dt / τ) / dt."""
    weights, spikes, arriving = drawn(seed)
    tau = 1e-3 * HALF * ONES
    r = tau * 0.5 / 1e-3
    for current in (False, True):
        v, c, fired = np.zeros((SAMPLES, SIZE)), np.zeros((SAMPLES, SIZE)), []
        for t in range(TICKS):
            c = 0.5 * (c + arriving[:, t]) if current else arriving[:, t]
            v = 0.5 * v + c
            s = v >= 1
            v = v - s
            fired.append(s)
        node = nir.CubaLIF(tau, tau, r, 0 * ONES, ONES) if current else nir.LIF(tau, r, 0 * ONES, ONES)
        made = graph(nir.Linear(weights), node, shape=(1, 1, 3))  # Rockpool writes samples and ticks
        assert differing(made, spikes, np.stack(fired, 1), producer="rockpool") == 0, seed


@pytest.mark.parametrize("seed", range(3))
def test_spikingjelly(seed: int) -> None:
    """v += I, or v += (I − v) / τ; s = v ≥ θ; v = 0 where s; r of an IF is written as 1 / dt."""
    weights, spikes, arriving = drawn(seed)
    for leaky in (False, True):
        v, fired = np.zeros((SAMPLES, SIZE)), []
        for t in range(TICKS):
            v = v + (arriving[:, t] - v) / 2 if leaky else v + arriving[:, t]
            s = v >= 1
            v = v * ~s
            fired.append(s)
        node = (
            nir.LIF(2e-4 * ONES, ONES, 0 * ONES, ONES, 0 * ONES)
            if leaky
            else nir.IF(1e4 * ONES, ONES, 0 * ONES)
        )
        made = graph(nir.Linear(weights), node)
        assert differing(made, spikes, np.stack(fired, 1), producer="spikingjelly") == 0, seed


@pytest.mark.parametrize("seed", range(3))
def test_sinabs(seed: int) -> None:
    """v = a v + (1 − a) I, s = v ≥ θ, v −= s θ; τ is in ticks."""
    weights, spikes, arriving = drawn(seed)
    v, fired = np.zeros((SAMPLES, SIZE)), []
    for t in range(TICKS):
        v = 0.5 * v + 0.5 * arriving[:, t]
        s = v >= 1
        v = v - s
        fired.append(s)
    made = graph(nir.Linear(weights), nir.LIF(HALF * ONES, ONES, 0 * ONES, ONES, 0 * ONES))
    assert differing(made, spikes, np.stack(fired, 1), producer="sinabs") == 0, seed


def malformed() -> list[tuple[str, Any, str]]:
    conv = nir.Conv2d(None, np.ones((1, 1, 3, 3)), 1, 1, 1, 1, np.zeros(1))
    conv.weight = np.ones((1, 3, 3))
    of_channels = nir.Conv2d(None, np.ones((2, 1, 3, 3)), 1, 1, 1, 1, np.zeros(3))
    return [
        ("a bias of another size", nir.Affine(np.ones((SIZE, 3)), np.zeros(2)), "bias has 2 values, must have 5"),
        ("a kernel without channels", conv, r"must have the axes \(channels out"),
        ("a bias of other channels", of_channels, "bias has 3 values, must have 2"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("node", "message"), [m[1:] for m in malformed()], ids=[m[0] for m in malformed()]
)
def test_malformed_nodes_are_refused_by_name(node: Any, message: str) -> None:
    lif = nir.LIF(HALF * ONES, ONES, 0 * ONES, ONES, 0 * ONES)
    with pytest.raises(ConversionError, match=message):
        from_nir(graph(node, lif), producer="sinabs")


def test_a_node_that_is_none_is_refused_by_name() -> None:
    made = graph(nir.Linear(np.ones((SIZE, 3))))
    made.nodes["n0"] = None
    with pytest.raises(ConversionError, match="node 'n0' is a NoneType"):
        from_nir(made, producer="norse")
