"""The command ``lifline patch``."""

from __future__ import annotations

from pathlib import Path

import click

from lifline.network import Network

from . import options, output
from .parts import part


@click.command()
@click.argument("build", type=click.Path(file_okay=False, path_type=Path))
@options.network_argument
@options.folder_option(default=None, help="Folder for the patched build.  [default: BUILD itself]")
@click.option(
    "--check", is_flag=True, help="Unpack the patched bitstream, and compare it with the new weights."
)
@options.force_option
@options.json_option
def patch(
    build: Path, network: Path, directory: Path | None, check: bool, force: bool, as_json: bool
) -> None:
    """Put the weights of NETWORK into the build in BUILD, without place and route.

    NETWORK has the shape and sum range of the network that was built.
    """
    net = Network.load(network)
    if directory is not None:
        options.check_finished(directory / "report.json", force)
    report = part("boards").patch(build, net, directory, check=check)
    patched = report["patched"]
    where = directory if directory is not None else build
    if "weights" in report:
        text = (
            f"{where / report['weights']['file']}: {patched['bytes']:,} bytes for the board's flash, "
            f"in {patched['seconds']:.2f} s"
        )
        output.result(as_json, report, text)
        return
    text = (
        f"{where / report['bitstream']}: {patched['memories']} memories in {patched['block_rams']} block RAMs "
        f"rewritten{' and compared' if check else ''}, in {patched['seconds']:.2f} s"
    )
    output.result(as_json, report, text)
