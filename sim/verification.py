"""`verify`: a network's RTL compared with the golden model in lock-step, and with the cycle model."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from lifline import golden, rtl
from lifline.errors import InputError
from lifline.files import check_spikes
from lifline.network import INPUT, Network
from lifline.progress import Progress
from lifline.recording import Divergence, Recording, States
from lifline.rtl.plan import Lanes
from lifline.teaching import MOST_REWARD, check_reward, learns, rewarded

from .divergence import explain
from .simulation import Outcome, Path_, Simulator, teller
from .stimulus import check_memory, random_spikes, ticks_for, ticks_to_reach, unreached
from .trace import Trace, traces_of
from .workplace import work_folder

Runs = Sequence[tuple[int, int | None]]

#: Random spikes are made anew, with more ticks, so many times: a neuron with a long delay may spike late.
_ATTEMPTS = 4


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
    problem: str | None = (
        None  #: a deadlock, a broken stream rule, a wrong number of cycles, a missing word
    )
    unreached: tuple[
        str, ...
    ] = ()  #: delays that no spike has been through, since no neuron that has them spiked


def verify(
    network: Network,
    *,
    backend: str = "verilator",
    lanes: Lanes = 1,
    spikes: np.ndarray | None = None,
    samples: int = 4,
    ticks: int | None = None,
    seed: int = 0,
    stalls: bool = True,
    learn: bool | None = None,
    reward: np.ndarray | int | None = None,
    block_bits: int | None = None,
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
        By default as many ticks as the longest path of delays needs, and at least 32.  The seed also makes the
        stalls, and what has no initial value.
    stalls : bool
        Whether to hold back at both ends, at random; the first sample is then run once more without.
    learn : bool, optional
        Whether what can learn does; by default, if there is anything.  The weights after each sample are then compared,
        too, and in the end the first sample is run once more without being learned from.
    reward : integers (samples,), optional
        For rules that need one: the host's signal at the end of each sample, by default random ones, made from `seed`.
    block_bits : int, optional
        As for :func:`lifline.rtl.export`; a board's build is sliced by the block RAMs of its FPGA's family.
    waves, workdir, progress
        As for `simulate`.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If an argument does not fit, the ticks are too few for a spike to arrive through a projection's longest
        delay, or it would take more than :data:`lifline.sim.stimulus.MOST_BYTES` of memory.
    ToolError, MissingExtra
    """
    traces = traces_of(network, rtl.lanes_of(network, lanes))
    spikes, expected = _stimulate(network, traces, spikes, samples, ticks, seed)
    silent = unreached(network, {INPUT: spikes, **expected.spikes})
    runs: list[tuple[int, int | None]] = [(sample, None) for sample in range(len(spikes))]
    if stalls:
        runs = [(sample, seed) for sample in range(len(spikes))] + runs[:1]
    learn = learns(network) if learn is None else learn
    frozen: tuple[int, ...] = ()
    rewards = _rewards(network, reward, len(spikes), seed, learn)
    if learn:  # what comes of a sample depends on those before: each run is one of its own
        order = [sample for sample, _ in runs] + [0]
        runs = [(run, seed) for run, (_, seed) in enumerate([*runs, (0, None)])]
        spikes, frozen = spikes[order], (len(order) - 1,)
        rewards = None if rewards is None else rewards[order]
        expected = _learned(network, spikes, rewards)
    tell = teller(progress, len(runs))
    with work_folder(workdir) as directory:
        tell(0, f"compiling for {backend}")
        simulator = Simulator(
            network,
            directory,
            backend=backend,
            lanes=lanes,
            waves=waves,
            block_bits=block_bits,
            learn=learn,
        )
        outcome = simulator.run(
            spikes,
            runs,
            expected=expected,
            seed=seed,
            progress=lambda done: tell(done, f"lock-step with golden in {backend}"),
            frozen=frozen,
            rewards=rewards,
        )
    check = _Check(simulator, spikes, runs, expected, outcome, seed, frozen)
    return _report(check, backend, silent)


