"""The command ``lifline``.

Exit status: 0 success, 1 a check has failed, 2 bad usage or input (one line on stderr), 130 interrupted.
With ``--json`` a command prints one JSON object on stdout, and nothing else.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import click

from . import __version__
from .errors import InputError, LiflineError, MissingExtra
from .files import read_spikes
from .network import INPUT, Network
from .tools import Tool

Progress = Callable[[int, int, str], None]

BACKENDS = ("golden", "icarus", "verilator")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; what goes wrong becomes one line on stderr."""
    try:
        status = cli.main(arguments, prog_name="lifline", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:  # `lifline` alone
        click.echo(error.format_message())
        return 2
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "lifline"
        return _refuse(f"{error.format_message()} (see {command} --help)")
    except click.ClickException as error:
        return _refuse(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        click.echo("lifline: interrupted", err=True)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `lifline … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except LiflineError as error:
        return _refuse(str(error))
    except ImportError as error:
        return _refuse(str(MissingExtra(error.name or str(error), "all")))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{where}{error.strerror or error}")
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


def _refuse(message: str) -> int:
    click.echo(f"lifline: {' '.join(message.split())}", err=True)
    return 2


def _part(name: str) -> ModuleType:
    """Import ``lifline.NAME``, whose packages come with an extra of the same name."""
    extra = name.partition(".")[0]
    try:
        return importlib.import_module(f"lifline.{name}")
    except MissingExtra:
        raise
    except ImportError as error:
        package = (error.name or str(error)).partition(".")[0]
        if package == "lifline":
            raise
        raise MissingExtra(package, extra) from None


@contextlib.contextmanager
def _progress(visible: bool) -> Iterator[Progress]:
    """A progress bar on stderr, where that is a terminal and `visible` is set; else silence."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    if not (visible and sys.stderr.isatty()):
        yield lambda done, total, text: None
        return
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        bar = bars.add_task("", total=None)
        yield lambda done, total, text: bars.update(bar, completed=done, total=total, description=text)


def _report(as_json: bool, values: dict[str, Any], text: str) -> None:
    """Print a command's result: `values` as JSON, or `text` for a person."""
    click.echo(json.dumps(values, indent=2, default=lambda value: value.tolist()) if as_json else text)


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


def _folder_of(path: Path) -> None:
    """Refuse an output file whose folder is missing before hours are spent on its content."""
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; make it first")


def _file(exists: bool) -> click.Path:
    return click.Path(exists=exists, dir_okay=False, path_type=Path)


_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_lanes = functools.partial(
    click.option,
    "--lanes",
    type=Lanes(),
    help="Neurons updated per cycle: a number for all populations, or hidden=4,output=2.",
)
_directory = click.option(
    "-o",
    "--output",
    "directory",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write to; it is made.",
)
_network_argument = click.argument("network", type=click.Path(path_type=Path))
_seed = functools.partial(click.option, "--seed", show_default=True)


class _Commands(click.Group):
    """The commands; where a package is missing, the extra that brings all that the command needs is named."""

    extras: ClassVar = {"simulate": "sim", "verify": "sim", "build": "boards", "demo": "all"}

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MissingExtra as error:
            extra = self.extras.get(ctx.invoked_subcommand or "", error.extra)
            raise MissingExtra(error.package, extra) from None


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
@click.version_option(__version__, message="lifline %(version)s")
def cli() -> None:
    """Spiking networks from PyTorch to FPGA bitstreams: what you train is what you get."""


@cli.command()
@click.option(
    "-o",
    "--output",
    "directory",
    default="demo",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write to; it is made.",
)
@click.option("--task", help="digits, mnist, fsdd, nmnist or arrays.  [default: digits]")
@_seed(type=click.IntRange(0), help="Seed of the training.  [default: 0]")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder that holds the task's files.  [default: $LIFLINE_DATA/TASK]",
)
@click.option(
    "--trained",
    type=click.Path(path_type=Path),
    help="Folder that 'lifline train' has written: take its network instead of training one.",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    help="So many of the test samples, evenly spread.  [default: all]",
)
@click.option(
    "--board",
    "boards",
    multiple=True,
    help="Board to build for; may be given several times.  [default: ulx3s; for digits icebreaker, too]",
)
@_json
def demo(
    directory: Path,
    trained: Path | None,
    samples: int | None,
    boards: tuple[str, ...],
    as_json: bool,
    **choices: Any,
) -> int:
    """The whole path on real data: train, check, simulate, build, and one report page."""
    from .demo import run, table

    choices = {name: value for name, value in choices.items() if value is not None}
    if trained is not None and choices:
        raise click.UsageError(
            f"--trained brings its own task, seed and data: leave out --{', --'.join(choices)}"
        )
    say = (lambda text: None) if as_json else (lambda text: click.echo(text))
    with _progress(not as_json) as progress:
        result = run(
            directory, trained=trained, samples=samples, boards=boards or None, progress=progress,
            say=say, **choices,
        )  # fmt: skip
    if as_json:
        _report(True, result, "")
    else:
        from rich.console import Console

        Console().print(table(result))
        click.echo(f"report: {result['report']}")
    return 0 if result["passed"] and not result["unbuilt"] else 1


@cli.command()
@click.argument("task")
@_directory
@_seed(default=0, type=click.IntRange(0), help="Seed of everything random.")
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=None,
    help="Passes over the data.  [default: the task's]",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder that holds the task's files.  [default: $LIFLINE_DATA/TASK]",
)
@click.option("--weight-bits", type=click.IntRange(2, 16), default=None, help="Width of the weights.")
@click.option("--delays", type=click.Choice(["learned", "random", "none"]), default=None)
@click.option("--max-delay", type=click.IntRange(0, 255), default=None, help="Longest delay, in ticks.")
@click.option(
    "--set", "assignments", multiple=True, metavar="NAME=VALUE", help="Any other setting of the task."
)
@click.option("--resume", is_flag=True, help="Carry on an interrupted run, if there is one.")
@_json
def train(
    task: str,
    directory: Path,
    seed: int,
    data: Path | None,
    assignments: tuple[str, ...],
    resume: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train TASK (digits, mnist, fsdd, nmnist, arrays); write network.npz, test.npz and train.json.

    Under torchrun all processes train one network together.
    """
    settings = {name: value for name, value in settings.items() if value is not None}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise click.UsageError(f"--set {assignment} must be NAME=VALUE, such as --set batch=32")
        settings[name] = value
    tasks = _part("train.tasks")
    with _progress(not as_json) as progress:
        result = tasks.run_task(
            task, directory, seed=seed, data=data, resume=resume, progress=progress,
            warn=lambda line: click.echo(f"lifline: warning: {line}", err=True), **settings,
        )  # fmt: skip
    if not result:  # another process of torchrun reports
        return
    lines = [f"{name}: {value}" for name, value in result.items() if not isinstance(value, dict | list)]
    _report(
        as_json, result, "\n".join([*lines, f"wrote {directory}/network.npz, test.npz, train.json"])
    )


@cli.command()
@_network_argument
@click.option(
    "--input", "input_file", required=True, type=_file(False), help="SPIKES.npz, see docs/formats.md."
)
@click.option("--output", "output_file", required=True, type=_file(False), help="OUT.npz to write.")
@click.option("--backend", type=click.Choice(BACKENDS), default="golden", show_default=True)
@_lanes(default=None, show_default="1")
@click.option(
    "--waves",
    type=_file(False),
    default=None,
    help="Write waveforms (.vcd or .fst); icarus or verilator.",
)
@_json
def simulate(
    network: Path,
    input_file: Path,
    output_file: Path,
    backend: str,
    lanes: int | dict[str, int] | None,
    waves: Path | None,
    as_json: bool,
) -> None:
    """Run NETWORK on spikes; write every spike, membrane and class."""
    if backend == "golden" and waves:
        raise click.UsageError(
            "--waves needs --backend icarus or verilator: the golden model has no gateware"
        )
    net = Network.load(network)
    spikes, labels = read_spikes(input_file, net.inputs)
    for path in (output_file, waves):
        if path is not None:
            _folder_of(path)
    with _progress(not as_json) as progress:
        if backend == "golden":
            result = _part("golden").simulate(net, spikes)
        else:
            options = {"backend": backend, "lanes": lanes or 1, "waves": waves, "progress": progress}
            result = _part("sim").simulate(net, spikes, **options)
    result.save(output_file)

    samples, ticks, _ = spikes.shape
    values: dict[str, Any] = {
        "output": str(output_file), "backend": backend, "samples": samples, "ticks": ticks
    }  # fmt: skip
    text = [f"{samples} samples of {ticks} ticks on {backend}: wrote {output_file}"]
    for population in net.populations:
        fired = result.spikes[population.name]
        values.setdefault("spikes", {})[population.name] = int(fired.sum())
        text.append(f"{population.name}: {fired.sum() / samples:.1f} spikes a sample")
    if labels is not None:
        values["correct"] = correct = int((result.classes == labels).sum())
        values["accuracy"] = correct / samples
        text.append(f"accuracy: {correct / samples:.2%} ({correct} of {samples})")
    cycles = result.cycles
    if cycles is not None:
        values["cycles"] = {
            "min": int(cycles.min()),
            "mean": float(cycles.mean()),
            "max": int(cycles.max()),
        }
        text.append(f"cycles a sample: {cycles.min()} … {cycles.max()}, mean {cycles.mean():.1f}")
    _report(as_json, values, "\n".join(text))


@cli.command()
@_network_argument
@click.option("--backend", type=click.Choice(BACKENDS[1:]), default="verilator", show_default=True)
@_lanes(default=None, show_default="1")
@click.option("--samples", type=click.IntRange(1), default=8, show_default=True, help="Random samples.")
@click.option("--ticks", type=click.IntRange(1), default=32, show_default=True, help="Ticks of each.")
@_seed(default=0, type=click.IntRange(0), help="Seed of the spikes and stalls.")
@click.option(
    "--input", "input_file", type=_file(False), default=None, help="SPIKES.npz instead of random ones."
)
@_json
def verify(
    network: Path,
    backend: str,
    lanes: int | dict[str, int] | None,
    samples: int,
    ticks: int,
    seed: int,
    input_file: Path | None,
    as_json: bool,
) -> int:
    """Hold the gateware of NETWORK against the golden model, in lock-step, with random stalls."""
    net = Network.load(network)
    spikes = None if input_file is None else read_spikes(input_file, net.inputs)[0]
    with _progress(not as_json) as progress:
        result = _part("sim").verify(
            net,
            backend=backend,
            lanes=lanes or 1,
            spikes=spikes,
            samples=samples,
            ticks=ticks,
            seed=seed,
            progress=progress,
        )
    values = {"passed": bool(result.passed), "backend": backend, "seed": seed, "text": result.text}
    _report(as_json, values, result.text)
    return 0 if result.passed else 1


@cli.command()
@_network_argument
@_directory
@_lanes(default=None, show_default="1")
@_json
def export(network: Path, directory: Path, lanes: int | dict[str, int] | None, as_json: bool) -> None:
    """Write NETWORK as Verilog, block RAM init files and a manifest."""
    net = Network.load(network)
    manifest = _part("rtl").export(net, directory, lanes=lanes or 1)
    sources, memories = len(manifest["sources"]), len(list((directory / "mem").glob("*.mem")))
    text = f"wrote {sources} Verilog files, {memories} memory files and manifest.json to {directory}"
    _report(as_json, manifest, f"{text}\ntop module: {manifest['top']}")


@cli.command()
@_network_argument
@click.option("--board", required=True, help="icebreaker, ulx3s, …")
@_directory
@_lanes(
    type=LanesOrAuto(),
    default=None,
    show_default="up to 8, as fit",
    help="Neurons updated per cycle: a number, hidden=4,output=2, or auto: the fastest that fit.",
)
@click.option(
    "--target-us",
    type=float,
    default=None,
    help="With --lanes auto, the smallest design whose samples take no longer, in µs.",
)
@click.option("--clock", type=float, default=None, help="Clock in MHz.  [default: the board's]")
@_seed(default=1, type=click.IntRange(0), help="Seed of place and route.")
@click.option(
    "--tries",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    help="Seeds, from --seed on, that are tried until the clock is reached.",
)
@click.option(
    "--input",
    "input_file",
    type=_file(False),
    default=None,
    help="SPIKES.npz whose cycles and rate are reported, and by which auto chooses.",
)
@_json
def build(
    network: Path,
    board: str,
    directory: Path,
    lanes: int | dict[str, int] | str | None,
    target_us: float | None,
    clock: float | None,
    seed: int,
    tries: int,
    input_file: Path | None,
    as_json: bool,
) -> None:
    """Build the bitstream of NETWORK for BOARD, and report.json."""
    if target_us is not None and lanes != "auto":
        raise click.UsageError("--target-us needs --lanes auto, which chooses lanes by it")
    net = Network.load(network)
    boards = _part("boards")
    if board not in boards.BOARDS:
        raise InputError(f"there is no board '{board}'; lifline builds for {', '.join(boards.BOARDS)}")
    activity = None
    if input_file is not None:
        spikes, _ = read_spikes(input_file, net.inputs)
        activity = {INPUT: spikes, **_part("golden").simulate(net, spikes).spikes}
    mapping: dict[str, Any] = {}
    if lanes == "auto":
        mapper = _part("boards.mapper")
        chosen, front = mapper.map_lanes(
            net, board, activity=activity, clock_mhz=clock, target_us=target_us
        )
        lanes = chosen.lanes
        known = mapper.ASSUMPTION if activity is None else "of --input"
        mapping = _mapping(boards.BOARDS[board], chosen, front, known)
        if not as_json:
            _print_mapping(mapping)
    with _progress(not as_json) as progress:
        options = {"clock_mhz": clock, "seed": seed, "tries": tries, "activity": activity}
        result = boards.build(net, board, directory, lanes=lanes, progress=progress, **options)
    if mapping:
        result["mapping"] = mapping
        try:
            _part("boards.plot").write_plot(
                directory / "pareto.svg", boards.BOARDS[board], front, chosen
            )
        except MissingExtra as error:
            click.echo(f"lifline: no pareto.svg: {error}", err=True)
    lines = [f"{name}: {value}" for name, value in result.items() if not isinstance(value, dict | list)]
    _report(as_json, result, "\n".join(lines))


def _mapping(board: Any, chosen: Any, front: list[Any], activity: str) -> dict[str, Any]:
    """What the mapper found, for JSON."""
    return {
        "activity": activity,
        "pareto": [
            {
                "lanes": design.lanes,
                "cycles": round(design.cycles, 1),
                "microseconds": round(design.microseconds, 3),
                **design.need,
                "fits": design.fits(board),
                "chosen": design is chosen,
            }
            for design in front
        ],
    }


def _print_mapping(mapping: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("", "µs a sample", "cycles", "LUTs", "block RAMs", "DSPs", "lanes"):
        table.add_column(column, justify="left" if column in ("", "lanes") else "right")
    for row in mapping["pareto"]:
        mark = "►" if row["chosen"] else " " if row["fits"] else "✗"
        lanes = ",".join(f"{name}={number}" for name, number in row["lanes"].items())
        numbers = (f"{row['microseconds']:,.2f}", f"{row['cycles']:,.0f}", f"{row['luts']:,}")
        table.add_row(mark, *numbers, str(row["brams"]), str(row["dsps"]), lanes)
    Console().print(table)
    click.echo(f"activity {mapping['activity']}; ► chosen, ✗ does not fit; area is an estimate")


@cli.command()
@_json
def doctor(as_json: bool) -> int:
    """List the tools and Python packages that lifline uses, and what is missing."""
    found = []
    for name in ("sim", "boards"):
        # A part whose own packages are missing cannot say what it needs; the packages' rows say it.
        with contextlib.suppress(ImportError):
            found += _part(f"{name}.tools").tools()
    found = _packages({tool.name for tool in found}) + found
    missing = [tool for tool in found if tool.version is None]
    if as_json:
        rows = [
            {"name": tool.name, "purpose": tool.purpose, "version": tool.version, "origin": tool.origin}
            | ({"remedy": tool.remedy} if tool.version is None else {})
            for tool in found
        ]
        _report(True, {"ok": not missing, "lifline": __version__, "tools": rows}, "")
        return 1 if missing else 0
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("", "tool", "version", "from", "for"):
        table.add_column(column)
    for tool in found:
        mark = "[red]✗" if tool.version is None else "[green]✓"
        table.add_row(mark, tool.name, tool.version or "missing", tool.origin, tool.purpose)
    Console().print(table)
    for tool in missing:
        click.echo(f"missing: {tool.name}: run  {tool.remedy}")
    click.echo("all is there" if not missing else f"{len(missing)} missing")
    return 1 if missing else 0


def _packages(tools: set[str]) -> list[Tool]:
    """lifline's Python packages, by the extra that brings them, as the installed lifline declares them.

    Packages that only bring one of `tools` are left out: the tool's own row says whether there is one.
    """
    packages = []
    seen = {"lifline"}
    for requirement in importlib.metadata.requires("lifline") or []:
        match = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"""extra == ['"](\w+)['"]""", requirement)
        name = match[0] if match else requirement
        if name in seen or (extra and extra[1] in ("all", "dev", "bench")):
            continue
        seen.add(name)
        if name in tools or (tools and name.startswith("yowasp-")):
            continue
        try:
            version: str | None = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = None
        purpose = f"extra '{extra[1]}'" if extra else "lifline itself"
        remedy = f"pip install 'lifline[{extra[1]}]'" if extra else "pip install lifline"
        packages.append(Tool(name, purpose, version, "PyPI", remedy))
    return packages
