"""What ``lifline demo`` does: train, compare the witnesses, build, and report, on real data."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lifline import boards as board_builds
from lifline import golden, rtl, sim, train
from lifline.boards.board import Board, find_board
from lifline.boards.estimate import choose_lanes
from lifline.errors import InputError, LiflineError, ToolError
from lifline.files import made_folder
from lifline.network import INPUT, Network
from lifline.progress import Progress, silent
from lifline.recording import Recording
from lifline.sim.tools import find_verilator
from lifline.train.tasks import run_task

from .report import write_page
from .training import Training, load_training

#: What is built for where no board is named: what the task's network fits.
BOARDS: dict[str, tuple[str, ...]] = {"digits": ("icebreaker", "ulx3s")}
OTHER_BOARDS = ("ulx3s",)


def run(
    directory: str | os.PathLike[str],
    *,
    task: str = "digits",
    seed: int = 0,
    data: str | os.PathLike[str] | None = None,
    trained: str | os.PathLike[str] | None = None,
    samples: int | None = None,
    boards: Sequence[str] | None = None,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Run the demo and write everything that it makes to `directory`.

    Parameters
    ----------
    directory : path
        Gets the network, the test split, Verilog, a folder for each board, and ``report.html``.  A training
        that was interrupted there is carried on.
    task, seed : str, int
        Of the training.
    data : path, optional
        Folder of the task's files, for a task that reads any.
    trained : path, optional
        A folder that ``lifline train`` has written: its network is taken instead of training one, and `task`,
        `seed` and `data` do not matter.
    samples : int, optional
        So many of the test samples, evenly spread, instead of all.
    boards : sequence of str, optional
        By default those of :data:`BOARDS`.  The first that should fit gives the lanes of simulation and export.
    progress, say : callable
        As :data:`lifline.progress.Progress`; `say` gets a line at the start of each step.

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
    training = None if trained is None else load_training(Path(trained))
    if training is not None:
        task, seed = training.record["task"], training.record["seed"]
    names = BOARDS.get(task, OTHER_BOARDS) if boards is None else boards
    chosen = [find_board(name) for name in names]
    find_verilator()
    if (folder / "report.html").exists():
        say(f"{folder}: what an earlier demo left there is replaced")
    steps = _Steps(5 + len(chosen), say)
    with made_folder(folder):  # which stays if anything is in it
        if training is None:
            training = _train(task, seed, data, folder, steps, progress)
        else:
            steps.begin("train", f"a network trained on {task}, from {trained}")
        training = training.some(samples)

        lanes = {board.name: _fitting(training.network, board) for board in chosen}
        simulated = next(filter(None, lanes.values()), rtl.lanes_of(training.network, 1))
        witnesses = _compare(training, simulated, folder, steps, progress)
        reports, unbuilt = _build(
            training.network, chosen, lanes, witnesses.activity, folder, steps, progress
        )
        steps.begin("report", "report page")
        result = _result(training, witnesses) | {
            "boards": reports,
            "unbuilt": unbuilt,
            "training": training.record,
            "seconds": steps.seconds(),
            "report": str(folder / "report.html"),
        }
        write_page(folder / "report.html", result, training, witnesses.expected, witnesses.cycles)
        return result


class _Steps:
    """The steps of the demo: each is announced, and its time taken."""

    def __init__(self, count: int, say: Callable[[str], None]) -> None:
        self.count = count
        self.say = say
        self._begun: dict[str, float] = {}

    def begin(self, name: str, text: str) -> None:
        self._begun[name] = time.monotonic()
        self.say(f"{len(self._begun)}/{self.count}  {text}")

    def seconds(self) -> dict[str, float]:
        """How long each step took, but for the last, which is still going on."""
        begun = list(self._begun.items())
        return {name: round(end - start, 1) for (name, start), (_, end) in itertools.pairwise(begun)}


def _train(
    task: str,
    seed: int,
    data: str | os.PathLike[str] | None,
    folder: Path,
    steps: _Steps,
    progress: Progress,
) -> Training:
    """Train, or carry on where a training in `folder` was interrupted."""
    steps.begin("train", f"training on {task}")
    run_task(task, folder, seed=seed, data=data, resume=True, progress=progress, warn=steps.say)
    return load_training(folder)


class Witnesses(NamedTuple):
    """What the golden model, PyTorch and the Verilog made of the test samples."""

    expected: Recording  #: golden's
    answers: dict[str, Recording]  #: each witness's recording, golden's among them
    activity: dict[str, np.ndarray]  #: spikes of the input and of every population
    lanes: dict[str, int]  #: of the Verilog
    cycles: np.ndarray  #: int64 (samples,), as simulated
    predicted: np.ndarray  #: the same by the cycle model

    @property
    def differing(self) -> dict[str, dict[str, int]]:
        """How much of each witness's recording is not golden's."""
        return {name: self.expected.differing(answer) for name, answer in self.answers.items()}


def _compare(
    training: Training, lanes: dict[str, int], folder: Path, steps: _Steps, progress: Progress
) -> Witnesses:
    """Run the test samples through every witness; the Verilog stays in ``verilog/``."""
    network, spikes = training.network, training.spikes
    steps.begin("golden", f"golden model and PyTorch on {len(spikes)} test samples")
    expected = golden.simulate(network, spikes)
    activity = {INPUT: spikes, **expected.spikes}
    answers = {"torch": train.integer_forward(network, spikes), "golden": expected}

    steps.begin("export", "Verilog, memory files and manifest")
    rtl.export(network, folder / "verilog", lanes=lanes)

    steps.begin("rtl", f"the Verilog in Verilator on {len(spikes)} test samples")
    recording = sim.simulate(network, spikes, backend="verilator", lanes=lanes, progress=progress)
    answers["rtl"] = recording
    predicted = np.atleast_1d(rtl.cycles(network, lanes, activity))
    assert recording.cycles is not None
    return Witnesses(expected, answers, activity, lanes, recording.cycles, predicted)


def _build(
    network: Network,
    boards: Sequence[Board],
    lanes: dict[str, dict[str, int] | None],
    activity: dict[str, np.ndarray],
    folder: Path,
    steps: _Steps,
    progress: Progress,
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Build for each board; the reports of those that were built, and why the others were not."""
    reports, unbuilt = [], {}
    for board in boards:
        steps.begin(board.name, f"bitstream for the {board.title}")
        try:
            report = board_builds.build(
                network, board.name, folder / board.name, lanes=lanes[board.name], activity=activity,
                progress=progress,
            )  # fmt: skip
            reports.append(report)
        except LiflineError as error:  # not a reason to lose the rest
            unbuilt[board.name] = str(error)
            steps.say(f"no bitstream: {error}")
    return reports, unbuilt


