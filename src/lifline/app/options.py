"""Options and arguments that several commands share."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from lifline.encoders import parse
from lifline.errors import InputError

from .parts import part


class Lanes(click.ParamType):  # type: ignore[type-arg]
    """An int, or ``population=int,…``."""

    name = "P|NAME=P,…"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | dict[str, int]:
        """Return the option's value as `lanes` of the gateware."""
        if not isinstance(value, str):
            return value
        if re.fullmatch(r"[1-9]\d{0,8}", value):
            return int(value)
        parts = [re.fullmatch(r"(\w+)=([1-9]\d{0,8})", part) for part in value.split(",")]
        if not all(parts) or len({part[1] for part in parts if part}) < len(parts):
            self.fail(
                f"'{value}' is neither a number ≥ 1 nor a list such as hidden=4,output=2", param, ctx
            )
        return {part[1]: int(part[2]) for part in parts if part}


class LanesOrAuto(Lanes):
    """Lanes as above, or ``auto``."""

    name = "auto|P|NAME=P,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return ``"auto"``, or the option's value as `lanes` of the gateware."""
        return value if value == "auto" else super().convert(value, param, ctx)


class Positive(click.ParamType):  # type: ignore[type-arg]
    """A finite number above 0."""

    name = "NUMBER"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the option's value as a float."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf:
            self.fail(f"'{value}' is not a finite number above 0", param, ctx)
        return number


def file(exists: bool = False) -> click.Path:
    """Return the type of an option that names a file."""
    return click.Path(exists=exists, dir_okay=False, path_type=Path)


network_argument = click.argument("network", type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
seed_option = functools.partial(click.option, "--seed", type=click.IntRange(0), show_default=True)
data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder that holds the task's files.  [default: $LIFLINE_DATA/TASK]",
)
folder_option = functools.partial(
    click.option,
    "-o",
    "--output",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write to; it is made.",
)
lanes_option = functools.partial(
    click.option,
    "--lanes",
    type=Lanes(),
    default=None,
    help="Neurons updated per cycle: a number for all populations, or hidden=4,output=2.",
)
board_option = click.option(
    "--board",
    default=None,
    help="As a build for this board has it: memories sliced by its block RAMs, and traces.",
)


port_option = click.option(
    "--port",
    required=True,
    help="/dev/ttyUSB1, auto (the board that is plugged in), or virtual (a simulated one).",
)


class EncoderText(click.ParamType):  # type: ignore[type-arg]
    """``rate:ticks=20,seed=7``: an encoder of :mod:`lifline.encoders`."""

    name = "KIND:FIELD=N,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the encoder."""
        return parse(value) if isinstance(value, str) else value


encoder_option = click.option(
    "--encoder",
    type=EncoderText(),
    default=None,
    help="An encoder in front of the network, such as rate:ticks=20: the board takes raw values, see docs/encoders.md.",
)


def virtual_options(command: Any) -> Any:
    """The options of the line to a board, and of the virtual one."""
    for option in (
        click.option(
            "--timeout",
            type=Positive(),
            default=2.0,
            show_default=True,
            help="Seconds without an answer.",
        ),
        click.option(
            "--baud", type=click.IntRange(1), default=None, help="[default: the board's, else 3000000]"
        ),
        click.option(
            "--board",
            default=None,
            help="With a virtual board: be like this one.  [default: like none]",
        ),
        lanes_option(show_default="as a build for it"),
        encoder_option,
        click.option(
            "--flash",
            type=file(),
            default=None,
            help="With a virtual board: weights.bin of a build with --flash-weights, which it reads when it starts.",
        ),
        click.option(
            "--faults",
            default=None,
            metavar="NAME=P,…",
            help="Damage frames on purpose: flip, drop, duplicate, cut, swap, noise, each a probability; seed.",
        ),
    ):
        command = option(command)
    return command


def connected(port: str, network: Any, progress: Any, line: dict[str, Any]) -> Any:
    """The device at `port`, with what the options of `virtual_options` say."""
    if port != "virtual" and line["lanes"] is not None:
        raise click.UsageError("--lanes is for --port virtual: a board has the lanes of its bitstream")
    if port != "virtual" and line["encoder"] is not None:
        raise click.UsageError("--encoder is for --port virtual: a board has that of its bitstream")
    if port != "virtual" and line["flash"] is not None:
        raise click.UsageError(
            "--flash is for --port virtual: write a board's with  lifline flash BUILD"
        )
    if port == "virtual" and line["baud"] is not None:
        raise click.UsageError("--baud is for a board: the virtual one has that of --board")
    device, boards = part("boards.device"), part("boards.line")
    if line["baud"] is None:
        line["baud"] = (
            device.BAUD if line["board"] is None else part("boards").find_board(line["board"]).baud
        )
    faults = None if line["faults"] is None else boards.Faults.parse(line["faults"])
    flash = None if line["flash"] is None else part("boards.image").read_flash(line["flash"])
    more = {"faults": faults, "flash": flash}
    return part("boards").connect(port, network, progress=progress, **{**line, **more})


force_option = click.option("--force", is_flag=True, help="Overwrite what an earlier run has finished.")


def check_finished(path: Path, force: bool) -> None:
    """Refuse to overwrite a finished result: a file, or a folder by the file in it that was written last.

    A device or a named pipe is written to, not overwritten.
    """
    if not force and path.is_file():
        raise InputError(f"{path} is there already: --force overwrites it, or name another")


def check_output(path: Path, **inputs: Path) -> None:
    """Refuse an output file that cannot be written, before hours are spent on its content.

    Parameters
    ----------
    path : Path
    **inputs : Path
        The files that the command reads, by what they are called on the command line: none is overwritten.
    """
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; make it first")
    with contextlib.suppress(FileNotFoundError):
        os.stat(path)  # refuses a loop of links, and a name that is too long
    for name, source in inputs.items():
        if _same(path, source):
            raise InputError(f"{path} is {name}, too, which would be overwritten: name another file")


@contextlib.contextmanager
def all_or_none(*paths: Path | None) -> Iterator[None]:
    """Remove what is new of several files that a command writes, if it fails before it has written all of them."""
    new = [path for path in paths if path is not None and not os.path.lexists(path)]
    try:
        yield
    except BaseException:
        for path in new:
            path.unlink(missing_ok=True)
        raise


def _same(one: Path, other: Path) -> bool:
    """Whether two paths name one file, which need not exist."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)  # which bears a loop of links
