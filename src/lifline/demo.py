"""The whole path on real digits: train, hold the witnesses against each other, build, and report."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import boards as board_builds
from . import golden, rtl, sim, train
from .boards.board import find_board
from .boards.estimate import choose_lanes
from .files import read_npz
from .network import INPUT, Network
from .report import RESOURCES, WITNESSES, write_page
from .train.tasks import run_task

if TYPE_CHECKING:
    from rich.console import RenderableType

Progress = Callable[[int, int, str], None]


def run(
    directory: str | os.PathLike[str],
    *,
    task: str = "digits",
    seed: int = 0,
    boards: Sequence[str] = ("icebreaker", "ulx3s"),
    progress: Progress = lambda done, total, text: None,
    say: Callable[[str], object] = lambda text: None,
) -> dict[str, Any]:
    """Run the demo and write everything that it makes to `directory`.

    Parameters
    ----------
    directory : path
        Gets the network, the test split, Verilog, a folder for each board, and ``report.html``.
    task : str
    seed : int
        Of the training.
    boards : sequence of str
        The first one's lanes are those that are simulated and exported.
    progress : callable, optional
        Called as ``progress(done, total, text)``.
    say : callable
        Gets a line at the start of each step.

    Returns
    -------
    dict
        What was measured; ``passed`` says whether every spike and membrane agreed, and every cycle.
    """
    folder = Path(directory)
    chosen = [find_board(name) for name in boards]
    steps = 5 + len(chosen)
    begun: dict[str, float] = {}

    def step(name: str, text: str) -> None:
        begun[name] = time.monotonic()
        say(f"{len(begun)}/{steps}  {text}")

    step("train", f"training on {task}")
    trained = run_task(task, folder, seed=seed, progress=progress)
    network = Network.load(folder / "network.npz")
    test = read_npz(folder / "test.npz")
    spikes, labels = test["spikes"], test["labels"]

    step("golden", f"golden model and PyTorch on all {len(spikes)} test samples")
    expected = golden.simulate(network, spikes)
    activity = {INPUT: spikes, **expected.spikes}
    answers: dict[str, Any] = {"torch": train.integer_forward(network, spikes), "golden": expected}

    lanes = {board.name: choose_lanes(network, board) for board in chosen}
    simulated = lanes[chosen[0].name] if chosen else rtl.lanes_of(network, 1)
    step("export", "Verilog, memory files and manifest")
    rtl.export(network, folder / "verilog", lanes=simulated)

    step("rtl", f"the Verilog in Verilator on all {len(spikes)} test samples")
    answers["rtl"] = sim.simulate(
        network, spikes, backend="verilator", lanes=simulated, progress=progress
    )
    cycles = answers["rtl"].cycles
    predicted = rtl.cycles(network, simulated, activity)
    differences = {name: differing(expected, answer) for name, answer in answers.items()}

    reports = []
    for board in chosen:
        step(board.name, f"bitstream for the {board.title}")
        reports.append(
            board_builds.build(
                network, board.name, folder / board.name, lanes=lanes[board.name],
                activity=activity, progress=progress,
            )
        )  # fmt: skip

    step("report", "report page")
    result: dict[str, Any] = {
        "passed": not any(map(sum, map(dict.values, differences.values())))
        and np.array_equal(cycles, predicted),
        "task": task,
        "seed": seed,
        "samples": len(spikes),
        "ticks": spikes.shape[1],
        "network": {
            "inputs": network.inputs,
            "populations": {population.name: population.size for population in network.populations},
            "synapses": sum(projection.weights.size for projection in network.projections),
        },
        "correct": {name: int((answer.classes == labels).sum()) for name, answer in answers.items()},
        "accuracy": {
            name: float((answer.classes == labels).mean()) for name, answer in answers.items()
        },
        "compared": {
            "spikes": sum(array.size for array in expected.spikes.values()),
            "membranes": sum(array.size for array in expected.membrane.values()),
        },
        "differing": differences,
        "cycles": {
            "lanes": simulated,
            "min": int(cycles.min()),
            "mean": float(cycles.mean()),
            "max": int(cycles.max()),
            "differing_from_model": int((cycles != predicted).sum()),
        },
        "boards": reports,
        "training": trained,
        "seconds": {
            name: round(end - start, 1)
            for (name, start), end in zip(begun.items(), list(begun.values())[1:], strict=False)
        },
        "report": str(folder / "report.html"),
    }
    write_page(folder / "report.html", result, network, spikes, labels, expected, cycles)
    return result


def differing(expected: Any, actual: Any) -> dict[str, int]:
    """How many spikes, membranes and classes of two recordings are not the same."""
    return {
        "spikes": sum(
            int((actual.spikes[name] != array).sum()) for name, array in expected.spikes.items()
        ),
        "membranes": sum(
            int((actual.membrane[name] != array).sum()) for name, array in expected.membrane.items()
        ),
        "classes": int((actual.classes != expected.classes).sum()),
    }


def table(result: dict[str, Any]) -> RenderableType:
    """The result as tables for a terminal."""
    from rich.box import HORIZONTALS
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    witnesses = Table(box=HORIZONTALS, title="witnesses", title_justify="left")
    witnesses.add_column("")
    for column in ("accuracy", "correct", "differing spikes", "membranes"):
        witnesses.add_column(column, justify="right")
    for name, title in WITNESSES.items():
        differences = result["differing"][name]
        counts = [f"{differences[what]:,}" for what in ("spikes", "membranes")]
        if name == "golden":
            counts = ["reference", "reference"]
        witnesses.add_row(
            title, f"{result['accuracy'][name]:.2%}", f"{result['correct'][name]}", *counts
        )
    compared = result["compared"]
    witnesses.caption = (
        f"{result['samples']} test samples of {result['ticks']} ticks; "
        f"{compared['spikes']:,} spikes and {compared['membranes']:,} membranes compared"
    )
    witnesses.caption_justify = "left"

    builds = Table(box=HORIZONTALS, title="bitstreams", title_justify="left")
    builds.add_column("")
    for report in result["boards"]:
        builds.add_column(report["board"], justify="right")

    def row(title: str, text: Callable[[dict[str, Any]], str]) -> None:
        builds.add_row(title, *map(text, result["boards"]))

    for key, title in RESOURCES.items():
        row(title, lambda report, key=key: f"{report[key]:,} of {report['available'][key]:,}")  # type: ignore[misc]
    row("Fmax", lambda report: f"{report['fmax_mhz']:.1f} MHz")
    row("clock", lambda report: f"{report['clock_mhz']:g} MHz")
    row("lanes", lambda report: ", ".join(f"{name} {count}" for name, count in report["lanes"].items()))
    row("cycles a sample", lambda report: f"{report['cycles_per_sample']:,.1f}")
    row("time a sample", lambda report: f"{1e6 / report['samples_per_second']:,.1f} µs")
    cycles = result["cycles"]
    wrong = cycles["differing_from_model"]
    verdict = (
        "what you train is what you get: every spike, membrane and cycle agrees"
        if result["passed"]
        else "NOT the same: see the differing counts"
    )
    return Group(
        witnesses,
        f"cycles a sample in Verilator: {cycles['min']:,} … {cycles['max']:,}, mean {cycles['mean']:,.1f}; "
        f"{wrong} of {result['samples']} differ from the cycle model",
        *([builds] if result["boards"] else []),
        Text(verdict, style="bold green" if result["passed"] else "bold red"),
    )