def _result(training: Training, witnesses: Witnesses) -> dict[str, Any]:
    """What the witnesses showed, for the report and for JSON."""
    network, spikes, labels = training.network, training.spikes, training.labels
    expected, cycles, predicted = witnesses.expected, witnesses.cycles, witnesses.predicted
    differences = witnesses.differing
    right = {name: answer.classes == labels for name, answer in witnesses.answers.items()}
    same = not any(sum(counts.values()) for counts in differences.values())
    return {
        "passed": same and np.array_equal(cycles, predicted),
        "task": training.record["task"],
        "seed": training.record["seed"],
        "samples": len(spikes),
        "ticks": spikes.shape[1],
        "network": {
            "inputs": network.inputs,
            "populations": {population.name: population.size for population in network.populations},
            "synapses": sum(projection.synapses.count for projection in network.projections),
        },
        "correct": {name: int(correct.sum()) for name, correct in right.items()},
        "accuracy": {name: float(correct.mean()) for name, correct in right.items()},
        "compared": {
            "spikes": sum(array.size for array in expected.spikes.values()),
            "states": sum(
                array.size for states in expected.states.values() for array in states.values()
            ),
        },
        "differing": differences,
        "cycles": {
            "lanes": witnesses.lanes,
            "min": int(cycles.min()),
            "mean": float(cycles.mean()),
            "max": int(cycles.max()),
            "differing_from_model": int((cycles != predicted).sum()),
        },
    }


def _fitting(network: Network, board: Board) -> dict[str, int] | None:
    """Lanes with which a network should fit a board; None where there are none, as the build will say."""
    try:
        return choose_lanes(network, board)
    except ToolError:
        return None
