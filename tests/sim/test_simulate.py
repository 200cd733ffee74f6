"""Hand-made networks in both simulators: everything equals golden, however the streams stall."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lifline import golden, rtl
from lifline.errors import InputError, ToolError
from lifline.network import Network, Population, Projection
from lifline.neurons import LIF
from lifline.recording import Recording
from lifline.sim import Simulator, simulate, verify
from lifline.sim.cache import cached
from lifline.synapses import Dense

RNG_SEED = 7


def loop() -> Network:
    """Two populations, a loop, delays of every kind; none of the lanes below divides 5."""
    rng = np.random.default_rng(RNG_SEED)
    return Network(
        inputs=6,
        populations=[
            Population("hidden_1", 5, LIF(beta=200, threshold=60, membrane_bits=12)),
            Population("out", 3, LIF(beta=[0, 128, 256], threshold=40, reset="zero", reset_delay=True, bias=3)),
        ],
        projections=[
            Projection("input", "hidden_1", Dense(rng.integers(-60, 100, (6, 5)), delays=rng.integers(0, 9, (6, 5)))),
            Projection("hidden_1", "hidden_1", Dense(rng.integers(-30, 30, (5, 5)), delays=2)),
            Projection("hidden_1", "out", rng.integers(-60, 100, (5, 3))),
        ],
        output="out",
    )  # fmt: skip


def readout() -> Network:
    """An output without reset, whose class is by membranes; the other population leads nowhere."""
    rng = np.random.default_rng(RNG_SEED)
    return Network(
        inputs=4,
        populations=[
            Population("aside", 2, LIF(beta=256, threshold=0)),
            Population("read_out_", 4, LIF(beta=240, threshold=100, reset="none")),
        ],
        projections=[
            Projection("input", "aside", rng.integers(-9, 9, (4, 2))),
            Projection("input", "read_out_", Dense(rng.integers(-90, 90, (4, 4)), delays=1)),
        ],
        output="read_out_",
    )


NETWORKS = {"loop": loop(), "readout": readout()}
LANES = {"loop": {"hidden_1": 2, "out": 3}, "readout": {"aside": 1, "read_out_": 3}}


def input_of(network: Network, samples: int = 3, ticks: int = 20) -> np.ndarray:
    rng = np.random.default_rng(RNG_SEED)
    return (rng.random((samples, ticks, network.inputs)) < 0.4).astype(np.uint8)


def assert_equal(network: Network, spikes: np.ndarray, actual: Recording) -> None:
    """Values, types and shapes are golden's."""
    expected = golden.simulate(network, spikes)
    assert expected.compare(actual, network) is None
    assert np.array_equal(actual.classes, expected.classes)
    assert actual.classes.dtype == np.int64
    assert actual.cycles.dtype == np.int64
    assert actual.cycles.shape == actual.classes.shape
    for population in network.populations:
        for ours, theirs in ((actual.spikes, expected.spikes), (actual.membrane, expected.membrane)):
            assert ours[population.name].dtype == theirs[population.name].dtype


@pytest.mark.parametrize("name", NETWORKS)
def test_equals_golden_and_the_cycle_model(name: str, backend: str) -> None:
    network, spikes = NETWORKS[name], input_of(NETWORKS[name])
    actual = simulate(network, spikes, backend=backend, lanes=LANES[name], jobs=2)
    assert_equal(network, spikes, actual)
    activity = {"input": spikes, **golden.simulate(network, spikes).spikes}
    assert np.array_equal(actual.cycles, rtl.cycles(network, LANES[name], activity))


def test_stalls_change_nothing_but_the_cycles(backend: str) -> None:
    network, spikes = NETWORKS["loop"], input_of(NETWORKS["loop"])
    stalled = simulate(network, spikes, backend=backend, stalls=11, jobs=1)
    assert_equal(network, spikes, stalled)
    free = rtl.cycles(network, 1, {"input": spikes, **golden.simulate(network, spikes).spikes})
    assert (stalled.cycles >= free).all()
    assert (stalled.cycles > free).any()


@pytest.mark.verilator
@pytest.mark.parametrize("backend", ["verilator"], indirect=True)
def test_compiled_driver_and_cocotb_give_the_same(tmp_path: Path, backend: str) -> None:
    network, spikes = NETWORKS["readout"], input_of(NETWORKS["readout"])
    outcomes = [
        Simulator(network, tmp_path / str(compiled), lanes=3, compiled=compiled).run(spikes)
        for compiled in (False, True)
    ]
    one, other = (outcome.recording for outcome in outcomes)
    assert one.compare(other) is None
    assert np.array_equal(one.cycles, other.cycles)
    assert np.array_equal(outcomes[0].counts, outcomes[1].counts)


