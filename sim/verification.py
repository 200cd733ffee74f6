"""`verify`: a network's RTL held against the golden model in lock-step, and against the cycle model."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from lifline import golden
from lifline.errors import InputError
from lifline.files import check_spikes
from lifline.network import Network
from lifline.recording import Divergence, Recording, States

from .divergence import explain
from .simulation import Lanes, Outcome, Path_, Progress, Simulator, teller, work_folder
from .trace import Trace


@dataclasses.dataclass(frozen=True)
class Report:
    """What `verify` found."""

    passed: bool
    text: str  #: a summary, or the first divergence and the events that led there
    backend: str
    samples: int
    ticks: int
    seed: int
    cycles: int  #: clock cycles simulated
    divergence: Divergence | None = None
    problem: str | None = None  #: a deadlock, a broken stream rule, a wrong number of cycles


def verify(
    network: Network,
    *,
    backend: str = "verilator",
    lanes: Lanes = 1,
    spikes: np.ndarray | None = None,
    samples: int = 4,
    ticks: int = 32,
    seed: int = 0,
    stalls: bool = True,
    waves: Path_ | None = None,
    workdir: Path_ | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check a network's RTL against the golden model, in lock-step.

    Every word of every population's trace is compared as it comes, the output's events with its trace, and the
    clock cycles of a run without stalls with the cycle model.

    Parameters
    ----------
    network : Network
    backend : "verilator" or "icarus"
    lanes : int or dict
        As for :class:`lifline.rtl.Accelerator`.
    spikes : (ticks, inputs) or (samples, ticks, inputs), optional
        By default `samples` random ones of `ticks` ticks, made from `seed`.
    samples, ticks, seed : int
        The seed also makes the stalls, and what has no initial value.
    stalls : bool
        Whether to hold back at both ends, at random; the first sample is then run once more without.
    waves, workdir, progress
        As for `simulate`.

    Returns
    -------
    Report

    Raises
    ------
    InputError, ToolError, MissingExtra
    """
    if spikes is None:
        if samples < 1 or ticks < 1:
            raise InputError(f"samples and ticks must be 1 or more, not {samples} and {ticks}")
        spikes = random_spikes(network, samples, ticks, seed)
    spikes = check_spikes(spikes, network.inputs)
    spikes = spikes if spikes.ndim == 3 else spikes[None]
    runs: list[tuple[int, int | None]] = [(sample, None) for sample in range(len(spikes))]
    if stalls:
        runs = [(sample, seed) for sample in range(len(spikes))] + runs[:1]
    tell = teller(progress, len(runs))
    expected = golden.simulate(network, spikes)
    with work_folder(workdir) as directory:
        tell(0, f"compiling for {backend}")
        simulator = Simulator(network, directory, backend=backend, lanes=lanes, waves=waves)
        outcome = simulator.run(
            spikes,
            runs,
            expected=expected,
            seed=seed,
            progress=lambda done: tell(done, f"lock-step with golden in {backend}"),
        )
    return _report(simulator, spikes, runs, expected, outcome, backend, seed)


def random_spikes(network: Network, samples: int, ticks: int, seed: int) -> np.ndarray:
    """Input that gets into the corners: samples from sparse to full, silent ticks; uint8 (samples, ticks, inputs)."""
    rng = np.random.default_rng(seed)
    density = rng.choice([0.05, 0.2, 0.5, 1.0], size=(samples, 1, 1))
    awake = rng.random((samples, ticks, 1)) < 0.85
    return ((rng.random((samples, ticks, network.inputs)) < density) & awake).astype(np.uint8)


def _report(
    simulator: Simulator,
    spikes: np.ndarray,
    runs: Sequence[tuple[int, int | None]],
    expected: Recording,
    outcome: Outcome,
    backend: str,
    seed: int,
) -> Report:
    from lifline import rtl

    network = simulator.network
    samples, ticks, _ = spikes.shape
    begun = [sample for sample, _ in runs[: outcome.done]]
    wanted = expected[begun]
    divergence = wanted.compare(_known(simulator.traces, outcome, wanted), network)
    problem = outcome.problem
    lines = []
    if divergence is not None:
        run = divergence.sample
        divergence = dataclasses.replace(divergence, sample=begun[run])
        lines += [
            str(divergence) + ("" if runs[run][1] is None else f" (stalls, seed {seed})"),
            explain(network, spikes, expected, divergence),
        ]
    elif outcome.divergence is not None:
        problem = (
            problem or f"the trace of '{outcome.divergence['population']}' has its groups out of order"
        )
    if problem is not None:
        lines.append(problem)
    if not lines:
        free = [i for i, (_, stall) in enumerate(runs) if stall is None]
        chosen = [runs[i][0] for i in free]
        activity = {"input": spikes[chosen]} | {name: s[chosen] for name, s in expected.spikes.items()}
        modelled = rtl.cycles(network, simulator.lanes, activity)
        counted = outcome.recording.cycles[free]
        wrong = np.flatnonzero(modelled != counted)
        if len(wrong):
            problem = (
                f"sample {chosen[wrong[0]]} takes {counted[wrong[0]]} cycles, "
                f"the cycle model says {modelled[wrong[0]]}"
            )
            lines.append(problem)
    passed = not lines
    if passed:
        stalled = f"stalls at both ends, seed {seed}" if runs[0][1] is not None else "no stalls"
        total = sum(trace.size for trace in simulator.traces)
        lines.append(
            f"{backend} equals golden: {total} neurons, {samples} sample{'s' * (samples != 1)} of {ticks} ticks, "
            f"every spike and state; {stalled}; cycles as modelled ({outcome.clock_cycles:,} simulated)"
        )
    else:
        lines[0] = (
            f"{backend} differs from golden: {lines[0]}" if divergence else f"{backend}: {lines[0]}"
        )
    return Report(
        passed=passed,
        text="\n".join(lines),
        backend=backend,
        samples=samples,
        ticks=ticks,
        seed=seed,
        cycles=outcome.clock_cycles,
        divergence=divergence,
        problem=problem,
    )


def _known(traces: Sequence[Trace], outcome: Outcome, wanted: Recording) -> Recording:
    """The recording, with what a simulation that ended early has not shown taken from `wanted`."""
    spikes: dict[str, np.ndarray] = {}
    states: States = {}
    for index, trace in enumerate(traces):
        ticks = wanted.spikes[trace.name].shape[1]
        number = np.arange(ticks)[:, None] * trace.groups + np.arange(trace.size) // trace.lanes
        shown = number < outcome.counts[:, index, None, None]
        runs = len(shown)
        seen = outcome.recording[:runs]
        spikes[trace.name] = np.where(shown, seen.spikes[trace.name], wanted.spikes[trace.name])
        states[trace.name] = {
            state: np.where(shown, seen.states[trace.name][state], values)
            for state, values in wanted.states[trace.name].items()
        }
    return Recording(spikes, states, wanted.classes)
