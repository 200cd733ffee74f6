"""The cycle model: when everything happens in the gateware, from the rows that the events of each tick take.

The gateware decides nothing by arrival, and lets a tick start only where all of it has room.  So a tick is
described by a few times, each the latest of the times that it waits for, plus a latency: a recurrence in
max and plus.  Within a tick rows follow each other without gaps, and counting them is enough: of a dense projection
each event takes as many as there are groups; of others that follows from which neurons fired.

For one array, where F is the cycle in which a source sends its tick's first event or marker, n the number
of its events, r that of their rows, p the stages of the address generators (0 in dense arrays) and b the cycle in
which the sums take rows again::

    begin of a channel   S = max(end of the channel before, F + queue latency + p)
    end of a channel     E = S + r + 1                       (later where the sums take no rows: b)
    start of the sweep   W[t] = max(E + 1, W[t−1] + interval, marker sent[t−4] + 1)
    its first event      F[t] = max(W[t] + sweep latency, marker sent[t−1] + 1, room in every queue)
    its marker           M[t] = F[t] + n[t]

Where synapses of the array learn, the first of a tick's events, or else its last marker, passes the synapse memory's
gate in max(S − p, V[t−1]) rather than in S − p, where V[t−1] is when the weights of the tick before have changed: a
while after the last group of the sweep that the rule says (`learning_cycles`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lifline.errors import InputError
from lifline.network import INPUT, Network

from .array import NeuronArray
from .plan import TICKS, ArrayPlan, Lanes, plan
from .plasticity import learning_cycles
from .plasticity.memory import LearningMemory
from .queue import Queue
from .synapses import RowMemory

_NEVER = -(1 << 60)  # the time of what has always been


def cycles(
    network: Network,
    lanes: Lanes,
    activity: Mapping[str, Any],
    *,
    learn: bool = False,
    frozen: bool = False,
) -> int | np.ndarray:
    """Clock cycles that a sample takes in the gateware when nothing outside stalls.

    Counted from the cycle in which the sample's first event (or marker) is accepted to the one in which
    the output's last marker leaves, both included.

    Parameters
    ----------
    network : Network
    lanes : int or dict
        As for :class:`lifline.rtl.Accelerator`.
    activity : mapping
        For ``"input"`` and each population either its spikes, (ticks, size) or (samples, ticks, size),
        such as golden's (of graded inputs: their values), or their number in each tick, int (ticks,) or (samples,
        ticks).  All arrays are of one kind; two axes are read as spikes if every last axis is of its population's
        size.  Numbers will do where all events of a source take equally many rows, as those of dense synapses do.
    learn : bool
        In a design that learns.  Its delays are spent elsewhere than in one that does not, so even a sample that it
        does not learn from may take other cycles.
    frozen : bool
        With `learn`: the samples are not learned from.  Of those that are, spikes are needed.

    Returns
    -------
    int or int64 (samples,)

    Raises
    ------
    InputError
        If `activity` lacks a source, shapes do not match, or spikes are needed where numbers are given.
    """
    activity, batched, spikes = _checked(network, activity)
    counts = {
        name: np.count_nonzero(array, axis=-1) if spikes else array for name, array in activity.items()
    }
    arrays = plan(network, lanes, learn=learn)
    taught = learn and not frozen
    if taught and not spikes:
        raise InputError(
            "activity: what is learned depends on who spikes: give spikes, not their numbers"
        )
    rows = {name: _rows(array, activity, spikes) for name, array in arrays.items()}
    samples, ticks = counts[INPUT].shape
    if ticks == 0:
        total = np.zeros(samples, np.int64)
        return total if batched else 0

    sources = {name: _Source(samples) for name in (INPUT, *arrays)}
    sinks = {name: _Array(array, rows[name], samples) for name, array in arrays.items()}
    updates = {
        name: _updates(array, activity) for name, array in arrays.items() if taught and array.plastic
    }
    consumers = {
        name: [
            (sink, index)
            for sink in sinks.values()
            for index, channel in enumerate(sink.array.channels)
            if channel.source == name
        ]
        for name in sources
    }
    for t in range(ticks):
        for name in sources:  # the input first, then the order of evaluation
            ready = np.zeros(samples, np.int64)
            if name != INPUT:
                sweep = sinks[name].sweep(t, sources)
                ready = sweep + NeuronArray.sweep_latency(arrays[name])
                if name in updates:
                    shown = sweep + NeuronArray.shown(arrays[name])
                    sinks[name].gate = shown + updates[name][t] + LearningMemory.LATENCY
            room = [sink.taken[index][t - 2] + 1 for sink, index in consumers[name] if t >= 2]
            sources[name].send(np.maximum.reduce([ready, *room]), counts[name][:, t])
    total = sources[network.output].marker[-1] - sources[INPUT].first[0] + 1
    return total if batched else int(total[0])


def settling(network: Network, lanes: Lanes) -> int:
    """Cycles that `clear` takes when a sample has been learned from, until the next one's first event can come.

    That is from the cycle of `clear`, if the sample's last tick has been learned by then, to the first one in which `i`
    is ready: traces are cleared, and weights normalised.

    Parameters
    ----------
    network, lanes
        As for :func:`cycles`.
    """
    arrays = plan(network, lanes, learn=True).values()
    longest = 0
    for array in arrays:
        for index in array.plastic:
            channel = array.channels[index]
            assert channel.rule is not None
            longest = max(longest, learning_cycles(channel.rule, channel, 1).settling)
    return 2 + longest


def mean_rows(array: ArrayPlan, activity: Mapping[str, np.ndarray]) -> float:
    """Rows that an array takes in a tick, on average.

    Parameters
    ----------
    array : ArrayPlan
    activity : mapping of array
        For each source its spikes, (samples, ticks, size), or its events in each tick, (ticks,).
    """
    total = 0.0
    for channel in array.channels:
        if channel.rows is not None:
            events, taken = activity[channel.source], channel.rows.taken
            if events.ndim == 3:
                total += float(np.count_nonzero(events, axis=(0, 1)) @ taken) / math.prod(
                    events.shape[:2]
                )
            else:
                total += float(events.mean() * taken.mean())
    return total


def _updates(array: ArrayPlan, activity: Mapping[str, np.ndarray]) -> np.ndarray:
    """Cycles of the longest update of each tick, from the array's last group on, int64 (ticks, samples)."""
    fired = np.asarray(activity[array.population.name]) != 0
    samples, ticks, _ = fired.shape
    longest = np.zeros((ticks, samples), np.int64)
    for index in array.plastic:
        channel = array.channels[index]
        assert channel.rule is not None
        of = learning_cycles(channel.rule, channel, samples)
        spiked = np.asarray(activity[channel.source]) != 0
        for t in range(ticks):
            arrived = spiked[:, t - channel.lag] if t >= channel.lag else np.zeros_like(spiked[:, 0])
            longest[t] = np.maximum(longest[t], of.tick(arrived, fired[:, t]))
    return longest


