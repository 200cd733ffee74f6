"""The demo's report: one self-contained HTML page with its plots inlined as SVG."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import __version__
from .errors import MissingExtra
from .files import atomic_write
from .network import INPUT, Network, Reset

try:
    import jinja2
    import matplotlib
    from matplotlib.figure import Figure
except ModuleNotFoundError as error:
    raise MissingExtra(error.name or "matplotlib", "report") from None

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from .golden import Recording

INK, MUTED, LINE = "#1c2430", "#667085", "#e4e7ec"
BLUE, ORANGE = "#2563eb", "#ea7317"
#: Ten colours that can be told apart, for the classes.
CLASSES = (
    "#2563eb", "#ea7317", "#16a34a", "#dc2626", "#7c3aed",
    "#0891b2", "#ca8a04", "#db2777", "#57534e", "#65a30d",
)  # fmt: skip

#: What a person reads for the names in a result.
WITNESSES = {
    "torch": "PyTorch, integer",
    "golden": "NumPy, golden model",
    "rtl": "Verilog, in Verilator",
}
RESOURCES = {"luts": "LUTs", "ffs": "flip-flops", "brams": "block RAMs", "dsps": "DSPs"}

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
    "svg.hashsalt": "lifline",  # the same plot, the same bytes
}


def write_page(
    path: str | os.PathLike[str],
    result: dict[str, Any],
    network: Network,
    spikes: np.ndarray,
    labels: np.ndarray,
    recording: Recording,
    cycles: np.ndarray,
) -> None:
    """Write the page.

    Parameters
    ----------
    path : path
        The HTML file.
    result : dict
        What :func:`lifline.demo.run` measured.
    network : Network
    spikes : uint8 (samples, ticks, inputs)
    labels : int (samples,)
    recording : Recording
        What the network did on `spikes`.
    cycles : int64 (samples,)
        Clock cycles of each sample in the simulated gateware.
    """
    sample = _typical(network, recording, labels)
    plots = {
        "activity": activity(network, spikes[sample], recording, sample),
        "weights": weights(network),
        "confusion": confusion(recording.classes, labels),
        "cycles": cycle_histogram(cycles),
    }
    if result["boards"]:
        plots["resources"] = resources(result["boards"])
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lifline", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html").render(
        result=result,
        network=network,
        witnesses=WITNESSES,
        version=__version__,
        sample=sample,
        label=int(labels[sample]),
        answer=int(recording.classes[sample]),
        plots={name: svg(figure) for name, figure in plots.items()},
    )
    with atomic_write(path) as file:
        file.write(page.encode())


def svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` element."""
    text = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None})
    content = text.getvalue()
    return content[content.index("<svg") :]


def _styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    def styled(*arguments: Any) -> Figure:
        with matplotlib.rc_context(_STYLE):
            return draw(*arguments)

    styled.__doc__ = draw.__doc__
    return styled


def _typical(network: Network, recording: Recording, labels: np.ndarray) -> int:
    """The sample to show: rightly classified, with about the median number of spikes."""
    total = sum(recording.spikes[p.name].sum(axis=(1, 2), dtype=np.int64) for p in network.populations)
    distance = np.abs(total - np.median(total))
    distance[recording.classes != labels] = np.inf
    return int(np.argmin(distance))


@_styled
def activity(network: Network, spikes: np.ndarray, recording: Recording, sample: int) -> Figure:
    """One sample over time: spikes and membranes of every population, one row each."""
    names = [INPUT, *(population.name for population in network.order)]
    ticks = len(spikes)
    sizes = [math.sqrt(network.size(name)) for name in names]
    figure = Figure(figsize=(9.6, 1.2 + 1.9 * len(names)))
    grid = figure.subplots(
        len(names), 2, sharex=True, squeeze=False,
        height_ratios=[max(size, 0.7 * max(sizes)) for size in sizes],
    )  # fmt: skip
    for row, name in zip(grid, names, strict=True):
        left, right = row
        if name == INPUT:
            _raster(left, spikes, MUTED)
            left.set_title(f"input: {network.inputs} channels")
            _image(right, spikes)
            continue
        fired, membrane = recording.spikes[name][sample], recording.membrane[name][sample]
        is_output = name == network.output
        _raster(left, fired, CLASSES if is_output and network.size(name) <= len(CLASSES) else BLUE)
        left.set_title(f"{name}: {fired.sum()} spikes of {network.size(name)} neurons")
        if network.size(name) <= len(CLASSES):
            for neuron, trace in enumerate(membrane.T):
                right.plot(trace, color=CLASSES[neuron], linewidth=1.3, label=str(neuron))
            if network[name].reset is not Reset.NONE and np.ptp(network[name].threshold) == 0:
                right.axhline(
                    network[name].threshold[0], color=INK, linewidth=0.8, linestyle=(0, (4, 3))
                )
            right.legend(
                title="neuron", fontsize=7, title_fontsize=7, frameon=False, handlelength=1,
                loc="upper left", bbox_to_anchor=(1.01, 1.05), borderpad=0, labelspacing=0.25,
            )  # fmt: skip
            right.set_title(f"{name}: membranes v[t]")
            right.grid(axis="y", color=LINE, linewidth=0.6)
        else:
            bound = max(1, int(np.abs(membrane).max()))
            picture = right.imshow(
                membrane.T, aspect="auto", cmap="RdBu_r", vmin=-bound, vmax=bound,
                interpolation="nearest", origin="lower",
            )  # fmt: skip
            _colors(right, picture)
            right.set_title(f"{name}: membranes v[t]")
            right.set_ylabel("neuron")
    for axes in grid[-1]:
        axes.set_xlabel("tick")
        axes.set_xlim(-0.5, ticks - 0.5)
    return figure


