"""The page of ``lifline evaluate``: one HTML file for any network, whose samples can be looked at tick by tick.

Its plots are drawn in the page, by ``evaluation.js``, of data that is in it, too: it needs nothing from elsewhere.
"""

from __future__ import annotations

import base64
import importlib.resources
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from lifline import __version__
from lifline.errors import MissingExtra
from lifline.network import INPUT

from ..costs import METRICS
from ..tables import RESOURCES
from .activity import answers_by_membrane, picture_shape

try:
    import jinja2
except ModuleNotFoundError as error:
    raise MissingExtra(error.name or "jinja2", "report") from None

if TYPE_CHECKING:
    from ..evaluation import Evaluation

#: Neurons of a population whose states are in the page: those that spike most.
MOST_NEURONS = 64

#: Bytes of all samples in the page.
MOST_BYTES = 6_000_000

#: Classes up to which the confusion is a table; of more only the most frequent confusions are listed.
MOST_CLASSES = 40


def evaluation_page(evaluation: Evaluation) -> str:
    """The page of an evaluation, as HTML.

    Parameters
    ----------
    evaluation : Evaluation
        As :func:`lifline.app.evaluation.evaluate` gives it.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lifline.app.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    result = evaluation.result()
    confusion = result.get("confusion")
    data = page_data(evaluation)
    return environment.get_template("evaluation.html").render(
        result=result,
        network=evaluation.network,
        version=__version__,
        style=_text("evaluation.css"),
        script=_text("evaluation.js"),
        data=_json(data),
        shown=len(data["samples"]),
        metrics={METRICS[name]: _number(name, value) for name, value in result["metrics"].items()},
        resources=RESOURCES,
        confusion=None if confusion is None or len(confusion) > MOST_CLASSES else confusion.tolist(),
        confused=[] if confusion is None else _confused(confusion, evaluation.class_names),
        of_each=[] if confusion is None else _of_each(confusion, evaluation.class_names),
        unpriced=evaluation.unpriced,
    )


def page_data(evaluation: Evaluation) -> dict[str, Any]:
    """What the page's script draws: the network, and each sample's spikes and states as base64."""
    network, recording = evaluation.network, evaluation.recording
    populations = [
        {"name": INPUT, "size": network.inputs, "states": [], "picture": picture_shape(network)}
    ]
    kept: dict[str, np.ndarray] = {}
    for population in network.order:
        counts = recording.spikes[population.name].sum(axis=(0, 1), dtype=np.int64)
        most = np.sort(np.argsort(-counts, kind="stable")[:MOST_NEURONS])
        kept[population.name] = most
        threshold = getattr(population.neuron, "threshold", None)
        shared = threshold is not None and not population.neuron.readout and np.ptp(threshold) == 0
        populations.append(
            {
                "name": population.name,
                "size": population.size,
                "states": [state.name for state in population.neuron.states],
                "neurons": most.tolist(),
                "threshold": int(np.asarray(threshold)[0]) if shared else None,
                "by_membrane": answers_by_membrane(network, population.name),
            }
        )
    samples: list[dict[str, Any]] = []
    size = 0
    for place, sample in enumerate(evaluation.shown):
        entry = _sample(evaluation, place, sample, kept)
        size += len(json.dumps(entry))
        if samples and size > MOST_BYTES:
            break
        samples.append(entry)
    return {
        "ticks": int(evaluation.spikes.shape[1]),
        "input_bits": network.input_bits,
        "output": network.output,
        "class_names": evaluation.class_names,
        "populations": populations,
        "samples": samples,
    }


def _sample(
    evaluation: Evaluation, place: int, sample: int, kept: dict[str, np.ndarray]
) -> dict[str, Any]:
    network, recording = evaluation.network, evaluation.recording[place]
    output = network[network.output]
    counted = recording.membrane if output.neuron.readout else recording.spikes
    inputs = evaluation.spikes[sample]
    spikes = {INPUT: _bytes(inputs) if network.input_bits > 1 else _bits(inputs)}
    spikes |= {name: _bits(values) for name, values in recording.spikes.items()}
    return {
        "index": int(sample),
        "label": None if evaluation.labels is None else int(evaluation.labels[sample]),
        "class": int(evaluation.classes[sample]),
        "scores": counted[output.name].sum(axis=0, dtype=np.int64).tolist(),
        "spikes": spikes,
        "states": {
            name: {
                state: _bytes(values[:, kept[name]].astype("<i4")) for state, values in states.items()
            }
            for name, states in recording.states.items()
        },
    }


def _bits(values: np.ndarray) -> str:
    return _bytes(np.packbits(values.astype(bool).ravel(), bitorder="little"))


def _bytes(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _json(values: Any) -> str:
    """As JSON that no name in it can end the script element with."""
    return json.dumps(values, separators=(",", ":")).replace("<", "\\u003c")


def _text(name: str) -> str:
    return importlib.resources.files("lifline.app.report").joinpath(name).read_text(encoding="utf-8")


def _number(name: str, value: float) -> str:
    return f"{value:.4f}" if name.endswith("sparsity") else f"{value:,.1f}".removesuffix(".0")


def _confused(confusion: np.ndarray, names: list[str]) -> list[tuple[str, str, int]]:
    """The ten most frequent mistakes: label, class, how often."""
    mistakes = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:10]
    pairs = [divmod(int(place), len(names)) for place in order if mistakes.flat[place]]
    return [(names[label], names[answer], int(confusion[label, answer])) for label, answer in pairs]


def _of_each(confusion: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    """Of each class its samples, how many were found (recall), and how many of its answers are right (precision)."""
    right, labelled, answered = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return [
        {
            "name": name,
            "samples": int(labelled[i]),
            "recall": right[i] / labelled[i] if labelled[i] else None,
            "precision": right[i] / answered[i] if answered[i] else None,
        }
        for i, name in enumerate(names)
    ]
