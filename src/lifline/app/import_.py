"""``lifline import``: a NIR graph becomes a network, with a report of what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lifline.errors import InputError

from . import options, output
from .parts import part


class WeightBits(click.ParamType):  # type: ignore[type-arg]
    """A number of bits, or ``auto``."""

    name = "BITS|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return ``"auto"``, or the option's value as an int."""
        if value == "auto" or isinstance(value, int):
            return value
        if not str(value).isdecimal():
            self.fail(f"'{value}' is neither a number of bits nor auto", param, ctx)
        return int(value)


class ScaleOption(click.ParamType):  # type: ignore[type-arg]
    """A number, ``population`` or ``neuron``."""

    name = "NUMBER|population|neuron"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the word, or the option's value as a float."""
        if value in ("population", "neuron"):
            return value
        return options.Positive().convert(value, param, ctx)


@click.command(name="import")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "path", required=True, type=options.file(), help="The network.npz to write."
)
@click.option(
    "--producer",
    default="nir",
    show_default=True,
    help="Whose convention the graph follows: nir, snntorch, norse, sinabs, rockpool or spikingjelly.",
)
@click.option("--dt", type=options.Positive(), default=None, help="Seconds a tick.")
@click.option(
    "--reset",
    type=click.Choice(["zero", "subtract", "none"]),
    default=None,
    help="What a spike does to its membrane.",
)
@click.option("--reset-delay/--no-reset-delay", default=None, help="Whether it does so one tick later.")
@click.option(
    "--comparison",
    type=click.Choice([">", ">="]),
    default=None,
    help="A spike is a membrane above, or at, its threshold.",
)
@click.option(
    "--decay",
    type=click.Choice(["euler", "exponential"]),
    default=None,
    help="1 − dt / τ, or e^(−dt / τ).",
)
@click.option(
    "--loop-delay",
    type=click.IntRange(1, 255),
    default=None,
    help="Ticks that a loop without a delay node takes.",
)
@click.option(
    "--scale",
    type=ScaleOption(),
    default="neuron",
    show_default=True,
    help="Integers to one of the model's units.",
)
@click.option(
    "--weight-bits",
    type=WeightBits(),
    default="8",
    show_default=True,
    help="2 … 16, or auto: the fewest that lose no more than --max-loss.",
)
@click.option(
    "--max-loss",
    type=click.FloatRange(0, 1),
    default=0.003,
    show_default=True,
    help="Accuracy that auto may lose.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 100),
    default=0.5,
    show_default=True,
    help="Room for states beyond what calibration shows.",
)
@click.option(
    "--calibrate",
    type=options.file(),
    default=None,
    help="SPIKES.npz: chooses widths, and float and integer are compared on it.",
)
@click.option(
    "--finetune",
    type=click.IntRange(1),
    default=None,
    metavar="EPOCHS",
    help="Train quantised on the calibration data.",
)
@click.option("--output-node", default=None, help="The node that answers, where there are several.")
@click.option("--name", default=None, help="The network's.  [default: the file's]")
@click.option(
    "--report", "page", type=options.file(), default=None, help="Write the report as an HTML page."
)
@options.force_option
@options.json_option
def command(
    model: Path, path: Path, calibrate: Path | None, finetune: int | None, output_node: str | None,
    name: str | None, page: Path | None, force: bool, as_json: bool, **choices: Any,
) -> None:  # fmt: skip
    """Convert a network from a NIR file, and say what became of it.

    What cannot be held exactly is refused by name.  docs/convert.md has the conventions of each producer.
    """
    options.check_finished(path, force)
    options.check_output(path, MODEL=model)
    if page is not None:
        options.check_output(page, MODEL=model, **{"--output": path})
    values = labels = None
    if calibrate is not None:
        values, labels = _calibration(calibrate)
    elif finetune is not None:
        raise InputError(
            "--finetune trains on calibration data with labels: give --calibrate SPIKES.npz"
        )
    convert = part("convert")
    with output.progress_bar(visible=not as_json):
        conversion = convert.from_nir(
            model,
            calibrate=values,
            labels=labels,
            output=output_node,
            name=name or model.stem,
            **choices,
        )
        if finetune is not None:
            if labels is None:
                raise InputError(f"{calibrate}: has no labels, which --finetune needs")
            conversion = convert.finetune(conversion, values, labels, epochs=finetune)
    with options.all_or_none(path, page):
        conversion.network.save(path)
        if page is not None:
            conversion.report.save(page)
    result = {"network": str(path), **conversion.report.to_dict()}
    output.result(as_json, result, f"{conversion.report.text()}\n\nwritten: {path}")


def _calibration(path: Path) -> tuple[Any, Any]:
    """The arrays `spikes` and, if there are any, `labels` of a file; their shapes are checked with the network's."""
    from lifline.files import read_npz

    arrays = read_npz(path)
    if "spikes" not in arrays:
        raise InputError(f"{path}: holds no array 'spikes'")
    return arrays["spikes"], arrays.get("labels")
