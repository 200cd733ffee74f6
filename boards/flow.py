"""From a network to a board's bitstream: elaborate, synthesise, place and route, pack, report."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import lifline
from lifline.errors import InputError, MissingExtra, ToolError
from lifline.files import replaced
from lifline.network import Network

from .board import Board, find_board
from .protocol import MAX_CLASSES
from .tools import Found, find, run

if TYPE_CHECKING:
    from lifline.rtl.plan import Lanes

#: Of the clock: a design that reaches less will not reach it with another seed, which moves it by some percent.
CLOSE = 0.9


def build(
    network: Network,
    board: str,
    directory: str | os.PathLike[str],
    *,
    lanes: Lanes | None = None,
    clock_mhz: float | None = None,
    seed: int = 1,
    tries: int = 4,
    activity: Mapping[str, Any] | None = None,
    progress: Callable[[int, int, str], object] | None = None,
) -> dict[str, Any]:
    """Build the bitstream of `network` for a board; ``docs/boards.md`` says what it then does.

    Parameters
    ----------
    network : Network
    board : str
        A name in :data:`lifline.boards.BOARDS`.
    directory : path
        Gets ``<board>.bin`` or ``.bit``, ``report.json``, and the logs of yosys and nextpnr; it is made if
        need be, and left as it was if anything fails.
    lanes : int or dict, optional
        As for :class:`lifline.rtl.Accelerator`; by default the most, in powers of two, that
        :func:`lifline.boards.estimate.choose_lanes` says will fit.
    clock_mhz : float, optional
        The board's crystal, or a frequency that a PLL makes of it; by default the board's own choice.
    seed : int
        Of place and route.  The same network, options, seed and tools give the same bitstream.
    tries : int
        How many seeds, from `seed` on, are tried until one reaches the clock.  A design that is far from it
        (:data:`CLOSE`) is given up at once.
    activity : mapping, optional
        Spikes as for :func:`lifline.rtl.cycles`, of the samples for which cycles are to be reported.
    progress : callable, optional
        Called as ``progress(done, total, text)``.

    Returns
    -------
    dict
        What ``report.json`` holds.

    Raises
    ------
    InputError
        If the board is unknown, or an option is not possible.
    ToolError
        If a tool is missing or fails, the design does not fit, or it is too slow for its clock.
    MissingExtra
        If amaranth-boards is not installed.
    """
    chosen = find_board(board)
    clock = float(clock_mhz) if clock_mhz is not None else chosen.clocks_mhz[0]
    if network.size(network.output) > MAX_CLASSES:
        raise InputError(
            f"network: output '{network.output}' has {network.size(network.output)} neurons, a board can "
            f"name {MAX_CLASSES} classes at most"
        )
    if not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed must be a non-negative integer, not {seed!r}")
    if not isinstance(tries, int) or tries < 1:
        raise InputError(f"tries must be a positive integer, not {tries!r}")
    target = Path(directory)
    existing = next(path for path in (target, *target.absolute().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise InputError(f"{target}: cannot be written; give a folder for the bitstream")
    try:
        from lifline import rtl

        from .clock import solve_pll
        from .estimate import choose_lanes, multipliers
        from .top import Top
        from .uart import divisor
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "amaranth", "boards") from None

    platform = chosen.make_platform()
    solve_pll(chosen, clock)
    divisor(clock * 1e6, chosen.baud)
    yosys, nextpnr, pack = (find(n) for n in ("yosys", chosen.family.nextpnr, chosen.family.pack))
    chosen_lanes = rtl.lanes_of(network, lanes) if lanes is not None else choose_lanes(network, chosen)
    cycles = None
    if activity is not None:
        cycles = float(np.mean(rtl.cycles(network, chosen_lanes, activity)))

    def step(done: int, text: str, tool: Found | None = None) -> None:
        if tool is not None and tool.first_run:
            text += " (YoWASP compiles it first, once: about a minute)"
        if progress is not None:
            progress(done, 4, text)

    with tempfile.TemporaryDirectory(prefix="lifline-build-") as temporary:
        work = Path(temporary)
        step(0, "writing the design")
        core = rtl.Accelerator(network, chosen_lanes, trace=True, block_bits=chosen.family.block_bits)
        for path, text in core.memory_files().items():
            platform.add_file(path, text)
        family = chosen.family
        in_dsps = 0 < multipliers(core.arrays.values()) <= chosen.dsps
        plan = platform.prepare(
            Top(chosen, network, core, core.arrays[network.output], clock_mhz=clock),
            "top",
            emit_src=False,
            read_verilog_opts="-defer",  # a memory without its file is no error
            synth_opts=f"{chosen.synth_opts} {family.with_dsps if in_dsps else family.without_dsps}",
            script_after_synth="tee -q -o top.stat.json stat -json",
        )
        plan.extract(work)
        # Amaranth's plan names the tools; ours are run one by one, so that each can report and fail by itself.
        commands = json.loads(plan.files[f"{plan.script}.json"])["commands"]
        arguments = {command[0]: command[1:] for command in commands}
        step(1, f"yosys {yosys.version}: synthesis", yosys)
        run(yosys, _without(arguments["yosys"], "-q"), work, work / "yosys.log")
        text = f"{nextpnr.name} {nextpnr.version}: place and route"
        place = [*_without(arguments[nextpnr.name], "--quiet"), "--freq", f"{clock:g}"]
        for tried in range(seed, seed + tries):
            step(2, text, nextpnr)
            placed = _place(nextpnr, [*place, "--seed", str(tried)], work, chosen, chosen_lanes)
            fmax = min(entry["achieved"] for entry in placed["fmax"].values())
            if not CLOSE * clock <= fmax < clock:
                break
            text = f"{nextpnr.name}: {fmax:.1f} MHz, less than {clock:g}, with seed {tried}; trying {tried + 1}"
        if fmax < clock:
            raise ToolError(_too_slow(chosen, clock, fmax, range(seed, tried + 1)))
        step(3, f"{pack.name}: bitstream", pack)
        run(pack, arguments[pack.name], work, work / "pack.log")

        stat = json.loads((work / "top.stat.json").read_text())["design"]["num_cells_by_type"]
        used = {name: entry["used"] for name, entry in placed["utilization"].items()}
        resources = _resources(chosen, used, stat)
        bitstream = f"{chosen.name}{chosen.family.suffix}"
        report = {
            "board": chosen.name,
            "device": chosen.device,
            "clock_mhz": clock,
            "fmax_mhz": round(fmax, 2),
            **resources,
            "available": chosen.totals,
            "utilisation": {
                name: round(resources[name] / total, 4) if total else 0.0
                for name, total in chosen.totals.items()
            },
            "lanes": chosen_lanes,
            "cycles_per_sample": cycles,
            "samples_per_second": round(clock * 1e6 / cycles, 1) if cycles else None,
            "baud": chosen.baud,
            "bitstream": bitstream,
            "tools": {
                **{tool.name: f"{tool.version} ({tool.origin})" for tool in (yosys, nextpnr, pack)},
                "amaranth": importlib.metadata.version("amaranth"),
                "lifline": lifline.__version__,
                "seed": tried,
            },
        }
        (work / "report.json").write_text(json.dumps(report, indent=2) + "\n")
        files = {
            f"top{chosen.family.suffix}": bitstream,
            "yosys.log": "yosys.log",
            "nextpnr.log": "nextpnr.log",
            "report.json": "report.json",
        }
        _deliver(work, target, files)
    step(4, "done")
    return report


def _place(
    nextpnr: Found, arguments: list[str], work: Path, board: Board, lanes: Mapping[str, int]
) -> dict[str, Any]:
    """Place and route, with the family's next placer where one fails; return nextpnr's report.

    Raises
    ------
    ToolError
        If nextpnr fails; where the design does not fit, with what is short.
    """
    log = work / "nextpnr.log"
    arguments = [*arguments, "--timing-allow-fail", "--report", "top.report.json"]
    for placer in board.family.placers:
        try:
            run(nextpnr, [*arguments, "--placer", placer], work, log)
            break
        except ToolError as error:
            need = _resources(board, _log_utilisation(log), {})
            short = board.shortage(need, fewer_lanes=max(lanes.values()) > 1)
            if short is not None:
                raise ToolError(short) from None
            if placer == board.family.placers[-1]:
                raise error from None
    placed: dict[str, Any] = json.loads((work / "top.report.json").read_text())
    return placed


def _too_slow(board: Board, clock: float, fmax: float, seeds: range) -> str:
    slower = [mhz for mhz in board.clocks_mhz if mhz <= fmax]
    remedy = f"a clock of {max(slower):g} MHz" if slower else "fewer lanes"
    tried = (
        f"seed {seeds[0]}" if len(seeds) == 1 else f"the last of the seeds {seeds[0]} to {seeds[-1]}"
    )
    return (
        f"the design reaches {fmax:.2f} MHz on {board.name}, less than its clock of {clock:g} MHz, with {tried}: "
        f"choose {remedy}, or another seed"
    )


def _resources(board: Board, used: Mapping[str, int], cells: Mapping[str, int]) -> dict[str, int]:
    """What nextpnr placed, by lifline's names; flip-flops are yosys's where nextpnr does not count them."""
    names = board.family.resources
    result = {name: used.get(names[name], 0) if name in names else 0 for name in board.totals}
    if "ffs" not in names:
        prefix = board.family.ff_cells
        result["ffs"] = sum(count for cell, count in cells.items() if cell.startswith(prefix))
    return result


def _log_utilisation(log: Path) -> dict[str, int]:
    """What nextpnr says it would need, when it gives up before it writes a report."""
    known = {}
    for name, count in re.findall(r"(\w+): +(\d+)/ *\d+ +\d+%", log.read_text(errors="replace")):
        known[name] = int(count)
    return known


def _without(arguments: list[str], flag: str) -> list[str]:
    return [argument for argument in arguments if argument != flag]


def _deliver(work: Path, target: Path, files: Mapping[str, str]) -> None:
    """Move finished files into `target`, the report last, in place of an earlier build's."""
    with replaced(target, "report.json") as scratch:
        for name, final in files.items():
            shutil.copyfile(work / name, scratch / final)
