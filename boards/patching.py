"""New weights in a finished build, without synthesis, place and route.

Where they are in the board's flash, that is another image (:mod:`lifline.boards.weights`).  Else they are in the
bitstream.

A build keeps, in its folder ``patch``, the routed design, the network, and which block RAM holds which part of which
memory (:mod:`lifline.boards.contents`).  A network whose gateware differs in nothing but the words of those memories is
patched in: the contents of the block RAMs are replaced in the routed design, which is packed again.  Whether the
gateware is the same is not guessed: the new network's netlist is generated, and its hash compared with the build's.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lifline.errors import CheckError, InputError, ToolError
from lifline.files import replaced
from lifline.network import Network
from lifline.storage import digest
from lifline.temporary import temporary_folder

from .board import Board, find_board
from .contents import Memory, Part, find_words, locate, memories, read_cells
from .families import BlockRAMs
from .finished import read_sealed, report_of, write_sealed
from .toolchain import find, run

if TYPE_CHECKING:
    from lifline.rtl import Accelerator

    from .synthesis import Design

#: The folder of a build with all that a patch needs.
FOLDER = "patch"

_TABLE, _NETWORK, _ROUTED = "patch.json", "network.npz", "routed.gz"


def keep(design: Design, target: Path) -> dict[str, list[str]]:
    """Write what a patch of a finished build needs.

    Parameters
    ----------
    design : Design
        Placed, routed and packed, in its folder.
    target : Path
        The folder to write, :data:`FOLDER` of the build.

    Returns
    -------
    dict
        ``changeable`` and ``fixed``: the memories' files that a patch can change, and those that it cannot, since they
        are in logic.
    """
    from .synthesis import NAME, PLACED

    board = design.board
    block_rams = _block_rams(board)
    routed_text = (design.folder / design.routed).read_text()
    netlist = read_cells(design.folder / f"{NAME}.json", NAME)
    placed = read_cells(design.folder / PLACED, NAME)
    routed = block_rams.read(routed_text)
    manifest = json.loads((design.folder / "manifest.json").read_text())
    texts = {name: (design.folder / name).read_text() for name in manifest["sources"]}

    table: dict[str, Any] = {
        "board": board.name,
        "options": dict(design.options),
        "identity": {"bytes": design.identity.hex(), "buffer": design.buffer},
        "lanes": design.lanes,
        "routed": design.routed,
        "pack": _quick(design.arguments[board.family.pack]),
        "memories": [],
        "fixed": {},
    }
    for memory in memories(texts, manifest["top"]):
        text = (design.folder / memory.file).read_text()
        parts = locate(memory, memory.bits(text), netlist, placed, routed, block_rams)
        if parts:
            entry = {
                **dataclasses.asdict(memory),
                "parts": [dataclasses.asdict(part) for part in parts],
            }
            table["memories"].append(entry)
        else:
            table["fixed"][memory.file] = _hash(text)
    identity = find_words(_identity(design.network, table["identity"]), routed, block_rams)
    if not identity:
        raise ToolError(
            f"the identity of {board.name} is not found in the routed design; nothing was built: please report it "
            "with the network"
        )
    table["identity"]["part"] = dataclasses.asdict(identity[0])
    table["logic"] = _logic(_accelerator(design.network, board, table))
    target.mkdir(parents=True, exist_ok=True)
    _write(target, table, routed_text, design.network)
    changeable = [entry["file"] for entry in table["memories"]]
    return {"changeable": changeable, "fixed": list(table["fixed"])}


def patch(
    directory: str | os.PathLike[str],
    network: Network,
    output: str | os.PathLike[str] | None = None,
    *,
    check: bool = False,
) -> dict[str, Any]:
    """Put the weights of `network` into the bitstream of a finished build.

    Parameters
    ----------
    directory : path
        Of the build.
    network : Network
        Of the build's shape and sum range, with other weights, delays or stored parameters.
    output : path, optional
        Gets the patched build; by default `directory` itself.
    check : bool
        Unpack the patched bitstream, and compare its block RAMs with the new contents: longer than all the rest.

    Returns
    -------
    dict
        The build's report, with ``patched``: ``memories`` and ``block_rams`` that were rewritten, ``checked``,
        ``seconds``.

    Raises
    ------
    InputError
        If `directory` holds no build that can be patched, or the network needs other logic than is there.
    CheckError
        If the patched bitstream, unpacked again, does not hold the new contents.
    """
    from lifline.rtl.verilog import memory_files

    from .synthesis import NAME
    from .weights import has_weights, patch_weights

    start = time.perf_counter()
    source = Path(directory)
    if has_weights(source):
        if check:
            raise InputError(
                f"{source}: its weights are in the board's flash, and no bitstream is unpacked: leave the check out"
            )
        return patch_weights(source, network, output)
    report, table, old = _read(source)
    board = find_board(table["board"])
    block_rams = _block_rams(board)
    difference = _difference(old, network)
    if difference is not None:
        raise InputError(f"{source}: {difference}: build it anew")
    accelerator = _accelerator(network, board, table)
    files = memory_files(accelerator)
    _check_fixed(source, table["fixed"], files)
    if _logic(accelerator) != table["logic"]:
        raise InputError(
            f"{source}: {_logic_difference(old, network, table['lanes'])}, which is logic, not block RAM: build it anew"
        )
    routed = gzip.decompress((source / FOLDER / _ROUTED).read_bytes()).decode()
    contents = _contents(
        table, files, _identity(network, table["identity"]), block_rams, block_rams.read(routed)
    )
    text = block_rams.write(routed, contents)
    with temporary_folder("lifline-patch-") as work:
        bitstream = work / report["bitstream"]
        (work / table["routed"]).write_text(text)
        run(find(board.family.pack), table["pack"], work, work / "pack.log")
        (work / f"{NAME}{board.family.suffix}").replace(bitstream)
        if check:
            _check(board, bitstream, contents, work)
        report["patched"] = {
            "memories": len(table["memories"]),
            "block_rams": len(contents),
            "checked": check,
            "seconds": round(time.perf_counter() - start, 3),
        }
        target = Path(output) if output is not None else source
        _deliver(source, target, work, report, table, text, network)
    return report


def _read(source: Path) -> tuple[dict[str, Any], dict[str, Any], Network]:
    report, kept = report_of(source), source / FOLDER
    if not (kept / _TABLE).is_file():
        raise InputError(
            f"{source}: a build for {report['board']} by this version cannot be patched: build it anew"
        )
    table = read_sealed(kept / _TABLE, "what a build keeps for its patches", (_ROUTED, _NETWORK))
    words = (table["routed"], *table["pack"])
    if (table["board"], type(report.get("bitstream"))) != (report["board"], str) or "/" in "".join(
        words
    ):
        raise InputError(
            f"{source}: its report and its folder '{FOLDER}' are of different builds: build it anew"
        )
    return report, table, Network.load(kept / _NETWORK)


def _write(folder: Path, table: dict[str, Any], routed: str, network: Network, level: int = 3) -> None:
    """Write what a patch needs; `level` is that of the compression."""
    (folder / _ROUTED).write_bytes(gzip.compress(routed.encode(), level, mtime=0))
    network.save(folder / _NETWORK)
    write_sealed(folder / _TABLE, table, (_ROUTED, _NETWORK))


def _block_rams(board: Board) -> BlockRAMs:
    if board.family.block_rams is None:
        raise ToolError(f"block RAMs of {board.name} cannot be patched: build it anew")
    return board.family.block_rams


def _identity(network: Network, known: Mapping[str, Any]) -> np.ndarray:
    """The memory in which a board keeps what it is, with the digest of `network`: uint8 (bytes, 8).

    `known` is the identity of the build: its bytes, and the size of the memory that ends with them.  Where it names no
    network, since all weights are loaded later, it still names none.
    """
    from .protocol import DIGEST_BYTES

    identity = bytes.fromhex(known["bytes"])
    if any(identity[:DIGEST_BYTES]):
        identity = digest(network)[:DIGEST_BYTES] + identity[DIGEST_BYTES:]
    data = np.frombuffer(identity.rjust(known["buffer"], b"\0"), np.uint8)
    return np.unpackbits(data[:, None], axis=1, bitorder="little")


def _accelerator(network: Network, board: Board, table: Mapping[str, Any]) -> Accelerator:
    """A network's gateware as the build has it."""
    from lifline.rtl import Accelerator

    lanes, bits = dict(table["lanes"]), board.family.block_bits
    return Accelerator(network, lanes, trace=True, block_bits=bits, **table["options"])


