"""The monitor in a terminal: rasters of the input and the output, rates, classes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Footer, Header, Static

from .feed import Feed, View

#: A column of two neurons: none, the upper, the lower, both.
_HALVES = " ▀▄█"
#: Rows and columns of a raster, at most.
_ROWS, _COLUMNS = 24, 64
_BAR = 20


def raster(spikes: np.ndarray) -> str:
    """Spikes (ticks, size) as text: ticks to the right, two neurons a line; of large ones several share a place."""
    ticks, size = spikes.shape
    if not ticks:
        return ""
    rows = min(size, 2 * _ROWS)
    columns = min(ticks, _COLUMNS)
    neurons = np.arange(size) * rows // size
    times = np.arange(ticks) * columns // ticks
    dots = np.zeros((columns, rows + rows % 2), bool)
    tick, neuron = np.nonzero(spikes)
    dots[times[tick], neurons[neuron]] = True
    pairs = dots[:, 0::2] + 2 * dots[:, 1::2]
    return "\n".join("".join(_HALVES[pair] for pair in line) for line in pairs.T)


def bars(view: View) -> str:
    """Each output neuron with its rate, and the class."""
    most = max(float(view.rates.max()), 1e-9) if len(view.rates) else 1.0
    shown = range(min(len(view.rates), 2 * _ROWS))
    winner = None if view.shot is None else view.shot.winner
    return "\n".join(
        f"{'►' if neuron == winner else ' '}{neuron:4d} {'█' * round(_BAR * float(view.rates[neuron]) / most):{_BAR}} "
        f"{view.rates[neuron]:.2f}"
        for neuron in shown
    )


def headline(view: View, feed: Feed) -> str:
    """The latest sample in a line."""
    if view.error is not None:
        return f"[b]{view.error}[/b]"
    if view.shot is None:
        return "waiting for the board …"
    shot = view.shot
    parts = [f"sample {shot.number}: class [b]{shot.winner}[/b]"]
    if shot.label is not None:
        parts.append(f"label {shot.label}, {view.correct} of {view.labelled} right")
    parts.append(
        f"{shot.cycles} cycles, {shot.cycles / feed.clock_mhz:.1f} µs at {feed.clock_mhz:g} MHz"
    )
    parts.append(f"{view.samples_per_second:.1f} samples/s")
    return "   ".join(parts)


class Monitor(App[None]):
    """Shows a feed until q."""

    BINDINGS: ClassVar[list[BindingType]] = [("q", "quit", "quit")]
    CSS = """
    Horizontal > Static { border: round $primary; width: 1fr; padding: 0 1; }
    #classes, #headline { padding: 0 1; }
    """

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._feed = feed
        self.title = f"lifline: {feed.board or 'board'}"

    def compose(self) -> ComposeResult:
        """The widgets."""
        yield Header()
        yield Static(id="headline")
        with Horizontal():
            for name, title in (("inputs", "input"), ("outputs", "output"), ("rates", "spikes a tick")):
                widget = Static(id=name, markup=False)
                widget.border_title = title
                yield widget
        yield Static(id="classes", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Look at the feed ten times a second."""
        self.set_interval(0.1, self.show)

    def show(self) -> None:
        """What there is now."""
        view = self._feed.view()
        self.query_one("#headline", Static).update(headline(view, self._feed))
        if view.shot is not None:
            self.query_one("#inputs", Static).update(raster(view.shot.inputs))
            self.query_one("#outputs", Static).update(raster(view.shot.spikes))
            self.query_one("#rates", Static).update(bars(view))
            self.query_one("#classes", Static).update("classes: " + " ".join(map(str, view.classes)))
