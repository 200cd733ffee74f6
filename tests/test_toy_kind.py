"""A kind from one file outside of the package runs in every witness, with no edit anywhere else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lifline
from lifline import LIF, Dense, Network, Population, Projection, golden, rtl, sim
from lifline.fields import table
from lifline.network import INPUT
from lifline.train import integer_forward

from .networks import random_network, random_spikes
from .toy_kind import Refractory
from .toy_synapses import Diagonal


def test_its_fields_are_read_by_everything(tmp_path: Path) -> None:
    network = Network(
        3,
        [Population("toy", 4, Refractory(threshold=[5, 6, 7, 8]))],
        [Projection(INPUT, "toy", np.arange(12).reshape(3, 4))],
        "toy",
    )
    network.save(tmp_path / "n.npz")
    assert Network.load(tmp_path / "n.npz") == network
    assert "toy (4 Refractory)" in repr(network)
    assert "membrane 16, pause 3" in network.summary()
    assert table(Refractory)[1] == (
        "`period` per neuron",
        "0 … 7, in ticks",
        "ticks of rest after a spike",
    )
    rtl.export(network, tmp_path / "verilog", lanes=2)
    manifest = json.loads((tmp_path / "verilog" / "manifest.json").read_text())
    assert manifest["populations"][0]["neuron"]["kind"] == "Refractory"


@pytest.mark.parametrize("seed", range(30))
def test_it_is_the_same_in_numpy_and_torch(seed: int) -> None:
    print("seed", seed)
    rng = np.random.default_rng(seed)
    network = random_network(rng, kinds=(Refractory, LIF))
    spikes = random_spikes(rng, network, 2, 20)
    expected = golden.reference.simulate(network, spikes)
    for actual in (golden.simulate(network, spikes), integer_forward(network, spikes)):
        divergence = expected.compare(actual, network)
        assert divergence is None, str(divergence)


def test_a_file_in_each_folder_of_kinds_is_found(tmp_path: Path) -> None:
    """Inside the package a kind is four new files, and no edit."""
    shutil.copytree(
        Path(lifline.__file__).parent,
        tmp_path / "lifline",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    folders = ["neurons", "golden/neurons", "train/neurons", "rtl/neurons"]
    for folder in folders:
        (tmp_path / "lifline" / folder / "mine.py").write_text("print(__name__)\n")
    code = "import lifline.golden, lifline.rtl, lifline.train, lifline.rtl.accelerator"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    expected = [f"lifline.{folder.replace('/', '.')}.mine" for folder in folders]
    assert sorted(done.stdout.split()) == sorted(expected)


@pytest.mark.slow
@pytest.mark.verilator
@pytest.mark.parametrize("lanes", [1, 3, 9])
def test_it_is_the_same_in_the_gateware(lanes: int) -> None:
    rng = np.random.default_rng(lanes)
    network = Network(
        6,
        [
            Population(
                "first", 9, Refractory(threshold=rng.integers(0, 200, 9), period=rng.integers(0, 8, 9))
            ),
            Population("second", 5, Refractory(threshold=90)),
        ],
        [
            Projection(INPUT, "first", rng.integers(-60, 128, (6, 9))),
            Projection("first", "second", rng.integers(-60, 128, (9, 5))),
            Projection("second", "first", Dense(rng.integers(-60, 128, (5, 9)), delays=3)),
        ],
        "second",
    )
    report = sim.verify(network, lanes=lanes, samples=4, ticks=40, seed=lanes)
    assert report.passed, report.text
    spikes = random_spikes(rng, network, 4, 40)
    assert golden.simulate(network, spikes).spikes["second"].any()


def diagonal_network(rng: np.random.Generator) -> Network:
    """A kind of synapses of its own between dense ones, and beside them."""
    synapses = Diagonal(rng.integers(0, 128, 7))
    return Network(
        7,
        [Population("first", 7, LIF(200, 60)), Population("second", 7, LIF(220, 90))],
        [
            Projection(INPUT, "first", synapses),
            Projection("first", "second", Diagonal(rng.integers(0, 128, 7))),
            Projection(INPUT, "second", rng.integers(-40, 60, (7, 7))),
        ],
        "second",
    )


def test_synapses_of_its_own_are_the_same_in_numpy_and_torch() -> None:
    rng = np.random.default_rng(0)
    network = diagonal_network(rng)
    spikes = random_spikes(rng, network, 2, 20)
    expected = golden.reference.simulate(network, spikes)
    assert expected.spikes["second"].any()
    for actual in (golden.simulate(network, spikes), integer_forward(network, spikes)):
        divergence = expected.compare(actual, network)
        assert divergence is None, str(divergence)


@pytest.mark.slow
@pytest.mark.icarus
@pytest.mark.parametrize("lanes", [1, 3])
def test_synapses_of_its_own_are_the_same_in_the_gateware(lanes: int) -> None:
    network = diagonal_network(np.random.default_rng(lanes))
    report = sim.verify(network, backend="icarus", lanes=lanes, samples=2, ticks=20, seed=lanes)
    assert report.passed, report.text
