"""The checks would notice: each mutant of the gateware, one small mistake, must fail `lifline verify`.

A mutant is a copy of the package in which one piece of one file is replaced.  The same check passes on a copy
without a mistake.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lifline
from lifline.network import Network, Population, Projection
from lifline.neurons import LIF
from lifline.synapses import Dense

pytestmark = [pytest.mark.slow, pytest.mark.verilator]

#: What the mistake is: the file, the right text, the wrong text.
MUTANTS = {
    "rounding": (
        "rtl/neurons.py",
        "_times(kept, beta) >> BETA_BITS",
        "(_times(kept, beta) + (1 << BETA_BITS - 1)) >> BETA_BITS",
    ),
    "threshold comparison": (
        "rtl/neurons.py",
        "margin.eq(threshold - x)",
        "margin.eq(threshold - x - 1)",
    ),
    "saturation": ("rtl/neurons.py", "fits = (above == 0) | above.all()", "fits = 1"),
    "delay index": (
        "rtl/delays.py",
        "Mux(drain, 0, row.delays[lane])",
        "Mux(drain, 0, row.delays[lane] + 1)",
    ),
    "delay across a tick": ("rtl/delays.py", "m.d.sync += base.eq(now)", "m.d.comb += base.eq(now)"),
    "reset before the leak": (
        "rtl/neurons.py",
        "taken = Mux(self.s, threshold, 0)",
        "kept = self.v - Mux(self.s, threshold, 0)",
    ),
    "reset at once instead of a tick later": (
        "rtl/neurons.py",
        "kept = Mux(self.s, 0, self.v)",
        "kept = self.v",
    ),
    "marker count": ("rtl/queue.py", "init=lag)  # markers", "init=lag - (lag > 0))  # markers"),
    "sums close together": ("rtl/delays.py", "if array.groups < 3:", "if array.groups < 1:"),
    "first event of a tick": ("rtl/accumulator.py", "Mux(fresh_1, 0, word)", "word"),
    "tick without events": ("rtl/accumulator.py", "Mux(void, 0, word)", "word"),
    "rows before the sweep": ("rtl/accumulator.py", "~self.waiting | self.start", "1"),
    "address of a sweep": ("rtl/accumulator.py", "Mux(sweep, group, row.group)", "row.group"),
    "state of the sample before": ("rtl/neurons.py", "Mux(started, states.data, 0)", "states.data"),
    "spike of a lane without a neuron": (
        "rtl/neurons.py",
        "fired = fired & (group != last_group)",
        "pass",
    ),
    "cycle model": ("rtl/accumulator.py", "LATENCY = 2", "LATENCY = 3"),
}


def network() -> Network:
    """A network in which every one of the mistakes shows."""
    rng = np.random.default_rng(0)
    return Network(
        6,
        [
            Population("ring", 5, LIF(243, 70, "subtract", bias=1, membrane_bits=8)),
            Population("loop", 6, LIF(230, 60, "subtract", reset_delay=True, membrane_bits=9)),
            Population("out", 3, LIF(250, 40, "zero", reset_delay=True, bias=41, membrane_bits=10)),
        ],
        [
            Projection(
                "input", "ring", Dense(rng.integers(-30, 60, (6, 5)), delays=rng.integers(0, 7, (6, 5)))
            ),
            Projection("ring", "loop", rng.integers(-40, 60, (5, 6))),
            Projection("loop", "loop", Dense(rng.integers(-40, 40, (6, 6)), delays=2)),
            Projection("loop", "out", rng.integers(-60, 50, (6, 3))),
        ],
        "out",
    )


def verify(package: Path, network_file: Path) -> subprocess.CompletedProcess[str]:
    """Run ``lifline verify`` with the package at `package`."""
    command = "import sys; from lifline.app.main import main; sys.exit(main())"
    lanes = "ring=5,loop=1,out=2"
    return subprocess.run(
        [sys.executable, "-c", command, "verify", str(network_file), "--lanes", lanes, "--seed", "1"],
        env={**os.environ, "PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package."""
    source = Path(lifline.__file__).parent
    copy = tmp_path / "lifline"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def network_file(tmp_path: Path) -> Path:
    path = tmp_path / "network.npz"
    network().save(path)
    return path


def test_without_a_mistake_the_check_passes(package: Path, network_file: Path) -> None:
    result = verify(package, network_file)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("mistake", MUTANTS)
def test_mistake_is_noticed(mistake: str, package: Path, network_file: Path) -> None:
    name, right, wrong = MUTANTS[mistake]
    text = (package / name).read_text()
    assert text.count(right) == 1, f"{name} no longer holds exactly one: {right}"
    (package / name).write_text(text.replace(right, wrong))
    result = verify(package, network_file)
    assert result.returncode == 1, result.stdout + result.stderr
    print(result.stdout.splitlines()[0])
