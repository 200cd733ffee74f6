"""The demo's report: one self-contained HTML page with its plots inlined as SVG."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import __version__
from .errors import MissingExtra
from .files import atomic_write
from .network import INPUT, Network, Projection
from .neurons import Reset

try:
    import jinja2
    import matplotlib
    from matplotlib.figure import Figure
except ModuleNotFoundError as error:
    raise MissingExtra(error.name or "matplotlib", "report") from None

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from .recording import Recording

INK, MUTED, LINE = "#1c2430", "#667085", "#e4e7ec"
BLUE, ORANGE = "#2563eb", "#ea7317"
EXCITE, INHIBIT = "#c0392b", "#2166ac"  #: the ends of the colour map of weights and membranes
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

#: Spikes above which a raster is a picture in the page, not a drawing, which takes 200 bytes a spike.
_MOST_DRAWN = 1000

#: Synapses whose delays are drawn at once.
_MOST_LINES = 40

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
    training = result["training"]
    plots = {
        "curves": curves(network, training),
        "activity": activity(network, spikes[sample], recording, sample),
        "weights": weights(network),
        "confusion": confusion(recording.classes, labels),
        "cycles": cycle_histogram(cycles),
    }
    if delayed(network):
        plots["delays"] = delay_histograms(network, training["delays"])
        paths = arrivals(network, spikes[sample], recording, sample)
        if paths:
            plots["arrivals"] = delays_at_work(network, paths)
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
        readout=is_readout(network, network.output),
        whole_from=whole_from(training["settings"]),
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


def is_readout(network: Network, name: str) -> bool:
    """Whether a population answers by its membranes, so that its spikes mean nothing."""
    return name == network.output and network[name].neuron.readout


def delayed(network: Network) -> list[Projection]:
    """The projections whose synapses differ in their delays."""
    return [projection for projection in network.projections if np.ptp(projection.synapses.delay_range)]


def _typical(network: Network, recording: Recording, labels: np.ndarray) -> int:
    """The sample to show: rightly classified, with about the median number of spikes."""
    spiking = [p.name for p in network.populations if not is_readout(network, p.name)]
    total = sum(
        (recording.spikes[name].sum(axis=(1, 2), dtype=np.int64) for name in spiking),
        np.zeros(len(labels), np.int64),
    )
    distance = np.abs(total - np.median(total))
    distance[recording.classes != labels] = np.inf
    return int(np.argmin(distance))


@_styled
def activity(network: Network, spikes: np.ndarray, recording: Recording, sample: int) -> Figure:
    """One sample over time: spikes and membranes of every population, one row each.

    Of a readout, which has no spikes to speak of, the left side shows the membranes' sums instead.
    """
    names = [INPUT, *(population.name for population in network.order)]
    ticks = len(spikes)
    sizes = [math.sqrt(network.size(name)) for name in names]
    figure = Figure(figsize=(9.6, 1.2 + 1.9 * len(names)))
    grid = figure.subplots(
        len(names), 2, squeeze=False, height_ratios=[max(size, 0.7 * max(sizes)) for size in sizes]
    )
    for row, name in zip(grid, names, strict=True):
        left, right = row
        if name == INPUT:
            _raster(left, spikes, MUTED, "channel")
            left.set_title(f"input: {spikes.sum()} spikes of {network.inputs} channels")
            _input(right, spikes)
            continue
        few = network.size(name) <= len(CLASSES)
        fired, membrane = recording.spikes[name][sample], recording.membrane[name][sample]
        if is_readout(network, name):
            _traces(left, membrane.cumsum(axis=0), few)
            left.set_title(f"{name}: membranes, summed up")
        else:
            _raster(left, fired, CLASSES if few and name == network.output else BLUE)
            left.set_title(f"{name}: {fired.sum()} spikes of {network.size(name)} neurons")
        right.set_title(f"{name}: membranes v[t]")
        if few:
            _traces(right, membrane, few)
            if not network[name].neuron.readout and np.ptp(network[name].neuron.threshold) == 0:
                _threshold(right, network[name].neuron.threshold[0])
            right.legend(
                title="neuron", fontsize=7, title_fontsize=7, frameon=False, handlelength=1,
                loc="upper left", bbox_to_anchor=(1.01, 1.05), borderpad=0, labelspacing=0.25,
            )  # fmt: skip
        else:
            _signed(right, membrane.T, origin="lower")
            right.set_ylabel("neuron")
    for axes in grid.flat:
        if axes.axison:
            axes.set_xlim(-0.5, ticks - 0.5)
    for axes in grid[-1]:
        axes.set_xlabel("tick")
    return figure


def _traces(axes: Axes, values: np.ndarray, few: bool) -> None:
    """A line for each neuron of `values` (ticks, neurons), in the colours of the classes if they are few."""
    for neuron, trace in enumerate(values.T):
        color = CLASSES[neuron] if few else MUTED
        axes.plot(trace, color=color, linewidth=1.3 if few else 0.6, label=str(neuron))
    axes.grid(axis="y", color=LINE, linewidth=0.6)


def _threshold(axes: Axes, threshold: int) -> None:
    axes.axhline(threshold, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))


def _signed(axes: Axes, values: np.ndarray, **options: Any) -> None:
    """A matrix in red (positive) and blue, with its colour bar."""
    bound = max(1, int(np.nanmax(np.abs(values))))
    options = {"aspect": "auto", "interpolation": "none"} | options
    _colors(axes, axes.imshow(values, cmap="RdBu_r", vmin=-bound, vmax=bound, **options))


def _colors(axes: Axes, picture: AxesImage) -> None:
    """A colour bar at the right of `axes`."""
    bar = axes.figure.colorbar(picture, cax=axes.inset_axes((1.02, 0, 0.025, 1)))
    bar.outline.set_visible(False)


def _raster(axes: Axes, spikes: np.ndarray, color: str | tuple[str, ...], unit: str = "neuron") -> None:
    """A mark for every spike: ticks to the right, neurons upwards."""
    ticks, neurons = np.nonzero(spikes)
    size = max(
        0.8, spikes.shape[1] / 90
    )  # of a neuron's row; of many rows, a mark must cover some to be seen
    shades = color if isinstance(color, str) else [color[neuron] for neuron in neurons]
    axes.vlines(
        ticks, neurons - size / 2, neurons + size / 2, colors=shades,
        linewidth=min(2.2, 90 / len(spikes)), rasterized=len(ticks) > _MOST_DRAWN,
    )  # fmt: skip
    axes.set_ylim(-0.7, spikes.shape[1] - 0.3)
    axes.set_ylabel(unit)


def _input(axes: Axes, spikes: np.ndarray) -> None:
    """The input's spikes as a picture, early ones darker, where inputs make a square; else their number."""
    side = math.isqrt(spikes.shape[1])
    if side * side != spikes.shape[1]:
        axes.bar(range(len(spikes)), spikes.sum(axis=1), width=1, color=MUTED)
        axes.set_title("input: spikes in each tick")
        return
    axes.axis("off")
    inset = axes.inset_axes((0.0, 0.0, 1.0, 1.0))
    weight = np.arange(len(spikes), 0, -1) @ spikes.astype(int)
    inset.imshow(weight.reshape(side, side), cmap="Greys", interpolation="none")
    inset.set_title("input as a picture: dark is early and often")
    inset.set_xticks([])
    inset.set_yticks([])
    inset.spines[:].set_visible(False)


