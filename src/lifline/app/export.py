"""The command ``lifline export``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from lifline.network import INPUT, Network

from . import options, output
from .parts import part

#: Ticks of a sample of the test bench, fewer where there are many inputs.
TICKS, MOST_EVENTS = 16, 8192


@click.command()
@options.network_argument
@options.folder_option(required=True)
@options.lanes_option(show_default="1")
@options.board_option
@click.option("--trace", is_flag=True, help="With streams that show every spike and state.")
@click.option("--load", is_flag=True, help="With a port that loads weights, delays and parameters.")
@click.option("--any-weights", is_flag=True, help="With --load: sums hold any weights of as many bits.")
@click.option(
    "--learn",
    is_flag=True,
    help="What can learn does, in samples that begin with the port `learn` at 1.",
)
@options.force_option
@options.json_option
def export(
    network: Path,
    directory: Path,
    lanes: int | dict[str, int] | None,
    board: str | None,
    trace: bool,
    load: bool,
    any_weights: bool,
    learn: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write NETWORK as Verilog, block RAM init files, a test bench with vectors, and a manifest."""
    if any_weights and not load:
        raise click.UsageError("--any-weights needs --load: without the port no other weights come")
    net = Network.load(network)
    options.check_finished(directory / "manifest.json", force)
    rtl = part("rtl")
    chosen: dict[str, Any] = {"lanes": lanes or 1, "trace": trace or board is not None}
    rtl.check_size(net)
    if learn:
        rtl.check_learns(net)
    arrays = rtl.plan(net, chosen["lanes"], load=load, any_weights=any_weights, learn=learn)
    if board is not None:
        target = part("boards").find_board(board)
        chosen["block_bits"] = target.family.block_bits
        if load:
            chosen["memories"] = part("boards.memories").choose_memories(arrays, target)
    manifest = rtl.export(
        net, directory, **chosen, load=load, any_weights=any_weights, learn=learn,
        vectors=vectors(net, chosen["lanes"], learn=learn),
    )  # fmt: skip
    sources, memories = len(manifest["sources"]), len(list((directory / "mem").glob("*.mem")))
    text = f"wrote {sources} Verilog files, {memories} memory files and manifest.json to {directory}"
    text += f"\ntest bench: cd {directory} && iverilog -o t *.v && vvp t"
    output.result(as_json, manifest, f"{text}\ntop module: {manifest['top']}")


def vectors(network: Network, lanes: int | dict[str, int], *, learn: bool = False) -> Any:
    """Random samples for the test bench, always the same: sparse, dense, and without a spike.

    With `learn` the design learns, and from all of them, unless a rule waits for rewards.
    """
    rng = np.random.default_rng(0)
    rates = np.array([0.1, 0.5, 1.0, 0.0])[:, None, None]
    ticks = max(2, min(TICKS, MOST_EVENTS // network.inputs))
    drawn = rng.random((len(rates), ticks, network.inputs)) < rates
    values = rng.integers(1, 1 << network.input_bits, drawn.shape)
    spikes = np.where(drawn, values, 0).astype(np.uint8)
    rules = [p.plasticity for p in network.projections if p.plasticity is not None]
    taught = learn and not any(rule.rewarded for rule in rules)
    recording = part("golden").simulate(network, spikes, learn=taught)
    activity = {INPUT: spikes, **recording.spikes}
    rtl = part("rtl")
    cycles = rtl.cycles(network, lanes, activity, learn=learn, frozen=not taught)
    return rtl.Vectors(spikes, recording.spikes[network.output], cycles, recording.network)
