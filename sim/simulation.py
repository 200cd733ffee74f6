"""Running a network's RTL in a simulator."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lifline import rtl
from lifline.errors import LiflineError
from lifline.files import check_spikes
from lifline.network import Network
from lifline.progress import Progress
from lifline.recording import Recording, States
from lifline.rtl.plan import Lanes
from lifline.teaching import check_reward, rewarded, taught

from . import batch
from .build import Build
from .learned import learned_banks
from .results import Raw
from .trace import traces_of
from .workplace import work_folder

Path_ = str | os.PathLike[str]

#: So many updates of neurons are worth the longer compilation of a faster simulation.
_LONG = 1 << 20


class SimulationError(LiflineError, RuntimeError):
    """The RTL locked up, broke the rules of its streams, or contradicted itself."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The results of a `Simulator`'s runs."""

    recording: Recording  #: its samples are the runs
    counts: np.ndarray  #: int64 (runs, populations in order): words that each trace gave
    done: int  #: runs that were begun
    clock_cycles: int  #: in all
    seconds: float  #: that the simulators ran, in all
    problem: str | None
    mismatch: dict[str, Any] | None  #: the first word of a trace that the checker saw differ


class Simulator:
    """A network, exported and compiled once, to be run any number of times.

    Parameters
    ----------
    network : Network
    directory : path
        For the exported design and all compiled files.
    backend : "verilator" or "icarus"
    lanes : int or dict
        As for :class:`lifline.rtl.Accelerator`.
    waves : path, optional
        Write the waves of every run there, as .fst or .vcd.
    optimise : bool
        Compile for a long run (Verilator only).
    compiled : bool
        Drive the verilated design with compiled code instead of cocotb: much faster, but neither stalls nor
        waves nor comparisons as it runs.
    block_bits : int, optional
        As for :func:`lifline.rtl.export`: what a board's build synthesises is sliced by its block RAMs.
    learn : bool
        As for :func:`lifline.rtl.export`: the runs are then learned from, one after the other.

    Raises
    ------
    InputError, ToolError, MissingExtra
    """

    def __init__(
        self,
        network: Network,
        directory: Path_,
        *,
        backend: str = "verilator",
        lanes: Lanes = 1,
        waves: Path_ | None = None,
        optimise: bool = False,
        compiled: bool = False,
        block_bits: int | None = None,
        learn: bool = False,
    ) -> None:
        self.network = network
        self.lanes = rtl.lanes_of(network, lanes)
        self.learns = learn
        self.learned = learned_banks(network, self.lanes) if learn else ()
        self.rewarded = learn and rewarded(network)
        self.traces = traces_of(network, self.lanes)
        self.compiled = compiled
        directory = Path(directory)
        header = None
        if compiled:
            banks = self.learned if learn else None
            header = batch.header(self.traces, network, banks, rewarded=self.rewarded)
        build = Build(
            directory,
            "lifline_top",
            (),
            backend,
            Path(waves) if waves is not None else None,
            optimise,
            header,
        )
        manifest = rtl.export(
            network, directory, self.lanes, trace=True, block_bits=block_bits, learn=learn
        )
        sources = tuple((directory / source).absolute() for source in manifest["sources"])
        self.build = dataclasses.replace(build, top=manifest["top"], sources=sources)
        self.build.compile()

    def run(
        self,
        spikes: np.ndarray,
        runs: Sequence[tuple[int, int | None]] | None = None,
        *,
        expected: Recording | None = None,
        seed: int | None = None,
        jobs: int | None = 1,
        progress: Callable[[int], None] | None = None,
        frozen: Collection[int] = (),
        rewards: Sequence[int] | np.ndarray | None = None,
    ) -> Outcome:
        """Run samples.

        Parameters
        ----------
        spikes : (samples, ticks, inputs), 0 … 2^input_bits − 1
        runs : sequence of (sample, seed or None), optional
            Which sample to run, and the seed of its stalls; by default each sample once, without stalls.
        expected : Recording, optional
            Of `spikes`; compared with the RTL as it runs, which ends after the first run that differs.
        seed : int, optional
            Start what has no initial value at random (Verilator only).
        jobs : int or None
            Simulations side by side; None: as many as there are cores.
        progress : callable, optional
            Called with the number of runs done.
        frozen : collection of int
            Of a design that learns: the runs that it does not learn from.
        rewards : sequence of int, optional
            Of each run the host's signal, where a rule needs one.
        """
        runs = [(sample, None) for sample in range(len(spikes))] if runs is None else list(runs)
        rewards = check_reward(self.network, rewards, len(runs), self.learns)
        jobs = 1 if self.build.waves is not None or self.learns else jobs or os.cpu_count() or 1
        if not runs or not spikes.shape[1]:
            return self._outcome(
                [Raw.nothing(self.traces, self.learned, len(runs), spikes.shape[1])],
                [range(len(runs))],
                frozen,
            )
        parts = np.array_split(np.arange(len(runs)), min(jobs, len(runs)))
        files = []
        for number, part in enumerate(parts):
            parameters = self.build.objects / f"parameters-{number}"
            results = self.build.objects / f"results-{number}.npz"
            self._write_parameters(
                parameters, spikes, [runs[i] for i in part], expected, frozen, rewards
            )
            files.append((parameters, results))
        self.build.run(files, seed, progress)
        outcomes = [
            batch.read(results, self.traces, self.learned, len(part), spikes.shape[1])
            if self.compiled
            else Raw.read(results, self.traces, self.learned)
            for (_, results), part in zip(files, parts, strict=True)
        ]
        return self._outcome(outcomes, parts, frozen)

    def _write_parameters(
        self,
        path: Path,
        spikes: np.ndarray,
        runs: Sequence[tuple[int, int | None]],
        expected: Recording | None,
        frozen: Collection[int],
        rewards: np.ndarray | None,
    ) -> None:
        samples = sorted({sample for sample, _ in runs})
        rows = sum(
            self.network.size(projection.source) * trace.groups
            for trace in self.traces
            for projection in self.network.incoming(trace.name)
        )
        delays = max((p.synapses.delay_range[1] for p in self.network.projections), default=0)
        groups = sum(trace.groups for trace in self.traces)
        patience = 2000 + 4 * (rows + (delays + 2) * groups)  # no event takes so many cycles
        patience += sum(4 * bank.words + 100 * bank.layout.groups for bank in self.learned)
        learns = [number not in frozen for number in range(len(runs))] if self.learns else None
        signals = [int(reward) for reward in rewards] if rewards is not None else None
        if self.compiled:
            chosen = spikes[[sample for sample, _ in runs]]
            batch.write(path, chosen, patience, self.learned, learns, signals)
            return
        work = {
            "inputs": self.network.inputs,
            "graded": self.network.input_bits > 1,
            "outputs": self.network.size(self.network.output),
            "ticks": spikes.shape[1],
            "traces": [trace.name for trace in self.traces],
            "runs": [
                (samples.index(sample), None if seed is None else [seed, sample])
                for sample, seed in runs
            ],
            "patience": patience,
            "learned": [bank.name for bank in self.learned],
            "learns": learns,
            "rewards": signals,
        }
        arrays = {f"mask.{trace.name}": trace.mask() for trace in self.traces}
        arrays |= {f"learned.{bank.name}": bank.initial() for bank in self.learned}
        if expected is not None:
            for trace in self.traces:
                spiked, states = expected.spikes[trace.name], expected.states[trace.name]
                words = [  # one by one: the bits of a sample take a hundred times its bytes
                    trace.pack(spiked[sample], {name: v[sample] for name, v in states.items()})
                    for sample in samples
                ]
                arrays[f"expected.{trace.name}"] = np.stack(words)
        work_bytes = np.frombuffer(json.dumps(work).encode(), np.uint8)
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, work=work_bytes, spikes=spikes[samples], **arrays)

    def _outcome(
        self, outcomes: Sequence[Raw], parts: Sequence[Any], frozen: Collection[int]
    ) -> Outcome:
        spikes: dict[str, np.ndarray] = {}
        states: States = {}
        problem = next((raw.problem for raw in outcomes if raw.problem), None)
        for trace in self.traces:
            words = np.concatenate([raw.words[trace.name] for raw in outcomes])
            spikes[trace.name], states[trace.name] = trace.unpack(words)
        done = sum(len(raw.cycles) for raw in outcomes)
        if problem is None:
            problem = self._contradiction(outcomes, spikes)
        cycles = [
            np.pad(raw.cycles, (0, len(part) - len(raw.cycles)))  # the rest was not begun
            for raw, part in zip(outcomes, parts, strict=True)
        ]
        recording = Recording.of(self.network, spikes, states, np.concatenate(cycles))
        if self.learns:
            recording = self._taught(recording, outcomes[0], frozen)
        return Outcome(
            recording=recording,
            counts=np.concatenate([raw.counts for raw in outcomes]),
            done=done,
            clock_cycles=sum(raw.clock_cycles for raw in outcomes),
            seconds=sum(raw.seconds for raw in outcomes),
            problem=problem,
            mismatch=next((raw.mismatch for raw in outcomes if raw.mismatch), None),
        )

    def _taught(self, recording: Recording, raw: Raw, frozen: Collection[int]) -> Recording:
        """With the weights after each run, and what has become of the network."""
        weights = {bank.projection: bank.weights(raw.learned[bank.name]) for bank in self.learned}
        runs = [run for run in range(len(recording.classes)) if run not in frozen]
        last: States = {}
        if runs and all(len(spikes[0]) for spikes in recording.spikes.values()):
            last = {
                n: {s: v[runs[-1], -1] for s, v in of.items()} for n, of in recording.states.items()
            }
        after = taught(
            self.network,
            {i: w[-1].astype(np.int64) for i, w in weights.items() if len(w)},
            last,
            len(runs),
        )
        return dataclasses.replace(recording, weights=weights, network=after)

    def _contradiction(self, outcomes: Sequence[Raw], spikes: dict[str, np.ndarray]) -> str | None:
        """Whether the events of the output stream are not the spikes of the output's trace."""
        output = spikes[self.network.output]
        first = 0
        for raw in outcomes:
            runs = len(raw.cycles)
            traced = np.argwhere(output[first : first + runs])
            first += len(next(iter(raw.words.values())))
            if np.array_equal(traced, raw.events):
                continue
            same = min(len(traced), len(raw.events))
            differs = np.flatnonzero((traced[:same] != raw.events[:same]).any(axis=1))
            at = int(differs[0]) if len(differs) else same
            run, tick = min(
                tuple(events[at, :2].tolist()) for events in (traced, raw.events) if at < len(events)
            )

            def addresses(events: np.ndarray, run: int = run, tick: int = tick) -> list[int]:
                return [int(a) for a in events[(events[:, 0] == run) & (events[:, 1] == tick), 2]]

            return (
                f"stream o: in tick {tick} of run {run} it gave the events {addresses(raw.events)}, the trace of "
                f"'{self.network.output}' shows spikes of {addresses(traced)}"
            )
        return None


