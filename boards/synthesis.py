"""A board's design in a folder, and the tools' steps on it: synthesis, place and route, packing.

The network's part of it is what ``lifline export`` writes and ``lifline verify`` simulates: yosys reads those
Verilog and memory files beside the board's own part, which has them as an instance.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lifline import rtl
from lifline.encoders import Encoder
from lifline.errors import ToolError
from lifline.network import Network

from .board import Board
from .estimate import uses_dsps
from .image import Images
from .memories import choose_memories
from .toolchain import Found, run
from .top import ExportedCore, Top

#: The files of a design are called so.
NAME = "top"

#: What yosys has made of the design, as Verilog; see :mod:`lifline.boards.netlist`.
NETLIST = f"{NAME}.netlist.v"

#: What nextpnr has made of it: the same in yosys's JSON, with the place of each cell.
PLACED = f"{NAME}.placed.json"


@dataclasses.dataclass(frozen=True)
class Pins:
    """The ports of the top module at the pins that a simulation drives or watches."""

    clock: str
    rx: str
    tx: str


@dataclasses.dataclass(frozen=True)
class Design:
    """A network's design for a board, written to a folder."""

    network: Network
    board: Board
    lanes: dict[str, int]  #: of each population
    clock_mhz: float
    folder: Path
    pins: Pins
    arguments: dict[str, list[str]]  #: of each tool
    identity: bytes  #: what the board tells of itself, the network's digest first
    buffer: int  #: bytes of the memory that ends with it
    options: Mapping[
        str, Any
    ]  #: of :class:`lifline.rtl.Accelerator`: load, any_weights, memories, learn
    images: Images | None = None  #: of weights in the board's flash
    project: tuple[str, ...] = ()  #: the files of a project for a vendor's tools

    def synthesise(self, yosys: Found) -> None:
        """Run yosys; its output goes to ``yosys.log``."""
        run(yosys, self.arguments["yosys"], self.folder, self.folder / "yosys.log")

    @property
    def routed(self) -> str:
        """The file of the routed design."""
        family = self.board.family
        arguments = self.arguments[family.nextpnr]
        return arguments[arguments.index(family.routed) + 1]

    @property
    def cells(self) -> dict[str, int]:
        """How many cells of each type yosys has made."""
        cells: dict[str, int] = json.loads((self.folder / f"{NAME}.stat.json").read_text())["design"][
            "num_cells_by_type"
        ]
        return cells

    def place(self, nextpnr: Found, seed: int) -> dict[str, Any]:
        """Place and route, with the family's next placer where one fails; nextpnr's report.

        Raises
        ------
        ToolError
            If nextpnr fails; where the design does not fit, with what is short.
        """
        log = self.folder / "nextpnr.log"
        report = self.folder / f"{NAME}.report.json"
        options = ["--freq", f"{self.clock_mhz:g}", "--seed", str(seed)]
        options += ["--timing-allow-fail", "--report", report.name]
        if self.board.family.block_rams is not None:
            options += ["--write", PLACED]
        for placer in self.board.family.placers:
            arguments = [*self.arguments[nextpnr.name], *options, "--placer", placer]
            try:
                run(nextpnr, arguments, self.folder, log)
                break
            except ToolError as error:
                need = self.resources(_utilisation(log), {})
                short = self.board.shortage(need, fewer_lanes=max(self.lanes.values()) > 1)
                if short is not None:
                    raise ToolError(short) from None
                if placer == self.board.family.placers[-1]:
                    raise error from None
        placed: dict[str, Any] = json.loads(report.read_text())
        return placed

    def area(self, nextpnr: Found) -> dict[str, int]:
        """What nextpnr packs the design into, without placing it: luts, ffs, brams, dsps."""
        log = self.folder / "nextpnr.log"
        arguments = self.arguments[nextpnr.name]
        routed = arguments.index(
            self.board.family.routed
        )  # nextpnr would write it all the same, and fail
        run(nextpnr, [*arguments[:routed], *arguments[routed + 2 :], "--pack-only"], self.folder, log)
        return self.resources(_utilisation(log), self.cells)

    def pack(self, pack: Found, name: str) -> None:
        """Make the bitstream, a file of that name."""
        run(pack, self.arguments[pack.name], self.folder, self.folder / "pack.log")
        (self.folder / f"{NAME}{self.board.family.suffix}").replace(self.folder / name)

    def resources(self, used: Mapping[str, int], cells: Mapping[str, int]) -> dict[str, int]:
        """What nextpnr has used, by lifline's names; flip-flops are yosys's where nextpnr does not count them."""
        names = self.board.family.resources
        if not self.board.family.nextpnr:
            return {name: _count(cells, names[name]) for name in self.board.totals}
        result = {name: used.get(names[name], 0) if name in names else 0 for name in self.board.totals}
        if "ffs" not in names:
            prefix = self.board.family.ff_cells
            result["ffs"] = sum(count for cell, count in cells.items() if cell.startswith(prefix))
        return result


