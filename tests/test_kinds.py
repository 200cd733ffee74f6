# ruff: noqa: E501 -- a table of mistakes and messages
"""Kinds: their fields' checks, files, summaries and tables; and what networks of version 1 still do."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import (
    LIF,
    SDSP,
    STDP,
    Adaptation,
    Convolution,
    Dense,
    Izhikevich,
    Network,
    NetworkError,
    Noise,
    Population,
    Projection,
    RewardSTDP,
    Sparse,
    golden,
)
from lifline.fields import Kind, table
from lifline.network import INPUT

from . import version1
from .networks import KINDS, random_network, random_neuron

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LIF(256, 10, alpha=257), "LIF: alpha must be in 0 … 256, not 257"),
        (lambda: LIF(256, 10, alpha=0.5), "LIF: alpha must be integers, not float64; round and cast them first"),
        (lambda: LIF(256, 10, current_bits=25), "LIF: current_bits must be in 8 … 24, not 25"),
        (lambda: LIF(256, 10, adaptation=3), "LIF: adaptation must be of type Adaptation or None, not 3"),
        (lambda: LIF(256, 10, noise=Adaptation(1, 1)), "LIF: noise must be of type Noise or None, not Adaptation(rho=1"),
        (lambda: LIF(256, 200, membrane_bits=8), "LIF: threshold must be in 0 … 127, not 200"),
        (lambda: Adaptation(-1, 3), "Adaptation: rho must be in 0 … 256, not -1"),
        (lambda: Adaptation(1, [[3]]), "Adaptation: jump must be one integer or have the shape (size,), not (1, 1)"),
        (lambda: Noise([1, 2, 3], 5), "Noise: table must have 2^k entries, k = 0 … 16, not 3"),
        (lambda: Noise(1, 5), "Noise: table must have the shape (entries,), not ()"),
        (lambda: Noise([], 5), "Noise: table must be integers, not float64; round and cast them first"),
        (lambda: Noise([1, 2], [4, 0]), "Noise: seed must be in 1 … 65535, not 0 at (1,)"),
        (lambda: Noise.logistic(0, 4), "Noise: scale must be a number above 0, not 0"),
        (lambda: Izhikevich(1, 1, 2**19, 0, 0), "Izhikevich: c must be in -524288 … 524287, not 524288"),
        (lambda: Izhikevich(1, 1, 0, 0, 0, gain=17), "Izhikevich: gain must be in 0 … 16, not 17"),
        (lambda: Population("p", 3, LIF(1, 1, noise=Noise([0], [1, 2]))), "population 'p': noise: seed must be one integer or have the shape (3,), not (2,)"),
        (lambda: Population("p", (2, 2), LIF(1, 1)), "population 'p': size must be an integer or (height, width, channels), not (2, 2)"),
        (lambda: Population("p", (2, 0, 1), LIF(1, 1)), "population 'p': size: width must be in 1 … 2147483647, not 0"),
        (lambda: Population("p", (2**16, 2**16, 1), LIF(1, 1)), f"population 'p': size must be in 1 … 2147483647, not {2**32}"),
        (lambda: Population("p", 3, 5), "population 'p': neuron must be a neuron such as LIF(…), not 5"),
        (lambda: Projection("a", "b", [[1]], plasticity=3), "projection 'a -> b': plasticity must be a rule or None, not 3"),
        (lambda: Projection("a", "b", [[300]]), "projection 'a -> b': Dense: weights must be in -128 … 127, not 300 at (0, 0)"),
        (lambda: Network(3, [], [], "p", input_bits=9), "network: input_bits must be in 1 … 8, not 9"),
    ],
)  # fmt: skip
def test_what_a_kind_refuses(make: Any, message: str) -> None:
    with pytest.raises(NetworkError) as caught:
        make()
    assert str(caught.value).startswith(message)


def test_states() -> None:
    plain = LIF(1, 1)
    assert [state.name for state in plain.states] == ["membrane"]
    assert not plain.keeps_spike
    full = LIF(1, 1, alpha=1, current_bits=9, adaptation=Adaptation(1, 1, bits=5), noise=Noise([0], 7))
    assert [(s.name, s.bits, s.range) for s in full.states] == [
        ("membrane", 16, (-32768, 32767)),
        ("current", 9, (-256, 255)),
        ("adaptation", 5, (-16, 15)),
        ("noise", 16, (0, 65535)),
    ]
    assert full.keeps_spike
    assert full.states[3].initial == 7
    assert LIF(1, 1, reset="none").readout
    assert not Izhikevich.of().readout


@pytest.mark.parametrize("kind", KINDS)
def test_files_hold_every_kind(kind: type, tmp_path: Path) -> None:
    print("seed 5")
    rng = np.random.default_rng(5)
    for _ in range(30):
        size = int(rng.integers(1, 6))
        neuron = random_neuron(kind, rng, size, 100)
        network = Network(
            (1, 2, 3),
            [Population("p", size, neuron)],
            [Projection(INPUT, "p", np.ones((6, size), int))],
            "p",
        )
        network.save(tmp_path / "one.npz")
        loaded = Network.load(tmp_path / "one.npz")
        assert loaded == network
        assert loaded.input_shape == (1, 2, 3)
        loaded.save(tmp_path / "two.npz")
        assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_equality_sees_parts_and_shapes() -> None:
    neuron = LIF(1, 1, adaptation=Adaptation(3, 4))
    assert neuron == LIF(1, 1, adaptation=Adaptation(3, 4))
    assert neuron != LIF(1, 1, adaptation=Adaptation(3, 5))
    assert neuron != LIF(1, 1)
    assert Population("p", (2, 1, 3), neuron) != Population("p", 6, neuron)
    population = Population("p", (2, 1, 3), neuron)
    assert dataclasses.replace(population, name="q").shape == (2, 1, 3)


def test_a_network_in_words() -> None:
    network = Network(
        (2, 2, 1),
        [
            Population("hidden", (1, 3, 2), LIF(240, [5] * 6, alpha=3, noise=Noise([1, 2], 3))),
            Population("out", 2, Izhikevich.of()),
        ],
        [
            Projection("input", "hidden", np.ones((4, 6), int)),
            Projection("hidden", "out", Dense(np.ones((6, 2), int), np.arange(12).reshape(6, 2), 4)),
        ],
        "out",
        name="<small>",
    )
    assert (
        repr(network)
        == "<Network '<small>': 4 inputs -> hidden (6 LIF) -> out (2 Izhikevich), 36 synapses>"
    )
    lines = network.summary().splitlines()
    assert lines[2].split("  ")[0] == "hidden"
    assert "LIF, subtract, alpha, noise" in lines[2]
    assert "membrane 16, current 16, noise 16" in lines[2]
    assert lines[2].endswith("288")
    assert "membrane 20, recovery 20" in lines[3]
    assert lines[6].split() == ["hidden", "->", "out", "12", "Dense", "4", "0", "…", "11", "96"]
    assert lines[-1] == "8 neurons, 36 synapses in 1 KiB"
    page = network._repr_html_()
    assert "&lt;small&gt;" in page
    assert "<small>" not in page
    assert page.count("<table>") == 2


def rows(kind: type[Kind]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in table(kind)]


@pytest.mark.parametrize("kind", [*KINDS, Dense, Convolution, Sparse, STDP, RewardSTDP, SDSP])
def test_the_docs_tables_are_the_fields(kind: type[Kind]) -> None:
    text = (ROOT / "docs" / "contract.md").read_text()
    assert "\n".join(rows(kind)) in text, "docs/contract.md needs the rows\n" + "\n".join(rows(kind))


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_networks_of_version_1_do_what_they_did(first: int, tmp_path: Path) -> None:
    for seed, file_digest, recording_digest in version1.known()[first : first + 20]:
        rng = np.random.default_rng([1, seed])
        written = version1.version1_network(rng)
        spikes = version1.version1_spikes(rng, written.inputs)
        path = tmp_path / f"{seed}.npz"
        assert version1.write(path, written) == file_digest
        network = Network.load(path)
        for witness in (golden.simulate, golden.reference.simulate):
            result = witness(network, spikes)
            digest = version1.recorded(written, result.spikes, result.membrane, result.classes)
            assert digest == recording_digest, f"seed {seed}"


def test_random_networks_are_of_every_kind_and_part() -> None:
    seen: set[str] = set()
    for seed in range(60):
        for population in random_network(np.random.default_rng(seed)).populations:
            seen |= {type(population.neuron).__name__, *(s.name for s in population.neuron.states)}
    assert seen == {"LIF", "Izhikevich", "membrane", "current", "adaptation", "noise", "recovery"}
