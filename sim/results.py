"""What a simulation leaves behind."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lifline.files import read_npz

from .learned import LearnedBank
from .trace import Trace


@dataclasses.dataclass(frozen=True)
class Raw:
    """The results of one simulator, as they are in its file."""

    words: dict[str, np.ndarray]  #: of each trace: uint8 (runs, ticks, groups, word_bytes)
    counts: np.ndarray  #: how many words were given: int64 (runs begun, traces)
    cycles: np.ndarray  #: int64 (runs begun,)
    events: np.ndarray  #: of stream o: int64 (events, 3): run, tick, address
    clock_cycles: int = 0
    seconds: float = 0.0
    problem: str | None = None
    mismatch: dict[str, Any] | None = None
    #: Of what learns, each bank's words after each run: uint8 (runs, words, word_bytes).
    learned: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @classmethod
    def nothing(
        cls, traces: Sequence[Trace], learned: Sequence[LearnedBank], runs: int, ticks: int
    ) -> Raw:
        """The results of runs without a tick."""
        return cls(
            words={t.name: np.zeros((runs, ticks, t.groups, t.word_bytes), np.uint8) for t in traces},
            counts=np.zeros((runs, len(traces)), np.int64),
            cycles=np.zeros(runs, np.int64),
            events=np.empty((0, 3), np.int64),
            learned={b.name: np.stack([b.initial()] * runs) for b in learned if runs},
        )

    @classmethod
    def read(cls, path: Path, traces: Sequence[Trace], learned: Sequence[LearnedBank]) -> Raw:
        """Read what the testbench wrote."""
        arrays = read_npz(path)
        return cls(
            words={trace.name: arrays[f"words.{trace.name}"] for trace in traces},
            counts=arrays["counts"],
            cycles=arrays["cycles"],
            events=arrays["events"],
            learned={bank.name: arrays[f"learned.{bank.name}"] for bank in learned},
            **json.loads(arrays["outcome"].tobytes()),
        )
