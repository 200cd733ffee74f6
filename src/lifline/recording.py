"""What a witness of the contract records: every spike and every state of a network, and the class of each sample."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import files
from .errors import InputError
from .files import read_npz, write_npz
from .network import Network

States = dict[str, dict[str, np.ndarray]]

#: What a file calls weights and traces.
_LEARNED = re.compile(r"(?:weights|traces):(?P<index>\d+)(?::(?P<trace>\w+))?")


@dataclasses.dataclass(frozen=True)
class Divergence:
    """The first neuron and tick at which two recordings differ."""

    sample: int
    tick: int
    population: str
    neuron: int
    expected: dict[str, int]  #: ``spike``, and each state by its name
    actual: dict[str, int]

    def __str__(self) -> str:
        def values(of: dict[str, int]) -> str:
            states = [f"{name} {value}" for name, value in of.items() if name != "spike"]
            return ", ".join([*states, "spike" if of["spike"] else "no spike"])

        return (
            f"first divergence in sample {self.sample}: population '{self.population}', neuron {self.neuron}, "
            f"tick {self.tick}: expected {values(self.expected)}; got {values(self.actual)}"
        )


@dataclasses.dataclass(frozen=True)
class Recording:
    """Everything that a network did.

    The leading axis, samples, is absent where the input had none.

    Parameters
    ----------
    spikes : dict of str to uint8 (samples, ticks, size)
        s[t] of each population.
    states : dict of str to dict of str to int32 (samples, ticks, size)
        For each population its states at the end of each tick: ``membrane`` v[t], and what else its
        kind keeps.
    classes : int64 (samples,)
        By :func:`classify`.
    cycles : int64 (samples,), optional
        Of the gateware: from the clock cycle in which a sample's first event (or marker) is accepted to
        the one in which the output's last marker is, both counted.
    weights : dict of int to int32 (samples, source size, target size), optional
        Where the network has learned: w after each sample, fraction included, of each projection that
        learns, by its index in the network.
    network : Network, optional
        Likewise: the network after the last sample.
    traces : dict of int to dict of str to int32 (samples, source size, target size), optional
        Where it was asked for: what else the rules keep, by name, after the last tick of each sample.
    """

    spikes: dict[str, np.ndarray]
    states: States
    classes: np.ndarray
    cycles: np.ndarray | None = None
    weights: dict[int, np.ndarray] | None = None
    network: Network | None = None
    traces: dict[int, dict[str, np.ndarray]] | None = None

    @classmethod
    def of(
        cls,
        network: Network,
        spikes: dict[str, np.ndarray],
        states: States,
        cycles: np.ndarray | None = None,
    ) -> Recording:
        """The recording of these spikes and states, classified."""
        membranes = {name: of["membrane"] for name, of in states.items()}
        return cls(spikes, states, classify(network, spikes, membranes), cycles)

    @property
    def membrane(self) -> dict[str, np.ndarray]:
        """v[t] of each population."""
        return {name: states["membrane"] for name, states in self.states.items()}

    def __getitem__(self, samples: Any) -> Recording:
        """The recording of some of the samples: an index drops their axis, a slice or list keeps it."""
        return Recording(
            {name: array[samples] for name, array in self.spikes.items()},
            {
                name: {state: array[samples] for state, array in states.items()}
                for name, states in self.states.items()
            },
            self.classes[samples],
            None if self.cycles is None else self.cycles[samples],
            None if self.weights is None else {i: w[samples] for i, w in self.weights.items()},
            self.network,
            None
            if self.traces is None
            else {i: {k: v[samples] for k, v in of.items()} for i, of in self.traces.items()},
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write ``OUT.npz``: ``NAME.spikes``, ``NAME.STATE``, ``classes`` and, where there are, ``cycles`` and weights.

        The weights of projection INDEX are ``weights:INDEX``, its traces ``traces:INDEX:TRACE``; the network itself
        needs a file of its own.
        """
        arrays: dict[str, np.ndarray] = {}
        for name, spikes in self.spikes.items():
            arrays[f"{name}.spikes"] = spikes.astype(np.uint8)
            for state, values in self.states[name].items():
                arrays[f"{name}.{state}"] = values.astype(np.int32)
        arrays["classes"] = np.asarray(self.classes, np.int64)
        if self.cycles is not None:
            arrays["cycles"] = np.asarray(self.cycles, np.int64)
        for index, w in (self.weights or {}).items():
            arrays[f"weights:{index}"] = w.astype(np.int32)
        for index, of in (self.traces or {}).items():
            for trace, values in of.items():
                arrays[f"traces:{index}:{trace}"] = values.astype(np.int32)
        write_npz(path, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Recording:
        """Read what :meth:`save` wrote.

        Raises
        ------
        InputError
            If there is no such file, or it holds no recording.
        """
        arrays = read_npz(path)
        spikes: dict[str, np.ndarray] = {}
        states: States = {}
        weights: dict[int, np.ndarray] = {}
        traces: dict[int, dict[str, np.ndarray]] = {}
        for name, values in arrays.items():
            if found := _LEARNED.fullmatch(name):
                if found["trace"] is None:
                    weights[int(found["index"])] = values
                else:
                    traces.setdefault(int(found["index"]), {})[found["trace"]] = values
                continue
            population, dot, what = name.rpartition(".")
            if dot and what == "spikes":
                spikes[population] = values
            elif dot:
                states.setdefault(population, {})[what] = values
        whole = "classes" in arrays and spikes and states.keys() == spikes.keys()
        if not whole or any("membrane" not in of for of in states.values()):
            raise InputError(
                f"{path}: not a recording: give a file that 'lifline simulate' has written"
            )
        return cls(
            spikes,
            states,
            arrays["classes"],
            arrays.get("cycles"),
            weights or None,
            traces=traces or None,
        )

    def compare(self, other: Recording, network: Network | None = None) -> Divergence | None:
        """The first difference of `other` from this recording: by sample, tick, population, neuron.

        Parameters
        ----------
        other : Recording
            Of the same network and samples; the sample axis may be absent in both.
        network : Network, optional
            Gives the order of its populations within a tick; without it, that of this recording.

        Returns
        -------
        Divergence or None
            None if every spike and every state is equal.

        Raises
        ------
        InputError
            If the two do not hold the same populations and states in the same shapes.
        """
        names = list(self.spikes) if network is None else [p.name for p in network.order]
        firsts = []
        for order, name in enumerate(names):
            ours, theirs = _by_neuron(self, other, name)
            different = np.zeros(next(iter(ours.values())).shape, bool)
            for what, values in ours.items():
                different |= values != theirs[what]
            if different.any():
                where = tuple(
                    int(i) for i in np.unravel_index(int(different.argmax()), different.shape)
                )
                sample, tick, neuron = where
                pair = ({what: int(v[where]) for what, v in of.items()} for of in (ours, theirs))
                firsts.append((sample, tick, order, Divergence(sample, tick, name, neuron, *pair)))
        return min(firsts, key=lambda first: first[:3])[-1] if firsts else None

    def differing(self, other: Recording) -> dict[str, int]:
        """How many spikes, states, classes and, where both have them, weights and traces differ in `other`."""
        states = (
            (values, other.states[name][state])
            for name, of in self.states.items()
            for state, values in of.items()
        )
        counts = {
            "spikes": sum(int((other.spikes[n] != s).sum()) for n, s in self.spikes.items()),
            "states": sum(int((one != two).sum()) for one, two in states),
            "classes": int((other.classes != self.classes).sum()),
        }
        if self.weights is not None and other.weights is not None:
            counts["weights"] = sum(int((other.weights[i] != w).sum()) for i, w in self.weights.items())
        if self.traces is not None and other.traces is not None:
            counts["traces"] = sum(
                int((other.traces[i][name] != values).sum())
                for i, of in self.traces.items()
                for name, values in of.items()
            )
        return counts


def check_memory(network: Network, samples: int, ticks: int) -> None:
    """Refuse spikes whose recording would take more memory than :data:`lifline.files.MAX_BYTES`, four times.

    Raises
    ------
    InputError
    """
    neurons = sum(p.size * (1 + 4 * len(p.neuron.states)) for p in network.populations)
    needed, most = samples * ticks * neurons, 4 * files.MAX_BYTES
    if needed > most:
        raise InputError(
            f"{samples} samples of {ticks} ticks would be a recording of {needed / 2**30:,.0f} GiB, more than the "
            f"limit of {most / 2**30:g} GiB: give fewer samples or ticks"
        )


def classify(
    network: Network, spikes: Mapping[str, np.ndarray], membrane: Mapping[str, np.ndarray]
) -> np.ndarray:
    """The class of each sample, int64 (samples,) or ().

    The output neuron with the most spikes or, where the output is a readout, with the highest membrane
    summed over the ticks; a tie goes to the lower index.

    Parameters
    ----------
    network : Network
    spikes, membrane : mapping of str to array (..., ticks, size)
        At least the output population's.
    """
    output = network[network.output]
    counted = (membrane if output.neuron.readout else spikes)[output.name]
    classes: np.ndarray = counted.sum(axis=-2, dtype=np.int64).argmax(axis=-1)
    return classes


def _by_neuron(
    one: Recording, two: Recording, name: str
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Spikes and states of a population in two recordings, each array (samples, ticks, size)."""
    found = []
    for recording in (one, two):
        if name not in recording.spikes or name not in recording.states:
            raise InputError(f"recordings cannot be compared: one has no population '{name}'")
        arrays = {"spike": recording.spikes[name], **recording.states[name]}
        found.append({k: v if v.ndim == 3 else v[None] for k, v in arrays.items()})
    ours, theirs = found
    if ours.keys() != theirs.keys():
        raise InputError(
            f"recordings cannot be compared: population '{name}' has {', '.join(ours)} and {', '.join(theirs)}"
        )
    shapes = {array.shape for arrays in found for array in arrays.values()}
    if len(shapes) > 1:
        raise InputError(
            f"recordings cannot be compared: population '{name}' has the shapes "
            f"{' and '.join(str(shape) for shape in sorted(shapes))}"
        )
    return ours, theirs