def whole_from(settings: dict[str, Any]) -> int:
    """The epoch, counted from 1, from which training was on whole numbers; beyond the last if never."""
    return 1 + settings["epochs"] - round(settings["whole"] * settings["epochs"])


@_styled
def curves(network: Network, training: dict[str, Any]) -> Figure:
    """Loss, accuracy and spike rates over the epochs, those on whole numbers shaded."""
    values = training["curves"]
    epochs = range(1, len(values["loss"]) + 1)
    marker = "o" if len(epochs) == 1 else None
    rates = [p.name for p in network.order if not is_readout(network, p.name)]
    figure = Figure(figsize=(9.6, 2.9))
    loss, accuracy, rate = figure.subplots(1, 3)
    loss.plot(epochs, values["loss"], color=BLUE, marker=marker)
    loss.set_title("loss")
    shown = {
        "train_accuracy": ("training, varied", BLUE),
        "validation_accuracy": ("validation", ORANGE),
    }
    for name, (label, color) in shown.items():
        if name in values:
            percent = 100 * np.array(values[name])
            accuracy.plot(epochs, percent, color=color, marker=marker, label=label)
    accuracy.plot(
        epochs[-1], 100 * training["test_accuracy"], "D",
        color=INK, markersize=5, clip_on=False, label="test, at the end",
    )  # fmt: skip
    accuracy.set_title("accuracy (%)")
    accuracy.legend(frameon=False, fontsize=8, loc="lower right")
    for name, color in zip(rates, CLASSES, strict=False):
        rate.plot(epochs, values[f"rate.{name}"], color=color, marker=marker, label=name)
    rate.set_ylim(0, None)
    rate.set_title("spikes of a neuron in a tick")
    if rates:
        rate.legend(frameon=False, fontsize=8)
    begin = whole_from(training["settings"])
    for axes in (loss, accuracy, rate):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlim(0.5, len(epochs) + 0.5)
        axes.grid(axis="y", color=LINE, linewidth=0.6)
        if 1 < begin <= len(epochs):
            axes.axvspan(begin - 0.5, len(epochs) + 0.5, color=LINE, alpha=0.6, linewidth=0, zorder=0)
    return figure


