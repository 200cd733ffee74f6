"""The command ``lifline estimate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lifline.encoders import Encoder
from lifline.files import read_spikes
from lifline.network import INPUT, Network
from lifline.teaching import read_reward

from . import costs, options, output
from .parts import part
from .tables import RESOURCES

if TYPE_CHECKING:
    from rich.table import Table


@click.command()
@options.network_argument
@click.option("--board", "boards", multiple=True, help="A board, or several.  [default: all]")
@options.lanes_option(
    type=options.LanesOrAuto(),
    show_default="up to 8, as fit",
    help="Neurons updated per cycle: a number, hidden=4,output=2, or auto: the fastest that fit.",
)
@click.option(
    "--clock", type=options.Positive(), default=None, help="Clock in MHz.  [default: the board's]"
)
@click.option(
    "--input",
    "input_file",
    type=options.file(),
    default=None,
    help="SPIKES.npz whose cycles are counted.  [default: every tenth neuron fires in each of 16 ticks]",
)
@options.encoder_option
@click.option(
    "--learn",
    is_flag=True,
    help="Of boards that learn; times are those of samples that are learned from, and of what follows each.",
)
@options.json_option
def estimate(
    network: Path,
    boards: tuple[str, ...],
    lanes: int | dict[str, int] | str | None,
    clock: float | None,
    input_file: Path | None,
    encoder: Encoder | None,
    learn: bool,
    as_json: bool,
) -> None:
    """Say what a build of NETWORK would take, and how fast it would be, before any tool runs."""
    net = Network.load(network)
    names = costs.board_names(boards)
    if learn:
        part("rtl").check_learns(net)
    activity = None
    if input_file is not None:
        spikes, _ = read_spikes(input_file, net.inputs, net.input_bits)
        reward = read_reward(input_file, net, len(spikes), needed=False) if learn else None
        recording = part("golden").simulate(net, spikes, learn, reward)
        activity = {INPUT: spikes, **recording.spikes}
    rows = [
        costs.on_board(
            net, name, lanes=lanes, clock_mhz=clock, activity=activity, encoder=encoder, learn=learn
        )
        for name in names
    ]
    if as_json:
        output.result(True, {"network": str(network), "boards": rows}, "")
        return
    if any("lanes" in row for row in rows):
        output.show(_table([row for row in rows if "lanes" in row]))
    output.say("\n".join(_notes(rows)))


def _table(rows: list[dict[str, Any]]) -> Table:
    """What each board would take, a row a board."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("board")
    kinds = [kind for kind in ("luts", "brams", "dsps") if any(row[kind] for row in rows)]
    for column in ("µs a sample", "cycles", "MHz", *(RESOURCES[kind] for kind in kinds)):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("lanes", overflow="fold")
    for row in rows:
        shares = [_share(row[kind], row["available"][kind]) for kind in kinds]
        lanes = ",".join(f"{name}={number}" for name, number in row["lanes"].items())
        numbers = (
            f"{row['microseconds']:,.2f}",
            f"{row['cycles_per_sample']:,.0f}",
            f"{row['clock_mhz']:g}",
        )
        table.add_row(row["board"] + ("" if row["fits"] else " ✗"), *numbers, *shares, lanes)
    return table


def _share(used: int, there: int) -> str:
    return f"{used:,} ({used / there:.0%})" if there else f"{used:,}"


def _notes(rows: list[dict[str, Any]]) -> list[str]:
    notes = [f"{row['board']} ✗: {row['reason']}" for row in rows if not row["fits"]]
    known = next((row["activity"] for row in rows if "activity" in row), None)
    if known is not None:
        learned = ", all of it learned from" if any(row.get("learn") for row in rows) else ""
        notes.append(
            f"activity {known}{learned}; area is an estimate, cycles are exact, and a build may reach another clock"
        )
    return notes
