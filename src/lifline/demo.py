"""The whole path on real data: train, hold the witnesses against each other, build, and report."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import boards as board_builds
from . import golden, rtl, sim, train
from .boards.board import Board, find_board
from .boards.estimate import choose_lanes
from .errors import InputError, LiflineError, ToolError
from .files import check_spikes, read_npz
from .network import INPUT, Network
from .report import RESOURCES, WITNESSES, write_page
from .train.tasks import run_task

if TYPE_CHECKING:
    from rich.console import RenderableType

Progress = Callable[[int, int, str], None]

#: What is built for where no board is named: what the task's network fits.
BOARDS: dict[str, tuple[str, ...]] = {"digits": ("icebreaker", "ulx3s")}
OTHER_BOARDS = ("ulx3s",)

#: What the report shows of a training.
_RECORD = ("task", "seed", "test_accuracy", "train_samples", "settings", "delays", "curves")


def run(
    directory: str | os.PathLike[str],
    *,
    task: str = "digits",
    seed: int = 0,
    data: str | os.PathLike[str] | None = None,
    trained: str | os.PathLike[str] | None = None,
    samples: int | None = None,
    boards: Sequence[str] | None = None,
    progress: Progress = lambda done, total, text: None,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Run the demo and write everything that it makes to `directory`.

    Parameters
    ----------
    directory : path
        Gets the network, the test split, Verilog, a folder for each board, and ``report.html``.  A training
        that was interrupted there is carried on.
    task : str
    seed : int
        Of the training.
    data : path, optional
        The folder with the task's files, for a task that reads any.
    trained : path, optional
        A folder that ``lifline train`` has written: its network is taken instead of training one, and `task`,
        `seed` and `data` do not matter.
    samples : int, optional
        So many of the test samples, evenly spread, instead of all.
    boards : sequence of str, optional
        By default those of :data:`BOARDS`.  The first one that should fit gives the lanes that are simulated
        and exported.
    progress : callable, optional
        Called as ``progress(done, total, text)``.
    say : callable
        Gets a line at the start of each step.

    Returns
    -------
    dict
        What was measured; ``passed`` says whether every spike and membrane agreed, and every cycle, and
        ``unbuilt`` of which boards there is no bitstream, and why.

    Raises
    ------
    InputError
        If there is no such task or board, `samples` is none, the data or the trained network cannot be used,
        or the directory cannot be written.
    ToolError
        If there is no Verilator.
    """
    if samples is not None and samples < 1:
        raise InputError(f"samples must be 1 or more, not {samples}")
    folder = Path(directory)
    begun: dict[str, float] = {}
    finished = None if trained is None else load_training(Path(trained))
    if finished:
        task, seed = finished.record["task"], finished.record["seed"]
    if boards is None:
        boards = BOARDS.get(task, OTHER_BOARDS)
    chosen = [find_board(name) for name in boards]
    steps = 5 + len(chosen)

    def step(name: str, text: str) -> None:
        begun[name] = time.monotonic()
        say(f"{len(begun)}/{steps}  {text}")

    if finished:
        step("train", f"a network trained on {task}, from {trained}")
        _make(folder)
    else:
        step("train", f"training on {task}")
        run_task(task, folder, seed=seed, data=data, resume=True, progress=progress, warn=say)
        finished = load_training(folder)
    network, spikes, labels = finished.network, finished.spikes, finished.labels
    if samples is not None and samples < len(labels):
        some = np.arange(samples) * len(labels) // samples
        spikes, labels = spikes[some], labels[some]

    step("golden", f"golden model and PyTorch on {len(spikes)} test samples")
    expected = golden.simulate(network, spikes)
    activity = {INPUT: spikes, **expected.spikes}
    answers: dict[str, Any] = {"torch": train.integer_forward(network, spikes), "golden": expected}

    lanes = {board.name: _fitting(network, board) for board in chosen}
    simulated = next(filter(None, lanes.values()), rtl.lanes_of(network, 1))
    step("export", "Verilog, memory files and manifest")
    rtl.export(network, folder / "verilog", lanes=simulated)

    step("rtl", f"the Verilog in Verilator on {len(spikes)} test samples")
    answers["rtl"] = sim.simulate(
        network, spikes, backend="verilator", lanes=simulated, progress=progress
    )
    cycles = answers["rtl"].cycles
    predicted = rtl.cycles(network, simulated, activity)
    differences = {name: differing(expected, answer) for name, answer in answers.items()}

    reports, unbuilt = [], {}
    for board in chosen:
        step(board.name, f"bitstream for the {board.title}")
        try:
            report = board_builds.build(
                network, board.name, folder / board.name, lanes=lanes[board.name],
                activity=activity, progress=progress,
            )  # fmt: skip
            reports.append(report)
        except LiflineError as error:  # not a reason to lose the rest
            unbuilt[board.name] = str(error)
            say(f"no bitstream: {error}")

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
            "synapses": sum(projection.synapses.count for projection in network.projections),
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
        "unbuilt": unbuilt,
        "training": finished.record,
        "seconds": {
            name: round(end - start, 1)
            for (name, start), end in zip(begun.items(), list(begun.values())[1:], strict=False)
        },
        "report": str(folder / "report.html"),
    }
    write_page(folder / "report.html", result, network, spikes, labels, expected, cycles)
    return result


