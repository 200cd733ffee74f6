"""The command ``lifline monitor``."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

from lifline.errors import InputError, LiflineError, MissingExtra
from lifline.files import read_spikes
from lifline.network import Network

from .. import options, output
from .feed import Feed
from .web import Page, state

#: Entries of the random spikes, which take nine bytes each while they are made.
_MOST_RANDOM = 1 << 26


@click.command()
@options.network_argument
@click.option(
    "--input",
    "input_file",
    type=options.file(),
    default=None,
    help="SPIKES.npz.  [default: random spikes]",
)
@options.port_option
@click.option("--web", is_flag=True, help="A page on this machine instead of the terminal.")
@click.option(
    "--web-port", type=click.IntRange(0, 65535), default=0, help="[default: one that is free]"
)
@click.option(
    "--interval",
    type=click.FloatRange(0),
    default=0.25,
    show_default=True,
    help="Seconds from sample to sample.",
)
@click.option(
    "--seconds", type=options.Positive(), default=None, help="End after so long.  [default: never]"
)
@options.virtual_options
@options.json_option
def monitor(
    network: Path,
    input_file: Path | None,
    port: str,
    web: bool,
    web_port: int,
    interval: float,
    seconds: float | None,
    as_json: bool,
    **line: Any,
) -> None:
    """Watch NETWORK on a board, or a virtual one: rasters, classes and rates, sample after sample.

    With --json: one line for each sample.
    """
    net = Network.load(network)
    if input_file is None:
        spikes, labels = _random_spikes(net.inputs), None
    else:
        spikes, labels = read_spikes(input_file, net.inputs, net.input_bits)
    with output.progress_bar(not as_json) as progress:
        device = options.connected(port, net, progress, line)
    with device:
        if device.identity.encoder:
            raise InputError(
                "lifline monitor sends spikes; this board takes raw values for its encoder"
            )
        with Feed(device, spikes, labels, interval) as feed:
            if as_json:
                _lines(feed, seconds)
            elif web:
                _serve(feed, web_port, seconds)
            else:
                _show(feed, seconds)
            error = feed.view().error
    if error is not None:
        raise LiflineError(error)


def _random_spikes(inputs: int) -> np.ndarray:
    """Samples of 16 ticks, of which every tenth entry is a spike: 100, or as many as `_MOST_RANDOM` allows."""
    samples = min(100, _MOST_RANDOM // (16 * inputs))
    if not samples:
        raise InputError(f"random spikes of {inputs:,} inputs take too much memory: give --input")
    rng = np.random.default_rng(0)
    return (rng.random((samples, 16, inputs)) < 0.1).astype(np.uint8)


def _lines(feed: Feed, seconds: float | None) -> None:
    """A line of JSON for each sample that is new, at most ten a second."""
    for values in _changes(feed, seconds):
        for name in ("input_spikes", "inputs"):
            values.pop(name, None)
        output.say(json.dumps(values))


def _serve(feed: Feed, port: int, seconds: float | None) -> None:
    with Page(feed, port) as page:
        output.say(f"{page.address}   (Ctrl-C ends it)")
        thread = threading.Thread(target=page.serve_forever, daemon=True)
        thread.start()
        try:
            for _ in _changes(feed, seconds):
                pass
        finally:
            page.shutdown()


def _changes(feed: Feed, seconds: float | None) -> Any:
    """The state whenever there is a new sample, until the time is up or the board is gone."""
    end = None if seconds is None else time.monotonic() + seconds
    shown = None
    while end is None or time.monotonic() < end:
        values = state(feed)
        if values["error"]:
            return
        if values.get("sample") != shown:
            shown = values.get("sample")
            yield values
        time.sleep(0.1)


def _show(feed: Feed, seconds: float | None) -> None:
    try:
        from .terminal import Monitor
    except ModuleNotFoundError:
        raise MissingExtra("textual", "monitor") from None
    app = Monitor(feed)
    if seconds is not None:
        timer = threading.Timer(seconds, lambda: app.call_from_thread(app.exit))
        timer.daemon = True
        timer.start()
    with contextlib.suppress(KeyboardInterrupt):
        app.run()