def write_design(
    network: Network,
    board: Board,
    lanes: Mapping[str, int],
    clock_mhz: float,
    folder: Path,
    *,
    netlist: bool = False,
    patchable: bool = False,
    load: bool = False,
    any_weights: bool = False,
    encoder: Encoder | None = None,
    flash_weights: bool = False,
    learn: bool = False,
) -> Design:
    """Write the design of `network` for a board to a folder.

    Parameters
    ----------
    network, board, lanes, clock_mhz
        As for :func:`lifline.boards.build`, all of them chosen.
    folder : Path
        Gets the export's files and the board's own.
    netlist : bool
        Whether synthesis writes `NETLIST`.
    patchable : bool
        Whether memories that are read from a file are block RAM however small they are.
    load, any_weights : bool
        As for :class:`lifline.rtl.Accelerator`; what does not fit into block RAM goes into single-port RAM.
    encoder : Encoder, optional
        Samples are raw values for it.
    flash_weights : bool
        With `load`: an image of weights is read from the board's flash when it starts.
    learn : bool
        With `load`: what can learn does.
    """
    family = board.family
    planned: dict[str, Any] = {"load": load, "any_weights": any_weights, "learn": learn}
    arrays = rtl.plan(network, lanes, **planned)
    memories = choose_memories(arrays, board) if load else None
    if memories:
        arrays = rtl.plan(network, lanes, spram=memories, **planned)
    manifest = rtl.export(
        network, folder, lanes, trace=True, block_bits=family.block_bits, memories=memories, **planned,
    )  # fmt: skip
    platform = board.make_platform()
    for source in manifest["sources"]:
        text = (folder / source).read_text()
        platform.add_file(source, _in_blocks(text) if patchable else text)
    core = ExportedCore(network, arrays, manifest["top"])
    after = [f"write_verilog -noattr {NETLIST}"] if netlist else []
    dsps = family.with_dsps if uses_dsps(board, arrays) else family.without_dsps
    images = Images(network, lanes, any_weights=any_weights) if flash_weights else None
    top = Top(
        board, network, core, arrays, clock_mhz=clock_mhz, any_weights=any_weights, encoder=encoder,
        images=images,
    )  # fmt: skip
    for path, text in top.system.memory_files().items():
        (folder / path).write_text(text)
    link = top.system.link
    known: dict[str, Any] = {
        "identity": link.identity,
        "buffer": link.options.buffer,
        "options": {"load": load, "any_weights": any_weights, "memories": memories}
        | ({"learn": True} if learn else {}),
        "images": images,
    }
    if not family.nextpnr:
        arguments, project = _write_project(platform, top, board, folder, [dsps, *after])
        pins = _pins(platform)
        return Design(
            network, board, dict(lanes), clock_mhz, folder, pins, arguments, project=project, **known
        )
    plan = platform.prepare(
        top,
        NAME,
        emit_src=False,
        read_verilog_opts="-defer",  # the parameters of a memory come with its instances
        synth_opts=f"{board.synth_opts} {dsps}",
        script_after_synth="\n".join([*after, f"tee -q -o {NAME}.stat.json stat -json"]),
    )
    plan.extract(folder)
    # Amaranth's plan names the tools; ours are run one by one, so that each can report and fail by itself.
    commands = json.loads((folder / f"{plan.script}.json").read_text())["commands"]
    arguments = {
        name: [argument for argument in options if argument not in ("-q", "--quiet")]
        for name, *options in commands
    }
    return Design(network, board, dict(lanes), clock_mhz, folder, _pins(platform), arguments, **known)


def _pins(platform: Any) -> Pins:
    return Pins(f"{platform.default_clk}_0__io", "uart_0__rx__io", "uart_0__tx__io")


def _in_blocks(text: str) -> str:
    """Verilog whose memories that are read from a file ask for block RAM."""
    modules = re.split(r"(?<=^endmodule\n)", text, flags=re.MULTILINE)
    memory = re.compile(r"^(    )(reg \[WIDTH-1:0\] words\[)", re.MULTILINE)
    return "".join(
        memory.sub(r'\1(* ram_style = "block" *) \2', module) if "$readmemh" in module else module
        for module in modules
    )


def _write_project(
    platform: Any, top: Top, board: Board, folder: Path, options: list[str]
) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Write a project for a vendor's tools, and a script for yosys that synthesises it for its size.

    `options` are those of the synth command, and what else yosys is to do after it.  Yosys's arguments, and the
    project's files.
    """
    plan = platform.prepare(top, NAME, emit_src=False)
    plan.extract(folder)
    sources = [name for name in plan.files if name.endswith(".v") and "debug" not in name]
    option, *after = options
    lines = [
        *(f"read_verilog -defer {name}" for name in sources if name != f"{NAME}.v"),
        f"read_verilog {NAME}.v",
        "setparam -unset SIM_DEVICE t:BUFGCTRL",  # Vivado's; yosys's cell has none, and stops
        f"{board.family.synth} {option} -top {NAME}",
        *after,
        f"tee -q -o {NAME}.stat.json stat -json",
        f"write_json {NAME}.json",
    ]
    (folder / f"{NAME}.ys").write_text("\n".join(lines) + "\n")
    memories = [str(path.relative_to(folder)) for path in sorted((folder / "mem").iterdir())]
    project = (*(name for name in plan.files if "debug" not in name), *memories)
    return {"yosys": ["-l", f"{NAME}.rpt", f"{NAME}.ys"]}, project


def _count(cells: Mapping[str, int], prefix: str) -> int:
    """Cells of a netlist whose type starts so; one of twice the size, as AMD's RAMB36 is, counts twice."""
    double = prefix.replace("18", "36")
    twice = sum(count for cell, count in cells.items() if cell.startswith(double) and double != prefix)
    return sum(count for cell, count in cells.items() if cell.startswith(prefix)) + 2 * twice


def _utilisation(log: Path) -> dict[str, int]:
    """What nextpnr says in its log that the design needs; also where it then gives up."""
    known = {}
    for name, count in re.findall(r"(\w+): +(\d+)/ *\d+ +\d+%", log.read_text(errors="replace")):
        known[name] = int(count)
    return known
