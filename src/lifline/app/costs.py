"""What a network costs: NeuroBench's metrics, and what each board would take, without a build.

The metrics are called as in J. Yik et al., "The neurobench framework for benchmarking neuromorphic computing
algorithms and systems", Nature Communications 16, 2025, and counted as there, on integers.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lifline.encoders import Encoder
from lifline.errors import ToolError
from lifline.network import INPUT, Network, Projection
from lifline.recording import Recording

from .parts import part

#: What a person reads for the metrics.
METRICS = {
    "footprint": "footprint (bytes)",
    "connection_sparsity": "connection sparsity",
    "activation_sparsity": "activation sparsity",
    "effective_macs": "synaptic operations: effective MACs",
    "effective_acs": "synaptic operations: effective ACs",
    "dense": "synaptic operations: dense",
}


@dataclasses.dataclass
class Costs:
    """What a network did in all samples that were added, population by population."""

    network: Network
    samples: int = 0
    ticks: int = 0  #: of all samples together
    events: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)  #: of each source's neurons

    def add(self, spikes: np.ndarray, recording: Recording) -> None:
        """Count samples: their input, (samples, ticks, inputs), and what the network did."""
        samples, ticks, _ = spikes.shape
        self.samples += samples
        self.ticks += samples * ticks
        for name, values in {INPUT: spikes, **recording.spikes}.items():
            events = np.count_nonzero(values, axis=(0, 1)).astype(np.int64)
            self.events[name] = self.events.get(name, 0) + events

    def metrics(self) -> dict[str, float]:
        """NeuroBench's metrics; those of the workload are a sample's, the mean of all.

        ``footprint`` is the memory of synapses and states, in bytes.  ``connection_sparsity`` is the share of the
        stored weights that is 0, ``activation_sparsity`` that of neurons and ticks without a spike.  Of the synaptic
        operations ``effective_acs`` counts the weights other than 0 that a spike meets, ``effective_macs`` those that a
        graded input multiplies, and ``dense`` all synapses in every tick.
        """
        zeros, stored = np.sum(
            [stored_weights(p) for p in self.network.projections] or [(0, 1)], axis=0
        )
        neurons = sum(population.size for population in self.network.populations)
        fired = sum(int(self.events[p.name].sum()) for p in self.network.populations)
        operations = {"effective_macs": 0, "effective_acs": 0}
        dense = 0
        for projection in self.network.projections:
            multiplied = projection.source == INPUT and self.network.input_bits > 1
            kind = "effective_macs" if multiplied else "effective_acs"
            operations[kind] += int(self.events[projection.source] @ self._fan_out[id(projection)])
            dense += projection.synapses.count * self.ticks
        return {
            "footprint": math.ceil(footprint_bits(self.network) / 8),
            "connection_sparsity": float(zeros / stored),
            "activation_sparsity": 1 - fired / max(1, neurons * self.ticks),
            **{name: count / self.samples for name, count in operations.items()},
            "dense": dense / self.samples,
        }

    def populations(self) -> list[dict[str, Any]]:
        """For the input and each population: size, spikes a sample, spikes of a neuron in a tick, silent neurons."""
        rows = []
        for name in (INPUT, *(population.name for population in self.network.order)):
            events = self.events[name]
            rows.append(
                {
                    "name": name,
                    "size": int(events.size),
                    "spikes": float(events.sum() / self.samples),
                    "rate": float(events.sum() / max(1, events.size * self.ticks)),
                    "silent": int((events == 0).sum()),
                }
            )
        return rows

    def projections(self) -> list[dict[str, Any]]:
        """For each projection: synapses, and synaptic operations a sample."""
        return [
            {
                "name": str(projection),
                "kind": type(projection.synapses).__name__,
                "synapses": projection.synapses.count,
                "operations": float(
                    self.events[projection.source] @ self._fan_out[id(projection)] / self.samples
                ),
            }
            for projection in self.network.projections
        ]

    @functools.cached_property
    def _fan_out(self) -> dict[int, np.ndarray]:
        """Weights other than 0 of each source neuron, by projection."""
        return {
            id(projection): projection.synapses.per_source(projection.synapses.stored()[0] != 0)
            for projection in self.network.projections
        }


def footprint_bits(network: Network) -> int:
    """Bits of all synapses and states."""
    synapses = sum(projection.synapses.memory_bits for projection in network.projections)
    states = sum(p.size * sum(state.bits for state in p.neuron.states) for p in network.populations)
    return int(synapses + states)


def stored_weights(projection: Projection) -> tuple[int, int]:
    """How many of the weights that are stored are 0, and how many there are; of a list of synapses none is absent."""
    weights, _ = projection.synapses.stored()
    return int(weights.size - np.count_nonzero(weights)), int(weights.size)


def on_board(
    network: Network,
    name: str,
    *,
    lanes: Any = None,
    clock_mhz: float | None = None,
    activity: Mapping[str, np.ndarray] | None = None,
    encoder: Encoder | None = None,
    learn: bool = False,
) -> dict[str, Any]:
    """What a build for a board would take, and how fast it would be, by lifline's estimate.

    Parameters
    ----------
    network : Network
    name : str
        A board's.
    lanes : int or dict or "auto", optional
        As of ``lifline build``.
    clock_mhz : float, optional
        By default the board's.
    activity : mapping, optional
        Spikes of the input and every population; by default what the mapper assumes.
    encoder : Encoder, optional
        In front of the network, on the board: for its area.
    learn : bool
        Of a board that learns: `activity` is that of samples that are learned from, and so are the cycles, to which
        those until the next sample are added.

    Returns
    -------
    dict
        ``board``, ``device``, ``fits``; where it does not fit ``reason``.  Where lanes were found, too: ``lanes``,
        ``luts``, ``ffs``, ``brams``, ``dsps``, ``available`` (the same of the board), ``clock_mhz``,
        ``cycles_per_sample``, ``memory_reads``, ``microseconds``, ``samples_per_second``, ``activity`` (whose).

    Raises
    ------
    InputError
        If the board, the clock or the lanes are not possible.
    """
    boards, estimate, mapper = part("boards.board"), part("boards.estimate"), part("boards.mapper")
    rtl = part("rtl")
    board = boards.find_board(name)
    clock = float(clock_mhz or board.clocks_mhz[0])
    boards.solve_pll(board, clock)
    row: dict[str, Any] = {"board": name, "device": board.device, "fits": False, "reason": None}
    try:
        estimate.check_size(network, board)
        if lanes == "auto":
            chosen, _ = mapper.map_lanes(
                network, name, activity=activity, clock_mhz=clock, encoder=encoder, learn=learn
            )
            lanes = chosen.lanes
        elif lanes is None:
            lanes = estimate.choose_lanes(network, board, encoder=encoder, learn=learn)
    except ToolError as error:
        return row | {"reason": str(error)}
    lanes = rtl.lanes_of(network, lanes)
    need = estimate.estimate(network, board, lanes, encoder=encoder, learn=learn)
    reason = board.shortage(need)
    known = activity if activity is not None else mapper.assumed_activity(network)
    cycles = float(np.mean(rtl.cycles(network, lanes, known, learn=learn)))
    cycles += rtl.settling(network, lanes) if learn else 0
    reads = memory_reads(rtl.plan(network, lanes), known)
    return (
        row
        | ({"learn": True} if learn else {})
        | {
            "fits": reason is None,
            "reason": reason,
            "lanes": lanes,
            **need,
            "available": board.totals,
            "clock_mhz": clock,
            "cycles_per_sample": cycles,
            "memory_reads": reads,
            "microseconds": cycles / clock,
            "samples_per_second": clock * 1e6 / cycles,
            "activity": mapper.ASSUMPTION if activity is None else "of --input",
        }
    )


def memory_reads(arrays: Mapping[str, Any], activity: Mapping[str, np.ndarray]) -> float:
    """Words that a sample reads of the synapse memories, on average: for each row one of each; for an event a pointer.

    Parameters
    ----------
    arrays : mapping
        As :func:`lifline.rtl.plan` gives it.
    activity : mapping
        Spikes of the input and every population, (ticks, size) or (samples, ticks, size).
    """
    reads = 0.0
    for array in arrays.values():
        for channel in array.channels:
            if channel.rows is not None:
                events = np.asarray(activity[channel.source])
                samples = len(events) if events.ndim == 3 else 1
                of_each = np.count_nonzero(events.reshape(-1, events.shape[-1]), axis=0)
                contents = channel.rows.contents
                words = channel.rows.taken * len(contents.keys() - {"pointers"}) + (
                    "pointers" in contents
                )
                reads += float(of_each @ words) / samples
    return reads


def board_names(chosen: Sequence[str]) -> list[str]:
    """The boards that were asked for, or all.

    Raises
    ------
    InputError
        If there is no board of a name.
    """
    boards = part("boards.board")
    return [boards.find_board(name).name for name in chosen] if chosen else list(boards.BOARDS)
