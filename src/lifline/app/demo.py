"""The command ``lifline demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options, output


@click.command()
@options.folder_option(default="demo", show_default=True)
@click.option("--task", help="digits, mnist, fsdd, nmnist or arrays.  [default: digits]")
@options.seed_option(default=None, help="Seed of the training.  [default: 0]")
@options.data_option
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
@options.json_option
def demo(
    directory: Path,
    trained: Path | None,
    samples: int | None,
    boards: tuple[str, ...],
    as_json: bool,
    **choices: Any,
) -> int:
    """The whole path on real data: train, check, simulate, build, and one report page."""
    choices = {name: value for name, value in choices.items() if value is not None}
    if trained is not None and choices:
        raise click.UsageError(
            f"--trained brings its own task, seed and data: leave out --{', --'.join(choices)}"
        )
    from .pipeline import run
    from .tables import summary

    with output.progress_bar(not as_json) as progress:
        result = run(
            directory, trained=trained, samples=samples, boards=boards or None, progress=progress,
            say=(lambda text: None) if as_json else output.say, **choices,
        )  # fmt: skip
    if not as_json:
        output.show(summary(result))
    output.result(as_json, result, f"report: {result['report']}")
    return 0 if result["passed"] and not result["unbuilt"] else 1
