"""What the gateware takes: clock cycles, and the resources of an FPGA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..tables import RESOURCES
from .style import BLUE, ORANGE, styled


@styled
def cycle_histogram(cycles: np.ndarray) -> Figure:
    """How many samples take how many clock cycles.

    Parameters
    ----------
    cycles : int (samples,)
        Of each sample, as ``Recording.cycles`` of the gateware or :func:`lifline.rtl.cycles` gives them.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(4.6, 4.2))
    axes = figure.subplots()
    axes.hist(cycles, bins=min(30, max(1, len(np.unique(cycles)))), color=BLUE)
    axes.axvline(cycles.mean(), color=ORANGE, linewidth=1.4, label=f"mean {cycles.mean():,.1f}")
    axes.set_title("clock cycles of each sample")
    axes.set_xlabel("cycles")
    axes.set_ylabel("samples")
    axes.legend(frameon=False)
    return figure


@styled
def resources(reports: Sequence[Mapping[str, Any]]) -> Figure:
    """What each build uses of its FPGA's LUTs, flip-flops, block RAMs and DSPs, side by side.

    Parameters
    ----------
    reports : sequence of mapping
        As in ``report.json``; one or more.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(9.6, 0.9 + 0.5 * len(RESOURCES)))
    grid = figure.subplots(1, len(reports), squeeze=False)[0]
    for axes, report in zip(grid, reports, strict=True):
        shown = [kind for kind in RESOURCES if report["available"][kind]]
        shares = [report[kind] / report["available"][kind] for kind in shown]
        rows = range(len(shown))
        axes.barh(rows, [1] * len(shown), color="#eef1f6", height=0.62)
        axes.barh(rows, shares, color=BLUE, height=0.62)
        for row, kind, share in zip(rows, shown, shares, strict=True):
            text = f"{report[kind]:,} of {report['available'][kind]:,}  ({share:.0%})"
            axes.text(1.03, row, text, va="center", fontsize=8)
        axes.set_yticks(list(rows), [RESOURCES[kind] for kind in shown])
        axes.invert_yaxis()
        axes.set_xlim(0, 1.55)
        axes.set_xticks([])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_title(f"{report['board']} ({report['device']})")
    return figure
