"""The conversion report: what became of each node, what the integers cost, and whether both agree."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lifline.errors import MissingExtra

from .agreement import Agreement, Comparison
from .quantise import Quantised


@dataclasses.dataclass
class NodeReport:
    """What became of a node of the producer's."""

    name: str
    kind: str
    became: str
    notes: list[str]


@dataclasses.dataclass
class Report:
    """Of a conversion.

    Parameters
    ----------
    producer : str
    name : str
    nodes : list of NodeReport
    notes : list of str
        Of the whole network.
    populations : dict of str to Quantised
    margin : float
        Beyond what calibration showed.
    inputs : str
        How lifline numbers the inputs.
    input_bits : int
    comparison : Comparison, optional
        On calibration data.
    """

    producer: str
    name: str
    nodes: list[NodeReport]
    notes: list[str]
    populations: dict[str, Quantised]
    margin: float
    inputs: str
    input_bits: int
    comparison: Comparison | None = None

    def to_dict(self) -> dict[str, Any]:
        """Everything, in JSON's types."""
        return {
            "producer": self.producer,
            "name": self.name,
            "inputs": self.inputs,
            "input_bits": self.input_bits,
            "notes": self.notes,
            "nodes": [dataclasses.asdict(node) for node in self.nodes],
            "populations": [_population(q) for q in self.populations.values()],
            "margin": self.margin,
            "calibration": None if self.comparison is None else _comparison(self.comparison),
        }

    def text(self) -> str:
        """For a terminal."""
        lines = [f"{self.name or 'network'}, from {self.producer}", f"inputs: {self.inputs}"]
        if self.input_bits > 1:
            lines.append(f"        graded, 0 … {2**self.input_bits - 1}")
        lines += [f"note: {note}" for note in self.notes]
        rows = [[n.name, n.kind, "; ".join([n.became, *n.notes])] for n in self.nodes]
        lines += ["", *_table(["node", "kind", "what became of it"], rows, left=3)]
        lines += ["", *_table(POPULATION_COLUMNS, population_rows(self))]
        lines += ["", self.states()]
        if self.comparison is not None:
            lines += ["", *_table(AGREEMENT_COLUMNS, agreement_rows(self.comparison))]
            lines += ["", *conclusions(self.comparison)]
        return "\n".join(lines)

    def states(self) -> str:
        """Where the widths of the states come from."""
        if self.comparison is None:
            return "states are as wide as the worst case needs, 24 bits at most; calibration data makes them narrower"
        return f"states have room for {1 + self.margin:g} times what the calibration data showed"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report as one HTML page that needs nothing else."""
        try:
            import jinja2
        except ImportError:
            raise MissingExtra("jinja2", "convert") from None
        from lifline.files import atomic_write

        source = Path(__file__).with_name("report.html").read_text(encoding="utf-8")
        template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
            source
        )
        comparison = self.comparison
        page = template.render(
            report=self,
            comparison=comparison,
            populations=(POPULATION_COLUMNS, population_rows(self)),
            agreement=None if comparison is None else (AGREEMENT_COLUMNS, agreement_rows(comparison)),
            conclusions=[] if comparison is None else conclusions(comparison),
        )
        with atomic_write(path) as file:
            file.write(page.encode())

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(self.text())}</pre>"


POPULATION_COLUMNS = [
    "population", "scale", "weight bits", "clipped", "weight error", "decay error", "membrane bits",
    "current bits", "numbers",
]  # fmt: skip

AGREEMENT_COLUMNS = [
    "population", "spikes, float", "integer", "differing", "by rounding", "following", "unexplained",
    "first: sample, tick, neuron", "margin", "bound", "membrane error",
]  # fmt: skip


def population_rows(report: Report) -> list[list[str]]:
    """A row for each population."""
    return [
        [
            q.name,
            _range(q.scale),
            str(q.weight_bits),
            f"{q.clipped:,} of {q.weights:,}",
            f"{q.weight_error:.2%}",
            f"{q.decay_error:.5f}",
            str(q.membrane_bits),
            "" if q.current_bits is None else str(q.current_bits),
            "exact" if q.exact else "rounded",
        ]
        for q in report.populations.values()
    ]


def agreement_rows(comparison: Comparison) -> list[list[str]]:
    """A row for each population."""
    rows = []
    for a in comparison.populations:
        first = "" if a.first is None else ", ".join(map(str, a.first))
        counts = [
            a.float_spikes,
            a.integer_spikes,
            a.differing,
            a.explained,
            a.following,
            a.unexplained,
        ]
        rows.append(
            [
                a.population,
                *(["readout", "", "", "", "", ""] if a.analog else [f"{n:,}" for n in counts]),
                first,
                "" if a.margin is None else f"{a.margin:.4f}",
                "" if a.bound is None else f"{a.bound:.4f}",
                f"{a.membrane_error:.3%}",
            ]
        )
    return rows


def conclusions(comparison: Comparison) -> list[str]:
    """What the comparison says, in sentences."""
    samples, ticks = comparison.samples, comparison.ticks
    lines = [
        f"{samples} calibration samples of {ticks} ticks: {comparison.spike_agreement:.4%} of spikes and silences "
        f"are alike, {comparison.same_classes} of {samples} classes"
    ]
    if comparison.float_correct is not None and comparison.integer_correct is not None:
        lines.append(
            f"accuracy: float {comparison.float_correct / samples:.2%}, "
            f"integer {comparison.integer_correct / samples:.2%}"
        )
    differing = sum(a.differing for a in comparison.populations)
    if differing == 0:
        lines.append("no spike differs")
    elif comparison.unexplained == 0:
        lines.append(
            "every differing spike is explained: the float membrane lay within the rounding bound of the threshold, or "
            "a spike that it follows from did"
        )
    else:
        lines.append(
            f"{comparison.unexplained} differing spikes are not explained by rounding: a state or weight saturates; "
            "give a greater margin, or a smaller scale"
        )
    return lines


def _range(values: np.ndarray) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.6g}" if low == high else f"{low:.5g} … {high:.5g}"


def _population(q: Quantised) -> dict[str, Any]:
    values = dataclasses.asdict(q)
    scale = q.scale
    values["scale"] = float(scale[0]) if (scale == scale[0]).all() else scale.tolist()
    return values


def _comparison(comparison: Comparison) -> dict[str, Any]:
    def agreement(a: Agreement) -> dict[str, Any]:
        return {k: _finite(v) for k, v in dataclasses.asdict(a).items()}

    samples = max(1, comparison.samples)
    correct = (comparison.float_correct, comparison.integer_correct)
    return {
        "samples": comparison.samples,
        "ticks": comparison.ticks,
        "spike_agreement": comparison.spike_agreement,
        "same_classes": comparison.same_classes,
        "float_accuracy": None if correct[0] is None else correct[0] / samples,
        "integer_accuracy": None if correct[1] is None else correct[1] / samples,
        "unexplained": comparison.unexplained,
        "populations": [agreement(a) for a in comparison.populations],
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Aligned columns, the first `left` of them at their left edge."""
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    lines = []
    for row in [columns, *rows]:
        cells = [
            c.ljust(w) if i < left else c.rjust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
