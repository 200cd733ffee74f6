"""`verify` refuses what it could not check, and misses no word of a trace; no simulator runs here but once."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import LIF, Dense, InputError, Network, Population, Projection, golden, rtl
from lifline.network import INPUT
from lifline.sim import verification, verify
from lifline.sim.simulation import Outcome
from lifline.sim.stimulus import MOST_BYTES, estimated_bytes, ticks_for, unreached
from lifline.sim.trace import traces_of


def chain(first: int, second: int, *, loop: int = 1, threshold: int = 3) -> Network:
    """Two inputs -> a -> b, with these delays, and a loop of b."""
    return Network(
        2,
        [
            Population("a", 2, LIF(beta=0, threshold=threshold)),
            Population("b", 3, LIF(beta=200, threshold=3)),
        ],
        [
            Projection("input", "a", Dense([[9, 9], [9, 9]], delays=[[first, 0], [0, 0]])),
            Projection(
                "a", "b", Dense([[9, 9, 9], [9, 9, 9]], delays=[[second, 0, 0], [second, 0, 0]])
            ),
            Projection("b", "b", Dense(np.eye(3, dtype=int), delays=loop)),
        ],
        "b",
    )


class Faultless:
    """In the place of a `Simulator`: it gives what golden gives, and the cycles of the cycle model."""

    counts: Any = None  #: changes the counts of words
    ends_after: int | None = None  #: runs

    learns = False

    def __init__(self, network: Network, directory: Path, **options: Any) -> None:
        self.network = network
        self.lanes = rtl.lanes_of(network, options["lanes"])
        self.traces = traces_of(network, self.lanes)

    def run(self, spikes: np.ndarray, runs: list[tuple[int, int | None]], **options: Any) -> Outcome:
        runs = runs[: self.ends_after]
        samples = [sample for sample, _ in runs]
        recording = golden.simulate(self.network, spikes[samples])
        cycles = rtl.cycles(self.network, self.lanes, {INPUT: spikes[samples], **recording.spikes})
        counts = np.array([[trace.groups * spikes.shape[1] for trace in self.traces]] * len(runs))
        if self.counts is not None:
            self.counts(counts)
        return Outcome(
            dataclasses.replace(recording, cycles=cycles), counts, len(runs), 1000, 0.0, None, None
        )


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> type[Faultless]:
    """The class that stands for the simulator, to be given faults."""

    class Simulator(Faultless):
        pass

    monkeypatch.setattr(verification, "Simulator", Simulator)
    return Simulator


def test_enough_ticks_by_default(simulator: type[Faultless]) -> None:
    assert ticks_for(chain(0, 0)) == 32
    assert ticks_for(chain(200, 0)) == 200 + 1 + 16
    assert ticks_for(chain(200, 50, loop=30)) == 200 + 50 + 30 + 16
    report = verify(chain(200, 50, loop=30))
    assert report.passed
    assert report.ticks == 296
    assert report.unreached == ()


def test_more_ticks_where_a_neuron_spikes_late(simulator: type[Faultless]) -> None:
    """The neuron takes some 25 ticks to its threshold and has the longest delay."""
    network = Network(
        1,
        [Population("slow", 1, LIF(beta=256, threshold=24)), Population("out", 1, LIF(200, 3))],
        [Projection("input", "slow", [[1]]), Projection("slow", "out", Dense([[9]], delays=[[20]]))],
        "out",
    )
    assert ticks_for(network) == 36
    report = verify(network)
    assert report.passed
    assert report.ticks > 40
    assert report.unreached == ()


@pytest.mark.parametrize(
    ("network", "name", "delay", "needed"),
    [
        (chain(200, 0), "input -> a", 200, 201),
        (chain(0, 200), "a -> b", 200, 201),
        (chain(31, 1), None, None, None),
        (chain(32, 1), "input -> a", 32, 33),
        (chain(0, 0, loop=40), "b -> b", 40, 41),
    ],
)
def test_too_few_ticks_for_a_delay(
    simulator: type[Faultless], network: Network, name: str | None, delay: int, needed: int
) -> None:
    spikes = np.ones((2, 32, 2), np.uint8)
    if name is None:
        assert verify(network, spikes=spikes).passed
        return
    message = (
        f"projection '{name}': 32 ticks are too few for its delay of {delay}, which would pass unchecked: "
        f"give {needed} ticks or more"
    )
    with pytest.raises(InputError) as refused:
        verify(network, spikes=spikes)
    assert str(refused.value) == message
    with pytest.raises(InputError, match=f"projection '{name}': 32 ticks are too few for its delay"):
        verify(network, ticks=32)


def test_the_spike_of_a_late_source_must_arrive(simulator: type[Faultless]) -> None:
    """Input 0, the only one with a delay, spikes in tick 5 for the first time."""
    spikes = np.ones((1, 14, 2), np.uint8)
    spikes[0, :5, 0] = 0
    with pytest.raises(InputError, match=r"14 ticks are too few for its delay of 9, .* give 15 ticks"):
        verify(chain(9, 1), spikes=spikes)
    assert verify(chain(8, 1), spikes=spikes).passed


def test_delays_of_silent_neurons_are_named(simulator: type[Faultless]) -> None:
    network = chain(0, 7, threshold=20_000)
    spikes = np.ones((1, 20, 2), np.uint8)
    activity = {INPUT: spikes, **golden.simulate(network, spikes).spikes}
    line = "'a -> b': no neuron with the longest delay, of 7 ticks, has spiked"
    assert unreached(network, activity)[0] == line
    report = verify(network, spikes=spikes)
    assert report.passed
    assert f"\nnot reached: {line}" in report.text
    with pytest.raises(InputError, match="'a -> b': 7 ticks are too few for its delay of 7"):
        verify(network, spikes=spikes[:, :7])


def test_a_word_that_was_never_seen(simulator: type[Faultless]) -> None:
    network, spikes = chain(2, 1), np.ones((2, 12, 2), np.uint8)
    assert verify(network, spikes=spikes, lanes=2).passed

    def one_less(counts: np.ndarray) -> None:
        counts[2, 1] -= 1  # of the third run: 'b' has two groups of two lanes

    simulator.counts = staticmethod(one_less)
    report = verify(network, spikes=spikes, lanes=2)
    assert not report.passed
    assert report.problem == "the trace of 'b' gave 23 of its 24 words in run 2"
    assert report.text == f"verilator: {report.problem}"


def test_a_run_that_was_never_made(simulator: type[Faultless]) -> None:
    simulator.ends_after = 2
    report = verify(chain(2, 1), spikes=np.ones((2, 12, 2), np.uint8))
    assert not report.passed
    assert report.problem == "only 2 of 3 runs were simulated"


@pytest.mark.parametrize(
    ("samples", "ticks"), [(8, 100_000_000), (100_000_000, 32), (1, 1 << 60), (1 << 60, 1)]
)
def test_what_takes_too_much_memory_is_refused_at_once(samples: int, ticks: int) -> None:
    begun = time.monotonic()
    with pytest.raises(
        InputError, match=r"of memory, more than the limit of 4 GiB: give fewer samples"
    ):
        verify(chain(0, 0), samples=samples, ticks=ticks)
    assert time.monotonic() - begun < 1


def test_the_estimate_of_memory_is_bounded_by_the_networks_size() -> None:
    network = chain(0, 0)
    traces = traces_of(network, rtl.lanes_of(network, 1))
    small = estimated_bytes(network, traces, 8, 32)
    assert small < 1 << 20 < MOST_BYTES
    assert estimated_bytes(network, traces, 8, 64) == 2 * small


@pytest.mark.verilator
def test_a_long_delay_is_simulated() -> None:
    report = verify(chain(200, 3), samples=1, seed=2)
    assert report.passed
    assert report.ticks == 200 + 3 + 1 + 16
