"""From a network to a board's bitstream: choose, synthesise, check, place and route, pack, report."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lifline.encoders import Encoder
from lifline.errors import InputError, MissingExtra, ToolError
from lifline.files import replaced
from lifline.network import INPUT, Network
from lifline.progress import Progress, silent
from lifline.temporary import temporary_folder

from .board import Board, check_flash, find_board, solve_pll
from .protocol import MAX_OUTPUTS
from .report import Tools, fmax_mhz, learning_of, report_of, too_slow
from .toolchain import Found, find, find_simulator

if TYPE_CHECKING:
    from lifline.rtl.plan import Lanes

    from .netlist import Reference
    from .synthesis import Design

_UNCHECKED = "a netlist whose memories are loaded over the line is not checked: leave check or load out"

#: Of the clock: a design that reaches less will not reach it with another seed, which moves it by some percent.
CLOSE = 0.9


def build(
    network: Network,
    board: str,
    directory: str | os.PathLike[str],
    *,
    lanes: Lanes | None = None,
    clock_mhz: float | None = None,
    seed: int = 1,
    tries: int = 4,
    activity: Mapping[str, Any] | None = None,
    check: Reference | None = None,
    patchable: bool = False,
    load: bool = False,
    any_weights: bool = False,
    encoder: Encoder | None = None,
    flash_weights: bool = False,
    learn: bool = False,
    learned: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Build the bitstream of `network` for a board; ``docs/boards.md`` says what it then does.

    Parameters
    ----------
    network : Network
    board : str
        A name in :data:`lifline.boards.BOARDS`.
    directory : path
        Gets ``<board>.bin``, ``.bit`` or ``.fs``, ``report.json``, the logs of yosys and nextpnr, and what
        :func:`lifline.boards.patch` needs; for a family without open place and route, a project for the vendor's
        tools instead.  It is made if need be, and left as it was if anything fails.
    lanes : int or dict, optional
        As for :class:`lifline.rtl.Accelerator`; by default the most, in powers of two, that
        :func:`lifline.boards.estimate.choose_lanes` says will fit.
    clock_mhz : float, optional
        The board's crystal, or a frequency that a PLL makes of it; by default the board's own choice.
    seed : int
        Of place and route.  The same network, options, seed and tools give the same bitstream.
    tries : int
        How many seeds, from `seed` on, are tried until one reaches the clock.  A design that is far from it
        (:data:`CLOSE`) is given up at once.
    activity : mapping, optional
        Spikes as for :func:`lifline.rtl.cycles`, of the samples for which cycles are to be reported.
    check : callable, optional
        Such as ``lifline.golden.simulate``: what yosys has made is simulated gate by gate before it is placed,
        and its classes are compared with those of this witness; see :func:`lifline.boards.netlist.check`.
    patchable : bool
        Keep every memory that is read from a file in block RAM, small ones, too, so that a patch can change them all.
    load, any_weights : bool
        As for :class:`lifline.rtl.Accelerator`, over the line; what does not fit into block RAM goes into an
        iCE40UP5K's single-port RAM, which starts empty.  There is nothing to patch in such a bitstream.
    encoder : Encoder, optional
        The board takes raw values in place of spikes, and has the encoder's circuit in front of the network.
    flash_weights : bool
        As `load`, and when it starts the board reads the weights from its flash: ``weights.bin``, in the folder too.
    learn : bool
        As `load`, and what can learn does, in samples of which the host says so; see :class:`lifline.rtl.Accelerator`.
    learned : mapping, optional
        With `learn`: as `activity`, of samples that are learned from, one after the other.
    progress : callable, optional
        Called as ``progress(done, total, text)``.

    Returns
    -------
    dict
        What ``report.json`` holds.

    Raises
    ------
    InputError
        If the board is unknown, or an option is not possible.
    ToolError
        If a tool is missing or fails, the design does not fit, or it is too slow for its clock.
    CheckError
        If the simulated netlist does not answer as `check` does.
    MissingExtra
        If amaranth-boards is not installed.
    """
    target = Path(directory)
    _check_options(network, target, seed, tries)
    if encoder is not None:
        _check_encoder(encoder, network, check is not None)
    seeds = range(seed, seed + tries)
    if learn:
        _check_learning(network, flash_weights)
    if flash_weights:
        check_flash(find_board(board))
    if (load or any_weights or flash_weights) and check is not None:
        raise InputError(_UNCHECKED)
    load = load or any_weights or flash_weights or learn
    plan = _plan(
        network, find_board(board), clock_mhz, lanes, activity, seeds, check is not None, load, encoder,
        learn=learn, learned=learned,
    )  # fmt: skip
    plan = dataclasses.replace(
        plan, patchable=patchable, any_weights=any_weights, flash_weights=flash_weights
    )
    with temporary_folder("lifline-build-") as work:
        report, files = _make(network, plan, work, _Steps(progress, 5 if check else 4), check)
        _deliver(work, target, files)
    return report


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What a build will be, before any tool runs."""

    board: Board
    clock_mhz: float
    lanes: dict[str, int]
    cycles: float | None  #: of a sample
    seeds: range  #: to try
    tools: Tools
    simulator: Found | None  #: where the netlist is to be checked
    samples: np.ndarray | None  #: for that
    load: bool = False
    any_weights: bool = False
    patchable: bool = False
    encoder: Encoder | None = None
    flash_weights: bool = False
    learn: bool = False
    learned_cycles: float | None = None  #: of a sample that is learned from, until the next can come


def _plan(
    network: Network,
    board: Board,
    clock_mhz: float | None,
    lanes: Lanes | None,
    activity: Mapping[str, Any] | None,
    seeds: range,
    checks: bool,
    load: bool,
    encoder: Encoder | None,
    *,
    learn: bool,
    learned: Mapping[str, Any] | None,
) -> _Plan:
    try:
        from lifline import rtl

        from .estimate import check_size, choose_lanes
        from .uart import divisor
    except ModuleNotFoundError as error:
        package = (error.name or "amaranth").partition(".")[0]
        raise MissingExtra(package, "boards") from None

    board.make_platform()
    clock = float(clock_mhz) if clock_mhz is not None else board.clocks_mhz[0]
    solve_pll(board, clock)
    divisor(clock * 1e6, board.baud)
    check_size(network, board, load)
    tools = Tools(
        find("yosys"),
        find(board.family.nextpnr) if board.family.nextpnr else None,
        find(board.family.pack) if board.family.pack else None,
    )
    if checks and not board.family.own_models:
        raise InputError(
            f"the netlist of {board.name} cannot be checked: there are no simulation models of all its cells; build "
            "without --check"
        )
    simulator = find_simulator() if checks else None
    if lanes is None:
        lanes = choose_lanes(network, board, load, encoder, learn=learn)
    chosen = rtl.lanes_of(network, lanes)
    cycles = samples = learned_cycles = None
    if activity is not None:
        cycles = float(np.mean(rtl.cycles(network, chosen, activity, learn=learn, frozen=learn)))
        samples = np.asarray(activity[INPUT])
    if learn and learned is not None:
        learned_cycles = float(np.mean(rtl.cycles(network, chosen, learned, learn=True)))
        learned_cycles += rtl.settling(network, chosen)
    return _Plan(
        board, clock, chosen, cycles, seeds, tools, simulator, samples, load=load, encoder=encoder,
        learn=learn, learned_cycles=learned_cycles,
    )  # fmt: skip


def _make(
    network: Network, plan: _Plan, work: Path, steps: _Steps, reference: Reference | None
) -> tuple[dict[str, Any], list[str]]:
    """Run the tools in a folder; the report, which is written there, too, and the files to deliver, it the last."""
    from .netlist import check
    from .patching import FOLDER, keep
    from .synthesis import PLACED, write_design
    from .weights import BUILT, WEIGHTS, write_weights

    tools = plan.tools
    steps.begin("writing the design")
    checked = plan.simulator is not None
    design = write_design(
        network,
        plan.board,
        plan.lanes,
        plan.clock_mhz,
        work,
        netlist=checked,
        patchable=plan.patchable,
        load=plan.load,
        any_weights=plan.any_weights,
        encoder=plan.encoder,
        flash_weights=plan.flash_weights,
        learn=plan.learn,
    )
    if checked and design.options["memories"]:
        raise InputError(_UNCHECKED)
    encoded = {} if plan.encoder is None else {"encoder": plan.encoder.text}
    steps.begin(f"yosys {tools.yosys.version}: synthesis", tools.yosys)
    timed = _Stopwatch()
    with timed("yosys"):
        design.synthesise(tools.yosys)
    found: dict[str, Any] = {}
    if plan.simulator is not None and reference is not None:
        steps.begin(f"{plan.simulator.name} {plan.simulator.version}: the netlist, gate by gate")
        found["check"] = check(design, tools.yosys, plan.simulator, reference, plan.samples)
    placed = seed = None
    if tools.nextpnr is not None:
        with timed("nextpnr"):
            placed, seed = _place(design, tools.nextpnr, plan.seeds, steps)
    report: dict[str, Any] = {
        **report_of(design, placed, plan.cycles, tools, seed),
        **(learning_of(plan.learned_cycles, plan.clock_mhz) if plan.learn else {}),
        **encoded,
        **found,
        "seconds": timed.seconds,
    }
    files = ["yosys.log", *(design.project if tools.pack is None else [])]
    if tools.pack is not None:
        steps.begin(f"{tools.pack.name}: bitstream", tools.pack)
        files += [report["bitstream"], "nextpnr.log"]
        with timed("pack"):
            design.pack(tools.pack, report["bitstream"])
        if design.images is not None:
            report["weights"] = write_weights(design, design.images)
            files += [WEIGHTS, BUILT]
        if (work / PLACED).exists() and not plan.load:
            report["patch"] = keep(design, work / FOLDER)
            files += [str(path.relative_to(work)) for path in (work / FOLDER).iterdir()]
    (work / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    steps.begin("done")
    return report, [*files, "report.json"]


class _Stopwatch:
    """Seconds of a block's work, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 2)


