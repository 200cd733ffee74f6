"""Every encoder at work: what it makes of a signal, and how much of it its decoder gets back.

Run it with ``python examples/encoders.py``; with ``-o encoders`` it also draws each into a PNG in that folder
(needs matplotlib).  One of the decoders is a network, of a single neuron; with ``--rtl`` the gateware runs it
as well, in Verilator.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lifline import LIF, Network, Population, Projection, encoders, golden

TICKS, SERIES_TICKS, FIELDS, STEP, LEVELS, SENSOR = 32, 240, 8, 0.05, 8, 34

parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
parser.add_argument("-o", "--output", type=Path, help="folder for the plots")
parser.add_argument("--rtl", action="store_true", help="run the decoding network in Verilator, too")
options = parser.parse_args()
rng = np.random.default_rng(1)


@dataclass
class Example:
    """What an encoder made of one sample."""

    name: str
    spikes: np.ndarray  #: (ticks, inputs)
    signal: np.ndarray  #: static values (inputs,), a series (ticks, 1), or events
    decoded: np.ndarray | None = None  #: as the signal
    comment: str = ""

    def __post_init__(self) -> None:
        if not self.comment and self.decoded is not None:
            error = np.sqrt(((self.decoded - self.signal) ** 2).mean())
            self.comment = f"root mean square error {error:.3f}"


# Twelve values; a series with slow and fast changes, leaps, and rest; and what an event camera sees of a disc
# that moves across: which pixels become brighter or darker in each millisecond, and when in it.
values = rng.permutation(np.linspace(0, 1, 12))[None]

time = np.arange(SERIES_TICKS)
series = 0.5 + 0.3 * np.sin(time / 19) + 0.1 * np.sin(time / 4) * (time < 110)
series[(time > 150) & (time < 180)] = 0.8
series *= np.clip(np.minimum(time, 210 - time) / 15, 0, 1)
series = series[None, :, None]

row, column = np.mgrid[:SENSOR, :SENSOR]
frames = np.array([(row - 17) ** 2 + (column - 2 - 0.3 * ms) ** 2 < 64 for ms in range(101)])
ms, y, x = np.nonzero(frames[1:] != frames[:-1])
events = (x, y, frames[ms + 1, y, x], ms * 1000 + rng.integers(0, 1000, len(x)))

gallery = []


def static(name: str, spikes: np.ndarray, decoded: np.ndarray, comment: str = "") -> None:
    gallery.append(Example(name, spikes[0], values[0], decoded[0], comment))


def changing(name: str, spikes: np.ndarray, decoded: np.ndarray) -> None:
    gallery.append(Example(name, spikes[0], series[0], decoded[0]))


spikes = encoders.rate(values, TICKS, rng)
static("rate", spikes, encoders.decode_rate(spikes))
spikes = encoders.regular(values, TICKS)
static("regular", spikes, encoders.decode_rate(spikes))
spikes = encoders.latency(values, TICKS)
static("latency", spikes, encoders.decode_latency(spikes))
spikes = encoders.rank_order(values, TICKS, every=2)
static("rank_order", spikes, encoders.decode_rank_order(spikes, 0.8), "0.8 to the power of the rank")
spikes = encoders.burst(values, TICKS)
static("burst", spikes, spikes.sum(axis=1) / 5)
spikes = encoders.phase(values, TICKS)
static("phase", spikes, encoders.decode_phase(spikes))
spikes = encoders.population(values, TICKS, FIELDS)
decoded = encoders.decode_receptive_fields(encoders.decode_latency(spikes), FIELDS)
static("population", spikes, decoded)
spikes = encoders.latency(encoders.receptive_fields(values, FIELDS), TICKS, threshold=0.05)
decoded = encoders.decode_receptive_fields(encoders.decode_latency(spikes), FIELDS)
static("receptive_fields_latency", spikes, decoded)
spikes = encoders.regular(encoders.receptive_fields(values, FIELDS), TICKS)
decoded = encoders.decode_receptive_fields(encoders.decode_rate(spikes), FIELDS)
static("receptive_fields_rate", spikes, decoded)

start = series[:, 0]
spikes = encoders.send_on_delta(series, STEP)
changing("send_on_delta", spikes, encoders.decode_steps(spikes, STEP, start))
forward = encoders.step_forward(series, STEP)
decoded = encoders.decode_steps(forward, STEP, start)
changing("step_forward", forward, decoded)
spikes = encoders.delta(series, STEP / 2, padding=True, off_spike=True)
changing("delta", spikes, encoders.decode_steps(spikes, STEP / 2, start))
threshold = encoders.change_threshold(series, factor=0.5)
spikes = encoders.threshold_based(series, threshold)
changing("threshold_based", spikes, encoders.decode_steps(spikes, threshold, start))
spikes = encoders.moving_window(series, STEP, window=4)
changing("moving_window", spikes, encoders.decode_steps(spikes, STEP, start))
spikes = encoders.level_crossing(series, LEVELS)
changing("level_crossing", spikes, encoders.decode_level_crossing(spikes, LEVELS))
fir = encoders.lowpass(24, cutoff=0.05)
spikes = encoders.hsa(series, fir)
changing("hsa", spikes, encoders.decode_fir(spikes, fir))
spikes = encoders.bsa(series, fir, threshold=0.95)
changing("bsa", spikes, encoders.decode_fir(spikes, fir))
spikes = encoders.bin_events(events, (SENSOR, SENSOR), 10, tick_us=10_000, pool=2)
gallery.append(Example("bin_events", spikes, np.array(events), comment=f"{len(x)} events"))

print(f"{'encoder':25} {'inputs':>6} {'spikes':>6}")
for example in gallery:
    inputs, count = example.spikes.shape[1], example.spikes.sum()
    print(f"{example.name:25} {inputs:6} {count:6}   {example.comment}")

# What decodes steps is a neuron without leak and reset: its membrane counts on spikes up and off spikes down.
network = Network(
    inputs=2,
    populations=[
        Population("decoder", size=1, neuron=LIF(beta=256, threshold=2**15 - 1, reset="none"))
    ],
    projections=[Projection("input", "decoder", [[1], [-1]])],
    output="decoder",
)
expected = golden.simulate(network, forward)
same = np.array_equal(start + STEP * expected.membrane["decoder"], decoded)
print(f"a neuron decodes step_forward: {'the same' if same else 'NOT the same'}")

if options.rtl:
    from lifline import sim

    actual = sim.simulate(network, forward)
    equal = np.array_equal(actual.membrane["decoder"], expected.membrane["decoder"])
    print(f"gateware: {'the same' if equal else 'NOT the same'}, {actual.cycles[0]} clock cycles")
    same = same and equal


def draw(example: Example) -> "Figure":
    """The spikes, and the signal (grey) beside what was decoded (blue)."""
    if example.name == "bin_events":
        return draw_events(example)
    ticks, inputs = example.spikes.shape
    if len(example.signal) != ticks:  # static values: rows of spikes, and at the right each row's value
        figure = Figure(figsize=(9, 3.6))
        raster, plot = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
        when, which = np.nonzero(example.spikes)
        half = max(0.36, inputs / 70)
        raster.vlines(when, which - half, which + half, color=BLUE, linewidth=2)
        raster.set(xlabel="tick", ylabel="input", xlim=(-0.7, ticks - 0.3), ylim=(-0.8, inputs - 0.2))
        each = inputs // len(example.signal)
        rows = (np.arange(len(example.signal)) + 0.5) * each - 0.5
        for bound in np.arange(each, inputs, each) if each > 1 else ():
            raster.axhline(bound - 0.5, color=LINE, linewidth=0.7, zorder=0)
        plot.hlines(rows, example.signal, example.decoded, color=ORANGE, linewidth=1.2)
        plot.plot(example.signal, rows, "o", color=MUTED, markersize=7, label="value")
        plot.plot(example.decoded, rows, "o", color=BLUE, markersize=3.5, label="decoded")
        plot.set(xlabel="value", xlim=(-0.05, 1.05))
        plot.tick_params(left=False)
        plot.spines["left"].set_visible(False)
    else:  # a series, and below it the spikes: on upwards, off downwards
        figure = Figure(figsize=(9, 4.2))
        plot, raster = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        plot.plot(example.signal[:, 0], color=MUTED, linewidth=2.4, alpha=0.6, label="series")
        plot.step(
            range(ticks), example.decoded[:, 0], color=BLUE, linewidth=1.3, where="mid", label="decoded"
        )
        plot.set(ylabel="value", xlim=(-1, ticks))
        bipolar = example.name not in ("hsa", "bsa")
        rows = inputs // 2 if bipolar else inputs
        when, which = np.nonzero(example.spikes[:, :rows])
        raster.vlines(when, which, which + 0.42, color=BLUE, linewidth=1.4, label="on")
        when, which = np.nonzero(example.spikes[:, rows:])
        raster.vlines(when, which - 0.42, which, color=ORANGE, linewidth=1.4, label="off")
        raster.set(xlabel="tick", ylim=(-0.6 if bipolar else -0.1, rows - 0.4))
        raster.set_ylabel("level" if rows > 1 else "spikes")
        raster.set_yticks(range(0, rows, 2) if rows > 1 else [])
        if bipolar:
            raster.legend(loc="upper left", bbox_to_anchor=(1, 1))
    plot.legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.suptitle(f"{example.name}: {example.spikes.sum()} spikes; {example.comment}")
    return figure


def draw_events(example: Example) -> "Figure":
    """The events over time, and the binned spikes of every second tick."""
    ticks, inputs = example.spikes.shape
    side = SENSOR // 2
    figure = Figure(figsize=(9, 4.2))
    grid = figure.add_gridspec(2, 5)
    cloud = figure.add_subplot(grid[0, :])
    x, _, p, t = example.signal
    cloud.scatter(t / 1000, x, s=1.5, c=np.where(p, BLUE, ORANGE))
    cloud.set(xlabel="ms", ylabel="column x", xlim=(0, 10 * ticks), yticks=(0, 10, 20, 30))
    cloud.set_xticks(range(0, 10 * ticks + 1, 10))
    for place, tick in enumerate(range(0, ticks, 2)):
        darker, brighter = example.spikes[tick].reshape(2, side, side).astype(bool)
        picture = np.full((side, side, 3), to_rgb(LINE))
        picture[darker], picture[brighter] = to_rgb(ORANGE), to_rgb(BLUE)
        picture[darker & brighter] = to_rgb(INK)
        axes = figure.add_subplot(grid[1, place])
        axes.imshow(picture, interpolation="nearest")
        axes.set(title=f"tick {tick}", xticks=(), yticks=())
        axes.spines[:].set_visible(False)
    figure.suptitle(
        f"{example.name}: {example.comment}, {example.spikes.sum()} spikes of {inputs} inputs; "
        "brighter blue, darker orange, both black"
    )
    return figure


if options.output:
    import matplotlib
    from matplotlib.colors import to_rgb
    from matplotlib.figure import Figure

    from lifline.app.report.style import BLUE, INK, LINE, MUTED, ORANGE

    matplotlib.rcParams.update({
        "figure.constrained_layout.use": True, "figure.dpi": 110, "font.size": 9, "legend.frameon": False,
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": MUTED,
        "axes.labelcolor": INK, "axes.titlesize": 9, "xtick.color": MUTED, "ytick.color": MUTED,
        "figure.titlesize": 10, "figure.titleweight": "bold",
    })  # fmt: skip
    options.output.mkdir(parents=True, exist_ok=True)
    for example in gallery:
        draw(example).savefig(options.output / f"{example.name}.png")
    print(f"{options.output}: {len(gallery)} plots")

sys.exit(0 if same else 1)
