"""What a board says of samples: one answer, and the recording of many."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np

from lifline.files import write_npz
from lifline.network import Network

from .host import Lost
from .line import BoardError
from .protocol import CYCLE_BYTES, MAX_TICKS, VOID, Identity, Part, Status, events_to_spikes


@dataclasses.dataclass(frozen=True)
class BoardRecording:
    """What a board did with samples: of the output population only, for a board tells no more.

    The leading axis, samples, is absent where the input had none.

    Parameters
    ----------
    spikes : dict of str to uint8 (samples, ticks, size)
        s[t] of the output population; empty where they were not asked for.
    scores : int64 (samples, size) or None
        By which the class is chosen: the spikes of each neuron or, of a readout, its membrane summed over the ticks.
    classes : int64 (samples,)
    cycles : int64 (samples,)
        Of the gateware, as :class:`lifline.Recording` counts them.
    stalled : bool (samples,)
        The sample did not fit into the board's queues, and the gateware waited for the line: `cycles` hold that, too.
    network : Network or None
        Of samples that were learned from: what the board made of its network.
    """

    spikes: dict[str, np.ndarray]
    scores: np.ndarray | None
    classes: np.ndarray
    cycles: np.ndarray
    stalled: np.ndarray
    network: Network | None = None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write ``OUT.npz``: ``NAME.spikes``, ``scores``, ``classes``, ``cycles`` and ``stalled``."""
        arrays = {f"{name}.spikes": spikes for name, spikes in self.spikes.items()}
        if self.scores is not None:
            arrays["scores"] = self.scores
        arrays |= {"classes": self.classes, "cycles": self.cycles, "stalled": self.stalled}
        write_npz(path, {name: np.asarray(array) for name, array in arrays.items()})

    def __getitem__(self, samples: Any) -> BoardRecording:
        """The recording of some of the samples: an index drops their axis, a slice or list keeps it."""
        return BoardRecording(
            {name: array[samples] for name, array in self.spikes.items()},
            None if self.scores is None else self.scores[samples],
            self.classes[samples],
            self.cycles[samples],
            self.stalled[samples],
            self.network,
        )


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a board says of one sample."""

    winner: int
    cycles: int
    stalled: bool
    scores: np.ndarray | None  #: int64 (size,)
    spikes: np.ndarray | None  #: uint8 (ticks, size)

    def agrees(self, other: Answer) -> bool:
        """Whether it says the same of a sample, but for the time that one of them has waited."""
        timed = self.stalled or other.stalled or self.cycles == other.cycles
        return (
            timed
            and self.winner == other.winner
            and np.array_equal(self.scores, other.scores)  # type: ignore[arg-type]
            and np.array_equal(self.spikes, other.spikes)  # type: ignore[arg-type]
        )

    @classmethod
    def read(cls, data: bytes, events: bytes, ticks: int, wanted: Part, identity: Identity) -> Answer:
        """An answer from the bytes of a RESULT and of the SPIKES before it.

        Raises
        ------
        Lost
            If it is not whole.
        BoardError
            If the board refuses the sample, or contradicts itself.
        """
        size, width = identity.outputs, identity.score_bytes
        head = 2 + CYCLE_BYTES
        if len(data) != head + 2 + (size * width if Part.SCORES in wanted else 0):
            raise Lost
        status = Status(data[0])
        if status & VOID:
            raise BoardError(
                f"the board refuses a sample: {_FAULTS[Status(status & VOID & -(status & VOID))]}"
            )
        winner = int.from_bytes(data[-2:], "little")
        if winner >= size:
            raise BoardError(f"the board names the class {winner} of {size}: write its bitstream anew")
        scores = spikes = None
        if Part.SPIKES in wanted:
            spikes = events_to_spikes(events, ticks, size)
            if spikes is None:
                raise Lost
        if Part.SCORES in wanted:
            table = data[head:-2]
            scores = np.array(
                [
                    int.from_bytes(table[i : i + width], "little", signed=True)
                    for i in range(0, len(table), width)
                ]
            )
            if int(scores.argmax()) != winner:
                raise BoardError(
                    "the board's class is not that of its scores: write its bitstream anew"
                )
        return cls(
            winner, int.from_bytes(data[2:head], "little"), Status.STALLED in status, scores, spikes
        )


_FAULTS = {
    Status.ADDRESS: "an address is not one of its network's inputs; send what its network was built for",
    Status.TICKS: f"it has more than {MAX_TICKS} ticks",
    Status.FORM: "it ends within a tick; send what its network was built for",
}


def recording_of(answers: list[Answer], output: str, size: int, ticks: int) -> BoardRecording:
    spikes = [answer.spikes for answer in answers if answer.spikes is not None]
    scores = [answer.scores for answer in answers if answer.scores is not None]
    whole = len(answers)
    return BoardRecording(
        spikes={output: np.array(spikes, np.uint8).reshape(whole, ticks, size)}
        if len(spikes) == whole
        else {},
        scores=np.array(scores, np.int64).reshape(whole, size) if len(scores) == whole else None,
        classes=np.array([answer.winner for answer in answers], np.int64),
        cycles=np.array([answer.cycles for answer in answers], np.int64),
        stalled=np.array([answer.stalled for answer in answers], bool),
    )
