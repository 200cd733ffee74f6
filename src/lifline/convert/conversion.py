"""What a conversion gives: the network, and a report that proves it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from lifline.network import INPUT, Network

from .agreement import Comparison
from .calibration import Calibration, numbered
from .floats import FloatNetwork
from .graph import Cell, Graph, Output, Source, kind_of
from .maps import ConversionError, Map, Shape
from .quantise import Quantised, quantise
from .report import NodeReport, Report
from .scales import MAX_STATE_BITS, Choices, Observed
from .simplify import simplify

#: Bits that "auto" tries, fewest first.
AUTO_BITS = tuple(range(2, 17))


@dataclasses.dataclass
class Conversion:
    """A converted network.

    Parameters
    ----------
    network : Network
        In integers, as everything in lifline runs it.
    report : Report
        What became of each node, and what the integers cost.
    floats : FloatNetwork
        The same network in the producer's numbers.
    """

    network: Network
    report: Report
    floats: FloatNetwork

    def inputs(self, values: Any) -> np.ndarray:
        """Input values in the producer's shape, (samples, ticks, *input_shape), as (samples, ticks, inputs)."""
        return numbered(np.asarray(values), self.floats)

    def evaluate(self, values: Any, labels: Any = None) -> Comparison:
        """Float against integer on other data.

        Parameters
        ----------
        values : integers (samples, ticks, *input_shape) or (samples, ticks, inputs)
        labels : int (samples,), optional
        """
        calibration = Calibration(self.floats, values, labels, self.network.input_bits)
        scales = {name: q.scale for name, q in self.report.populations.items()}
        return calibration.compared(self.network, scales)[0]


def convert(
    graph: Graph,
    *,
    scale: Any = "neuron",
    weight_bits: Any = 8,
    calibrate: Any = None,
    labels: Any = None,
    margin: float = 0.5,
    max_loss: float = 0.003,
    output: str | None = None,
    name: str = "",
    input_bits: int | None = None,
    input_unit: float = 1.0,
) -> Conversion:
    """Convert a float graph, of whichever producer.

    Parameters
    ----------
    graph : Graph
    scale : "population", "neuron" or float
        Integers to one of the producer's units: chosen for each population or each neuron so that the weights'
        squared error is least, or given.  Where a power of two holds every number exactly, that.
    weight_bits : int, mapping of population to int, or "auto"
        2 … 16; "auto" takes the fewest with which `calibrate` loses no more than `max_loss`.
    calibrate : integers (samples, ticks, *input_shape), optional
        Spikes or graded values as the network will get them: they choose the widths of the states, and the report
        compares float and integer on them.  (samples, ticks, inputs) if numbered as lifline does.
    labels : int (samples,), optional
        Of `calibrate`: the report has the accuracy of both.
    margin : float
        States get room for (1 + margin) times what `calibrate` shows.
    max_loss : float
        With "auto": how much accuracy (without labels: agreement of classes) may be lost, 0.003 = 0.3 points.
    output : str, optional
        The node that answers, where the graph has several.
    name : str
        The network's.
    input_bits : int, optional
        Inputs are 0 … 2^input_bits − 1; by default as `calibrate` needs, or 1.
    input_unit : float
        What an input of 1 is to the producer: 1 / 255 if it was trained on images in 0 … 1 and runs on bytes.

    Raises
    ------
    ConversionError
        If something cannot be held exactly, by name and with the remedy.
    """
    if not math.isfinite(input_unit) or input_unit <= 0:
        raise ConversionError(f"input_unit must be a number above 0, not {input_unit!r}")
    graph = graph.ordered()
    floats, names = simplify(graph, output)
    if input_unit != 1:
        floats.projections = [
            p.scaled(np.full(floats[p.target].size, input_unit)) if p.source == INPUT else p
            for p in floats.projections
        ]
    calibration = None
    if calibrate is not None:
        calibration = Calibration(floats, calibrate, labels, input_bits or 8)
        input_bits = calibration.input_bits if input_bits is None else input_bits
        if input_bits == 8 and input_unit == 1:
            graph.note(
                "",
                "inputs are 0 … 255, as the model gets them; if it gets them as 0 … 1, give input_unit=1 / 255",
            )
    elif labels is not None:
        raise ConversionError("labels are those of the calibration data: give calibrate=, too")
    bits = [weight_bits]
    if isinstance(weight_bits, str):
        if weight_bits != "auto":
            raise ConversionError(f"weight_bits must be in 2 … 16, or 'auto', not {weight_bits!r}")
        if calibration is None:
            raise ConversionError("weight_bits='auto' measures a loss: give spikes with calibrate=")
        bits = list(AUTO_BITS)
    observed = None if calibration is None else calibration.observed()
    for tried in bits:
        network, populations, comparison = _quantised(
            floats, Choices(scale, tried, margin), observed, calibration,
            input_bits=input_bits or 1, name=name, metadata={"converted_from": graph.producer},
        )  # fmt: skip
        if comparison is not None and len(bits) > 1 and _loss(comparison) <= max_loss:
            graph.note("", f"{tried} bits are the fewest that lose no more than {max_loss:.2%}")
            break
    else:
        if len(bits) > 1 and comparison is not None:
            graph.note(
                "", f"even {bits[-1]} bits lose {_loss(comparison):.2%}, more than {max_loss:.2%}"
            )
    report = Report(
        producer=graph.producer,
        name=name,
        nodes=_nodes(graph, floats, names),
        notes=graph.notes.get("", []),
        populations=populations,
        margin=margin,
        inputs=_input_text(floats.producer_inputs),
        input_bits=network.input_bits,
        comparison=comparison,
    )
    return Conversion(network, report, floats)


