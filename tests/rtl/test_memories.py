"""The plan's list of memories, compared with the instances in the exported Verilog."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lifline import LIF, Dense, Network, Population, Projection
from lifline.rtl import Memory, export, lanes_of, plan

from ..networks import random_network, with_winners

_INSTANCE = re.compile(r"\blifline_(rom|ram|store|spram)(?:_apart)? #\((.*?)\n\s*\) \\?\w", re.DOTALL)
_NUMBER = re.compile(r"\.(WIDTH|DEPTH)\(32'd(\d+)\)")
_FILE = re.compile(r'\.FILE\("mem/(.*?)\.mem"\)')


def instances(directory: Path) -> Counter[tuple[str, int, int, str]]:
    """Kind, width, depth and (of a ROM) name of each memory in the Verilog of a folder."""
    found: Counter[tuple[str, int, int, str]] = Counter()
    for path in directory.glob("*.v"):
        for kind, parameters in _INSTANCE.findall(path.read_text()):
            numbers = {name: int(value) for name, value in _NUMBER.findall(parameters)}
            file = _FILE.search(parameters)
            found[kind, numbers["WIDTH"], numbers["DEPTH"], file[1] if file else ""] += 1
    return found


def planned(memories: list[Memory]) -> Counter[tuple[str, int, int, str]]:
    return Counter((m.kind, m.width, m.depth, m.name if m.kind == "rom" else "") for m in memories)


def plain(network: Network) -> Network:
    """The network without the optional parts of its neurons."""
    populations = [
        dataclasses.replace(
            population,
            neuron=dataclasses.replace(population.neuron, alpha=None, adaptation=None, noise=None),
        )
        for population in network.populations
    ]
    return dataclasses.replace(network, populations=populations)


def check(network: Network, lanes: int | dict[str, int], block_bits: int | None, folder: Path) -> None:
    manifest = export(network, folder, lanes, block_bits=block_bits)
    memories = [m for array in plan(network, lanes).values() for m in array.memories(block_bits)]
    assert planned(memories) == instances(folder)
    assert len({memory.name for memory in memories}) == len(memories)
    files = {f"mem/{memory.name}.mem" for memory in memories if memory.kind == "rom"}
    assert files == {name for name in manifest["sha256"] if name.endswith(".mem")}


@pytest.mark.parametrize("seed", range(20))
def test_the_plan_lists_the_memories_of_the_verilog(seed, tmp_path):
    rng = np.random.default_rng(seed)
    network = plain(random_network(rng, max_size=24, kinds=(LIF,)))
    lanes = lanes_of(network, int(rng.integers(1, 7)))
    check(network, lanes, [None, 64, 4096, 16384][seed % 4], tmp_path)


@pytest.mark.parametrize("seed", range(3))
def test_the_plan_lists_the_memories_of_winners(seed, tmp_path):
    rng = np.random.default_rng(seed)
    network = plain(with_winners(rng, random_network(rng, max_size=24, kinds=(LIF,))))
    check(network, lanes_of(network, int(rng.integers(1, 7))), None, tmp_path)


@pytest.mark.parametrize("seed", range(4))
def test_the_plan_lists_the_memories_that_can_be_loaded(seed, tmp_path):
    rng = np.random.default_rng(seed)
    network = plain(random_network(rng, max_size=24, kinds=(LIF,)))
    lanes, block_bits = lanes_of(network, int(rng.integers(1, 7))), [None, 4096][seed % 2]
    banks = [m.name for a in plan(network, lanes, load=True).values() for m in a.memories()]
    spram = [name for name in banks if name.endswith(".weights")][:1]
    export(
        network,
        tmp_path,
        lanes,
        block_bits=block_bits,
        load=True,
        memories=dict.fromkeys(spram, "spram"),
    )
    arrays = plan(network, lanes, load=True, spram=spram).values()
    found = Counter((kind, width, depth) for kind, width, depth, _ in instances(tmp_path).elements())
    assert found == Counter((m.kind, m.width, m.depth) for a in arrays for m in a.memories(block_bits))
    assert any(kind == "spram" for kind, _, _ in found)


def test_memories_of_a_network_by_name(tmp_path):
    rng = np.random.default_rng(0)
    network = Network(
        6,
        [
            Population("a", 12, LIF(rng.integers(0, 257, 12), 60)),
            Population("b", 3, LIF(240, 50, "zero", True)),
        ],
        [
            Projection("input", "a", Dense(rng.integers(-30, 60, (6, 12)), weight_bits=7)),
            Projection("a", "b", Dense(rng.integers(-90, 90, (12, 3)), rng.integers(0, 4, (12, 3)))),
        ],
        "b",
    )
    a, b = plan(network, {"a": 2, "b": 3}).values()
    assert a.memories() == (
        Memory("ram", "a.0.from_input.queue", 4, 14),
        Memory("rom", "a.0.from_input.weights", 14, 36),
        Memory("rom", "a.beta", 18, 6),
        Memory("ram", "a.sums", 2 * a.accumulator_bits, 6),
        Memory("ram", "a.states", 32, 6),
        Memory("ram", "a.spikes", 6, 24),
    )
    assert [(m.kind, m.name, m.width, m.depth) for m in b.memories(64)] == [
        ("ram", "b.0.from_a.queue", 5, 26),
        *(("rom", f"b.0.from_a.weights.slice_{index}", 4, 12) for index in range(6)),
        ("rom", "b.0.from_a.delays.slice_0", 4, 12),
        ("rom", "b.0.from_a.delays.slice_1", 2, 12),
        *(("ram", f"b.ring_{lane}", b.accumulator_bits, 4) for lane in range(3)),
        ("ram", "b.spikes", 5, 4),
    ]
    check(network, {"a": 2, "b": 3}, 64, tmp_path)


def test_the_plan_needs_no_amaranth():
    code = (
        "import sys; sys.modules['amaranth'] = None\n"
        "from lifline import LIF, Dense, Network, Population, Projection, rtl\n"
        "from lifline.rtl.plan import plan\n"
        "net = Network(1, [Population('p', 1, LIF(0, 0))], [Projection('input', 'p', [[1]])], 'p')\n"
        "print([memory.name for memory in plan(net)['p'].memories()])\n"
        "rtl.export(net, 'none')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "['p.0.from_input.queue', 'p.0.from_input.weights', 'p.spikes']\n"
    assert "MissingExtra: Python package 'amaranth' is not installed" in done.stderr
