"""Networks built for boards.

A build takes minutes, so several run at once, and one whose report is in the folder is not repeated: remove
``builds`` there after a change of the gateware.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from lifline.boards import build
from lifline.boards.board import find_board
from lifline.boards.estimate import estimate
from lifline.errors import ToolError
from lifline.network import Network

from .measure import SEED, Options

#: What the estimate may lack of a board, for a build to be tried all the same.
MARGIN = 1.1


@dataclasses.dataclass(frozen=True)
class Job:
    """A build to be made."""

    name: str  #: of its folder
    network: Network
    board: str
    lanes: Mapping[str, int]
    clock_mhz: float | None = None  #: the board's own, or another
    load: bool = False
    learn: bool = False


def reports(options: Options, jobs: Sequence[Job]) -> list[dict[str, Any] | None]:
    """What ``report.json`` holds of each; None if the design does not fit, or is not to be built."""
    folders = [options.folder / "builds" / job.name for job in jobs]
    missing = [
        (job, folder)
        for job, folder in zip(jobs, folders, strict=True)
        if options.builds and not (folder / "report.json").exists() and _may_fit(job)
    ]
    for job, folder in missing[:1]:  # alone: where tools come from PyPI, their first run makes a cache
        _build(job, folder)
    if len(missing) > 1:  # processes, since Amaranth changes the folder that it works in
        with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
            list(pool.map(_build, *zip(*missing[1:], strict=True)))
    return [_report(folder) for folder in folders]


def _may_fit(job: Job) -> bool:
    board = find_board(job.board)
    need = estimate(job.network, board, dict(job.lanes), job.load, learn=job.learn)
    return all(need[kind] <= MARGIN * total for kind, total in board.totals.items())


def _build(job: Job, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        build(
            job.network, job.board, folder, lanes=dict(job.lanes), clock_mhz=job.clock_mhz, seed=SEED,
            load=job.load, learn=job.learn,
        )  # fmt: skip
    except ToolError as error:
        (folder / "report.json").write_text(json.dumps({"error": str(error)}))


def _report(folder: Path) -> dict[str, Any] | None:
    if not (folder / "report.json").exists():
        return None
    content: dict[str, Any] = json.loads((folder / "report.json").read_text())
    if "error" in content:
        print(f"{folder.name}: {content['error']}", flush=True)
        return None
    return content
