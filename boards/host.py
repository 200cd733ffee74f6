"""The host's end: sends samples to a board and receives their classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from lifline.errors import InputError, LiflineError, MissingExtra, ToolError
from lifline.files import check_spikes

from .protocol import (
    BYTE_BITS,
    CLASS,
    CREDIT,
    CREDIT_BYTES,
    ERROR,
    MAX_TICKS,
    READY,
    RESET,
    WINDOW,
    Fault,
    encode,
)


class Port(Protocol):
    """What is needed of a serial port; a `serial.Serial` with a timeout is one."""

    def write(self, data: bytes, /) -> object: ...

    def read(self, size: int, /) -> bytes: ...


class BoardError(LiflineError):
    """A board does not answer, or found a fault in what it was sent."""


def open_port(name: str, baud: int = 1_000_000, timeout: float = 2.0) -> Port:
    """Open a serial port, such as ``/dev/ttyUSB1``.

    Raises
    ------
    MissingExtra
        If pyserial is not installed.
    ToolError
        If the port cannot be opened.
    """
    try:
        import serial
    except ModuleNotFoundError:
        raise MissingExtra("pyserial", "boards") from None
    try:
        port: Port = serial.Serial(name, baud, timeout=timeout)
    except (serial.SerialException, ValueError) as error:
        raise ToolError(f"cannot open the serial port {name}: {error}") from None
    return port


def classify(
    port: Port, spikes: np.ndarray, progress: Callable[[int, int, str], object] | None = None
) -> Any:
    """Classify samples on a board that runs a bitstream of :func:`lifline.boards.build`.

    Parameters
    ----------
    port : serial.Serial or alike
        Open at the board's baud rate, with a timeout; see :func:`open_port`.
    spikes : (samples, ticks, inputs) or (ticks, inputs), 0 or 1
        `inputs` is that of the network in the board; at most 4,095 ticks.
    progress : callable, optional
        Called as ``progress(done, total, text)``.

    Returns
    -------
    int64 (samples,), or one int64 where `spikes` had no axis of samples

    Raises
    ------
    InputError
        If `spikes` has another shape, type or value, or too many ticks.
    BoardError
        If the board does not answer in time, or answers with an error.
    """
    spikes = np.asarray(spikes)
    spikes = check_spikes(spikes, spikes.shape[-1] if spikes.ndim else 0)
    batch = spikes if spikes.ndim == 3 else spikes[None]
    if batch.shape[1] > MAX_TICKS:
        raise InputError(f"spikes: {batch.shape[1]} ticks, a board takes at most {MAX_TICKS}")
    _reset(port)
    classes: list[int] = []
    answered = answers(port)
    room = WINDOW  # bytes that the board can take

    def receive() -> int:
        """Take one answer; return the room that it gives."""
        answer = next(answered)
        if answer is None:
            return CREDIT_BYTES
        classes.append(answer)
        if progress is not None:
            progress(len(classes), len(batch), "samples classified")
        return 0

    for sample in batch:
        data = encode(sample)
        while data:
            while not room:
                room += receive()
            part, data = data[:room], data[room:]
            port.write(part)
            room -= len(part)
    while len(classes) < len(batch):
        receive()
    return np.array(classes, np.int64) if spikes.ndim == 3 else np.int64(classes[0])


def _reset(port: Port) -> None:
    """Bring the board to the start of a sample, whatever it was doing, and wait until it says so."""
    for _ in range(3):
        port.write(bytes([RESET]))
        while answer := port.read(1):
            if answer[0] == READY:
                return
    raise BoardError(
        "the board does not answer: check the port, the baud rate, and that its bitstream is lifline's"
    )


def answers(port: Port) -> Iterator[int | None]:
    """What the board sends: a class, or None for a credit.

    Raises
    ------
    BoardError
        If it sends an error, or nothing.
    """
    while True:
        kind = _read(port)
        if kind == CREDIT:
            yield None
        elif kind == CLASS:
            high, low = _read(port), _read(port)
            yield high << BYTE_BITS | low
        elif kind == ERROR:
            code, _ = _read(port), _read(port)
            raise BoardError(f"the board refuses a sample: {_FAULTS[Fault(code & -code)]}")
        else:
            raise BoardError(f"the board sent {kind:#04x}, which is no answer: check the baud rate")


def _read(port: Port) -> int:
    data = port.read(1)
    if not data:
        raise BoardError("the board has stopped answering: reset it and try again")
    return data[0]


_FAULTS = {
    Fault(0): "it gives no reason",
    Fault.ADDRESS: "an address is not one of its network's inputs; send what its network was built for",
    Fault.TICKS: f"it has more than {MAX_TICKS} ticks",
    Fault.LOST: "a byte was lost or damaged on the line; check the cable and the baud rate",
    Fault.COMMAND: "an address is incomplete; send what its network was built for",
}
