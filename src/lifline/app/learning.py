"""What commands that let a network learn have in common: their options, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lifline.errors import InputError
from lifline.network import Network
from lifline.teaching import learns

from . import options


def learning_options(more: str = "", learned: str = "") -> Callable[[Any], Any]:
    """The options --learn, --reward and --learned; `more` and `learned` end the help of the first and the last."""

    def add(command: Any) -> Any:
        for option in (
            click.option(
                "--learned",
                "learned_file",
                type=options.file(),
                default=None,
                help=f"With --learn: where to write the network after the last sample{learned}.",
            ),
            click.option(
                "--reward",
                "reward_file",
                type=options.file(),
                default=None,
                help="With --learn: an .npz file whose array `reward` has an integer for each sample, for rules that "
                "need one; by default that of --input.",
            ),
            click.option(
                "--learn",
                is_flag=True,
                help=f"Let what can learn do so, from sample to sample.{more}",
            ),
        ):
            command = option(command)
        return command

    return add


def check_options(learn: bool, reward_file: Path | None, learned_file: Path | None) -> None:
    """Refuse options that need --learn without it."""
    for name, file in (("--learned", learned_file), ("--reward", reward_file)):
        if file is not None and not learn:
            raise click.UsageError(f"{name} needs --learn: without it the network stays as it is")


def check_learns(path: Path, network: Network, learn: bool) -> None:
    """Refuse --learn for a network in which nothing can."""
    if learn and not learns(network):
        raise InputError(
            f"{path}: no projection has a plasticity, so nothing can learn; leave --learn out"
        )