def test_one_sample_has_no_axis_of_samples(backend: str) -> None:
    network, spikes = NETWORKS["readout"], input_of(NETWORKS["readout"])[0]
    actual = simulate(network, spikes, backend=backend)
    assert actual.spikes["aside"].shape == (20, 2)
    assert actual.membrane["read_out_"].shape == (20, 4)
    assert actual.classes.shape == actual.cycles.shape == ()
    assert_equal(network, spikes, actual)


@pytest.mark.parametrize("shape", [(0, 5, 4), (2, 0, 4)])
def test_nothing_to_simulate(shape: tuple[int, int, int], backend: str) -> None:
    spikes = np.zeros(shape, np.uint8)
    actual = simulate(NETWORKS["readout"], spikes, backend=backend)
    assert_equal(NETWORKS["readout"], spikes, actual)
    assert not actual.cycles.any()


def test_progress_ends_with_all_samples(backend: str) -> None:
    told: list[tuple[int, int, str]] = []
    spikes = input_of(NETWORKS["loop"], samples=4, ticks=3)
    simulate(NETWORKS["loop"], spikes, backend=backend, progress=lambda *news: told.append(news))
    assert told[0] == (0, 4, f"compiling for {backend}")
    assert told[-1] == (4, 4, f"simulating in {backend}")


def test_waves_are_written(backend: str, tmp_path: Path) -> None:
    network, spikes = NETWORKS["loop"], input_of(NETWORKS["loop"], samples=1, ticks=4)
    waves = tmp_path / "it's 2.vcd"
    assert_equal(network, spikes, simulate(network, spikes, backend=backend, waves=waves))
    assert "$enddefinitions" in waves.read_text()
    assert "trace_hidden_1__payload" in waves.read_text()


def test_fst_waves(backend: str, tmp_path: Path) -> None:
    network, spikes = NETWORKS["loop"], input_of(NETWORKS["loop"], samples=1, ticks=4)
    waves = tmp_path / "waves.fst"
    refused = None
    try:
        simulate(network, spikes, backend=backend, waves=waves)
    except ToolError as error:
        refused = str(error)
    if refused is None:
        assert waves.stat().st_size > 100
    else:  # what Verilator writes FST with is compiled, and needs lz4
        assert backend == "verilator"
        assert refused.endswith("apt install liblz4-dev zlib1g-dev   or write .vcd")
        assert "\n" not in refused


def test_verify_passes_and_says_what_it_did(backend: str) -> None:
    report = verify(NETWORKS["loop"], backend=backend, lanes=LANES["loop"], samples=3, ticks=12, seed=5)
    assert report.passed
    assert report.divergence is None
    assert report.problem is None
    assert report.text.startswith(f"{backend} equals golden: 8 neurons, 3 samples of 12 ticks")
    assert "stalls at both ends, seed 5" in report.text


def test_verify_on_given_spikes_without_stalls(backend: str) -> None:
    spikes = input_of(NETWORKS["readout"])
    report = verify(NETWORKS["readout"], backend=backend, spikes=spikes[0], stalls=False)
    assert report.passed
    assert (report.samples, report.ticks) == (1, 20)
    assert "no stalls" in report.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "modelsim"}, "backend must be 'verilator' or 'icarus', not 'modelsim'"),
        ({"waves": "waves.txt"}, r"waves.txt: waves are written as .fst or .vcd"),
        ({"lanes": 0}, "lanes of .* must be an integer ≥ 1, not 0"),
        ({"lanes": {"nobody": 1}}, "'nobody' is no population"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate(NETWORKS["loop"], input_of(NETWORKS["loop"]), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["a b", "a'b", 'a"b', "a$b", "a`touch x`", "a;b", "a#b", "a%b", "a\\b", "a\nb"]
)
def test_folders_that_the_tools_cannot_bear_are_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"cannot work in a folder with .* in its name: choose another"
    ):
        simulate(NETWORKS["loop"], input_of(NETWORKS["loop"]), workdir=tmp_path / name)
    monkeypatch.setenv("LIFLINE_CACHE", name)
    with (
        pytest.raises(InputError, match=r"in its name: set LIFLINE_CACHE to another"),
        cached("key", None),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_wrong_spikes_are_refused() -> None:
    with pytest.raises(InputError, match=r"shape is \(3, 7\)"):
        simulate(NETWORKS["loop"], np.zeros((3, 7), np.uint8))
    with pytest.raises(InputError, match="samples and ticks must be 1 or more"):
        verify(NETWORKS["loop"], samples=0)
