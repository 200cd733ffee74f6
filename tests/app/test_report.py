"""The report's plots, of networks of every kind."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from lifline import (
    LIF,
    Adaptation,
    Convolution,
    Dense,
    Izhikevich,
    Network,
    Noise,
    Population,
    Projection,
    Sparse,
    golden,
)
from lifline.app import report
from lifline.app.report.page import typical_sample
from lifline.app.report.weights import receptive_fields
from lifline.neurons import Neuron

from ..networks import random_network, random_spikes


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


def single(neuron: Neuron, *, inputs: int | tuple[int, int, int] = 4, size: int = 3) -> Network:
    """One population of these neurons, behind delays."""
    rng = np.random.default_rng(1)
    sources = int(np.prod(inputs))
    weights, delays = rng.integers(0, 100, (sources, size)), rng.integers(0, 4, (sources, size))
    return Network(
        inputs, [Population("p", size, neuron)], [Projection("input", "p", Dense(weights, delays))], "p"
    )


def sample_of(network: Network, ticks: int = 12) -> np.ndarray:
    return (np.random.default_rng(2).random((ticks, network.inputs)) < 0.4).astype(np.uint8)


@pytest.mark.parametrize("seed", range(20))
def test_every_plot_of_random_networks(seed: int) -> None:
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    spikes = random_spikes(rng, network, 3, 30)
    recording = golden.simulate(network, spikes)
    shown = titles(report.activity(network, spikes[1], recording[1]))
    for population in network.populations:
        for state in population.neuron.states:
            word = "membranes v[t]" if state.name == "membrane" else state.name
            assert f"{population.name}: {word}" in shown
    assert len(titles(report.weights(network))) == 2 * len(network.projections)
    delayed = report.delayed(network)
    if delayed:
        assert len(titles(report.delay_histograms(network))) == len(delayed)
    paths = report.arrivals(network, spikes[1], recording[1])
    for path in paths:
        assert path.fired[path.tick] == 1
        assert (path.spikes[path.tick - path.delays, path.sources] == 1).all()
    if paths:
        assert report.svg(report.delays_at_work(network, paths)).startswith("<svg")


@pytest.mark.parametrize(
    ("neuron", "states"),
    [
        (LIF(200, 50), []),
        (LIF(200, 50, alpha=100), ["current"]),
        (LIF(200, 50, adaptation=Adaptation(200, 9)), ["adaptation"]),
        (
            LIF(200, 50, alpha=100, adaptation=Adaptation(200, 9), noise=Noise.logistic(5.0, 3)),
            ["current", "adaptation", "noise"],
        ),
        (Izhikevich.of(), ["recovery"]),
    ],
)
def test_activity_shows_every_state(neuron: Neuron, states: list[str]) -> None:
    network = single(neuron)
    spikes = sample_of(network)
    recording = golden.simulate(network, spikes)
    figure = report.activity(network, spikes, recording)
    fired = int(recording.spikes["p"].sum())
    assert [title for title in titles(figure) if title.startswith("p")] == [
        f"p: {fired} spikes of 3 neurons", "p: membranes v[t]", *(f"p: {state}" for state in states)
    ]  # fmt: skip
    axes = {axes.get_title(loc="left"): axes for axes in figure.axes}
    for state in states:
        lines = axes[f"p: {state}"].get_lines()
        assert [line.get_ydata().tolist() for line in lines] == recording.states["p"][state].T.tolist()


def test_an_output_that_answers_by_its_membranes() -> None:
    network = single(LIF(200, 50, reset="none"))
    spikes = sample_of(network)
    recording = golden.simulate(network, spikes)
    shown = report.activity(network, spikes, recording)
    assert titles(shown)[1:] == ["p: membranes, summed up", "p: membranes v[t]"]
    assert report.arrivals(network, spikes, recording) == []


def test_inputs_that_make_a_picture() -> None:
    """Those of a shape, or whose number is a square."""
    for inputs, picture in ((9, True), (8, False), ((2, 4, 1), True), ((1, 9, 1), False)):
        network = single(LIF(200, 50), inputs=inputs)
        spikes = sample_of(network)
        shown = titles(report.weights(network))[1]
        assert shown == ("what each neuron of p looks for" if picture else "weight matrix")
        figure = report.activity(network, spikes, golden.simulate(network, spikes))
        assert ("input: spikes in each tick" in titles(figure)) is not picture


def test_receptive_fields_are_tiled() -> None:
    """Two targets of 2 × 3 inputs with two channels, which are added up."""
    values = np.arange(24).reshape(12, 2)
    tiles = receptive_fields(values, (2, 3))
    assert tiles.shape == (2, 7)
    assert tiles[:, :3].tolist() == [[2, 10, 18], [26, 34, 42]]
    assert np.isnan(tiles[:, 3]).all()
    assert tiles[:, 4:].tolist() == [[4, 12, 20], [28, 36, 44]]


def test_the_typical_sample_is_classified_rightly() -> None:
    network = single(LIF(200, 50))
    spikes = np.stack([sample_of(network), sample_of(network) * 0, sample_of(network)])
    recording = golden.simulate(network, spikes)
    labels = recording.classes.copy()
    labels[0] = (labels[0] + 1) % 3
    assert typical_sample(network, recording, labels) == 2


def test_learning_curves_of_a_record() -> None:
    curves = {"loss": [3.0, 2.0, 1.0], "train_accuracy": [0.1, 0.5, 0.9], "rate.p": [0.1, 0.2, 0.3]}
    record = {"curves": curves, "test_accuracy": 0.8, "settings": {"epochs": 3, "quantised": 0.34}}
    assert report.quantised_from(record["settings"]) == 3
    loss, accuracy, rate = report.learning_curves(record).axes
    assert loss.get_lines()[0].get_ydata().tolist() == [3, 2, 1]
    assert accuracy.get_lines()[-1].get_ydata().tolist() == [80]
    assert rate.get_lines()[0].get_label() == "p"
    assert len(loss.patches) == 1  # the quantised epoch is shaded
    record["settings"] = {"epochs": 3, "quantised": 0.0}
    assert not report.learning_curves(record).axes[0].patches


def test_the_plots_of_results() -> None:
    classes = np.array([0, 1, 1, 2])
    figure = report.confusion(classes, np.array([0, 1, 2, 2]))
    shown = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert shown == {(0, 0): "1", (1, 1): "1", (1, 2): "1", (2, 2): "1"}
    assert "mean 15.0" in report.svg(report.cycle_histogram(np.array([10, 20])))
    used = {"luts": 1, "ffs": 2, "brams": 3, "dsps": 0}
    available = {"luts": 10, "ffs": 10, "brams": 10, "dsps": 0}
    build = {"board": "b", "device": "d", "available": available, **used}
    assert titles(report.resources([build, build])) == ["b (d)", "b (d)"]


def convolutional(*, height: int = 6) -> Network:
    """A graded input, two maps, one of them with delays of kernel positions, and an output."""
    rng = np.random.default_rng(3)
    kernel = (3, 3) if height > 1 else (1, 3)
    first = Convolution(rng.integers(-50, 100, (*kernel, 1, 4)), padding=(int(height > 1), 1))
    second = Convolution(
        rng.integers(-50, 100, (*kernel, 4, 20)), stride=(2 if height > 1 else 1, 2),
        delays=rng.integers(0, 5, kernel),
    )  # fmt: skip
    shape = (height, 6, 4)
    wide = second.output_shape(shape)
    last = Sparse([0, 5], [0, 1], [3, -4])
    return Network(
        (height, 6, 1),
        [
            Population("a", shape, LIF(200, 300)),
            Population("b", wide, LIF(200, 300)),
            Population("c", 2, LIF(200, 0, reset="none")),
        ],
        [Projection("input", "a", first), Projection("a", "b", second), Projection("b", "c", last)],
        "c",
        input_bits=3,
    )


@pytest.mark.parametrize("height", [1, 6])
def test_kernels_and_feature_maps(height: int) -> None:
    network = convolutional(height=height)
    spikes = np.random.default_rng(0).integers(0, 8, (12, network.inputs)).astype(np.uint8)
    recording = golden.simulate(network, spikes)
    assert report.shaped(network) == ["input", "a", "b"]
    shown = titles(report.feature_maps(network, spikes, recording))
    assert [title.split(",")[0] for title in shown] == [
        f"input: 1 channel of {'6×6' if height > 1 else '6'}",
        f"a: 4 channels of {'6×6' if height > 1 else '6'}",
        f"b: 20 channels of {'2×2' if height > 1 else '2'}",
    ]
    shown = titles(report.weights(network))
    assert "kernels of the channels of a" in shown
    assert "kernels: a row for the first channels of b" in shown
    assert "b -> c: 2 weights of 8 bits" in shown
    assert len(titles(report.delay_histograms(network))) == len(report.delayed(network)) == 1
    assert [path.projection.target for path in report.arrivals(network, spikes, recording)] == ["b"]
    assert "events of" in titles(report.activity(network, spikes, recording))[0]
    assert report.shaped(random_network(np.random.default_rng(0))) == []
