"""``lifline build --board all``: a network built for every board, and what came of it as one table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifline.errors import InputError, ToolError
from lifline.files import atomic_write
from lifline.network import Network

from . import output
from .parts import part

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

#: Written last; its builds are in folders beside it that are called like the boards.
SUMMARY = "boards.json"


def build_all(
    network: Network,
    directory: Path,
    spikes: np.ndarray | None,
    make: Callable[[str, Path], dict[str, Any]],
    *,
    force: bool,
    as_json: bool,
) -> int:
    """Build for every board, one at a time; 0 if any could be built.

    A board on which the network does not fit is a row that says so.  A build that is finished is not made again
    without `force`.

    Parameters
    ----------
    network : Network
    directory : Path
        Gets a folder for each board, and :data:`SUMMARY`.
    spikes : (samples, ticks, inputs), optional
        By which the line's rate is counted.
    make : callable
        Builds for a board into a folder, and returns its report.
    """
    boards = part("boards")
    rows = []
    with output.progress_bar(not as_json) as progress:
        for done, board in enumerate(boards.BOARDS.values()):
            progress(done, len(boards.BOARDS), board.name)
            folder = directory / board.name
            try:
                finished = folder / "report.json"
                report = (
                    part("boards.finished").report_of(folder)
                    if finished.is_file() and not force
                    else make(board.name, folder)
                )
            except ToolError as error:
                rows.append({"board": board.name, "device": board.device, "error": str(error)})
            else:
                rows.append({**_row(report), **_rates(network, board, spikes, report)})
    summary = {"network": network.name, "boards": rows}
    built = [row for row in rows if "error" not in row]
    if built:
        with atomic_write(directory / SUMMARY) as file:
            file.write((json.dumps(summary, indent=2) + "\n").encode())
    if not as_json:
        output.show(_table(rows))
    notes = [f"{row['board']} ✗: {row['error']}" for row in rows if "error" in row]
    notes.append(f"{len(built)} of {len(rows)} boards built, in {directory}")
    output.result(as_json, summary, "\n".join(notes))
    return 0 if built else 1


def _row(report: dict[str, Any]) -> dict[str, Any]:
    names = ("board", "device", "clock_mhz", "fmax_mhz", "luts", "ffs", "brams", "dsps", "available",
             "lanes", "cycles_per_sample", "samples_per_second", "baud", "bitstream")  # fmt: skip
    try:
        return {name: report[name] for name in names}
    except KeyError as error:
        raise InputError(
            f"the report of the build for {report['board']} has no {error}: --force builds it anew"
        ) from None


def _rates(
    network: Network, board: Any, spikes: np.ndarray | None, report: dict[str, Any]
) -> dict[str, Any]:
    """What the line carries, and what a board then does: the slower of the line and the network."""
    rates = part("boards.rates")
    raw = round(rates.raw_samples_per_second(board, network.inputs), 1)
    if spikes is None:
        return {"line_samples_per_second": None, "raw_samples_per_second": raw, "limit": None}
    line = round(rates.line_samples_per_second(board, spikes, network.input_bits), 1)
    own = report["samples_per_second"]
    return {
        "line_samples_per_second": line,
        "raw_samples_per_second": raw,
        "limit": "line" if own is None or line < own else "network",
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("board", no_wrap=True)
    for column in ("LUTs", "BRAMs", "Fmax", "MHz", "network/s", "line/s", "raw/s"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("lanes", overflow="fold")
    for row in rows:
        if "error" in row:
            table.add_row(f"{row['board']} ✗")
            continue
        lanes = ",".join(str(number) for number in row["lanes"].values())
        table.add_row(
            row["board"],
            _share(row["luts"], row["available"]["luts"]),
            _share(row["brams"], row["available"]["brams"]),
            "—" if row["fmax_mhz"] is None else f"{row['fmax_mhz']:.1f}",
            f"{row['clock_mhz']:g}",
            _rate(row["samples_per_second"]),
            _rate(row["line_samples_per_second"]),
            _rate(row["raw_samples_per_second"]),
            lanes,
        )
    return table


def _share(used: int, there: int) -> str:
    return f"{used:,} ({used / there:.0%})"


def _rate(value: float | None) -> str:
    return "—" if value is None else f"{value:,.0f}"
