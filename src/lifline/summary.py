"""A network in a few lines: what ``summary()``, ``repr`` and a notebook show."""

from __future__ import annotations

import html as markup
import math
from typing import TYPE_CHECKING

from .fields import Choice, Kind

if TYPE_CHECKING:
    from .network import Network

Rows = list[list[str]]


def line(network: Network) -> str:
    """Such as ``<Network 'digits': 64 inputs -> hidden1 (64 LIF) -> output (10 LIF), 4,736 synapses>``."""
    chain = [f"{network.inputs} inputs{_graded(network)}"]
    chain += [f"{p.name} ({p.size} {type(p.neuron).__name__})" for p in network.order]
    name = f" '{network.name}'" if network.name else ""
    count = sum(projection.synapses.count for projection in network.projections)
    return f"<Network{name}: {' -> '.join(chain)}, {count:,} synapses>"


def tables(network: Network) -> tuple[Rows, Rows]:
    """Rows of populations and of projections, each below a row of titles."""
    populations = [["population", "shape", "neuron", "states", "state bits"]]
    for p in network.order:
        states = ", ".join(f"{state.name} {state.bits}" for state in p.neuron.states)
        bits = p.size * sum(state.bits for state in p.neuron.states)
        winners = "" if p.winners is None else f", {p.winners} winner{'s' * (p.winners > 1)}"
        populations.append([p.name, _shape(p.shape), _kind(p.neuron) + winners, states, f"{bits:,}"])
    projections = [["projection", "synapses", "kind", "weight bits", "delays", "memory bits"]]
    for projection in network.projections:
        synapses = projection.synapses
        least, most = synapses.delay_range
        delays = f"{least}" if least == most else f"{least} … {most}"
        rule = "" if projection.plasticity is None else f", {projection.plasticity.label}"
        projections.append(
            [
                str(projection), f"{synapses.count:,}", type(synapses).__name__ + rule,
                f"{synapses.weight_bits}", delays, f"{synapses.memory_bits:,}",
            ]
        )  # fmt: skip
    return populations, projections


def text(network: Network) -> str:
    """The tables for a terminal, and a line of totals."""
    return "\n".join([_title(network), *map(_columns, tables(network)), _totals(network)])


def html(network: Network) -> str:
    """The tables for a notebook."""

    def rows(cells: Rows) -> str:
        head, *body = (
            "".join(f"<{tag}>{markup.escape(cell)}</{tag}>" for cell in row)
            for row, tag in zip(cells, ["th", *["td"] * len(cells)], strict=False)
        )
        return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in body)}</table>"

    populations, projections = tables(network)
    return (
        f"<p><b>{markup.escape(_title(network))}</b></p>{rows(populations)}{rows(projections)}"
        f"<p>{markup.escape(_totals(network))}</p>"
    )


def _title(network: Network) -> str:
    name = f"'{network.name}'" if network.name else "network"
    return f"{name}: {_shape(network.input_shape)} inputs{_graded(network)}, output '{network.output}'"


def _graded(network: Network) -> str:
    return f" of {network.input_bits} bits" if network.input_bits > 1 else ""


def _totals(network: Network) -> str:
    neurons = sum(p.size for p in network.populations)
    synapses = sum(p.synapses.count for p in network.projections)
    memory = sum(p.synapses.memory_bits for p in network.projections)
    return f"{neurons:,} neurons, {synapses:,} synapses in {math.ceil(memory / 8192):,} KiB"


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(f"{n:,}" for n in shape)


def _kind(neuron: Kind) -> str:
    """The kind, its choices, and the optional parts that it has."""
    names = [type(neuron).__name__]
    for name, field in neuron.fields().items():
        value = getattr(neuron, name)
        if isinstance(field, Choice):
            names.append(value.value)
        elif field.optional and value is not None:
            names.append(name)
    return ", ".join(names)


def _columns(cells: Rows) -> str:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