def _quantised(
    floats: FloatNetwork,
    choices: Choices,
    observed: dict[str, Observed] | None,
    calibration: Calibration | None,
    **named: Any,
) -> tuple[Network, dict[str, Quantised], Comparison | None]:
    """The integer network, its states widened until none saturates on the calibration data."""
    widen: dict[str, int] = {}
    while True:
        network, populations = quantise(floats, choices, observed, widen=widen, **named)
        if calibration is None:
            return network, populations, None
        scales = {n: q.scale for n, q in populations.items()}
        comparison, full = calibration.compared(network, scales)
        grown = {
            n for n in full if widen.get(n, 0) < 16 and populations[n].membrane_bits < MAX_STATE_BITS
        }
        if not grown:
            return network, populations, comparison
        widen |= {n: widen.get(n, 0) + 1 for n in grown}


def _loss(comparison: Comparison) -> float:
    samples = max(1, comparison.samples)
    if comparison.float_correct is not None and comparison.integer_correct is not None:
        return (comparison.float_correct - comparison.integer_correct) / samples
    return 1 - comparison.same_classes / samples


def _input_text(shape: Shape) -> str:
    size = math.prod(shape)
    if len(shape) == 1:
        return f"{size} inputs, in the producer's order"
    if len(shape) == 2:
        return (
            f"the producer's (channels, length) = {shape} is lifline's (1, {shape[1]}, {shape[0]}): input "
            f"x · {shape[0]} + c is the producer's [c, x]"
        )
    c, h, w = shape
    return (
        f"the producer's (channels, height, width) = {shape} is lifline's ({h}, {w}, {c}): input "
        f"(y · {w} + x) · {c} + c is the producer's [c, y, x]"
    )


def _nodes(graph: Graph, floats: FloatNetwork, names: dict[str, str]) -> list[NodeReport]:
    """For each node what became of it."""
    reports = []
    for name, node in graph.nodes.items():
        if isinstance(node, Source):
            became = f"input of {math.prod(node.shape)}"
        elif isinstance(node, Cell):
            population = floats[names[name]]
            became = f"population '{population.name}' of {population.size} neurons"
        elif isinstance(node, Output):
            became = f"the network's output, '{floats.output}'"
        elif isinstance(node, Map):
            ends = ", ".join(f"'{names[cell]}'" for cell in _cells_behind(graph, name))
            became = f"folded into the synapses of {ends or 'the readout'}"
        reports.append(NodeReport(name, kind_of(node), became, graph.notes.get(name, [])))
    known = {report.name for report in reports}
    reports += [
        NodeReport(name, "readout" if name.endswith("_readout") else "dropped", "; ".join(notes), [])
        for name, notes in graph.notes.items()
        if name and name not in known
    ]
    return reports


def _cells_behind(graph: Graph, name: str) -> list[str]:
    found, waiting, seen = [], [name], {name}
    while waiting:
        for edge in graph.targets(waiting.pop()):
            if edge.target in seen:
                continue
            seen.add(edge.target)
            if isinstance(graph.nodes[edge.target], Cell):
                found.append(edge.target)
            else:
                waiting.append(edge.target)
    return found