def _colors(axes: Axes, picture: AxesImage) -> None:
    """A colour bar at the right of `axes`."""
    bar = axes.figure.colorbar(picture, cax=axes.inset_axes((1.02, 0, 0.025, 1)))
    bar.outline.set_visible(False)


def _raster(axes: Axes, spikes: np.ndarray, color: str | tuple[str, ...]) -> None:
    """A mark for every spike: ticks to the right, neurons upwards."""
    ticks, neurons = np.nonzero(spikes)
    size = min(0.8, 46 / spikes.shape[1])
    shades = [color] * len(neurons) if isinstance(color, str) else [color[neuron] for neuron in neurons]
    axes.vlines(ticks, neurons - size / 2, neurons + size / 2, colors=shades, linewidth=2.2)
    axes.set_ylim(-0.7, spikes.shape[1] - 0.3)
    axes.set_ylabel("neuron")


def _image(axes: Axes, spikes: np.ndarray) -> None:
    """The input's spikes, early ones darker, as a picture where it is a square one."""
    axes.axis("off")
    side = math.isqrt(spikes.shape[1])
    if side * side != spikes.shape[1]:
        return
    inset = axes.inset_axes((0.0, 0.0, 1.0, 1.0))
    weight = np.arange(len(spikes), 0, -1) @ spikes.astype(int)
    inset.imshow(weight.reshape(side, side), cmap="Greys", interpolation="nearest")
    inset.set_title("input as a picture: dark is early and often")
    inset.set_xticks([])
    inset.set_yticks([])
    inset.spines[:].set_visible(False)


@_styled
def weights(network: Network) -> Figure:
    """The integer weights of every projection: a histogram, and the matrix or the receptive fields."""
    rows = len(network.projections)
    figure = Figure(figsize=(9.6, 2.9 * rows))
    grid = figure.subplots(rows, 2, squeeze=False, width_ratios=[1, 1.6])
    for (left, right), projection in zip(grid, network.projections, strict=True):
        values = projection.weights
        limit = 2 ** (projection.weight_bits - 1)
        step = max(1, limit // 32)
        left.hist(values.ravel(), bins=np.arange(-limit, limit + step, step), color=BLUE)
        left.set_title(f"{projection}: {values.size:,} weights of {projection.weight_bits} bits")
        left.set_xlabel("weight")
        left.set_ylabel("synapses")
        fields = _receptive_fields(values) if projection.source == INPUT else None
        bound = max(1, int(np.abs(values).max()))
        picture = right.imshow(
            values.T if fields is None else fields, cmap="RdBu_r", vmin=-bound, vmax=bound,
            interpolation="nearest", aspect="auto" if fields is None else "equal",
        )  # fmt: skip
        _colors(right, picture)
        if fields is None:
            right.set_xlabel(f"{projection.source} neuron")
            right.set_ylabel(f"{projection.target} neuron")
            right.set_title("weight matrix")
        else:
            right.axis("off")
            right.set_title(f"what each neuron of {projection.target} looks for")
    return figure


def _receptive_fields(values: np.ndarray) -> np.ndarray | None:
    """Each target's weights as a small picture, all of them tiled; None where inputs are no square."""
    side = math.isqrt(values.shape[0])
    if side * side != values.shape[0]:
        return None
    count = values.shape[1]
    columns = math.ceil(math.sqrt(count * 2.4))
    rows = math.ceil(count / columns)
    tiles = np.full((rows * (side + 1) - 1, columns * (side + 1) - 1), np.nan)
    for index in range(count):
        top, left = divmod(index, columns)
        top, left = top * (side + 1), left * (side + 1)
        tiles[top : top + side, left : left + side] = values[:, index].reshape(side, side)
    return tiles


@_styled
def confusion(classes: np.ndarray, labels: np.ndarray) -> Figure:
    """How many samples of each label were given each class."""
    count = int(max(classes.max(), labels.max())) + 1
    matrix = np.zeros((count, count), int)
    np.add.at(matrix, (labels, classes), 1)
    figure = Figure(figsize=(4.6, 4.2))
    axes = figure.subplots()
    axes.imshow(matrix, cmap="Blues", norm="linear", vmax=matrix.max() * 1.15)
    for (label, answer), number in np.ndenumerate(matrix):
        if number:
            shade = "white" if number > matrix.max() * 0.6 else INK if label == answer else "#b42318"
            weight = "normal" if label == answer else "bold"
            axes.text(answer, label, str(number), ha="center", va="center", color=shade, weight=weight)
    axes.set_xticks(range(count))
    axes.set_yticks(range(count))
    axes.set_xlabel("class")
    axes.set_ylabel("label")
    axes.set_title("test samples by label and class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


@_styled
def cycle_histogram(cycles: np.ndarray) -> Figure:
    """Clock cycles of all samples."""
    figure = Figure(figsize=(4.6, 4.2))
    axes = figure.subplots()
    axes.hist(cycles, bins=min(30, max(1, len(np.unique(cycles)))), color=BLUE)
    axes.axvline(cycles.mean(), color=ORANGE, linewidth=1.4, label=f"mean {cycles.mean():,.1f}")
    axes.set_title("clock cycles of each sample")
    axes.set_xlabel("cycles")
    axes.set_ylabel("samples")
    axes.legend(frameon=False)
    return figure


@_styled
def resources(reports: list[dict[str, Any]]) -> Figure:
    """What each build uses of its FPGA."""
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
