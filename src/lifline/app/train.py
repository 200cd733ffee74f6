"""The command ``lifline train``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import click

from lifline.errors import MissingExtra

from . import options, output
from .parts import part


class _TaskHelp(click.Command):
    """A command whose help lists the tasks or, given a TASK, goes on with the settings of that task."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with contextlib.suppress(click.UsageError):  # which is reported below
            ctx.meta["task"] = self.make_parser(ctx).parse_args(list(args))[0].get("task")
        return super().parse_args(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        task = ctx.meta.get("task")
        more = _settings(task) if isinstance(task, str) else _tasks()
        super().format_help(ctx, formatter)
        formatter.write(f"\n{more}\n")


def _tasks() -> str:
    """Every task with its title; or why they cannot be listed."""
    try:
        tasks = part("train.tasks")
    except MissingExtra as error:
        return f"The tasks cannot be listed: {error}"
    titles = {name: tasks.find(name).title for name in tasks.names()}
    width = max(map(len, titles))
    return "\n".join(["Tasks:", *(f"  {name.ljust(width)}  {title}" for name, title in titles.items())])


def _settings(task: str) -> str:
    """Every setting of a task with its default, range and meaning; or why they cannot be listed."""
    try:
        tasks = part("train.tasks")
    except MissingExtra as error:
        return f"The settings of {task} cannot be listed: {error}"
    text: str = tasks.help_text(task)
    return text


@click.command(cls=_TaskHelp)
@click.argument("task")
@options.folder_option(required=True)
@options.seed_option(default=0, help="Seed of everything random.")
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=None,
    help="Passes over the data.  [default: the task's]",
)
@options.data_option
@click.option(
    "--rule",
    metavar="NAME",
    default=None,
    help="Learning rule: surrogate, superspike, eprop, decolle, resume or spikeprop, see docs/rules.md.  "
    "[default: surrogate]",
)
@click.option("--weight-bits", type=click.IntRange(2, 16), default=None, help="Width of the weights.")
@click.option("--delays", type=click.Choice(["learned", "random", "none"]), default=None)
@click.option("--max-delay", type=click.IntRange(0, 255), default=None, help="Longest delay, in ticks.")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any setting of the task; lifline train TASK --help lists them.",
)
@click.option("--resume", is_flag=True, help="Carry on an interrupted run, if there is one.")
@options.force_option
@options.json_option
def train(
    task: str,
    directory: Path,
    seed: int,
    data: Path | None,
    assignments: tuple[str, ...],
    resume: bool,
    force: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train TASK; write network.npz, test.npz and train.json.

    Without a TASK --help lists the tasks, with one its settings.  Under torchrun all processes train one network
    together.
    """
    settings = {name: value for name, value in settings.items() if value is not None}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise click.UsageError(f"--set {assignment} must be NAME=VALUE, such as --set batch=32")
        settings[name] = value
    tasks = part("train.tasks")
    # An interrupted run over an earlier one was begun with --force.
    options.check_finished(
        directory / "train.json", force or (resume and (directory / "checkpoint.pt").exists())
    )
    with output.progress_bar(not as_json) as progress:
        record = tasks.run_task(
            task, directory, seed=seed, data=data, resume=resume, progress=progress,
            warn=lambda line: click.echo(f"lifline: warning: {line}", err=True), **settings,
        )  # fmt: skip
    if not record:  # another process of torchrun reports
        return
    lines = [
        f"{name}: {value}"
        for name, value in record.items()
        if not isinstance(value, dict | list | None)
    ]
    lines.append(f"wrote {directory}/network.npz, test.npz, train.json")
    output.result(as_json, record, "\n".join(lines))
