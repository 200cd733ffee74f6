"""The first place where two recordings of a network differ, and how it came to be."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np

from lifline.errors import InputError
from lifline.files import check_spikes
from lifline.network import BETA_BITS, INPUT, Network, Reset

#: Of the events behind a divergence, so many are listed one by one.
_LISTED = 12


class RecordingLike(Protocol):
    """What any witness of the contract records: see :class:`lifline.golden.Recording`."""

    @property
    def spikes(self) -> dict[str, np.ndarray]: ...

    @property
    def membrane(self) -> dict[str, np.ndarray]: ...


@dataclasses.dataclass(frozen=True)
class Divergence:
    """The first neuron and tick at which two recordings differ."""

    sample: int
    tick: int
    population: str
    neuron: int
    expected: tuple[int, int]  #: spike and membrane
    actual: tuple[int, int]

    def __str__(self) -> str:
        def values(pair: tuple[int, int]) -> str:
            return f"membrane {pair[1]}, {'spike' if pair[0] else 'no spike'}"

        return (
            f"first divergence in sample {self.sample}: population '{self.population}', neuron {self.neuron}, "
            f"tick {self.tick}: expected {values(self.expected)}; got {values(self.actual)}"
        )


def compare(
    expected: RecordingLike, actual: RecordingLike, network: Network | None = None
) -> Divergence | None:
    """The first difference between two recordings: by sample, tick, population, neuron.

    Parameters
    ----------
    expected, actual : Recording
        Of the same network and samples; the sample axis may be absent in both.
    network : Network, optional
        Gives the order of its populations within a tick; without it, that of `expected`.

    Returns
    -------
    Divergence or None
        None if every spike and every membrane is equal.

    Raises
    ------
    InputError
        If the two do not hold the same populations in the same shapes.
    """
    names = (
        list(expected.spikes) if network is None else [population.name for population in network.order]
    )
    firsts = []
    for order, name in enumerate(names):
        arrays = []
        for recording in (expected, actual):
            if name not in recording.spikes or name not in recording.membrane:
                raise InputError(f"recordings cannot be compared: one has no population '{name}'")
            arrays += [recording.spikes[name], recording.membrane[name]]
        shapes = {array.shape for array in arrays}
        if len(shapes) > 1:
            raise InputError(
                f"recordings cannot be compared: population '{name}' has the shapes "
                f"{' and '.join(str(shape) for shape in sorted(shapes))}"
            )
        old_s, old_v, new_s, new_v = (
            array if array.ndim == 3 else array.reshape(1, *array.shape) for array in arrays
        )
        different = (old_s != new_s) | (old_v != new_v)
        if not different.any():
            continue
        flat = int(different.argmax())
        sample, tick, neuron = (int(i) for i in np.unravel_index(flat, different.shape))
        where = (sample, tick, neuron)
        found = Divergence(
            sample, tick, name, neuron,
            expected=(int(old_s[where]), int(old_v[where])),
            actual=(int(new_s[where]), int(new_v[where])),
        )  # fmt: skip
        firsts.append((sample, tick, order, found))
    return min(firsts, key=lambda first: first[:3])[-1] if firsts else None


def explain(
    network: Network, spikes: np.ndarray, expected: RecordingLike, divergence: Divergence
) -> str:
    """The events that led to a divergence, by the expected recording: all that entered that update.

    Parameters
    ----------
    network : Network
    spikes : (ticks, inputs) or (samples, ticks, inputs)
        The input of both recordings.
    expected : Recording
    divergence : Divergence

    Returns
    -------
    str
        Several lines.
    """
    population = network[divergence.population]
    i, t = divergence.neuron, divergence.tick

    def of_sample(array: np.ndarray) -> np.ndarray:
        return array if array.ndim == 2 else array[divergence.sample]

    history = {name: of_sample(array) for name, array in expected.spikes.items()}
    history[INPUT] = of_sample(check_spikes(spikes, network.inputs))
    membrane = of_sample(expected.membrane[population.name])

    events = []
    for projection in network.incoming(population.name):
        source, delays = history[projection.source], projection.delays[:, i]
        ticks = t - delays
        arrived = np.flatnonzero(
            (ticks >= 0) & (source[np.maximum(ticks, 0), np.arange(len(ticks))] != 0)
        )
        events += [
            (str(projection), int(j), int(ticks[j]), int(delays[j]), int(projection.weights[j, i]))
            for j in arrived
        ]
    total = sum(event[-1] for event in events) + int(population.bias[i])
    before_v, before_s = (
        (int(membrane[t - 1, i]), int(history[population.name][t - 1, i])) if t else (0, 0)
    )
    low, high = population.membrane_range
    reset = "none" if population.reset is Reset.NONE else population.reset.value
    if population.reset_delay:
        reset += ", a tick later"
    lines = [
        f"  before: membrane {before_v}, {'spike' if before_s else 'no spike'}; "
        f"beta {population.beta[i]}/{1 << BETA_BITS}, threshold {population.threshold[i]}, reset {reset}, "
        f"membranes {low} … {high}",
        f"  current I[{t}] = {total}: bias {population.bias[i]}"
        + (f" and {len(events)} event{'s' * (len(events) != 1)}" if events else ", no events"),
    ]
    lines += [
        f"    {name}: source {j} spiked in tick {tick}, delay {delay}, weight {weight}"
        for name, j, tick, delay, weight in events[:_LISTED]
    ]
    if len(events) > _LISTED:
        lines.append(
            f"    … and {len(events) - _LISTED} more, of weight {sum(e[-1] for e in events[_LISTED:])}"
        )
    return "\n".join(lines)
