"""What a monitor shows: a board runs one sample after another in a thread, and each answer is kept for a while."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from lifline.errors import LiflineError

if TYPE_CHECKING:
    from lifline.boards import Device

#: Samples over which rates are averaged.
WINDOW = 50


@dataclasses.dataclass(frozen=True)
class Shot:
    """One sample and its answer."""

    number: int
    inputs: np.ndarray  #: (ticks, inputs)
    spikes: np.ndarray  #: (ticks, size)
    winner: int
    label: int | None
    cycles: int


@dataclasses.dataclass(frozen=True)
class View:
    """What there is to show now."""

    shot: Shot | None
    rates: np.ndarray  #: spikes a tick of each output neuron, over the last `WINDOW` samples
    classes: tuple[int, ...]  #: of these samples, the latest last
    correct: int  #: of all samples with a label
    labelled: int
    samples_per_second: float
    error: str | None  #: the board is gone


class Feed:
    """Runs samples on a board until it is stopped; a context manager.

    Parameters
    ----------
    device : Device
    spikes : (samples, ticks, inputs)
        Run in turn, from the first again after the last.
    labels : (samples,), optional
    interval : float
        Seconds from one sample to the next, at least.
    """

    def __init__(
        self,
        device: Device,
        spikes: np.ndarray,
        labels: np.ndarray | None = None,
        interval: float = 0.25,
    ) -> None:
        self.board = device.identity.board
        self.clock_mhz = device.identity.clock_khz / 1000
        self._device = device
        self._spikes = spikes
        self._labels = labels
        self._interval = interval
        self._shots: deque[tuple[float, Shot]] = deque(maxlen=WINDOW)
        self._correct = self._labelled = 0
        self._error: str | None = None
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            index = number % len(self._spikes)
            begun = time.monotonic()
            try:
                recording = self._device.run(self._spikes[index])
            except LiflineError as error:
                self._error = str(error)
                return
            label = None if self._labels is None else int(self._labels[index])
            (spikes,) = recording.spikes.values()
            winner = int(recording.classes)
            shot = Shot(number, self._spikes[index], spikes, winner, label, int(recording.cycles))
            with self._lock:
                self._shots.append((time.monotonic(), shot))
                self._labelled += label is not None
                self._correct += label == winner
            number += 1
            self._stop.wait(max(0.0, begun + self._interval - time.monotonic()))

    def view(self) -> View:
        """What there is to show now."""
        with self._lock:
            shots = list(self._shots)
            correct, labelled = self._correct, self._labelled
        if not shots:
            return View(None, np.zeros(0), (), 0, 0, 0.0, self._error)
        spikes = np.concatenate([shot.spikes for _, shot in shots])
        seconds = shots[-1][0] - shots[0][0]
        return View(
            shot=shots[-1][1],
            rates=spikes.mean(axis=0) if len(spikes) else np.zeros(spikes.shape[1]),
            classes=tuple(shot.winner for _, shot in shots),
            correct=correct,
            labelled=labelled,
            samples_per_second=(len(shots) - 1) / seconds if seconds else 0.0,
            error=self._error,
        )
