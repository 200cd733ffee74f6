"""How all plots look, and the pieces that several of them are made of."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from lifline.errors import MissingExtra

try:
    import matplotlib
    from matplotlib.figure import Figure
except ModuleNotFoundError as error:
    raise MissingExtra(error.name or "matplotlib", "report") from None

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

INK, MUTED, LINE = "#1c2430", "#667085", "#e4e7ec"
BLUE, ORANGE = "#2563eb", "#ea7317"
EXCITE, INHIBIT = "#c0392b", "#2166ac"  #: the ends of the colour map of weights and membranes
#: Ten colours that can be told apart, for the classes.
CLASSES = (
    "#2563eb", "#ea7317", "#16a34a", "#dc2626", "#7c3aed",
    "#0891b2", "#ca8a04", "#db2777", "#57534e", "#65a30d",
)  # fmt: skip

#: Spikes above which a raster is a picture in the page, not a drawing, which takes 200 bytes a spike.
_MOST_DRAWN = 1000

#: Up to so many ticks, lines over time have marks.
_FEW_TICKS = 4

_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 160,  # of what is a picture in a plot
    "svg.hashsalt": "lifline",  # the same plot, nearly the same bytes
}


P = ParamSpec("P")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Decorate a function that draws: its figure gets the report's style, and a notebook shows it.

    (A notebook shows figures of pyplot's by itself; these are made without it, so that none is kept open.)
    """

    @functools.wraps(draw)
    def drawn(*arguments: P.args, **options: P.kwargs) -> Figure:
        with matplotlib.rc_context(_STYLE):
            figure = draw(*arguments, **options)
        figure._repr_svg_ = functools.partial(svg, figure)  # type: ignore[attr-defined]
        return figure

    return drawn


def svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` element."""
    text = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None})
    content = text.getvalue()
    return content[content.index("<svg") :]


def raster(axes: Axes, spikes: np.ndarray, color: str | tuple[str, ...], unit: str = "neuron") -> None:
    """A mark for every spike of (ticks, neurons): ticks to the right, neurons upwards."""
    ticks, neurons = np.nonzero(spikes)
    # of a neuron's row; of many rows, a mark must cover some to be seen
    size = max(0.8, spikes.shape[1] / 90)
    shades = color if isinstance(color, str) else [color[neuron] for neuron in neurons]
    axes.vlines(
        ticks, neurons - size / 2, neurons + size / 2, colors=shades,
        linewidth=min(2.2, 90 / len(spikes)), rasterized=len(ticks) > _MOST_DRAWN,
    )  # fmt: skip
    axes.set_ylim(-0.7, spikes.shape[1] - 0.3)
    axes.set_ylabel(unit)


def traces(axes: Axes, values: np.ndarray) -> None:
    """A line for each neuron of `values` (ticks, neurons), in the colours of the classes if they are few."""
    few = values.shape[1] <= len(CLASSES)
    marker = "." if len(values) <= _FEW_TICKS else None  # a line of one tick would not be seen
    for neuron, trace in enumerate(values.T):
        color = CLASSES[neuron] if few else MUTED
        axes.plot(trace, color=color, linewidth=1.3 if few else 0.6, marker=marker, label=str(neuron))
    axes.grid(axis="y", color=LINE, linewidth=0.6)


def threshold_line(axes: Axes, threshold: int) -> None:
    """A dashed line where membranes spike."""
    axes.axhline(threshold, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))


def signed(axes: Axes, values: np.ndarray, **options: Any) -> None:
    """A matrix in red (positive) and blue (negative), with its colour bar; NaN is left blank."""
    bound = max(1, int(np.nanmax(np.abs(values))))
    options = {"aspect": "auto", "interpolation": "none"} | options
    _color_bar(axes, axes.imshow(values, cmap="RdBu_r", vmin=-bound, vmax=bound, **options))


def _color_bar(axes: Axes, picture: AxesImage) -> None:
    """A colour bar at the right of `axes`."""
    bar = axes.figure.colorbar(picture, cax=axes.inset_axes((1.02, 0, 0.025, 1)))
    bar.outline.set_visible(False)