def simulate(
    network: Network,
    spikes: np.ndarray,
    *,
    backend: str = "verilator",
    lanes: Lanes = 1,
    stalls: int | None = None,
    waves: Path_ | None = None,
    workdir: Path_ | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
    time_first: bool = False,
    learn: bool = False,
    reward: np.ndarray | int | None = None,
) -> Recording:
    """Run a network's RTL in a simulator.

    Parameters
    ----------
    network : Network
    spikes : (ticks, inputs) or (samples, ticks, inputs), integers 0 … 2^input_bits − 1
    backend : "verilator" or "icarus"
    lanes : int or dict
        As for :class:`lifline.rtl.Accelerator`.
    stalls : int, optional
        Hold back at both ends, at random from this seed; the results are the same, the cycles are not.
    waves : path, optional
        Write the waves there: .fst or .vcd.
    workdir : path, optional
        Keep the exported and compiled design there; by default it is made in a temporary folder.
    jobs : int, optional
        Samples are split over so many simulations; by default as many as there are cores.
    progress : callable, optional
        Called with (samples done, samples, text).
    time_first : bool
        Whether `spikes` are (ticks, samples, inputs), as snnTorch and Norse have them; what is recorded is not.
    learn : bool
        Whether what can learn does, from sample to sample, in gateware that can.
    reward : integers (samples,), optional
        With `learn`, for rules that need it: the host's signal at the end of each sample, −2^15 … 2^15 − 1.

    Returns
    -------
    Recording
        As golden's, and the cycles of each sample.

    Raises
    ------
    InputError
        If an argument does not fit.
    ToolError, MissingExtra
        If a tool or package is missing, or fails.
    SimulationError
        If the RTL locks up or breaks the rules of its streams.
    """
    spikes = check_spikes(spikes, network.inputs, network.input_bits, time_first=time_first)
    samples = spikes if spikes.ndim == 3 else spikes[None]
    rewards = check_reward(network, reward, len(samples), learn)
    tell = teller(progress, len(samples))
    with work_folder(workdir) as directory:
        tell(0, f"compiling for {backend}")
        neurons = sum(population.size for population in network.populations)
        updates = neurons * samples.shape[0] * samples.shape[1]
        simulator = Simulator(
            network,
            directory,
            backend=backend,
            lanes=lanes,
            waves=waves,
            optimise=updates > _LONG,
            compiled=backend == "verilator" and waves is None and stalls is None,
            learn=learn,
        )
        outcome = simulator.run(
            samples,
            [(sample, None if stalls is None else stalls) for sample in range(len(samples))],
            jobs=jobs,
            progress=lambda done: tell(done, f"simulating in {backend}"),
            rewards=rewards,
        )
    if outcome.problem is not None:
        raise SimulationError(f"{backend}: {outcome.problem}")
    return outcome.recording if spikes.ndim == 3 else outcome.recording[0]


def teller(progress: Progress | None, total: int) -> Callable[[int, str], None]:
    """`progress` with its total filled in; silence without one."""
    return lambda done, text: progress(done, total, text) if progress is not None else None
