"""NIR graphs of others: of NIR's and nirtorch's tests, of the NIR paper, and as exporters write them.

A graph of an exporter runs in its producer's own forward beside the converted network, on the same random spikes.
A graph of a test has no producer: its float reference takes that place.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from lifline import golden
from lifline.convert import ConversionError, from_nir

from .foreign import Foreign, exporters
from .measure import SEED, Options, Result
from .nir_tests import graphs

SAMPLES, TICKS = 10, 40


def run(options: Options) -> Result:
    """A row for each graph."""
    logging.disable(logging.INFO)  # of exporters
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        rows = [_row(foreign) for foreign in _all()]
    return Result(
        "NIR graphs of others",
        rows,
        [
            f"{SAMPLES} samples of {TICKS} ticks of random spikes; weights of 16 bits.  Differing: of the spikes and "
            "silences of the output, against the producer's own forward; of graphs of tests, of all spikes, against "
            "the float reference.",
        ],
    )


def _all() -> Iterator[Foreign]:
    for producer, name, make, given in graphs():
        yield Foreign(producer, name, make, given)
    yield from exporters()


def _row(foreign: Foreign) -> dict[str, Any]:
    row: dict[str, Any] = {"of": foreign.producer, "graph": foreign.name}
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):  # exporters warn by printing
            graph = foreign.make()
    except ImportError as error:
        return row | {"outcome": f"not installed: {error}"}
    except Exception as error:  # the exporter's own
        text = " ".join(str(error).split())
        return row | {"outcome": f"its exporter fails: {type(error).__name__}: {text}"[:160]}
    rng = np.random.default_rng(SEED)
    try:
        shape = _input_shape(graph, foreign.given)
        values = (rng.random((SAMPLES, TICKS, *shape)) < 0.3).astype(np.uint8)
        conversion = from_nir(graph, **foreign.given, weight_bits=16, calibrate=values)
    except ConversionError as error:
        return row | {"outcome": f"refused: {error}"}
    if foreign.run is None:
        comparison = conversion.report.comparison
        assert comparison is not None
        compared = sum(a.compared for a in comparison.populations if not a.analog)
        differing = sum(a.differing for a in comparison.populations)
        if not compared:
            error = max(a.membrane_error for a in comparison.populations)
            outcome = f"converted: a readout, its membrane within {error:.2g} of its range"
            return row | {"outcome": outcome, "remark": foreign.remark or None}
    else:
        with contextlib.redirect_stdout(printed):
            expected = foreign.run(values)
        spikes = golden.simulate(conversion.network, conversion.inputs(values)).spikes
        own = spikes[conversion.network.output]
        compared, differing = expected.size, int((own != expected).sum())
    outcome = "not what its producer computes" if foreign.run else "converted"
    if differing == 0:
        outcome = "no spike differs"
    return row | {
        "outcome": outcome, "compared": compared, "differing": differing, "remark": foreign.remark or None,
    }  # fmt: skip


def _input_shape(graph: Any, given: dict[str, Any]) -> tuple[int, ...]:
    """The network's input shape as the producer has it."""
    conversion = from_nir(graph, **given)
    return tuple(conversion.floats.producer_inputs)