class _Source:
    """When each tick's first event or marker, and its marker, is sent; each (samples,)."""

    def __init__(self, samples: int) -> None:
        self.first: list[np.ndarray] = []
        self.marker: list[np.ndarray] = []
        self._idle = np.full(samples, _NEVER)

    def send(self, ready: np.ndarray, count: np.ndarray) -> None:
        before = self.marker[-1] + 1 if self.marker else self._idle
        self.first.append(np.maximum(ready, before))
        self.marker.append(self.first[-1] + count)


class _Array:
    """When an array takes the events of each tick and starts its sweep; each time is (samples,)."""

    def __init__(self, array: ArrayPlan, rows: list[np.ndarray], samples: int) -> None:
        self.array = array
        self.rows = rows  # of each channel in each tick of its source
        self.stages = 0 if array.in_order else RowMemory.stages(array)
        self.sums = NeuronArray.sums_of(array)
        self.starts: list[np.ndarray] = []
        self.taken: list[list[np.ndarray]] = [[] for _ in array.channels]  # each channel's markers
        self.gate = np.full(samples, _NEVER)  # the weights have changed by the tick before
        self._free = np.full(samples, _NEVER)  # the merge can take the next tick's first event
        self._accepted = np.full(samples, _NEVER)  # the last marker went into the accumulators

    def sweep(self, t: int, sources: Mapping[str, _Source]) -> np.ndarray:
        """When the sweep of tick `t` starts."""
        array = self.array
        opened = self._after(self.starts, t - 1, self.sums.closed(array))
        free = self._free
        stage_free = self._accepted  # the synapse memory's output stage is empty again
        begun = np.zeros(len(free), bool)  # a row, or the marker, is in that stage already
        for index, channel in enumerate(array.channels):
            rows = np.zeros_like(free)
            begin = np.maximum(free, sources[INPUT].first[0] + 1 + self.stages)
            if t >= channel.lag:
                source = sources[channel.source]
                comes = source.marker  # of a channel without a projection only the marker comes
                if channel.projection is not None:
                    comes, rows = source.first, self.rows[index][:, t - channel.lag]
                begin = np.maximum(free, comes[t - channel.lag] + Queue.LATENCY + self.stages)
            is_last = index == len(array.channels) - 1
            items = rows + is_last  # that go through the synapse memory
            if array.plastic:  # all markers wait at the gate but those that do not pass it
                passes = items > 0 if array.in_order else np.full(begin.shape, True)
                begin = np.where(passes, np.maximum(begin, self.gate + self.stages), begin)
            # The first item of a tick waits in the output stage until the sums take rows; those after it
            # wait for it.
            start = np.where(items > 0, np.maximum(begin, np.where(begun, opened, stage_free)), begin)
            blocked = ~begun & (items > 1)
            end = np.where(blocked, np.maximum(start + 1, opened) - 1, start) + items
            if is_last:
                alone = ~begun & (items == 1)
                marker = end - 1
                self._accepted = np.where(alone, np.maximum(marker + 1, opened), marker + 1)
                self.taken[index].append(marker)
                free = end
            else:
                self.taken[index].append(end)
                free = end + 1
            begun |= items > 0
        self._free = free
        start = np.maximum.reduce(
            [
                self._accepted + 1,
                self._after(self.starts, t - 1, NeuronArray.interval(array)),
                self._after(sources[array.population.name].marker, t - TICKS, 1),
            ]
        )
        self.starts.append(start)
        return start

    def _after(self, times: list[np.ndarray], index: int, latency: int) -> np.ndarray:
        return times[index] + latency if index >= 0 else np.full(len(self._free), _NEVER)


