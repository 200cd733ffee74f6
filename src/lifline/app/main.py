"""The command ``lifline``.

Exit status: 0 success, 1 a check has failed, 2 bad usage or input (one line on stderr), 130 interrupted, 143 ended
by SIGTERM.
With ``--json`` a command prints one JSON object on stdout, and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import click

from lifline import __version__
from lifline.errors import LiflineError, MissingExtra

from . import output
from .boards import boards
from .build import build
from .demo import demo
from .doctor import doctor
from .estimate import estimate
from .evaluate import evaluate
from .export import export
from .flash import flash
from .import_ import command as import_
from .monitor import monitor
from .patch import patch
from .run import run
from .simulate import simulate
from .train import train
from .verify import verify

#: Longer messages are cut: what is wrong may be a name of megabytes.
_LONGEST = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; what goes wrong becomes one line on stderr."""
    try:
        with _ended_by_signals():
            return _run(arguments)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "lifline"
        return _refuse(f"{error.format_message()} (see {command} --help)")
    except click.ClickException as error:
        return _refuse(error.format_message())
    except _Ended as ended:
        click.echo(f"lifline: {ended}", err=True)
        return 128 + ended.number
    except (click.Abort, KeyboardInterrupt):
        click.echo("lifline: interrupted", err=True)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `lifline … | head`
        output.silence()
        return 0
    except LiflineError as error:
        return _refuse(str(error), error.status)
    except ImportError as error:
        return _refuse(str(MissingExtra(error.name or str(error), "all")))
    except OSError as error:
        return _refuse(f"{_place(error)}{error.strerror or error}")
    except UnicodeEncodeError as error:
        return _refuse(f"{error.object!a} is not text that can be encoded: use another name")
    except MemoryError:
        return _refuse("not enough memory: use fewer samples or ticks at a time")
    except Exception as error:
        if os.environ.get("LIFLINE_TRACEBACK"):
            traceback.print_exc()
        place = traceback.extract_tb(error.__traceback__)[-1]
        return _refuse(
            f"a mistake in lifline itself, at {Path(place.filename).name}:{place.lineno}: "
            f"{type(error).__name__}: {error}; LIFLINE_TRACEBACK=1 shows where"
        )


def _place(error: OSError) -> str:
    """What could not be read or written: a file, or standard output, to which click itself writes help."""
    if error.filename:
        return f"{error.filename}: "
    last = traceback.extract_tb(error.__traceback__)[-1]
    if Path(last.filename).parent.name == "click":
        output.silence()
        return "standard output cannot be written: "
    return ""


class _Ended(BaseException):
    """A signal asked the process to end: what it has started and what it has not finished is cleared away first."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"ended by {signal.Signals(number).name}")


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Raise `_Ended` where one of these signals would end the process at once."""

    def end(number: int, frame: object) -> None:
        raise _Ended(number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores SIGHUP
                before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(arguments: Sequence[str] | None) -> int:
    output.prepare()
    try:
        status = cli.main(arguments, prog_name="lifline", standalone_mode=False)
    except (
        SystemExit
    ):  # click's answer to a reader that has gone, with the status of a check that has failed
        raise BrokenPipeError from None
    except click.exceptions.NoArgsIsHelpError as error:  # `lifline` alone
        output.say(error.format_message())
        return 2
    output.flush()
    return status if isinstance(status, int) else 0


def _refuse(message: str, status: int = 2) -> int:
    line = " ".join(message.split())
    click.echo(f"lifline: {line if len(line) <= _LONGEST else line[:_LONGEST] + ' …'}", err=True)
    return status


class _Commands(click.Group):
    """The commands; where a package is missing, the extra that brings all that the command needs is named."""

    extras: ClassVar = {
        "simulate": "sim",
        "verify": "sim",
        "build": "boards",
        "patch": "boards",
        "flash": "boards",
        "boards": "boards",
        "run": "boards",
        "monitor": "monitor",
        "estimate": "boards",
        "evaluate": "report",
        "import": "convert",
        "demo": "all",
    }

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MissingExtra as error:
            extra = self.extras.get(ctx.invoked_subcommand or "", error.extra)
            raise MissingExtra(error.package, extra) from None


@click.group(
    cls=_Commands,
    commands=[
        demo,
        train,
        import_,
        simulate,
        evaluate,
        verify,
        export,
        estimate,
        build,
        flash,
        patch,
        boards,
        run,
        monitor,
        doctor,
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
@click.version_option(__version__, message="lifline %(version)s")
def cli() -> None:
    """Spiking networks from PyTorch to FPGA bitstreams: what you train is what you get."""