class _Steps:
    """Tells `progress` of the steps of a build as they begin."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = -1

    def begin(self, text: str, tool: Found | None = None) -> None:
        """The next step."""
        self._done += 1
        self.again(text, tool)

    def again(self, text: str, tool: Found | None = None) -> None:
        """The same step, once more."""
        if tool is not None and tool.first_run:
            text += " (YoWASP compiles it first, once: about a minute)"
        self._progress(self._done, self._total, text)


def _check_options(network: Network, target: Path, seed: int, tries: int) -> None:
    if network.size(network.output) > MAX_OUTPUTS:
        raise InputError(
            f"network: output '{network.output}' has {network.size(network.output)} neurons, a board can "
            f"name {MAX_OUTPUTS} at most"
        )
    if not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed must be a non-negative integer, not {seed!r}")
    if not isinstance(tries, int) or tries < 1:
        raise InputError(f"tries must be a positive integer, not {tries!r}")
    existing = next(path for path in (target, *target.absolute().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise InputError(f"{target}: cannot be written; give a folder for the bitstream")


def _check_learning(network: Network, flash_weights: bool) -> None:
    """Refuse what does not learn, before anything is made."""
    from lifline.rtl import check_learns

    check_learns(network)
    if flash_weights:
        raise InputError(
            "a board that learns does not read its weights from its flash: leave flash_weights or learn out"
        )


def _check_encoder(encoder: Encoder, network: Network, checked: bool) -> None:
    """Refuse an encoder that does not fit, before anything is made."""
    try:
        from .raw import check_encoder
    except ModuleNotFoundError as error:
        raise MissingExtra((error.name or "amaranth").partition(".")[0], "boards") from None
    check_encoder(encoder, network)
    if checked:
        raise InputError(
            "the netlist of a board with an encoder cannot be checked yet: check it without the encoder, whose "
            "circuit is checked by  python -m benchmarks encoders"
        )


def _place(design: Design, nextpnr: Found, seeds: range, steps: _Steps) -> tuple[dict[str, Any], int]:
    """Place and route with one seed after another until the clock is reached; nextpnr's report, and the seed.

    Raises
    ------
    ToolError
        If the clock is not reached, or nextpnr fails.
    """
    clock = design.clock_mhz
    steps.begin(f"{nextpnr.name} {nextpnr.version}: place and route", nextpnr)
    for seed in seeds:
        placed = design.place(nextpnr, seed)
        fmax = fmax_mhz(placed)
        if fmax >= clock:
            return placed, seed
        if fmax < CLOSE * clock or seed == seeds[-1]:
            break
        steps.again(
            f"{nextpnr.name}: {fmax:.1f} MHz, less than {clock:g}, with seed {seed}; trying {seed + 1}",
            nextpnr,
        )
    raise ToolError(too_slow(design.board, clock, fmax, range(seeds[0], seed + 1)))


def _deliver(work: Path, target: Path, names: Sequence[str]) -> None:
    """Move finished files into `target`, the report last, in place of an earlier build's."""
    with replaced(target, "report.json") as scratch:
        for name in names:
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(work / name, scratch / name)
