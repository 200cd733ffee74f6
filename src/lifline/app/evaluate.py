"""The command ``lifline evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from lifline.files import read_spikes, replaced
from lifline.network import Network

from . import options, output
from .parts import part


class Names(click.ParamType):  # type: ignore[type-arg]
    """``zero,one,…``: a name for each class."""

    name = "NAME,…"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[str]:
        """Return the names."""
        return value if isinstance(value, list) else [name.strip() for name in value.split(",")]


@click.command()
@options.network_argument
@click.option(
    "--input", "input_file", required=True, type=options.file(), help="SPIKES.npz, see docs/formats.md."
)
@options.folder_option(required=True)
@click.option(
    "--classes",
    type=Names(),
    default=None,
    help="Names of the classes.  [default: the network's metadata, or numbers]",
)
@click.option(
    "--board", "boards", multiple=True, help="Estimate this board, or several.  [default: all]"
)
@options.lanes_option(
    type=options.LanesOrAuto(),
    show_default="up to 8, as fit",
    help="For the estimates: a number, hidden=4,output=2, or auto: the fastest that fit.",
)
@click.option(
    "--show",
    type=click.IntRange(1, 100),
    default=12,
    show_default=True,
    help="Samples that the page shows tick by tick, wrong ones first.",
)
@options.force_option
@options.json_option
def evaluate(
    network: Path,
    input_file: Path,
    directory: Path,
    classes: list[str] | None,
    boards: tuple[str, ...],
    lanes: int | dict[str, int] | str | None,
    show: int,
    force: bool,
    as_json: bool,
) -> None:
    """Run NETWORK on spikes: accuracy, confusion, spikes and states, cost; DIR/report.html."""
    report = part("app.report")
    net = Network.load(network)
    spikes, labels = read_spikes(input_file, net.inputs, net.input_bits)
    for file in ("evaluation.json", "report.html"):  # the page may be a demo's
        options.check_finished(directory / file, force)
    with output.progress_bar(not as_json) as progress:
        found = part("app.evaluation").evaluate(
            net, spikes, labels, class_names=classes, boards=boards, lanes=lanes, show=show,
            progress=progress,
        )  # fmt: skip
    values = {**found.result(), "page": str(directory / "report.html")}
    page = report.evaluation_page(found)
    with replaced(directory, "evaluation.json") as scratch:
        (scratch / "report.html").write_text(page, encoding="utf-8")
        text = json.dumps(output.plain(values), indent=2, ensure_ascii=False)
        (scratch / "evaluation.json").write_text(text + "\n", encoding="utf-8")
    output.result(as_json, values, "\n".join(_lines(values, found)))


def _lines(values: dict[str, Any], found: Any) -> list[str]:
    """The result, for a person."""
    lines = [f"{values['samples']} samples of {values['ticks']} ticks: wrote {values['page']}"]
    if "accuracy" in values:
        lines.append(f"accuracy: {values['accuracy']:.2%} ({values['correct']} of {values['samples']})")
    metrics = values["metrics"]
    lines.append(
        f"footprint: {metrics['footprint']:,} bytes; connection sparsity {metrics['connection_sparsity']:.3f}, "
        f"activation sparsity {metrics['activation_sparsity']:.3f}"
    )
    lines.append(
        f"synaptic operations a sample: {metrics['effective_acs']:,.1f} effective ACs, "
        f"{metrics['effective_macs']:,.1f} effective MACs, {metrics['dense']:,.0f} dense"
    )
    for row in values["boards"]:
        if "lanes" in row:
            fits = "" if row["fits"] else f"; does not fit: {row['reason']}"
            lines.append(
                f"{row['board']}: {row['microseconds']:,.2f} µs a sample, {row['cycles_per_sample']:,.0f} cycles at "
                f"{row['clock_mhz']:g} MHz (estimate{fits})"
            )
        else:
            lines.append(f"{row['board']}: {row['reason']}")
    if found.unpriced:
        lines.append(f"no estimate for boards: {found.unpriced}")
    return lines