def _logic(accelerator: Accelerator) -> str:
    """A hash of the gateware but for the contents of its memories."""
    from lifline.rtl.verilog import netlist_text

    return _hash(netlist_text(accelerator))


def _quick(arguments: list[str]) -> list[str]:
    """A packer's arguments without those for a second file, which takes it as long as all the rest."""
    if "--svf" not in arguments:
        return arguments
    index = arguments.index("--svf")
    return arguments[:index] + arguments[index + 2 :]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _difference(old: Network, new: Network) -> str | None:
    """In what the shape of a network differs from the build's; None if in nothing."""
    if new.inputs != old.inputs:
        return f"the network has {new.inputs} inputs, the build {old.inputs}"
    sizes = [{population.name: population.size for population in net.populations} for net in (new, old)]
    if sizes[0] != sizes[1]:
        return f"the network has the populations {_listed(sizes[0])}, the build {_listed(sizes[1])}"
    if new.output != old.output:
        return f"the network's output is {new.output!r}, the build's {old.output!r}"
    ways = [
        [(projection.source, projection.target) for projection in net.projections] for net in (new, old)
    ]
    if ways[0] != ways[1]:
        return "the network has other projections than the build"
    for one, other in zip(new.projections, old.projections, strict=True):
        what = f"projection {one.source} → {one.target}"
        if type(one.synapses) is not type(other.synapses):
            return (
                f"{what}: {type(one.synapses).__name__}, the build has {type(other.synapses).__name__}"
            )
        bits = [getattr(projection.synapses, "weight_bits", None) for projection in (one, other)]
        if bits[0] != bits[1]:
            return f"{what}: weight_bits is {bits[0]}, the build has {bits[1]}"
    return None