def _stimulate(
    network: Network,
    traces: Sequence[Trace],
    spikes: np.ndarray | None,
    samples: int,
    ticks: int | None,
    seed: int,
) -> tuple[np.ndarray, Recording]:
    """The spikes (samples, ticks, inputs), random where none are given, and what golden makes of them."""
    if spikes is not None:
        spikes = check_spikes(spikes, network.inputs, network.input_bits)
        spikes = spikes if spikes.ndim == 3 else spikes[None]
        check_memory(network, traces, *spikes.shape[:2])
        return spikes, golden.simulate(network, spikes)
    if samples < 1 or (ticks is not None and ticks < 1):
        raise InputError(f"samples and ticks must be 1 or more, not {samples} and {ticks}")
    wanted = ticks_for(network) if ticks is None else ticks
    attempt = 1
    while True:
        check_memory(network, traces, samples, wanted)
        spikes = random_spikes(network, samples, wanted, seed)
        expected = golden.simulate(network, spikes)
        activity = {INPUT: spikes, **expected.spikes}
        reached = [ticks_to_reach(p, activity[p.source]) or 0 for p in network.projections]
        needed = max(reached, default=0)
        if ticks is not None or needed <= wanted or attempt == _ATTEMPTS:
            return spikes, expected
        wanted, attempt = 2 * needed, attempt + 1


def _rewards(
    network: Network, reward: np.ndarray | int | None, samples: int, seed: int, learn: bool
) -> np.ndarray | None:
    """Of each sample the host's signal, where one is needed: large and small ones, of either sign."""
    if reward is None and learn and rewarded(network):
        rng = np.random.default_rng([seed, samples])
        reward = rng.integers(-MOST_REWARD - 1, MOST_REWARD + 1, samples) >> rng.integers(
            0, 15, samples
        )
    return check_reward(network, reward, samples, learn)


def _learned(network: Network, spikes: np.ndarray, rewards: np.ndarray | None) -> Recording:
    """What golden makes of runs that are learned from, and of a last one that is not."""
    first = None if rewards is None else rewards[:-1]
    learned = golden.simulate(network, spikes[:-1], learn=True, reward=first)
    assert learned.network is not None
    assert learned.weights is not None
    last = golden.simulate(learned.network, spikes[-1:])
    both = {name: np.concatenate([s, last.spikes[name]]) for name, s in learned.spikes.items()}
    states = {
        name: {s: np.concatenate([v, last.states[name][s]]) for s, v in of.items()}
        for name, of in learned.states.items()
    }
    weights = {index: np.concatenate([w, w[-1:]]) for index, w in learned.weights.items()}
    recording = Recording.of(network, both, states)
    return dataclasses.replace(recording, weights=weights, network=learned.network)


