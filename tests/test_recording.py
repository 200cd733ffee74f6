"""Recordings: saved, loaded, classified, compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lifline import InputError, Recording, golden
from lifline.recording import classify

from .networks import random_network, random_spikes


def recorded(seed: int = 1, samples: int = 3) -> tuple[Recording, Recording]:
    """Twice what a network did."""
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    spikes = random_spikes(rng, network, samples, 7)
    return golden.simulate(network, spikes), golden.simulate(network, spikes)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cycles", [False, True])
def test_save_and_load(seed: int, cycles: bool, tmp_path: Path) -> None:
    recording, _ = recorded(seed)
    if cycles:
        recording = Recording(recording.spikes, recording.states, recording.classes, np.arange(3))
    recording.save(tmp_path / "out.npz")
    loaded = Recording.load(tmp_path / "out.npz")
    assert recording.compare(loaded) is None
    assert recording.differing(loaded) == {"spikes": 0, "states": 0, "classes": 0}
    assert (loaded.cycles is None) == (not cycles)
    with np.load(tmp_path / "out.npz") as arrays:
        for name, states in recording.states.items():
            assert arrays[f"{name}.spikes"].dtype == np.uint8
            for state, values in states.items():
                assert arrays[f"{name}.{state}"].dtype == np.int32
                assert np.array_equal(arrays[f"{name}.{state}"], values)


def test_a_file_that_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    for arrays in (
        {"spikes": np.zeros((1, 2, 3))},
        {"a.spikes": np.zeros((1, 2, 3)), "classes": np.zeros(1)},
        {"a.membrane": np.zeros((1, 2, 3)), "classes": np.zeros(1)},
        {"a.spikes": np.zeros((1, 2, 3)), "a.current": np.zeros((1, 2, 3)), "classes": np.zeros(1)},
    ):
        np.savez(path, **arrays)
        with pytest.raises(InputError, match="not a recording: give a file that 'lifline simulate'"):
            Recording.load(path)


def test_some_samples() -> None:
    recording, _ = recorded()
    one, two = recording[1], recording[[1, 1]]
    for name, states in recording.states.items():
        assert np.array_equal(one.spikes[name], recording.spikes[name][1])
        for state, values in states.items():
            assert np.array_equal(two.states[name][state], values[[1, 1]])
    assert one.classes == recording.classes[1]
    assert one.cycles is None


@pytest.mark.parametrize("what", ["spike", "membrane", "current", "adaptation", "noise", "recovery"])
def test_a_difference_in_any_state_is_found(what: str) -> None:
    for seed in range(100):
        recording, other = recorded(seed)
        for name, states in other.states.items():
            array = other.spikes[name] if what == "spike" else states.get(what)
            if array is None:
                continue
            where = (1, 4, array.shape[2] - 1)
            array[where] ^= 1
            found = recording.compare(other)
            assert found is not None
            assert (found.sample, found.tick, found.neuron, found.population) == (*where, name)
            assert found.expected[what] ^ 1 == found.actual[what]
            assert {k: v for k, v in found.expected.items() if k != what} == {
                k: v for k, v in found.actual.items() if k != what
            }
            differing = recording.differing(other)
            assert differing["spikes"] + differing["states"] == 1
            return
    pytest.fail(f"no random network has the state {what}")


def test_classes_are_by_spikes_or_by_membranes() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        network = random_network(rng)
        output = network[network.output]
        spikes = {output.name: rng.integers(0, 2, (4, 6, output.size))}
        membrane = {output.name: rng.integers(-9, 9, (4, 6, output.size))}
        counted = membrane if output.neuron.readout else spikes
        for sample, of in enumerate(classify(network, spikes, membrane)):
            scores = counted[output.name][sample].sum(axis=0).tolist()
            assert scores.index(max(scores)) == of  # the first of equals
