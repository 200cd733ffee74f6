"""Writes a network as Verilog, ``$readmemh`` memory files and a manifest; the same input, the same bytes."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amaranth import __version__ as amaranth_version

from lifline import __version__
from lifline.fields import pack
from lifline.files import put_aside, replaced
from lifline.network import Network
from lifline.neurons import Neuron

from .accelerator import Accelerator
from .kit import Names, Vectors, kit_files
from .load import load_layout
from .memory import Rom
from .plan import Lanes, check_size
from .port import PART_BITS
from .ports import ports_of, ports_text
from .verilog import (
    PREFIX,
    memory_files,
    memory_path,
    top_name,
    verilog_files,
    verilog_text,
    yosys_version,
)


def export(
    network: Network,
    directory: str | os.PathLike[str],
    lanes: Lanes = 1,
    trace: bool = False,
    block_bits: int | None = None,
    *,
    load: bool = False,
    any_weights: bool = False,
    memories: Mapping[str, str] | None = None,
    learn: bool = False,
    prefix: str = PREFIX,
    vectors: Vectors | None = None,
) -> dict[str, Any]:
    """Write `network` to `directory`: ``*.v``, ``mem/*.mem`` and ``manifest.json``.

    The Verilog reads the memory files from ``mem/``, relative to the working directory of the simulator or
    synthesis tool: replacing a file replaces the weights.

    Parameters
    ----------
    network : Network
    directory : path
        Made if it does not exist.  What an earlier export wrote there is replaced, other files stay.
    lanes, trace, block_bits, load, any_weights, memories, learn
        As for :class:`lifline.rtl.Accelerator`.
    prefix : str
        What the names of all modules and Verilog files start with, and those of the memory files where it is not
        the usual one: designs with prefixes of their own can be compiled together.
    vectors : Vectors, optional
        Samples and what the network answers: with them there are a test bench, a wrapper with AXI4-Stream's
        names, a list of files, a FuseSoC core file, and ``ports.md``; see :mod:`lifline.rtl.kit`.

    Returns
    -------
    dict
        The manifest: shapes, widths, the layout of each memory bank, SHA-256 of every file, versions.

    Raises
    ------
    InputError
        If the folder cannot be written, `lanes` do not fit the network, or `prefix` cannot start a name.
    """
    check_size(network)
    accelerator = Accelerator(network, lanes, trace, block_bits, load, any_weights, memories, learn)
    text = verilog_text(accelerator, prefix)
    files = verilog_files(accelerator, text, prefix) | memory_files(accelerator, prefix)
    sources = sorted(name for name in files if name.endswith(".v"))
    ports = ports_of(accelerator)
    if vectors is not None:
        memory_names = sorted(name for name in files if name.endswith(".mem"))
        names = Names(prefix, top_name(prefix), sources, memory_names)
        files |= kit_files(accelerator, vectors, ports, names)
        files["ports.md"] = ports_text(top_name(prefix), ports)
    manifest = _manifest(accelerator, files, prefix=prefix, yosys=yosys_version(text))
    manifest |= {"sources": sources, "ports": ports}
    files["manifest.json"] = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    _write(Path(directory), files)
    return manifest


def _manifest(
    accelerator: Accelerator, files: dict[str, str], *, prefix: str, yosys: str
) -> dict[str, Any]:
    network = accelerator.network
    banks = [bank for name in accelerator.arrays for bank in _banks(accelerator, name, prefix)]
    if accelerator.load_port:  # in the order of their numbers, what cannot be loaded behind
        banks.sort(key=lambda bank: not bank["loadable"])
    return {
        **_load(accelerator),
        "lifline": __version__,
        "tools": {"amaranth": amaranth_version, "yosys": yosys},
        "top": top_name(prefix),
        "clock": {"port": "clk", "edge": "rising"},
        "reset": {"port": "rst", "active": "high", "synchronous": True},
        "lane_order": "lane 0 in the lowest bits",
        "name": network.name,
        "inputs": network.inputs,
        "input_bits": network.input_bits,
        "output": network.output,
        "trace": accelerator.trace,
        **({"learn": True} if accelerator.learners else {}),
        "block_bits": accelerator.block_bits,
        "populations": [
            {
                "name": name,
                "size": array.population.size,
                "lanes": array.lanes,
                "groups": array.groups,
                "neurons_per_block": array.block,
                "neuron": _neuron(array.population.neuron),
                "accumulator_bits": array.accumulator_bits,
                "accumulator_range": list(array.accumulator_range),
                "ring_ticks": array.ring_ticks,
                "memories": [
                    dataclasses.asdict(memory) for memory in array.memories(accelerator.block_bits)
                ],
                "channels": [
                    {
                        "source": channel.source,
                        "source_size": channel.source_size,
                        "queue_delay": channel.lag,
                        "queue_depth": channel.queue_depth,
                        "ring_delay": list(channel.ring_delays),
                    }
                    for channel in array.channels
                ],
            }
            for name, array in accelerator.arrays.items()
        ],
        "banks": banks,
        "sha256": {
            name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(files.items())
        },
    }


def _load(accelerator: Accelerator) -> dict[str, Any]:
    """What the manifest says of the load port: the fields of a request, from the lowest bit up."""
    if not accelerator.load_port:
        return {}
    fields = load_layout(accelerator.banks)
    return {
        "load": {
            "any_weights": accelerator.any_weights,
            "part_bits": PART_BITS,
            "fields": [
                {"name": name, "low": field.offset, "bits": field.width} for name, field in fields
            ],
        }
    }


def _banks(accelerator: Accelerator, name: str, prefix: str) -> list[dict[str, Any]]:
    """The memory files of a population: what each word holds."""
    array = accelerator.arrays[name]

    def bank(rom: Rom, lanes: int = array.lanes, **content: Any) -> dict[str, Any]:
        more = {"loadable": loadable and content["word"] != "entry", "backing": rom.backing}
        return {
            **(more if loadable else {}),
            "files": [
                memory_path(path, prefix) for path in rom.files
            ],  # a slice each, the lowest bits first
            "slice_bits": (rom.slices or [rom])[0].width,  # of all but the last
            "population": name,
            "words": len(rom.words),
            "word_bits": rom.width,
            "bits_per_lane": rom.width // lanes,
            "lanes": lanes,
            **content,
        }

    loadable = accelerator.load_port
    banks = []
    for synapses in accelerator.synapses[name].banks:
        channel = array.channels[synapses.channel]
        banks.append(
            bank(
                synapses.rom,
                synapses.content.entries,
                content=synapses.name,
                signed=synapses.content.signed,
                **({"fraction_bits": channel.fraction_bits} if channel.rule is not None else {}),
                source=channel.source,
                word=synapses.content.word,
                source_size=channel.source_size,
            )
        )
    update = accelerator.neurons[name].update
    for field, rom in update.roms.items():
        one = field in array.shared  # one number for all neurons
        group = "group of a position" if field in array.recurring else "group"
        banks.append(
            bank(
                rom,
                1 if one else array.lanes,
                content=field,
                signed=array.stored[field].signed,
                word="population" if one else group,
            )
        )
    for field, rom in update.tables.items():  # every lane reads the same file
        banks.append(bank(rom, 1, content=field, signed=True, word="entry"))
    return banks


def _neuron(neuron: Neuron) -> dict[str, Any]:
    """A population's kind, what its neurons share, and the states of each."""
    return {
        **pack(neuron, "", {}),
        "states": [
            {"name": state.name, "bits": state.bits, "signed": state.signed} for state in neuron.states
        ],
    }


def _exported(directory: Path) -> set[str]:
    """The Verilog and memory files of an earlier export, or of one that was killed as it moved its files."""
    names: set[str] = set()
    for manifest in ("manifest.json", put_aside("manifest.json")):
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            names |= set(json.loads((directory / manifest).read_text())["sha256"])
    kinds = ("*.v", "*.f", "*.core", "ports.md", "mem/*.mem", "vectors/*.mem")
    files = [file for kind in kinds for file in directory.glob(kind)]
    return names & {path.relative_to(directory).as_posix() for path in files}


def _write(directory: Path, files: dict[str, str]) -> None:
    """Write all files, the manifest last, in place of an earlier export's."""
    with replaced(directory, "manifest.json", _exported) as scratch:
        for name, text in files.items():
            path = Path(scratch, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
