"""The command ``lifline export``."""

from __future__ import annotations

from pathlib import Path

import click

from lifline.network import Network

from . import options, output
from .parts import part


@click.command()
@options.network_argument
@options.folder_option(required=True)
@options.lanes_option(show_default="1")
@options.board_option
@options.force_option
@options.json_option
def export(
    network: Path,
    directory: Path,
    lanes: int | dict[str, int] | None,
    board: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write NETWORK as Verilog, block RAM init files and a manifest."""
    net = Network.load(network)
    options.check_finished(directory / "manifest.json", force)
    block_bits = None if board is None else part("boards").find_board(board).family.block_bits
    manifest = part("rtl").export(
        net, directory, lanes=lanes or 1, trace=board is not None, block_bits=block_bits
    )
    sources, memories = len(manifest["sources"]), len(list((directory / "mem").glob("*.mem")))
    text = f"wrote {sources} Verilog files, {memories} memory files and manifest.json to {directory}"
    output.result(as_json, manifest, f"{text}\ntop module: {manifest['top']}")