@_styled
def delay_histograms(network: Network, learned: list[dict[str, Any]]) -> Figure:
    """How many synapses have which delay, after learning and, where delays were learned, before."""
    before = {(entry["source"], entry["target"]): entry["before"] for entry in learned}
    shown = delayed(network)
    figure = Figure(figsize=(9.6, 2.7 * math.ceil(len(shown) / 2)))
    grid = figure.subplots(math.ceil(len(shown) / 2), 2, squeeze=False).flat
    for projection, axes in zip(shown, grid, strict=False):
        counts = np.bincount(projection.synapses.delays.ravel())
        axes.bar(range(len(counts)), counts, width=0.8, color=BLUE, label="in the network")
        if start := before.get((projection.source, projection.target)):
            edges = np.arange(len(start) + 1) - 0.5
            axes.stairs(start, edges, color=ORANGE, linewidth=1.4, label="before learning")
        axes.set_title(f"{projection}: {projection.synapses.delays.size:,} delays")
        axes.set_xlabel("delay (ticks)")
        axes.set_ylabel("synapses")
        axes.set_ylim(0, axes.get_ylim()[1] * 1.2)
        axes.legend(frameon=False, fontsize=8, ncols=2, loc="upper right")
    for axes in grid:  # one may be left
        axes.axis("off")
    return figure


class Arrivals(NamedTuple):
    """The spikes that reach one neuron in one tick, each through its synapse's delay."""

    projection: Projection
    neuron: int
    tick: int
    sources: np.ndarray  #: int (arrivals,): the neurons that had spiked
    spikes: np.ndarray  #: uint8 (ticks, source size): all spikes of the source
    membrane: np.ndarray  #: int (ticks,): of the neuron, before its reset if that takes θ off at once
    fired: np.ndarray  #: uint8 (ticks,): spikes of the neuron

    @property
    def weights(self) -> np.ndarray:
        """Of the synapses through which they come."""
        return self.projection.synapses.weights[self.sources, self.neuron]

    @property
    def delays(self) -> np.ndarray:
        """Of those synapses, in ticks."""
        return self.projection.synapses.delays[self.sources, self.neuron]


def arrivals(network: Network, spikes: np.ndarray, recording: Recording, sample: int) -> list[Arrivals]:
    """For each projection with delays, what led to the spike that it excited most in this sample."""
    found = []
    for projection in delayed(network):
        source, target = projection.source, projection.target
        sent = spikes if source == INPUT else recording.spikes[source][sample]
        fired = recording.spikes[target][sample]
        if is_readout(network, target) or not fired.any():
            continue
        first = np.diff(fired.astype(int), axis=0, prepend=0) > 0  # of several spikes in a row
        excited = projection.synapses.weights.clip(0)
        excitation = [
            (excited * _arriving(projection, sent, tick)).sum(axis=0) for tick in range(len(sent))
        ]
        place = np.argmax(np.where(first, excitation, -1))
        tick, neuron = (int(number) for number in np.unravel_index(place, fired.shape))
        sources = np.flatnonzero(_arriving(projection, sent, tick)[:, neuron])
        membrane = recording.membrane[target][sample][:, neuron]
        if network[target].neuron.reset is Reset.SUBTRACT and not network[target].neuron.reset_delay:
            membrane = membrane + network[target].neuron.threshold[neuron] * fired[:, neuron]
        found.append(Arrivals(projection, neuron, tick, sources, sent, membrane, fired[:, neuron]))
    return found


