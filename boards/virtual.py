"""The virtual board: a board's Verilog, the pins of its UART included, verilated behind a pseudo-terminal.

It runs what a bitstream is made of, but for the clock's PLL: the exported network, the host link and the UART.  So a
driver finds a serial port, and nothing tells it that there is no board.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any, Self

from lifline import rtl
from lifline.encoders import Encoder
from lifline.errors import InputError, MissingExtra, ToolError
from lifline.network import Network
from lifline.processes import leash
from lifline.progress import Progress, silent
from lifline.rtl.plan import Lanes
from lifline.rtl.verilog import top_name
from lifline.sim.build import Build
from lifline.sim.cache import cached
from lifline.sim.tools import find_verilator
from lifline.temporary import temporary_folder

from .board import WEIGHTS_OFFSET, check_flash, find_board
from .device import BAUD
from .image import Images
from .link import LinkOptions
from .memories import choose_memories
from .top import ExportedCore, System, identity_of
from .uart import LEAST_CYCLES, divisor

#: The module that is the board.
_TOP = "lifline_board"
_DRIVER = Path(__file__).parent / "virtual.cpp"

#: Of a virtual board that is like no board: lanes where nothing is said, and bits of a block RAM.
_LANES, _BLOCK_BITS = 8, 16384


class VirtualBoard:
    """A board that is simulated; a context manager.

    Parameters
    ----------
    network : Network
    board : str, optional
        A name in :data:`lifline.boards.BOARDS`: its clock, baud rate, lanes, and memories as large as its block RAMs.
        Without one: 8 lanes, and a UART as fast as one can be for its clock, so that least is simulated.
    lanes : int or dict, optional
    encoder : Encoder, optional
        Samples are raw values for it.
    load : bool
        Whether its memories can be loaded over the line.
    learn : bool
        Whether what can learn does, when it is asked to; its memories can be loaded, too.
    flash : bytes, optional
        What is in its flash, from where it looks for an image of weights (:mod:`lifline.boards.image`); its memories
        can be loaded over the line, too.
    progress : callable, optional
        Called as ``progress(done, total, text)`` while it is made.

    Members
    -------
    port : str
        The serial port behind which it is.

    Raises
    ------
    InputError, ToolError, MissingExtra
        If it cannot be made.
    """

    def __init__(
        self,
        network: Network,
        *,
        board: str | None = None,
        lanes: Lanes | None = None,
        encoder: Encoder | None = None,
        load: bool = False,
        learn: bool = False,
        flash: bytes | None = None,
        progress: Progress = silent,
    ) -> None:
        pty, tty = _terminals()
        if learn and flash is not None:
            raise InputError(
                "a board that learns does not read its weights from its flash: leave flash or learn out"
            )
        load = load or learn or flash is not None
        self.cycles_per_bit, program, folder = _make(
            network, board, lanes, encoder, load, learn, flash is not None, progress
        )
        master, self._slave = pty.openpty()
        try:
            tty.setraw(self._slave)
            self.port = os.ttyname(self._slave)
            self._process = subprocess.Popen(
                [*leash(), str(program), repr(self.cycles_per_bit), str(master)],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[master],
                start_new_session=True,
            )
            self._start(flash or b"")
        except BaseException:
            os.close(self._slave)
            raise
        finally:
            os.close(master)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _start(self, flash: bytes) -> None:
        """Give it what is in its flash, and wait until it has read that."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(flash)
        with self._process.stdout as pipe:
            if not pipe.readline():
                raise ToolError("the virtual board has stopped: please report it with the network")

    def close(self) -> None:
        """End it, as if it were unplugged."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            os.close(self._slave)
        self._slave = -1


def _terminals() -> tuple[Any, Any]:
    try:
        import pty
        import tty
    except ImportError:
        raise ToolError(
            "the virtual board needs pseudo-terminals, which this system does not have"
        ) from None
    return pty, tty


def _make(
    network: Network,
    board: str | None,
    lanes: Lanes | None,
    encoder: Encoder | None,
    load: bool,
    learn: bool,
    flash: bool,
    progress: Progress,
) -> tuple[float, Path, Path]:
    """Clock cycles of a bit, the compiled program, and the folder to run it in."""
    try:
        from amaranth.back import verilog
    except ModuleNotFoundError:
        raise MissingExtra("amaranth", "boards") from None
    found = None
    if board is None:
        block_bits, clock, baud = _BLOCK_BITS, BAUD * LEAST_CYCLES / 1e6, BAUD
        chosen = rtl.lanes_of(network, _LANES if lanes is None else lanes)
    else:
        from .estimate import choose_lanes

        found = find_board(board)
        if flash:
            check_flash(found)
        block_bits, clock, baud = found.family.block_bits, found.clocks_mhz[0], found.baud
        chosen = (
            choose_lanes(network, found, load, encoder)
            if lanes is None
            else rtl.lanes_of(network, lanes)
        )
    arrays = rtl.plan(network, chosen, load=load, learn=learn)
    kept = choose_memories(arrays, found) if load and found is not None else {}
    arrays = rtl.plan(network, chosen, load=load, learn=learn, spram=kept)

    def export(folder: Path) -> list[str]:
        manifest = rtl.export(
            network,
            folder,
            chosen,
            trace=True,
            block_bits=block_bits,
            load=load,
            memories=kept,
            learn=learn,
        )
        return manifest["sources"]

    progress(0, 3, "writing the virtual board")
    with temporary_folder("lifline-virtual-") as work:
        sources = export(work)
        exported = {p.relative_to(work): p.read_text() for p in sorted(work.rglob("*.[vm]*"))}
        options = LinkOptions.of_blocks(block_bits, encoder)
        cycles = divisor(clock * 1e6, baud)
        system = System(
            network,
            ExportedCore(network, arrays, top_name()),
            arrays[network.output],
            divisor=cycles,
            identity=identity_of(
                network, arrays, options, clock_mhz=clock, board=board or "virtual", flash=flash
            ),
            options=options,
            images=Images(network, chosen) if flash else None,
            offset=WEIGHTS_OFFSET,
        )
        memories = system.memory_files()
        text = verilog.convert(system, name=_TOP, platform="verilog", emit_src=False)
        tool = find_verilator()
        key = (
            "virtual",
            text,
            memories,
            exported,
            tool.executable,
            tool.version,
            _DRIVER.read_text(),
        )

        def compile_board(folder: Path) -> None:
            progress(1, 3, "compiling the virtual board, once")
            export(folder)
            for path, content in {f"{_TOP}.v": text, **memories}.items():
                (folder / path).write_text(content)
            _build(folder, sources).compile()

        with cached(key, compile_board) as folder:
            progress(2, 3, "starting the virtual board")
            return cycles, _build(folder, sources).objects / _TOP, folder


def _build(folder: Path, sources: list[str]) -> Build:
    files = tuple(folder / name for name in (f"{_TOP}.v", *sources))
    return Build(folder, _TOP, files, optimise=True, header="", driver=_DRIVER)
