"""The command ``lifline flash``."""

from __future__ import annotations

from pathlib import Path

import click

from . import options, output
from .parts import part


@click.command()
@click.argument("build", type=click.Path(file_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Print the commands, and run nothing.")
@options.json_option
def flash(build: Path, dry_run: bool, as_json: bool) -> None:
    """Load the bitstream in BUILD onto its board, and the weights where they are in its flash."""
    flashing = part("boards.flashing")
    chosen = flashing.loading(build) if dry_run else flashing.flash(build)
    values = {
        "board": chosen.board.name,
        "commands": [list(command) for command in chosen.commands],
        "found": chosen.found,
        "loaded": not dry_run,
    }
    text = chosen.line if dry_run else f"loaded onto {chosen.board.name} with  {chosen.line}"
    output.result(as_json, values, text)
