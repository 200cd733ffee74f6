"""The command ``lifline build``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lifline.encoders import Encoder
from lifline.errors import MissingExtra
from lifline.files import read_spikes
from lifline.network import INPUT, Network
from lifline.progress import Progress, silent
from lifline.teaching import read_reward

from . import options, output
from .builds import build_all
from .parts import part

if TYPE_CHECKING:
    from rich.table import Table


@click.command()
@options.network_argument
@click.option(
    "--board", required=True, help="icebreaker, ulx3s, … (`lifline boards` lists them), or all."
)
@options.folder_option(required=True)
@options.lanes_option(
    type=options.LanesOrAuto(),
    show_default="up to 8, as fit",
    help="Neurons updated per cycle: a number, hidden=4,output=2, or auto: the fastest that fit.",
)
@click.option(
    "--target-us",
    type=options.Positive(),
    default=None,
    help="With --lanes auto, the smallest design whose samples take no longer, in µs.",
)
@click.option(
    "--clock", type=options.Positive(), default=None, help="Clock in MHz.  [default: the board's]"
)
@options.seed_option(default=1, help="Seed of place and route.")
@click.option(
    "--tries",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    help="Seeds, from --seed on, that are tried until the clock is reached.",
)
@click.option(
    "--input",
    "input_file",
    type=options.file(),
    default=None,
    help="SPIKES.npz whose cycles and rate are reported, and by which auto chooses.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Simulate the synthesised netlist, and compare its classes with golden's.",
)
@click.option(
    "--patchable",
    is_flag=True,
    help="Keep small memories in block RAM, too, so that `lifline patch` can change them.",
)
@click.option(
    "--load",
    is_flag=True,
    help="Weights can be loaded over the line; what block RAM does not hold goes into an iCE40UP5K's single-port RAM.",
)
@click.option(
    "--any-weights",
    is_flag=True,
    help="Likewise, and sums are wide enough for any weights of as many bits.",
)
@click.option(
    "--flash-weights",
    is_flag=True,
    help="Likewise, and the board reads the weights from its flash when it starts; `lifline flash` writes them there.",
)
@click.option(
    "--learn",
    is_flag=True,
    help="As --load, and what can learn does, in samples of which the host says so.",
)
@options.encoder_option
@options.force_option
@options.json_option
def build(
    network: Path,
    board: str,
    directory: Path,
    lanes: int | dict[str, int] | str | None,
    target_us: float | None,
    clock: float | None,
    seed: int,
    tries: int,
    input_file: Path | None,
    check: bool,
    patchable: bool,
    load: bool,
    any_weights: bool,
    flash_weights: bool,
    learn: bool,
    encoder: Encoder | None,
    force: bool,
    as_json: bool,
) -> int:
    """Build the bitstream of NETWORK for BOARD, and report.json.

    With --board all, for every board, one at a time, each into a folder of its own, and boards.json.
    """
    if target_us is not None and lanes != "auto":
        raise click.UsageError("--target-us needs --lanes auto, which chooses lanes by it")
    if board == "all" and (lanes == "auto" or clock is not None):
        raise click.UsageError(
            "--board all takes neither --lanes auto nor --clock: boards differ in both"
        )
    if learn and flash_weights:
        raise click.UsageError(
            "--learn and --flash-weights: a board that learns starts with the bitstream's weights; leave one out"
        )
    net = Network.load(network)
    if learn:
        part("rtl").check_learns(net)
    boards = part("boards")
    every = board == "all"
    found = None if every else boards.find_board(board)
    if not every:
        options.check_finished(directory / "report.json", force)
    activity = learned = spikes = None
    if input_file is not None:
        spikes, _ = read_spikes(input_file, net.inputs, net.input_bits)
        activity = {INPUT: spikes, **part("golden").simulate(net, spikes).spikes}
        if learn:
            reward = read_reward(input_file, net, len(spikes), needed=False)
            recording = part("golden").simulate(net, spikes, learn=True, reward=reward)
            learned = {INPUT: spikes, **recording.spikes}

    def make(name: str, folder: Path, progress: Progress = silent) -> dict[str, Any]:
        report: dict[str, Any] = boards.build(
            net, name, folder, lanes=lanes, progress=progress, clock_mhz=clock, seed=seed, tries=tries,
            activity=activity, check=part("golden").simulate if check else None, patchable=patchable,
            load=load, any_weights=any_weights, flash_weights=flash_weights, encoder=encoder, learn=learn,
            learned=learned,
        )  # fmt: skip
        return report

    if every:
        return build_all(net, directory, spikes, make, force=force, as_json=as_json)
    mapping: dict[str, Any] = {}
    if lanes == "auto":
        mapper = part("boards.mapper")
        chosen, front = mapper.map_lanes(
            net, board, activity=learned or activity, clock_mhz=clock, target_us=target_us,
            encoder=encoder, learn=learn,
        )  # fmt: skip
        lanes = chosen.lanes
        known = mapper.ASSUMPTION if activity is None else "of --input"
        mapping = _mapping(found, chosen, front, known)
        if not as_json:
            output.show(_table(mapping))
            output.say(f"activity {known}; ► chosen, ✗ does not fit; area is an estimate")
    with output.progress_bar(not as_json) as progress:
        report = make(board, directory, progress)
    if mapping:
        report["mapping"] = mapping
        try:
            part("boards.plot").write_plot(directory / "pareto.svg", found, front, chosen)
        except MissingExtra as error:
            click.echo(f"lifline: no pareto.svg: {error}", err=True)
    lines = [f"{name}: {value}" for name, value in report.items() if not isinstance(value, dict | list)]
    output.result(as_json, report, "\n".join(lines))
    return 0


def _mapping(board: Any, chosen: Any, front: list[Any], activity: str) -> dict[str, Any]:
    """What the mapper found, for JSON."""
    return {
        "activity": activity,
        "pareto": [
            {
                "lanes": design.lanes,
                "cycles": round(design.cycles, 1),
                "microseconds": round(design.microseconds, 3),
                **design.need,
                "fits": design.fits(board),
                "chosen": design is chosen,
            }
            for design in front
        ],
    }


def _table(mapping: dict[str, Any]) -> Table:
    """What the mapper found, for a terminal."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("", "µs a sample", "cycles", "LUTs", "block RAMs", "DSPs", "lanes"):
        table.add_column(column, justify="left" if column in ("", "lanes") else "right")
    for row in mapping["pareto"]:
        mark = "►" if row["chosen"] else " " if row["fits"] else "✗"
        lanes = ",".join(f"{name}={number}" for name, number in row["lanes"].items())
        numbers = (f"{row['microseconds']:,.2f}", f"{row['cycles']:,.0f}", f"{row['luts']:,}")
        table.add_row(mark, *numbers, str(row["brams"]), str(row["dsps"]), lanes)
    return table
