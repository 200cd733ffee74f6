"""The command ``lifline boards``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import options, output
from .parts import part

if TYPE_CHECKING:
    from rich.table import Table


@click.command()
@options.json_option
def boards(as_json: bool) -> None:
    """List the boards: what they have, what fits on them, and whether their tools are found."""
    rows = [describe(board) for board in part("boards").BOARDS.values()]
    if as_json:
        output.result(True, {"boards": rows}, "")
        return
    output.show(_table(rows))
    output.say(
        "N-N-10: the largest dense network that fits, by the estimate, of N inputs, N hidden neurons and 10 outputs "
        "with 8-bit weights"
    )


def describe(board: Any) -> dict[str, Any]:
    """A board, as JSON has it."""
    family = board.family
    toolchain = part("boards.toolchain")
    needed = [name for name in ("yosys", family.nextpnr, family.pack) if name]
    return {
        "name": board.name,
        "title": board.title,
        "device": board.device,
        "family": family.name,
        "available": board.totals,
        "clocks_mhz": list(board.clocks_mhz),
        "baud": board.baud,
        "bridge": board.bridge,
        "usb": list(board.usb),
        "largest_dense": part("boards.estimate").largest_dense(board),
        "makes": "bitstream" if family.nextpnr else "project",
        "patch": family.block_rams is not None,
        "tools": {name: toolchain.is_found(name) for name in needed},
        "flash": list(board.flash),
        "flash_found": part("boards.flashing").loader(board),
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("board", no_wrap=True)
    for column in ("LUTs", "BRAMs", "DSPs", "MHz", "Mbaud", "N-N-10"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("build", overflow="fold")
    table.add_column("flash", no_wrap=True)
    yes, no = ("✓", "✗") if output.speaks_unicode() else ("+", "-")
    for row in rows:
        has = row["available"]
        missing = [name for name, found in row["tools"].items() if not found]
        table.add_row(
            row["name"],
            f"{has['luts']:,}",
            str(has["brams"]),
            str(has["dsps"]),
            f"{row['clocks_mhz'][0]:g}",
            f"{row['baud'] / 1e6:g}",
            str(row["largest_dense"]),
            f"{no} {', '.join(missing)}"
            if missing
            else yes
            if row["makes"] == "bitstream"
            else "project",
            f"{yes} {row['flash_found']}"
            if row["flash_found"]
            else f"{no} {row['flash'][0].split()[0]}",
        )
    return table