def _listed(sizes: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} ({size})" for name, size in sizes.items())


def _check_fixed(source: Path, fixed: Mapping[str, str], files: Mapping[str, str]) -> None:
    for name, built in fixed.items():
        if name in files and _hash(files[name]) != built:
            what = name.removeprefix("mem/").removesuffix(".mem")
            raise InputError(
                f"{source}: '{what}' differs, and in this build it is not in block RAM: build it anew, with "
                "--patchable, which keeps every memory in block RAM"
            )


def _logic_difference(old: Network, new: Network, lanes: Mapping[str, int]) -> str:
    """What is likely to make other logic of a network than of the build's."""
    from lifline.rtl import plan

    for one, other in zip(
        plan(new, dict(lanes)).values(), plan(old, dict(lanes)).values(), strict=True
    ):
        population = one.population
        if one.accumulator_bits != other.accumulator_bits:
            return (
                f"sums of '{population.name}' take {one.accumulator_bits} bits, the build has "
                f"{other.accumulator_bits}"
            )
        neurons = (population.neuron, other.population.neuron)
        if type(neurons[0]) is not type(neurons[1]):
            return f"'{population.name}' has neurons of another kind"
        for field in dataclasses.fields(neurons[0]):
            values = [getattr(neuron, field.name) for neuron in neurons]
            if isinstance(values[0], np.ndarray) or isinstance(values[1], np.ndarray):
                same = np.array_equal(values[0], values[1])
            else:
                same = values[0] == values[1]
            if not same:
                return f"{field.name} of '{population.name}' differs"
    return "the gateware differs, by delays or widths or another version of lifline"


def _contents(
    table: Mapping[str, Any],
    files: Mapping[str, str],
    identity: np.ndarray,
    block_rams: BlockRAMs,
    contents: dict[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """The new contents of the block RAMs that hold memories, and the identity."""
    changed: dict[str, np.ndarray] = {}

    def fill(values: Mapping[str, Any], words: np.ndarray) -> None:
        part = Part(**values)
        block = changed.setdefault(part.location, contents[part.location].copy())
        block[part.positions(block_rams)] = part.of(words)

    for entry in table["memories"]:
        memory = Memory(**{key: value for key, value in entry.items() if key != "parts"})
        words = memory.bits(files[memory.file])
        for values in entry["parts"]:
            fill(values, words)
    fill(table["identity"]["part"], identity)
    return changed


def _check(board: Board, bitstream: Path, contents: Mapping[str, np.ndarray], work: Path) -> None:
    """Unpack a bitstream and compare its block RAMs."""
    block_rams = _block_rams(board)
    run(
        find(block_rams.unpack),
        block_rams.unpack_arguments(bitstream.name, "unpacked"),
        work,
        work / "unpack.log",
    )
    found = block_rams.read((work / "unpacked").read_text())
    wrong = [
        where
        for where, bits in contents.items()
        if where not in found or not np.array_equal(found[where], bits)
    ]
    if wrong:
        raise CheckError(
            f"block RAM {wrong[0]} of the patched bitstream does not hold the new contents; nothing was written: "
            "please report it with the network"
        )


def _deliver(
    source: Path,
    target: Path,
    work: Path,
    report: dict[str, Any],
    table: dict[str, Any],
    routed: str,
    network: Network,
) -> None:
    """Write the patched build, the report last, in place of what is there."""
    with replaced(target, "report.json") as scratch:
        if target.resolve() != source.resolve():
            for log in ("yosys.log", "nextpnr.log"):
                if (source / log).is_file():
                    shutil.copyfile(source / log, scratch / log)
        shutil.copyfile(work / report["bitstream"], scratch / report["bitstream"])
        (scratch / FOLDER).mkdir()
        _write(scratch / FOLDER, table, routed, network, level=1)
        (scratch / "report.json").write_text(json.dumps(report, indent=2) + "\n")
