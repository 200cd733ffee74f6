"""The Pareto front as a plot: time against look-up tables and against block RAMs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from lifline.errors import MissingExtra
from lifline.files import atomic_write

from .board import Board
from .mapper import Design

try:
    import matplotlib
    from matplotlib.figure import Figure
except ModuleNotFoundError as error:
    raise MissingExtra(error.name or "matplotlib", "report") from None

_STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "lifline",  # the same plot, the same bytes
}


def write_plot(
    path: str | os.PathLike[str], board: Board, front: Sequence[Design], chosen: Design
) -> None:
    """Draw `front` as an SVG file: designs that fit filled, the chosen one ringed, the board's limit a line."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(9.0, 3.6))
        panels = figure.subplots(1, 2, sharey=True)
        for axes, kind, title in zip(
            panels, ("luts", "brams"), ("look-up tables", "block RAMs"), strict=True
        ):
            for fits, face in ((True, "#2563eb"), (False, "none")):
                part = [design for design in front if design.fits(board) is fits]
                if not part:
                    continue
                axes.scatter(
                    [design.need[kind] for design in part],
                    [design.microseconds for design in part],
                    s=22,
                    facecolors=face,
                    edgecolors="#2563eb",
                    label="fits" if fits else "does not fit",
                )
            lanes = ", ".join(f"{name} {number}" for name, number in chosen.lanes.items())
            axes.scatter(
                chosen.need[kind],
                chosen.microseconds,
                s=120,
                facecolors="none",
                edgecolors="#ea7317",
                linewidths=1.6,
                label=f"chosen: lanes {lanes}",
            )
            axes.axvline(
                board.totals[kind], color="#667085", linewidth=0.8, linestyle="--", label=board.name
            )
            axes.set_yscale("log")
            axes.set_xlabel(f"{title} (estimate)")
            axes.grid(color="#e4e7ec", linewidth=0.6)
        panels[0].set_xscale("log", base=2)
        panels[0].xaxis.set_major_formatter("{x:,.0f}")
        panels[1].set_xlim(left=0)
        panels[0].set_ylabel("time of a sample, µs")
        panels[1].legend(frameon=False, fontsize=8, loc="center right")
        with atomic_write(path) as file:
            figure.savefig(file, format="svg", metadata={"Date": None})