def _rows(array: ArrayPlan, activity: Mapping[str, np.ndarray], spikes: bool) -> list[np.ndarray]:
    """Rows of each channel in each tick of its source, int64 (samples, ticks)."""
    result = []
    for channel in array.channels:
        events = activity[channel.source]
        if channel.rows is None:
            result.append(np.zeros(events.shape[:2], np.int64))
            continue
        taken = channel.rows.taken
        if (taken == taken[0]).all():
            result.append(taken[0] * (np.count_nonzero(events, axis=-1) if spikes else events))
        elif spikes:
            result.append((events != 0) @ taken)
        else:
            raise InputError(
                f"activity: events of '{channel.source}' take from {taken.min()} to {taken.max()} rows in "
                f"'{array.population.name}': give the spikes of all sources, not their numbers"
            )
    return result


def _checked(network: Network, activity: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], bool, bool]:
    """Spikes (samples, ticks, size) or numbers (samples, ticks); if there was an axis of samples; if it is spikes."""
    names = [INPUT, *(population.name for population in network.populations)]
    missing = [name for name in names if name not in activity]
    if missing:
        raise InputError(f"activity: '{missing[0]}' is missing; give {', '.join(names)}")
    arrays = {name: np.asarray(activity[name]) for name in names}
    axes = {array.ndim for array in arrays.values()}
    spikes = all(arrays[name].shape[-1:] == (network.size(name),) for name in names) and axes in (
        {2},
        {3},
    )
    shapes = {array.shape[:-1] if spikes else array.shape for array in arrays.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) not in (1, 2):
        listed = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise InputError(
            "activity: every array must be counts (ticks,) or (samples, ticks), or spikes (…, ticks, size); "
            f"the shapes are {listed}"
        )
    batched = len(next(iter(shapes))) == 2
    arrays = {name: array if batched else array[None] for name, array in arrays.items()}
    if not spikes:
        arrays = {name: array.astype(np.int64) for name, array in arrays.items()}
    return arrays, batched, spikes