class Training(NamedTuple):
    """What a training leaves behind."""

    record: dict[str, Any]  #: ``train.json``
    network: Network
    spikes: np.ndarray  #: of the test split, uint8 (samples, ticks, inputs)
    labels: np.ndarray  #: int (samples,)


def load_training(folder: Path) -> Training:
    """Read ``train.json``, ``network.npz`` and ``test.npz``.

    Raises
    ------
    NetworkError, InputError
        If one is missing or damaged, or they are not of one training.
    """
    file = folder / "train.json"
    try:
        record = json.loads(file.read_text())
    except OSError as error:
        raise InputError(
            f"{file}: {error.strerror}; give a folder that 'lifline train TASK -o DIR' has written"
        ) from None
    except ValueError:
        record = None
    if not isinstance(record, dict) or not all(field in record for field in _RECORD):
        raise InputError(f"{file}: damaged, or of another version of lifline; train again")

    network = Network.load(folder / "network.npz")
    run = record["task"], record["seed"]
    if (network.metadata.get("task"), network.metadata.get("seed")) != run:
        raise InputError(
            f"{folder}: train.json is of task '{run[0]}', seed {run[1]}, network.npz of another training: "
            "take both from the same"
        )

    file = folder / "test.npz"
    test = read_npz(file)
    if "spikes" not in test or "labels" not in test:
        raise InputError(f"{file}: must hold 'spikes' and 'labels', not {', '.join(test) or 'nothing'}")
    spikes = check_spikes(test["spikes"], network.inputs, f"{file}: spikes")
    labels = test["labels"]
    classes = network.size(network.output)
    if labels.shape != spikes.shape[:1] or spikes.ndim != 3 or 0 in spikes.shape:
        raise InputError(
            f"{file}: spikes {spikes.shape} and labels {labels.shape} must be (samples, ticks, inputs) and "
            "(samples,), none of them 0"
        )
    if labels.dtype.kind not in "iu" or not 0 <= labels.min() <= labels.max() < classes:
        raise InputError(f"{file}: labels must be integers in 0 … {classes - 1}, one for each sample")
    return Training(record, network, spikes, labels)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot make this folder: {error.strerror}") from None


def _fitting(network: Network, board: Board) -> dict[str, int] | None:
    """Lanes with which a network should fit a board; None where there are none, as the build will say."""
    try:
        return choose_lanes(network, board)
    except ToolError:
        return None


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
        *(
            Text(f"{board}: no bitstream: {why}", style="red")
            for board, why in result["unbuilt"].items()
        ),
        Text(verdict, style="bold green" if result["passed"] else "bold red"),
    )
