"""What the demo measured, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

#: What a person reads for the names in a result.
WITNESSES = {
    "torch": "PyTorch, integer",
    "golden": "NumPy, golden model",
    "rtl": "Verilog, in Verilator",
}
RESOURCES = {"luts": "LUTs", "ffs": "flip-flops", "brams": "block RAMs", "dsps": "DSPs"}


def summary(result: dict[str, Any]) -> RenderableType:
    """What :func:`lifline.app.pipeline.run` measured."""
    from rich.console import Group
    from rich.text import Text

    cycles = result["cycles"]
    verdict = (
        "what you train is what you get: every spike, membrane and cycle agrees"
        if result["passed"]
        else "NOT the same: see the differing counts"
    )
    return Group(
        _witnesses(result),
        f"cycles a sample in Verilator: {cycles['min']:,} … {cycles['max']:,}, mean {cycles['mean']:,.1f}; "
        f"{cycles['differing_from_model']} of {result['samples']} differ from the cycle model",
        *([_builds(result["boards"])] if result["boards"] else []),
        *(
            Text(f"{board}: no bitstream: {why}", style="red")
            for board, why in result["unbuilt"].items()
        ),
        Text(verdict, style="bold green" if result["passed"] else "bold red"),
    )


def _witnesses(result: dict[str, Any]) -> Table:
    """Accuracy of each witness, and how much of its recording differs from golden's."""
    table = _table("witnesses")
    for column in ("accuracy", "correct", "differing spikes", "states"):
        table.add_column(column, justify="right")
    for name, title in WITNESSES.items():
        differences = result["differing"][name]
        counts = [f"{differences[what]:,}" for what in ("spikes", "states")]
        if name == "golden":
            counts = ["reference", "reference"]
        table.add_row(title, f"{result['accuracy'][name]:.2%}", f"{result['correct'][name]}", *counts)
    compared = result["compared"]
    table.caption = (
        f"{result['samples']} test samples of {result['ticks']} ticks; "
        f"{compared['spikes']:,} spikes and {compared['states']:,} states compared"
    )
    table.caption_justify = "left"
    return table


def _builds(reports: list[dict[str, Any]]) -> Table:
    """What each build takes and how fast it is, a column for each board."""
    table = _table("bitstreams")
    for report in reports:
        table.add_column(report["board"], justify="right")

    def row(title: str, text: Callable[[dict[str, Any]], str]) -> None:
        table.add_row(title, *map(text, reports))

    for key, title in RESOURCES.items():
        row(title, lambda report, key=key: f"{report[key]:,} of {report['available'][key]:,}")  # type: ignore[misc]
    row("Fmax", lambda report: f"{report['fmax_mhz']:.1f} MHz")
    row("clock", lambda report: f"{report['clock_mhz']:g} MHz")
    row("lanes", lambda report: ", ".join(f"{name} {count}" for name, count in report["lanes"].items()))
    row("cycles a sample", lambda report: f"{report['cycles_per_sample']:,.1f}")
    row("time a sample", lambda report: f"{1e6 / report['samples_per_second']:,.1f} µs")
    return table


def _table(title: str) -> Table:
    from rich.box import HORIZONTALS
    from rich.table import Table

    table = Table(box=HORIZONTALS, title=title, title_justify="left")
    table.add_column("")
    return table
