"""Networks built for boards.

A build takes minutes, so several run at once, and one whose report is in the folder is not repeated: remove
``builds`` there after a change of the gateware.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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


def reports(options: Options, jobs: Sequence[Job]) -> list[dict[str, Any] | None]:
    """What ``report.json`` holds of each; None if the design does not fit, or is not to be built."""
    alone, others = jobs[:1], jobs[1:]  # where tools come from PyPI, their first run makes a cache
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [_report(options, job) for job in alone] + [
            *pool.map(lambda job: _report(options, job), others)
        ]


def _report(options: Options, job: Job) -> dict[str, Any] | None:
    folder = options.folder / "builds" / job.name
    report = folder / "report.json"
    if not report.exists():
        board = find_board(job.board)
        need = estimate(job.network, board, dict(job.lanes))
        if not options.builds or any(
            need[kind] > MARGIN * total for kind, total in board.totals.items()
        ):
            return None
        folder.mkdir(parents=True, exist_ok=True)
        try:
            build(
                job.network,
                job.board,
                folder,
                lanes=dict(job.lanes),
                clock_mhz=job.clock_mhz,
                seed=SEED,
            )
        except ToolError as error:
            report.write_text(json.dumps({"error": str(error)}))
    content: dict[str, Any] = json.loads(report.read_text())
    if "error" in content:
        print(f"{job.name}: {content['error']}", flush=True)
        return None
    return content
