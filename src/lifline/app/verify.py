"""The command ``lifline verify``."""

from __future__ import annotations

from pathlib import Path

import click

from lifline.files import read_spikes
from lifline.network import Network

from . import options, output
from .parts import part


@click.command()
@options.network_argument
@click.option(
    "--backend", type=click.Choice(("icarus", "verilator")), default="verilator", show_default=True
)
@options.lanes_option(show_default="1")
@options.board_option
@click.option("--samples", type=click.IntRange(1), default=8, show_default=True, help="Random samples.")
@click.option(
    "--ticks",
    type=click.IntRange(1),
    default=None,
    help="Ticks of each.  [default: 32, or as many as the longest delays need]",
)
@options.seed_option(default=0, help="Seed of the spikes and stalls.")
@click.option(
    "--input",
    "input_file",
    type=options.file(),
    default=None,
    help="SPIKES.npz instead of random ones.",
)
@click.option(
    "--learn/--no-learn",
    default=None,
    help="Whether what can learn does, and is compared.  [default: if there is anything]",
)
@options.json_option
def verify(
    network: Path,
    backend: str,
    lanes: int | dict[str, int] | None,
    board: str | None,
    samples: int,
    ticks: int | None,
    seed: int,
    input_file: Path | None,
    learn: bool | None,
    as_json: bool,
) -> int:
    """Check the gateware of NETWORK against the golden model, in lock-step, with random stalls."""
    net = Network.load(network)
    spikes = None if input_file is None else read_spikes(input_file, net.inputs, net.input_bits)[0]
    block_bits = None if board is None else part("boards").find_board(board).family.block_bits
    with output.progress_bar(not as_json) as progress:
        report = part("sim").verify(
            net, backend=backend, lanes=lanes or 1, spikes=spikes, samples=samples, ticks=ticks, seed=seed,
            learn=learn, block_bits=block_bits, progress=progress,
        )  # fmt: skip
    values = {
        "passed": report.passed,
        "backend": backend,
        "samples": report.samples,
        "ticks": report.ticks,
        "seed": seed,
        "unreached": report.unreached,
        "text": report.text,
    }
    output.result(as_json, values, report.text)
    return 0 if report.passed else 1
