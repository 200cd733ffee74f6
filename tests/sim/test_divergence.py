"""The first difference between made-up recordings, and its explanation."""

from __future__ import annotations

import numpy as np
import pytest

from lifline import golden
from lifline.errors import InputError
from lifline.network import Network, Population, Projection
from lifline.neurons import LIF
from lifline.recording import Recording
from lifline.sim import explain
from lifline.synapses import Dense

# 'late' is declared first but evaluated last.
NETWORK = Network(
    inputs=3,
    populations=[
        Population("late", 2, LIF(beta=256, threshold=5)),
        Population("early", 4, LIF(beta=128, threshold=10, bias=1)),
    ],
    projections=[
        Projection("input", "early", Dense([[4, 5, 6, 7]] * 3, delays=[[0] * 4, [1] * 4, [2] * 4])),
        Projection("early", "late", [[3, -2]] * 4),
    ],
    output="late",
)
SPIKES = np.array([[[1, 1, 1], [0, 1, 0], [1, 0, 1], [0, 0, 0]]] * 2, np.uint8)


def changed(*places: tuple[str, int, int, int]) -> Recording:
    """The network's recording with other membranes at (population, sample, tick, neuron)."""
    recording = golden.simulate(NETWORK, SPIKES)
    for name, *where in places:
        recording.membrane[name][tuple(where)] += 1
    return recording


def test_equal_recordings_have_no_divergence() -> None:
    assert changed().compare(changed()) is None


def test_first_is_by_sample_then_tick_then_order_of_evaluation_then_neuron() -> None:
    places = [
        ("late", 0, 2, 0), ("early", 0, 2, 3), ("early", 0, 2, 2), ("late", 0, 3, 0), ("early", 1, 0, 0)
    ]  # fmt: skip
    expected = changed()
    for count, (population, tick, neuron) in enumerate(
        [("late", 2, 0), ("early", 2, 3), ("early", 2, 2), ("early", 2, 2), ("early", 2, 2)], start=1
    ):
        found = expected.compare(changed(*places[:count]), NETWORK)
        assert found is not None
        assert (found.sample, found.population, found.tick, found.neuron) == (
            0,
            population,
            tick,
            neuron,
        )
    found = expected.compare(changed(places[-1]), NETWORK)
    assert found is not None
    assert found.sample == 1


def test_both_values_are_reported() -> None:
    found = changed().compare(changed(("early", 1, 3, 1)), NETWORK)
    assert found is not None
    membrane = int(changed().membrane["early"][1, 3, 1])
    spike = int(changed().spikes["early"][1, 3, 1])
    assert found.expected == {"spike": spike, "membrane": membrane}
    assert found.actual == {"spike": spike, "membrane": membrane + 1}
    assert str(found).startswith(
        "first divergence in sample 1: population 'early', neuron 1, tick 3: expected membrane "
    )


def test_a_wrong_spike_is_a_divergence() -> None:
    actual = changed()
    actual.spikes["late"][0, 1, 1] ^= 1
    found = changed().compare(actual)
    assert found is not None
    assert (found.population, found.tick, found.neuron) == ("late", 1, 1)


def test_recordings_without_samples() -> None:
    expected = golden.simulate(NETWORK, SPIKES[0])
    actual = golden.simulate(NETWORK, SPIKES[0])
    assert expected.compare(actual) is None
    actual.membrane["early"][2, 1] -= 5
    found = expected.compare(actual)
    assert found is not None
    assert (found.sample, found.tick, found.neuron) == (0, 2, 1)


def test_recordings_that_cannot_be_compared() -> None:
    short = golden.simulate(NETWORK, SPIKES[:1])
    with pytest.raises(
        InputError, match=r"population 'late' has the shapes \(1, 4, 2\) and \(2, 4, 2\)"
    ):
        changed().compare(short)
    del short.spikes["early"]
    with pytest.raises(InputError, match="one has no population 'early'"):
        short.compare(short, NETWORK)


def test_explanation_lists_exactly_the_events_that_arrived() -> None:
    found = changed().compare(changed(("early", 0, 2, 1)), NETWORK)
    assert found is not None
    lines = explain(NETWORK, SPIKES, changed(), found).splitlines()
    assert lines[0].startswith("  before: membrane ")
    assert lines[1] == (
        "  LIF: beta 128, threshold 10, reset 'subtract', reset_delay False, bias 1, membrane_bits 16, "
        "current_bits 16"
    )
    # Input 0 at once (it spiked in 2), input 1 after one tick (in 1), input 2 after two (in 0): 3 · 5.
    assert lines[2:] == [
        "  Σ w·s = 15, of 3 events",
        "    input -> early: source 0 spiked in tick 2, delay 0, weight 5",
        "    input -> early: source 1 spiked in tick 1, delay 1, weight 5",
        "    input -> early: source 2 spiked in tick 0, delay 2, weight 5",
    ]


def test_explanation_of_the_first_tick_and_of_silence() -> None:
    found = changed().compare(changed(("late", 0, 0, 0)), NETWORK)
    assert found is not None
    lines = explain(NETWORK, SPIKES * 0, golden.simulate(NETWORK, SPIKES * 0), found).splitlines()
    assert "before: membrane 0, no spike" in lines[0]
    assert lines[2:] == ["  Σ w·s = 0, of no events"]


def test_explanation_of_many_events_is_cut_short() -> None:
    network = Network(
        inputs=40,
        populations=[Population("only", 1, LIF(beta=0, threshold=0))],
        projections=[Projection("input", "only", [[2]] * 40)],
        output="only",
    )
    spikes = np.ones((1, 40), np.uint8)
    expected, actual = golden.simulate(network, spikes), golden.simulate(network, spikes)
    actual.membrane["only"][0, 0] += 1
    found = expected.compare(actual)
    assert found is not None
    lines = explain(network, spikes, expected, found).splitlines()
    assert lines[2] == "  Σ w·s = 80, of 40 events"
    assert lines[-1] == "    … and 28 more, of weight 56"
