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


def window(
    path: Path,
    groups: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    x: str,
    y: str,
    line: str,
    labels: tuple[str, str],
) -> None:
    """One panel for each of `groups`, both axes linear through 0: points `y`, and what `line` expects.

    Parameters
    ----------
    path : Path
        The PNG file.
    groups : mapping
        For each panel, by its title, the rows of a table.
    x, y, line : str
        Columns.
    labels : (str, str)
        Of both axes.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * len(groups), 3.6), layout="constrained")
    axes = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for axis, (title, rows) in zip(axes, groups.items(), strict=True):
        axis.axhline(0, color="0.8", linewidth=1, zorder=0)
        axis.axvline(0, color="0.8", linewidth=1, zorder=0)
        for some in ([r for r in rows if r[x] < 0], [r for r in rows if r[x] > 0]):
            axis.plot(
                [r[x] for r in some], [r[line] for r in some], color="0.6", zorder=1,
                label="float" if some[0][x] < 0 else None,
            )  # fmt: skip
        axis.scatter(
            [r[x] for r in rows], [r[y] for r in rows], 5, _COLOURS[0], label="integer", zorder=2
        )
        axis.set_title(title, fontsize=10)
        axis.set_xlabel(labels[0])
        axis.legend(frameon=False)
    axes[0].set_ylabel(labels[1])
    figure.savefig(path, dpi=120)


def curves(path: Path, lines: Mapping[str, Sequence[float]], *, x: str, y: str, first: int) -> None:
    """Curves over a count that begins with `first`, in one panel; their names are its legend."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axis = figure.subplots()
    for values in lines.values():
        axis.plot(range(first, first + len(values)), values, linewidth=1)
    axis.set_ylim(0, 1.02)
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.grid(alpha=0.3)
    axis.legend(lines, frameon=False, loc="lower right")
    figure.savefig(path, dpi=120)
