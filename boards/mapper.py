"""The mapper: how many lanes each population gets, by time against area, before any tool runs.

Every choice of lanes (powers of two up to a population's size, and the size itself) is a design with a time,
from the cycle model, and an area, from the estimate.  Those that no other beats in time, look-up tables and
block RAMs at once are the Pareto front; one of them is chosen.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping

import numpy as np

from lifline import rtl
from lifline.encoders import Encoder
from lifline.errors import InputError, ToolError
from lifline.network import INPUT, Network
from lifline.rtl.plan import block_of

from .board import Board, find_board, solve_pll
from .estimate import Need, array_need, check_size, encoder_need, fixed_need, total

#: The share of the look-up tables that a design may need by the estimate, so that it is sure to fit and to route.
MARGIN = 0.75

#: What is assumed of the activity where none is given: a share of each population fires in each tick.
ASSUMED_FIRING, ASSUMED_TICKS = 0.1, 16
ASSUMPTION = f"assumed: {ASSUMED_FIRING:.0%} of all neurons fire in each of {ASSUMED_TICKS} ticks"

#: Samples of a given activity that are looked at, evenly spaced.
_SAMPLES = 1000

#: Up to so many choices all are tried; beyond, only the balanced ones.
_MOST_CHOICES = 400


@dataclasses.dataclass(frozen=True)
class Design:
    """A choice of lanes, its mean time for a sample, and its area by the estimate."""

    lanes: dict[str, int]
    cycles: float
    microseconds: float
    need: dict[str, int]  #: luts, ffs, brams, dsps

    def share(self, board: Board) -> float:
        """How much of the board it takes: its shares of look-up tables, block RAMs and DSPs, added up."""
        kinds = ("luts", "brams", "dsps")
        return sum(self.need[kind] / board.totals[kind] for kind in kinds if board.totals[kind])

    def fits(self, board: Board) -> bool:
        """Whether the board has what it takes, with the margin."""
        return self.shortage(board) is None

    def shortage(self, board: Board) -> str | None:
        """One line that says what is short on the board, the margin counted; None if nothing is."""
        need = {**self.need, "luts": math.ceil(self.need["luts"] / MARGIN)}
        return board.shortage(need, fewer_lanes=False)


def assumed_activity(network: Network) -> dict[str, np.ndarray]:
    """Spikes, uint8 (ticks, size), where nothing better is known: as many in each tick, of neurons all over."""
    activity = {}
    for name in (INPUT, *(population.name for population in network.populations)):
        size = network.size(name)
        count = math.ceil(ASSUMED_FIRING * size)
        places = np.arange(count) * size // count
        spikes = np.zeros((ASSUMED_TICKS, size), np.uint8)
        for tick in range(ASSUMED_TICKS):
            spikes[tick, (places + tick) % size] = 1
        activity[name] = spikes
    return activity


def map_lanes(
    network: Network,
    board: str,
    *,
    activity: Mapping[str, np.ndarray] | None = None,
    clock_mhz: float | None = None,
    target_us: float | None = None,
    encoder: Encoder | None = None,
    learn: bool = False,
) -> tuple[Design, list[Design]]:
    """Choose lanes for a board; the choice, and the Pareto front that it is from.

    Parameters
    ----------
    network : Network
    board : str
        A name in :data:`lifline.boards.BOARDS`.
    activity : mapping of array, optional
        As for `pareto`; by default `assumed_activity`.
    clock_mhz : float, optional
        By default the board's own choice.
    target_us : float, optional
        As for `choose`.
    encoder : Encoder, optional
        In front of the network.
    learn : bool
        As for `pareto`.

    Raises
    ------
    InputError
        If the board or its clock is not possible, or no design that fits meets the target.
    ToolError
        If no design fits.
    """
    chosen_board = find_board(board)
    clock = float(clock_mhz) if clock_mhz is not None else chosen_board.clocks_mhz[0]
    solve_pll(chosen_board, clock)
    check_size(network, chosen_board)
    if target_us is not None and not target_us > 0:
        raise InputError(f"the target must be a time above 0 µs, not {target_us!r}")
    front = pareto(
        network, chosen_board, activity or assumed_activity(network), clock, encoder, learn=learn
    )
    return choose(front, chosen_board, clock, target_us), front


def pareto(
    network: Network,
    board: Board,
    activity: Mapping[str, np.ndarray],
    clock_mhz: float,
    encoder: Encoder | None = None,
    *,
    learn: bool = False,
) -> list[Design]:
    """The designs that no other beats in time, look-up tables and block RAMs at once, fastest first.

    Parameters
    ----------
    network : Network
    board : Board
    activity : mapping of array
        For ``"input"`` and each population its spikes, (samples, ticks, size), of which up to 1,000 samples are
        looked at, or its events in each tick, int (ticks,).
    clock_mhz : float
        The clock for which times are stated.
    encoder : Encoder, optional
        In front of the network: for its area.
    learn : bool
        Of designs that learn: the time is that of a sample that is learned from, and of what follows it.
    """
    activity = {
        name: array[:: -(-len(array) // _SAMPLES)] if array.ndim == 3 else array
        for name, array in activity.items()
    }
    needs: dict[tuple[str, int], Need] = {}
    before = encoder_need(board, network, encoder)

    def design(lanes: dict[str, int]) -> Design:
        arrays = rtl.plan(network, lanes, load=learn, learn=learn)
        for name, array in arrays.items():
            if (name, array.lanes) not in needs:
                needs[name, array.lanes] = array_need(board, array)
        fixed = fixed_need(board, arrays[network.output]) + before
        need = total(
            board, sum((needs[name, array.lanes] for name, array in arrays.items()), start=fixed)
        )
        cycles = float(np.mean(rtl.cycles(network, lanes, activity, learn=learn)))
        cycles += rtl.settling(network, lanes) if learn else 0
        return Design(lanes, cycles, cycles / clock_mhz, need)

    front: list[Design] = []
    designs = sorted(map(design, _choices(network, activity)), key=lambda d: (d.cycles, *_area(d)))
    for candidate in designs:
        if not any(np.less_equal(_area(d), _area(candidate)).all() for d in front):
            front.append(candidate)
    return front


def choose(
    front: list[Design], board: Board, clock_mhz: float, target_us: float | None = None
) -> Design:
    """The fastest design that fits; with a target, the one that takes least of the board and meets it.

    Raises
    ------
    InputError
        If no design that fits meets the target.
    ToolError
        If none fits.
    """
    fitting = [design for design in front if design.fits(board)]
    if not fitting:
        least = min(front, key=lambda design: design.share(board))
        raise ToolError(f"{least.shortage(board)} (an estimate; give the lanes to try it nevertheless)")
    if target_us is None:
        return fitting[0]
    fast = [design for design in fitting if design.microseconds <= target_us]
    if not fast:
        best = fitting[0]
        lanes = ",".join(f"{name}={number}" for name, number in best.lanes.items())
        raise InputError(
            f"no lanes that should fit on {board.name} take {target_us:g} µs a sample or less at "
            f"{clock_mhz:g} MHz: the fastest take {best.microseconds:.4g} µs ({lanes}); choose a later "
            "target, a faster clock or a bigger board"
        )
    return min(fast, key=lambda design: (design.share(board), design.microseconds))


def _choices(network: Network, activity: Mapping[str, np.ndarray]) -> Iterator[dict[str, int]]:
    """Lanes to try: all combinations, or, where these are many, the balanced ones.

    A population is busy for its rows.  A balanced choice gives each the fewest lanes with which it is busy for
    no more than some bound; only these can be the cheapest for their throughput.
    """
    options = {p.name: _powers(block_of(network, p)) for p in network.populations}
    if math.prod(map(len, options.values())) <= _MOST_CHOICES:
        for lanes in itertools.product(*options.values()):
            yield dict(zip(options, lanes, strict=True))
        return
    busy: dict[str, list[float]] = {name: [] for name in options}
    for index in range(max(map(len, options.values()))):
        arrays = rtl.plan(network, {name: of[min(index, len(of) - 1)] for name, of in options.items()})
        for name, of in options.items():
            if index < len(of):
                busy[name].append(arrays[name].groups + rtl.mean_rows(arrays[name], activity))
    slowest = max(min(times) for times in busy.values())
    for bound in sorted({time for times in busy.values() for time in times if time >= slowest}):
        yield {
            name: next(n for n, time in zip(options[name], busy[name], strict=True) if time <= bound)
            for name in options
        }


def _area(design: Design) -> tuple[int, int]:
    return design.need["luts"], design.need["brams"]


def _powers(size: int) -> list[int]:
    """1, 2, 4, … up to `size`, and `size`."""
    return [*(1 << bit for bit in range((size - 1).bit_length())), size]
