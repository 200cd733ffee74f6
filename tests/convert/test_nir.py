"""NIR graphs: what is exact, what is refused, and the networks that come back as they were."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

from lifline import LIF, Dense, Network, Population, Projection, Reset, golden
from lifline.convert import ConversionError, from_nir, to_nir
from tests.networks import random_network
from tests.shaped_networks import random_shaped_network

DATA = Path(os.environ.get("LIFLINE_DATA", "")) / "nir"


def chain(*nodes: Any, shape: tuple[int, ...] = (2,)) -> nir.NIRGraph:
    """Input, the nodes one after another, output; types are not checked."""
    named = {"input": nir.Input(np.array(shape))} | {f"n{i}": n for i, n in enumerate(nodes)}
    named["output"] = nir.Output(np.array([1]))
    names = list(named)
    return nir.NIRGraph(named, list(itertools.pairwise(names)), type_check=False)


def lif(size: int = 2, **changed: Any) -> nir.LIF:
    values = {"tau": 2e-3, "r": 2.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0} | changed
    return nir.LIF(**{k: np.full(size, v) for k, v in values.items()})


def affine(size: int = 2) -> nir.Affine:
    return nir.Affine(np.eye(size), np.zeros(size))


@pytest.mark.parametrize("seed", range(40))
def test_round_trip(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng([seed, 4])
    network = (random_network if seed % 2 else random_shaped_network)(rng)
    to_nir(network, tmp_path / "network.nir")
    assert from_nir(tmp_path / "network.nir").network == network


def test_a_reader_without_metadata_computes_the_same_weights() -> None:
    network = Network(
        2,
        [Population("a", 2, LIF(beta=128, threshold=[3, 5], reset=Reset.ZERO, bias=[1, 0]))],
        [Projection("input", "a", Dense([[1, 2], [3, 4]], delays=[[0, 1], [1, 2]]))],
        "a",
    )
    graph = to_nir(network, dt=1e-3)
    graph.metadata = {}
    for node in graph.nodes.values():
        node.metadata = {}
    spikes = np.ones((1, 6, 2), np.uint8)
    foreign = from_nir(graph, dt=1e-3, scale=256, weight_bits=16).network
    weights = np.add.reduce([p.synapses.dense()[0] for p in foreign.projections])
    assert (weights == 256 * np.array([[1, 2], [3, 4]])).all()
    assert foreign["a"].neuron.threshold.tolist() == [3 * 256, 5 * 256]
    assert golden.simulate(foreign, spikes).spikes["a"].any()


@pytest.mark.data
@pytest.mark.parametrize("csv", ["lif_norse.csv", "lif_snntorch.csv"])
def test_the_paper_s_neuron_spikes_as_its_simulators(csv: str) -> None:
    table = np.loadtxt(DATA / csv, delimiter=",")
    values = table[None, :, :1].astype(np.uint8)
    conversion = from_nir(DATA / "lif_norse.nir", dt=1e-4, calibrate=values)
    spikes = golden.simulate(conversion.network, values).spikes[conversion.network.output]
    assert (spikes[0, :, 0] == table[:, 2]).all()


@pytest.mark.data
@pytest.mark.parametrize("name", ["braille_noDelay_bias_zero", "braille_noDelay_noBias_subtract"])
def test_the_paper_s_recurrent_networks(name: str) -> None:
    rng = np.random.default_rng(5)
    values = (rng.random((10, 60, 12)) < 0.2).astype(np.uint8)
    reset = name.rpartition("_")[2]
    conversion = from_nir(
        DATA / f"{name}.nir", dt=1e-4, reset=reset, loop_delay=1, calibrate=values, weight_bits=16
    )
    comparison = conversion.report.comparison
    assert comparison is not None
    assert comparison.unexplained == 0
    assert comparison.spike_agreement > 0.99


@pytest.mark.data
def test_pools_fold_into_convolutions() -> None:
    conversion = from_nir(DATA / "cnn_sinabs.nir", reset="subtract", input_bits=4)
    kinds = [type(p.synapses).__name__ for p in conversion.network.projections]
    assert kinds == ["Convolution"] * 3 + ["Dense"] * 2
    assert conversion.network.projections[2].synapses.weights.shape == (6, 6, 16, 8)


REFUSED = [
    (chain(affine(), lif()), {}, "needs dt"),
    (chain(affine(), lif(tau=5e-4)), {"dt": 1e-3}, "shorter than dt"),
    (chain(affine(), lif(v_leak=0.5)), {"dt": 1e-3, "reset": "subtract"}, "rests at 0.5"),
    (chain(affine(), lif(v_threshold=-1.0)), {"dt": 1e-3}, "below its resting membrane"),
    (chain(affine(), lif(), nir.LI(*(np.ones(2),) * 2, np.zeros(2)), lif()), {"dt": 1e-3}, "sends its membrane on"),
    (chain(affine(), lif(r=np.nan)), {"dt": 1e-3}, "NaN"),
    (chain(affine(3), lif()), {"dt": 1e-3}, "takes 3 values"),
    (chain(affine(), nir.Delay(np.array([1.5e-3, 1e-3])), lif()), {"dt": 1e-3}, "no multiple of dt"),
    (chain(affine(), lif()), {"dt": -1.0}, "dt must be"),
    (chain(affine(), lif()), {"dt": 1e-3, "producer": "brian"}, "producer must be"),
    (chain(affine(), lif()), {"dt": 1e-3, "scale": "large"}, "scale must be"),
    (chain(affine(), lif()), {"dt": 1e-3, "weight_bits": 17}, "weight_bits must be"),
    (chain(affine(), lif()), {"dt": 1e-3, "weight_bits": "auto"}, "calibrate"),
    (chain(affine(), lif()), {"dt": 1e-3, "output": "nobody"}, "is no neuron node"),
    (chain(affine()), {"dt": 1e-3, "comparison": "=="}, "comparison must be"),
]  # fmt: skip


@pytest.mark.parametrize(("graph", "options", "message"), REFUSED, ids=[m for _, _, m in REFUSED])
def test_refused_by_name(graph: nir.NIRGraph, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        from_nir(graph, **options)


def test_a_loop_without_delay_is_refused_until_its_delay_is_said() -> None:
    graph = chain(affine(), lif())
    graph.nodes["back"] = affine()
    graph.edges += [("n1", "back"), ("back", "n1")]
    with pytest.raises(ConversionError, match="loop without delay"):
        from_nir(graph, dt=1e-3)
    network = from_nir(graph, dt=1e-3, loop_delay=1).network
    assert [p.synapses.delay_range for p in network.projections] == [(0, 0), (1, 1)]


def test_every_node_of_nir() -> None:
    graph = nir.NIRGraph(
        {
            "input": nir.Input(np.array([2, 8])),
            "conv": nir.Conv1d(None, np.ones((3, 2, 3)), 1, "same", 1, 1, np.zeros(3)),
            "if": nir.IF(np.ones((3, 8)), np.ones((3, 8))),
            "flat": nir.Flatten({"input": np.array([3, 8])}, 0, -1),
            "scale": nir.Scale(np.full(24, 0.5)),
            "delay": nir.Delay(np.arange(24) * 1e-3),
            "linear": nir.Linear(np.ones((4, 24))),
            "cuba": nir.CubaLIF(*(np.full(4, v) for v in (2e-3, 4e-3, 4.0, 0.0, 1.0, 0.0, 2.0))),
            "threshold": nir.Threshold(np.zeros(4)),
            "last": nir.Affine(np.eye(4), np.ones(4)),
            "li": nir.CubaLI(*(np.full(4, v) for v in (2e-3, 4e-3, 4.0, 0.0, 2.0))),
            "output": nir.Output(np.array([4])),
        },
        [
            ("input", "conv"), ("conv", "if"), ("if", "flat"), ("flat", "scale"), ("scale", "delay"),
            ("delay", "linear"), ("linear", "cuba"), ("cuba", "threshold"), ("threshold", "last"),
            ("last", "li"), ("li", "output"),
        ],
        type_check=False,
    )  # fmt: skip
    rng = np.random.default_rng(6)
    values = (rng.random((5, 40, 2, 8)) < 0.3).astype(np.uint8)
    conversion = from_nir(graph, dt=1e-3, calibrate=values)
    assert conversion.report.comparison is not None
    assert conversion.report.comparison.unexplained == 0
    delays = conversion.network.projections[1].synapses.delay_range
    assert delays == (0, 23)
    assert "folded into the synapses of 'cuba'" in conversion.report.text()


def test_to_snntorch_and_back() -> None:
    from lifline.convert import from_snntorch, to_snntorch

    rng = np.random.default_rng(7)
    network = Network(
        (4, 4, 2),
        [
            Population("n1", (2, 2, 3), LIF(beta=128, threshold=40, reset_delay=True, bias=3)),
            Population("n4", 5, LIF(beta=256, alpha=128, threshold=60, reset_delay=True)),
        ],
        [
            Projection("input", "n1", _convolution(rng)),
            Projection("n1", "n4", rng.integers(-100, 100, (12, 5))),
            Projection("n4", "n4", Dense(rng.integers(-50, 50, (5, 5)), delays=1)),
        ],
        "n4",
    )  # fmt: skip
    back = from_snntorch(to_snntorch(network), (2, 4, 4), scale=1.0).network
    assert [p.synapses for p in back.projections] == [p.synapses for p in network.projections]
    for one, two in zip(back.populations, network.populations, strict=True):
        for field in ("beta", "threshold", "bias", "alpha", "reset", "reset_delay"):
            ours, theirs = getattr(one.neuron, field), getattr(two.neuron, field)
            assert np.array_equal(ours, theirs), (one.name, field)


def _convolution(rng: np.random.Generator) -> Any:
    from lifline import Convolution

    return Convolution(rng.integers(-100, 100, (2, 2, 2, 3)), stride=2)
