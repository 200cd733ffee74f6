"""Opening a board: a serial port, the board that is plugged in, or the virtual one."""

from __future__ import annotations

from collections.abc import Callable

from lifline.encoders import Encoder
from lifline.errors import InputError
from lifline.network import Network
from lifline.progress import Progress, silent
from lifline.rtl.plan import Lanes

from .device import BAUD, Device
from .line import Faults, FaultyLine, Line, SerialLine


def connect(
    port: str,
    network: Network | None = None,
    *,
    timeout: float = 2.0,
    baud: int = BAUD,
    board: str | None = None,
    lanes: Lanes | None = None,
    load: bool = False,
    learn: bool = False,
    encoder: Encoder | None = None,
    flash: bytes | None = None,
    faults: Faults | None = None,
    progress: Progress = silent,
) -> Device:
    """A board, ready to run samples; a context manager.

    Parameters
    ----------
    port : str
        A serial port such as ``/dev/ttyUSB1``; ``"auto"``, that of the one board that is plugged in; or ``"virtual"``,
        a board made of `network` and simulated.
    network : Network, optional
        What the board must run; for the virtual board it is needed.
    timeout : float
        Seconds without a sign of life after which the board is given up.
    baud : int
        Of the board's UART.
    board, lanes, encoder, flash : optional
        Of the virtual board: see :class:`lifline.boards.virtual.VirtualBoard`.
    load : bool
        Accept a board that runs another network of this shape, to be loaded by :meth:`Device.load`; a virtual board is
        given a load port.
    learn : bool
        Make a virtual board that learns; whether another does, its bitstream says.
    faults : Faults, optional
        Damage to be done on the line.
    progress : callable, optional
        Called while the virtual board is made.

    Raises
    ------
    InputError, ToolError, MissingExtra
        If the port cannot be opened, or the virtual board not be made.
    BoardError
        If the board does not answer, or runs another network.
    """
    closing: Callable[[], object] = lambda: None  # noqa: E731
    name = port
    if port == "virtual":
        if network is None:
            raise InputError("port virtual: give the network that the board is to run")
        from .virtual import VirtualBoard

        virtual = VirtualBoard(
            network,
            board=board,
            lanes=lanes,
            encoder=encoder,
            load=load,
            learn=learn,
            flash=flash,
            progress=progress,
        )
        name, closing = virtual.port, virtual.close
    try:
        line: Line = SerialLine(name, baud, timeout)
    except BaseException:
        closing()
        raise
    if faults is not None:
        line = FaultyLine(line, faults)
    return Device(line, network, timeout=timeout, load=load, closing=closing)
