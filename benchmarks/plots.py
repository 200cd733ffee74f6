"""Plots: measured points, and the expected law as a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_COLOURS = ("#1f6f8b", "#d1495b", "#66a182")


def panels(
    path: Path,
    groups: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    x: str,
    points: Mapping[str, str],
    line: str | None,
    label: str,
) -> None:
    """One panel for each of `groups`, both axes logarithmic, x with a 0.

    Parameters
    ----------
    path : Path
        The PNG file.
    groups : mapping
        For each panel, by its title, the rows of a table.
    x : str
        The column that is varied.
    points : mapping
        Columns to draw as points, and what the legend calls them.
    line : str or None
        The column that the law gives.
    label : str
        Of the other axis.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * len(groups), 3.2), layout="constrained")
    axes = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for axis, (title, rows) in zip(axes, groups.items(), strict=True):
        if line is not None:
            known = [row for row in rows if row[line] is not None]
            axis.plot(
                [r[x] for r in known], [r[line] for r in known], color="0.6", label="law", zorder=1
            )
        for (column, name), colour, size in zip(points.items(), _COLOURS, (60, 16, 16), strict=False):
            known = [row for row in rows if row[column] is not None]
            axis.scatter([r[x] for r in known], [r[column] for r in known], size, colour, label=name)
        axis.set_xscale("symlog", base=2, linthresh=1)
        axis.set_yscale("log")
        axis.set_xlabel(title)
        axis.grid(alpha=0.3)
        axis.set_axisbelow(True)
    axes[0].set_ylabel(label)
    if line is not None or len(points) > 1:
        axes[0].legend(frameon=False)
    figure.savefig(path, dpi=120)