@dataclasses.dataclass(frozen=True)
class _Check:
    """A simulation, and what it is compared with."""

    simulator: Simulator
    spikes: np.ndarray
    runs: Runs
    expected: Recording
    outcome: Outcome
    seed: int
    frozen: tuple[int, ...]  #: the runs of a design that learns that it does not learn from

    def divergence(self) -> tuple[Divergence, list[str]] | None:
        """The first spike or state that is not golden's, and lines that say how it came to be."""
        network, outcome = self.simulator.network, self.outcome
        begun = [sample for sample, _ in self.runs[: outcome.done]]
        wanted = self.expected[begun]
        found = wanted.compare(_known(self.simulator.traces, outcome, wanted), network)
        if found is None:
            return None
        stalled = self.runs[found.sample][1] is not None
        found = dataclasses.replace(found, sample=begun[found.sample])
        return found, [
            str(found) + (f" (stalls, seed {self.seed})" if stalled else ""),
            explain(network, self.spikes, self.expected, found),
        ]

    def problem(self) -> str | None:
        """What is wrong beside the values: what the simulation met, words that are missing, cycles."""
        return (
            self.outcome.problem
            or self._out_of_order()
            or self._missing_words()
            or self._wrong_weights()
            or self._wrong_cycles()
        )

    def _out_of_order(self) -> str | None:
        mismatch = self.outcome.mismatch
        if mismatch is None:
            return None
        return f"the trace of '{mismatch['population']}' has its groups out of order"

    def _missing_words(self) -> str | None:
        """Whether a run, or a word of a trace, was never seen."""
        outcome, ticks = self.outcome, self.spikes.shape[1]
        if outcome.done != len(self.runs) or len(outcome.counts) != len(self.runs):
            return f"only {outcome.done} of {len(self.runs)} runs were simulated"
        for index, trace in enumerate(self.simulator.traces):
            wanted = ticks * trace.groups
            for run in np.flatnonzero(outcome.counts[:, index] != wanted):
                seen = outcome.counts[run, index]
                return f"the trace of '{trace.name}' gave {seen} of its {wanted} words in run {run}"
        return None

    def _wrong_weights(self) -> str | None:
        """Whether a weight, or a threshold that is kept, is not what golden has learned."""
        found, expected, network = (
            self.outcome.recording,
            self.expected,
            self.simulator.network,
        )
        if not self.simulator.learns:
            return None
        assert found.weights is not None
        assert expected.weights is not None
        for index, w in expected.weights.items():
            different = np.argwhere(found.weights[index] != w)
            if len(different):
                sample, source, target = (int(i) for i in different[0])
                is_, should = (
                    int(of[index][sample, source, target]) for of in (found.weights, expected.weights)
                )
                return (
                    f"projection '{network.projections[index]}': after sample {sample} w of the synapse {source} → "
                    f"{target} is {is_}, golden has {should}"
                )
        return (
            None
            if found.network == expected.network
            else "the thresholds that are kept differ from golden's"
        )

    def _wrong_cycles(self) -> str | None:
        """Whether a run without stalls took other cycles than the cycle model says."""
        free = [i for i, (_, stall) in enumerate(self.runs) if stall is None]
        chosen = [self.runs[i][0] for i in free]
        modelled = [self._modelled(run, sample) for run, sample in zip(free, chosen, strict=True)]
        counted = self.outcome.recording.cycles
        assert counted is not None
        for i, sample, cycles in zip(free, chosen, modelled, strict=True):
            if counted[i] != cycles:
                return f"sample {sample} takes {counted[i]} cycles, the cycle model says {cycles}"
        return None

    def _modelled(self, run: int, sample: int) -> int:
        """What the cycle model says of a run."""
        activity = {INPUT: self.spikes[sample], **self.expected[sample].spikes}
        learn, frozen = self.simulator.learns, run in self.frozen
        network, lanes = self.simulator.network, self.simulator.lanes
        return int(rtl.cycles(network, lanes, activity, learn=learn, frozen=frozen))

    def summary(self, backend: str, silent: Sequence[str]) -> str:
        """What was checked, where all agrees."""
        samples, ticks, _ = self.spikes.shape
        stalled = "no stalls" if self.runs[0][1] is None else f"stalls at both ends, seed {self.seed}"
        total = sum(trace.size for trace in self.simulator.traces)
        what = "every spike and state"
        if self.simulator.learns:
            learned = sum(bank.weights(bank.initial()).size for bank in self.simulator.learned)
            what = f"every spike, state and, after each, all {learned:,} weights that learn"
        text = (
            f"{backend} equals golden: {total} neurons, {samples} sample{'s' * (samples != 1)} of {ticks} ticks, "
            f"{what}; {stalled}; cycles as modelled ({self.outcome.clock_cycles:,} simulated)"
        )
        return "\n".join([text, *(f"not reached: {line}" for line in silent)])


def _report(check: _Check, backend: str, silent: Sequence[str]) -> Report:
    found = check.divergence()
    # After a divergence the simulation ends, and words and cycles are missing.
    problem = check.outcome.problem if found else check.problem()
    if found is not None:
        text = "\n".join([f"{backend} differs from golden: {found[1][0]}", *found[1][1:]])
        text += "" if problem is None else f"\n{problem}"
    elif problem is not None:
        text = f"{backend}: {problem}"
    else:
        text = check.summary(backend, silent)
    samples, ticks, _ = check.spikes.shape
    return Report(
        passed=found is None and problem is None,
        text=text,
        backend=backend,
        samples=samples,
        ticks=ticks,
        seed=check.seed,
        cycles=check.outcome.clock_cycles,
        divergence=None if found is None else found[0],
        problem=problem,
        unreached=tuple(silent),
    )


def _known(traces: Sequence[Trace], outcome: Outcome, wanted: Recording) -> Recording:
    """The recording, with what a simulation that ended early has not shown taken from `wanted`."""
    spikes: dict[str, np.ndarray] = {}
    states: States = {}
    for index, trace in enumerate(traces):
        ticks = wanted.spikes[trace.name].shape[1]
        number = np.arange(ticks)[:, None] * trace.groups + trace.layout.slots // trace.lanes
        shown = number < outcome.counts[:, index, None, None]
        runs = len(shown)
        seen = outcome.recording[:runs]
        spikes[trace.name] = np.where(shown, seen.spikes[trace.name], wanted.spikes[trace.name])
        states[trace.name] = {
            state: np.where(shown, seen.states[trace.name][state], values)
            for state, values in wanted.states[trace.name].items()
        }
    return Recording(spikes, states, wanted.classes)
