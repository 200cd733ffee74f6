"""What a build's ``report.json`` says."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import lifline

from .board import Board
from .toolchain import Found

if TYPE_CHECKING:
    from .synthesis import Design


@dataclasses.dataclass(frozen=True)
class Tools:
    """The tools of a build."""

    yosys: Found
    nextpnr: Found | None  #: None: there is no open place and route for the family
    pack: Found | None


def fmax_mhz(placed: Mapping[str, Any]) -> float:
    """The fastest clock of a placed design, by nextpnr's report."""
    return min(entry["achieved"] for entry in placed["fmax"].values())


def report_of(
    design: Design,
    placed: Mapping[str, Any] | None,
    cycles: float | None,
    tools: Tools,
    seed: int | None,
) -> dict[str, Any]:
    """The report of a build; of a project, whose clock and bitstream the vendor's tools make, without `placed`."""
    board, clock = design.board, design.clock_mhz
    used = {name: entry["used"] for name, entry in placed["utilization"].items()} if placed else {}
    resources = design.resources(used, design.cells)
    versions = {
        tool.name: f"{tool.version} ({tool.origin})"
        for tool in (tools.yosys, tools.nextpnr, tools.pack)
        if tool is not None
    }
    return {
        "board": board.name,
        "device": board.device,
        "clock_mhz": clock,
        "fmax_mhz": round(fmax_mhz(placed), 2) if placed else None,
        **resources,
        "available": board.totals,
        "utilisation": {
            name: round(resources[name] / total, 4) if total else 0.0
            for name, total in board.totals.items()
        },
        "lanes": design.lanes,
        "cycles_per_sample": cycles,
        "samples_per_second": round(clock * 1e6 / cycles, 1) if cycles else None,
        "baud": board.baud,
        "bitstream": f"{board.name}{board.family.suffix}" if placed else None,
        "tools": {
            **versions,
            "amaranth": importlib.metadata.version("amaranth"),
            "lifline": lifline.__version__,
            "seed": seed,
        },
    }


def learning_of(cycles: float | None, clock_mhz: float) -> dict[str, Any]:
    """What the report of a build that learns has more; `cycles`: of a learned sample, and of what follows it."""
    rate = round(clock_mhz * 1e6 / cycles, 1) if cycles else None
    return {"learn": True, "learning": {"cycles_per_sample": cycles, "samples_per_second": rate}}


def too_slow(board: Board, clock: float, fmax: float, seeds: range) -> str:
    slower = [mhz for mhz in board.clocks_mhz if mhz <= fmax]
    remedy = f"a clock of {max(slower):g} MHz" if slower else "fewer lanes"
    tried = (
        f"seed {seeds[0]}" if len(seeds) == 1 else f"the last of the seeds {seeds[0]} to {seeds[-1]}"
    )
    return (
        f"the design reaches {fmax:.2f} MHz on {board.name}, less than its clock of {clock:g} MHz, with {tried}: "
        f"choose {remedy}, or another seed"
    )
