"""The line to a board: a serial port, found by the USB bridge of a known board, and one that does damage on purpose."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import numpy as np

from lifline.errors import InputError, LiflineError, MissingExtra, ToolError

from .board import BOARDS
from .protocol import FLAG

#: Seconds that a read waits for a byte.
READ_SECONDS = 0.02

#: Bridges with several ports, by vendor and product, of which the second is the UART.
_SECOND = ("0403:6010", "0403:6011")  # FT2232H (and what does as if), FT4232H


class BoardError(LiflineError):
    """A board does not answer, or not as it should."""


class Line(Protocol):
    """What is needed of a way to a board: bytes in order, some of which may be lost or damaged."""

    def write(self, data: bytes, /) -> None: ...

    def read(self) -> bytes:
        """What has come; waits some hundredths of a second where nothing has."""

    def close(self) -> None: ...


class SerialLine:
    """A serial port.

    Parameters
    ----------
    name : str
        Such as ``/dev/ttyUSB1`` or ``COM3``; ``"auto"``: that of the one known board that is plugged in.
    baud : int
    timeout : float
        Seconds after which a write is given up.

    Raises
    ------
    MissingExtra
        If pyserial is not installed.
    ToolError
        If the port cannot be opened.
    InputError
        If ``"auto"`` finds none, or several.
    """

    def __init__(self, name: str, baud: int, timeout: float) -> None:
        serial = _serial()
        self.name = find_port() if name == "auto" else name
        try:
            self._port = serial.Serial(
                self.name, baud, timeout=READ_SECONDS, write_timeout=timeout, exclusive=_exclusive()
            )
        except (serial.SerialException, ValueError, OSError, OverflowError) as error:
            raise ToolError(f"cannot open the serial port {self.name}: {error}") from None
        self._errors = (
            serial.SerialException,
            OSError,
            TypeError,
        )  # TypeError: it was closed meanwhile

    def write(self, data: bytes, /) -> None:
        """Send bytes."""
        try:
            self._port.write(data)
        except self._errors as error:
            raise self._gone(error) from None

    def read(self) -> bytes:
        """What has come."""
        try:
            return bytes(self._port.read(max(1, self._port.in_waiting)))
        except self._errors as error:
            raise self._gone(error) from None

    def close(self) -> None:
        """Let the port go."""
        self._port.close()

    def _gone(self, error: Exception) -> BoardError:
        return BoardError(f"the board at {self.name} is gone ({error}): plug it in, and run again")


def find_port() -> str:
    """The serial port of the one known board that is plugged in.

    Raises
    ------
    InputError
        If there is none, or several.
    """
    _serial()
    from serial.tools import list_ports

    known = {usb for board in BOARDS.values() for usb in board.usb}
    found = []
    for port in list_ports.comports():
        usb = f"{port.vid or 0:04x}:{port.pid or 0:04x}"
        interface = (port.location or "").rpartition(".")[2]
        if usb in known and not (usb in _SECOND and interface == "0"):
            found.append(port.device)
    if len(found) == 1:
        return str(found[0])
    what = f"several boards: {', '.join(sorted(found))}" if found else "no board that lifline knows"
    raise InputError(
        f"port auto: {what} is plugged in: name the port, such as /dev/ttyUSB1, or virtual"
    )


def _serial() -> Any:
    try:
        import serial
    except ModuleNotFoundError:
        raise MissingExtra("pyserial", "boards") from None
    return serial


def _exclusive() -> bool | None:
    """Where the system has it, no two processes share a port."""
    import os

    return True if os.name == "posix" else None


@dataclasses.dataclass(frozen=True)
class Faults:
    """Damage done to frames on a line, both ways: each a probability for a frame."""

    flip: float = 0.0  #: one of its bits is inverted
    drop: float = 0.0  #: it is lost
    duplicate: float = 0.0  #: it comes twice
    cut: float = 0.0  #: its end is lost
    swap: float = 0.0  #: it comes after the next one
    noise: float = 0.0  #: some bytes of nothing come before it
    seed: int = 0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name != "seed" and not 0 <= value <= 1:
                raise InputError(f"faults: {field.name} must be in 0 … 1, not {value!r}")
        if self.seed < 0:
            raise InputError(f"faults: seed must be 0 or more, not {self.seed}")

    @classmethod
    def parse(cls, text: str) -> Faults:
        """Faults of a text such as ``flip=0.01,drop=0.01,seed=3``.

        Raises
        ------
        InputError
            If it is none.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        values: dict[str, Any] = {}
        for part in text.split(","):
            name, _, value = part.partition("=")
            try:
                if name not in names or name in values:
                    raise ValueError
                values[name] = int(value) if name == "seed" else float(value)
            except ValueError:
                raise InputError(
                    f"faults: '{part}' is not NAME=NUMBER with a name of {', '.join(names)}, each once"
                ) from None
        return cls(**values)


class FaultyLine:
    """A line that damages frames.

    Members
    -------
    done : dict of str to int
        How often what was done.
    """

    def __init__(self, line: Line, faults: Faults) -> None:
        self._line = line
        self._faults = faults
        self._rng = np.random.default_rng(faults.seed)
        self._held: dict[bool, bytes] = {True: b"", False: b""}  # a frame to come after the next
        self._partial = b""
        self.done = {field.name: 0 for field in dataclasses.fields(faults) if field.name != "seed"}
        self.frames = 0

    def write(self, data: bytes, /) -> None:
        """Send bytes, whole frames, with damage."""
        self._line.write(self._damaged(data, True))

    def read(self) -> bytes:
        """What has come, with damage."""
        data = self._partial + self._line.read()
        end = data.rfind(FLAG) + 1  # frames begin and end with flags; an opening one may be split off
        self._partial = data[end:]
        return self._damaged(data[:end], False)

    def close(self) -> None:
        """Let the line go."""
        self._line.close()

    def _damaged(self, data: bytes, out: bool) -> bytes:
        result = []
        for body in data.split(bytes([FLAG])):
            if body:
                result.append(self._frame(bytes([FLAG]) + body + bytes([FLAG]), out))
        if data and not result:
            return data if not out else b""
        return b"".join(result)

    def _frame(self, frame: bytes, out: bool) -> bytes:
        self.frames += 1
        rng, faults = self._rng, self._faults

        def happens(name: str) -> bool:
            hit = bool(rng.random() < getattr(faults, name))
            self.done[name] += hit
            return hit

        if happens("flip"):
            bit = int(rng.integers(8 * len(frame)))
            damaged = bytearray(frame)
            damaged[bit // 8] ^= 1 << bit % 8
            frame = bytes(damaged)
        if happens("cut"):
            frame = frame[: int(rng.integers(1, len(frame)))]
        if happens("duplicate"):
            frame *= 2
        if happens("noise"):
            frame = rng.bytes(int(rng.integers(1, 9))) + frame
        if happens("drop"):
            frame = b""
        held, self._held[out] = self._held[out], b""
        if not held and happens("swap"):
            self._held[out] = frame
            return b""
        return frame + held
