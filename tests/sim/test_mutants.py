"""The checks would notice: each mutant of the gateware must fail `verify` on one of a few random networks.

A mutant is a copy of the package in which one piece of one file is replaced.  The same check passes on a copy
without a mistake.  It runs in Icarus, which compiles a small design in no time.
"""

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
from lifline.rtl.plan import block_of

from .learning_mutants import LEARNING_MUTANTS
from .mutants import MUTANTS, NETWORKS
from .plastic_mutants import PLASTIC_MUTANTS, PLASTIC_NETWORKS

pytestmark = [pytest.mark.slow, pytest.mark.icarus]

ALL_NETWORKS = NETWORKS | PLASTIC_NETWORKS
ALL = MUTANTS | LEARNING_MUTANTS | PLASTIC_MUTANTS

#: Networks that are tried, from the mutant's seed on.
TRIES = 3

#: Exits with 10 at the first network that differs; with 0 if all are equal.
_CHECK = """
import json, sys
from lifline.network import Network
from lifline.sim import verify
for path, lanes, seed in json.load(sys.stdin):
    report = verify(Network.load(path), backend="icarus", lanes=lanes, samples=2, ticks=24, seed=seed)
    print("seed", seed, report.text)
    if not report.passed:
        sys.exit(10)
"""


def check(package: Path, sort: str, seeds: range) -> subprocess.CompletedProcess[str]:
    """Verify random networks with the package at `package`, until one differs."""
    make, lanes_of = ALL_NETWORKS[sort]
    work = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        network = make(rng)
        most = {p.name: block_of(network, p) for p in network.populations}
        lanes = {
            name: {"any": int(rng.integers(1, size + 1)), "one": 1, "all": size}[lanes_of]
            for name, size in most.items()
        }
        path = package.parent / f"{seed}.npz"
        network.save(path)
        work.append((str(path), lanes, seed))
    return subprocess.run(
        [sys.executable, "-c", _CHECK],
        input=json.dumps(work),
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


@pytest.mark.parametrize("sort", ALL_NETWORKS)
def test_without_a_mistake_the_check_passes(sort: str, package: Path) -> None:
    result = check(package, sort, range(TRIES))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", ALL)
def test_mistake_is_noticed(name: str, package: Path) -> None:
    mutant = ALL[name]
    text = (package / mutant.file).read_text()
    assert text.count(mutant.right) == 1, f"{mutant.file} no longer holds exactly one: {mutant.right}"
    (package / mutant.file).write_text(text.replace(mutant.right, mutant.wrong))
    result = check(package, mutant.networks, range(mutant.seed, mutant.seed + TRIES))
    print(result.stdout)
    assert result.returncode == 10, result.stdout + result.stderr
