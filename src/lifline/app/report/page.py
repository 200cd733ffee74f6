"""The demo's page: one HTML file with its plots inlined as SVG; it needs nothing from elsewhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from lifline import __version__
from lifline.errors import MissingExtra
from lifline.files import atomic_write
from lifline.network import Network

from ..tables import WITNESSES
from .activity import activity, answers_by_membrane
from .builds import cycle_histogram, resources
from .delays import arrivals, delay_histograms, delayed, delays_at_work
from .maps import feature_maps, shaped
from .style import svg
from .training import confusion, learning_curves, quantised_from
from .weights import weights

try:
    import jinja2
except ModuleNotFoundError as error:
    raise MissingExtra(error.name or "jinja2", "report") from None

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lifline.recording import Recording

    from ..training import Training


def write_page(
    path: str | os.PathLike[str],
    result: dict[str, Any],
    training: Training,
    recording: Recording,
    cycles: np.ndarray,
) -> None:
    """Write the page.

    Parameters
    ----------
    path : path
        The HTML file.
    result : dict
        What :func:`lifline.app.pipeline.run` measured.
    training : Training
        The network, and the test samples that were run.
    recording : Recording
        What the network did on them.
    cycles : int64 (samples,)
        Clock cycles of each sample in the simulated gateware.
    """
    network = training.network
    sample = typical_sample(network, recording, training.labels)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lifline.app.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    plots = _plots(result, training, recording, cycles, sample)
    page = environment.get_template("report.html").render(
        result=result,
        network=network,
        witnesses=WITNESSES,
        version=__version__,
        sample=sample,
        readout=answers_by_membrane(network, network.output),
        quantised_from=quantised_from(training.record["settings"]),
        label=int(training.labels[sample]),
        answer=int(recording.classes[sample]),
        plots={name: svg(figure) for name, figure in plots.items()},
    )
    with atomic_write(path) as file:
        file.write(page.encode())


def _plots(
    result: dict[str, Any],
    training: Training,
    recording: Recording,
    cycles: np.ndarray,
    sample: int,
) -> dict[str, Figure]:
    """Every plot of the page by its name there."""
    network, spikes = training.network, training.spikes[sample]
    shown = recording[sample]
    plots = {
        "curves": learning_curves(training.record),
        "activity": activity(network, spikes, shown),
        "weights": weights(network),
        "confusion": confusion(recording.classes, training.labels),
        "cycles": cycle_histogram(cycles),
    }
    if shaped(network):
        plots["maps"] = feature_maps(network, spikes, shown)
    if delayed(network):
        before = {
            (learned["source"], learned["target"]): learned["before"]
            for learned in training.record["delays"]
        }
        plots["delays"] = delay_histograms(network, before)
        paths = arrivals(network, spikes, shown)
        if paths:
            plots["arrivals"] = delays_at_work(network, paths)
    if result["boards"]:
        plots["resources"] = resources(result["boards"])
    return plots


def typical_sample(network: Network, recording: Recording, labels: np.ndarray) -> int:
    """The sample to show: rightly classified, with about the median number of spikes."""
    spiking = [p.name for p in network.populations if not answers_by_membrane(network, p.name)]
    total = sum(
        (recording.spikes[name].sum(axis=(1, 2), dtype=np.int64) for name in spiking),
        np.zeros(len(labels), np.int64),
    )
    distance = np.abs(total - np.median(total))
    distance[recording.classes != labels] = np.inf
    return int(np.argmin(distance))