def _arriving(projection: Projection, sent: np.ndarray, tick: int) -> np.ndarray:
    """Through which synapses a spike arrives in a tick: 0 or 1 (source size, target size)."""
    when = tick - projection.synapses.delays
    return np.where(when >= 0, sent[when.clip(0), np.arange(len(when))[:, None]], 0)


@_styled
def delays_at_work(network: Network, paths: list[Arrivals]) -> Figure:
    """Source spikes, each with a line as long as its delay, that arrive in one tick and make a spike."""
    figure = Figure(figsize=(9.6, 5.2 * len(paths)))
    grid = figure.subplots(
        2 * len(paths), 2, squeeze=False, width_ratios=[3.4, 1], height_ratios=[3, 1] * len(paths)
    )
    for (raster, bars), (trace, empty), path in zip(grid[::2], grid[1::2], paths, strict=True):
        projection, tick = path.projection, path.tick
        strongest = np.argsort(-np.abs(path.weights), kind="stable")[:_MOST_LINES]
        bound = np.abs(path.weights).max(initial=1)
        _raster(raster, path.spikes, "#b6bec9")
        for source, weight, delay in zip(
            path.sources[strongest], path.weights[strongest], path.delays[strongest], strict=True
        ):
            strength = abs(weight) / bound
            color = EXCITE if weight > 0 else INHIBIT
            raster.plot(
                [tick - delay, tick], [source, source], color=color,
                linewidth=0.5 + 2 * strength, alpha=0.3 + 0.7 * strength, solid_capstyle="butt",
            )  # fmt: skip
            raster.plot(tick - delay, source, ".", color=color, markersize=5)
        raster.axvline(tick, color=INK, linewidth=1)
        begin, end = (
            max(tick - projection.synapses.delays.max() - 1, 0),
            min(tick + 5, len(path.spikes)),
        )
        raster.set_title(
            f"{projection}: {len(path.sources)} spikes arrive at neuron {path.neuron} in tick {tick}"
        )
        raster.set_ylabel(f"{projection.source} neuron")
        raster.tick_params(labelbottom=False)
        bars.barh(
            path.sources, path.weights, height=0.9,
            color=[EXCITE if weight > 0 else INHIBIT for weight in path.weights],
        )  # fmt: skip
        bars.set_ylim(raster.get_ylim())
        bars.axvline(0, color=MUTED, linewidth=0.7)
        bars.set_title(f"their weights: {path.weights.sum():+,}")
        bars.tick_params(labelleft=False)
        trace.plot(range(begin, end), path.membrane[begin:end], color=BLUE, linewidth=1.3, marker=".")
        _threshold(trace, network[projection.target].neuron.threshold[path.neuron])
        for when in np.flatnonzero(path.fired):
            trace.axvline(when, color=INK if when == tick else LINE, linewidth=1, zorder=0)
        trace.set_title(
            f"{projection.target}: neuron {path.neuron}, its membrane and (upright) its spikes"
        )
        trace.set_xlabel("tick")
        empty.axis("off")
        for axes in (raster, trace):
            axes.set_xlim(begin - 0.5, end - 0.5)
    return figure


@_styled
def weights(network: Network) -> Figure:
    """The integer weights of every projection: a histogram, and the matrix or the receptive fields."""
    rows = len(network.projections)
    figure = Figure(figsize=(9.6, 2.9 * rows))
    grid = figure.subplots(rows, 2, squeeze=False, width_ratios=[1, 1.6])
    for (left, right), projection in zip(grid, network.projections, strict=True):
        values = projection.synapses.weights
        limit = 2 ** (projection.synapses.weight_bits - 1)
        step = max(1, limit // 32)
        left.hist(values.ravel(), bins=np.arange(-limit, limit + step, step) - 0.5, color=BLUE)
        left.set_title(
            f"{projection}: {values.size:,} weights of {projection.synapses.weight_bits} bits"
        )
        left.set_xlabel("weight")
        left.set_ylabel("synapses")
        fields = _receptive_fields(values) if projection.source == INPUT else None
        if fields is None:
            _signed(right, values.T)
            right.set_xlabel(f"{projection.source} neuron")
            right.set_ylabel(f"{projection.target} neuron")
            right.set_title("weight matrix")
        else:
            _signed(right, fields, aspect="equal")
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
