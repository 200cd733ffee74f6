"""The coefficients of the area estimate, fitted by least squares to what nextpnr packs.

For each family a set of networks is synthesised and packed, not placed: of different lanes, widths, groups in
registers and in memory, leaks of adders and of multipliers in logic.  The sum of squares of the relative errors is
made least.  The coefficients belong into ``boards/families``; run this after a change of the gateware.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from lifline import rtl
from lifline.boards.board import Board, find_board
from lifline.boards.estimate import Logic, design_need
from lifline.boards.families import Area
from lifline.network import INPUT, Network, Population, Projection
from lifline.neurons import LIF, Adaptation, Izhikevich, Noise
from lifline.synapses import Dense

from .measure import SEED, Options, Result

#: A board of each family; the multipliers of both are made in logic.
BOARDS = ("hx8k", "ulx3s")

#: The coefficients that look-up tables are fitted with.
COEFFICIENTS = ("base", "sums", "choices", "adders", "multiplier")


@dataclasses.dataclass(frozen=True)
class Shape:
    """A network inputs-hidden-output, and its lanes."""

    hidden: int
    output: int
    lanes: tuple[int, int]
    beta: int | None = 243  #: None: neurons that differ
    membrane_bits: int = 16
    weight_bits: int = 8
    max_delay: int = 0
    kind: str = "LIF"  #: of the hidden neurons, one of `KINDS`

    @property
    def name(self) -> str:
        return "-".join(str(value) for value in (*dataclasses.astuple(self)[:2], *self.lanes)) + (
            f", beta {self.beta or 'differs'}, {self.membrane_bits} bits, weights {self.weight_bits}, "
            f"delays {self.max_delay}, {self.kind}"
        )

    def network(self, inputs: int = 24) -> Network:
        rng = np.random.default_rng(SEED)
        limit = 2 ** (self.weight_bits - 1)
        sizes = {INPUT: inputs, "hidden": self.hidden, "output": self.output}
        populations = []
        for name in ("hidden", "output"):
            beta = rng.integers(200, 256, sizes[name]) if self.beta is None else self.beta
            neuron = LIF(beta, 100, membrane_bits=self.membrane_bits)
            if name == "hidden":
                neuron = KINDS[self.kind](neuron, sizes[name])
            populations.append(Population(name, sizes[name], neuron))
        projections = []
        for source, target in ((INPUT, "hidden"), ("hidden", "output")):
            shape = (sizes[source], sizes[target])
            delays = rng.integers(0, self.max_delay + 1, shape)
            weights = rng.integers(-limit, limit, shape)
            projections.append(Projection(source, target, Dense(weights, delays, self.weight_bits)))
        return Network(inputs, populations, projections, "output")


#: From plain LIF neurons, and their number, to those of another kind.
KINDS: dict[str, Callable[[LIF, int], Any]] = {
    "LIF": lambda neuron, size: neuron,
    "CUBA": lambda neuron, size: dataclasses.replace(neuron, alpha=200),
    "ALIF": lambda neuron, size: dataclasses.replace(neuron, adaptation=Adaptation(250, 40)),
    "noise": lambda neuron, size: dataclasses.replace(
        neuron, noise=Noise.logistic(30, size, index_bits=5)
    ),
    "Izhikevich": lambda neuron, size: Izhikevich.of(fraction_bits=8),
}

SHAPES = (
    Shape(8, 4, (1, 1)),
    Shape(24, 4, (4, 4)),
    Shape(24, 4, (8, 4)),
    Shape(24, 4, (8, 4), beta=256),
    Shape(24, 4, (8, 4), beta=None),
    Shape(32, 10, (16, 10)),
    Shape(64, 10, (8, 2)),
    Shape(64, 10, (8, 2), beta=None),
    Shape(24, 4, (8, 4), membrane_bits=24),
    Shape(40, 8, (8, 8), membrane_bits=10, weight_bits=4),
    Shape(32, 8, (8, 2), beta=213, weight_bits=12),
    Shape(24, 6, (4, 2), max_delay=6),
    *(Shape(24, 4, (8, 4), kind=kind) for kind in KINDS if kind != "LIF"),
)


def run(options: Options) -> Result:
    rows: list[dict[str, Any]] = []
    notes = [
        "Error: of the estimate with the coefficients of `boards/families`, and with those fitted to these builds "
        "of LIF neurons; other kinds are not fitted to."
    ]
    for name in BOARDS:
        board = dataclasses.replace(find_board(name), dsps=0)
        shapes = SHAPES[:2] if options.quick else SHAPES
        needs = [_logic(board, shape) for shape in shapes]
        packed = [_packed(options, board, shape) for shape in shapes]
        built = [
            (logic, used)
            for shape, logic, used in zip(shapes, needs, packed, strict=True)
            if used and shape.kind == "LIF"
        ]
        fitted = _fit(built, board.family.area) if len(built) > len(COEFFICIENTS) else None
        if fitted is not None:
            notes.append(f"{board.family.name}: `{_text(fitted)}`")
        for shape, logic, used in zip(shapes, needs, packed, strict=True):
            luts = used and used["luts"]
            row = {"family": board.family.name, "network": shape.name, "LUTs": luts}
            for what, area in (("estimate", board.family.area), ("fitted", fitted)):
                value = area and round(logic.luts(area, dsps=False))
                row |= {
                    what: value,
                    f"error of {what}": f"{value / luts - 1:+.1%}" if value and luts else None,
                }
            rows.append(row | {"FFs": used and used["ffs"]})
    return Result("Coefficients of the area estimate", rows, notes)


def _logic(board: Board, shape: Shape) -> Logic:
    network = shape.network()
    return design_need(board, rtl.plan(network, _lanes(shape)), network.output).logic


def _lanes(shape: Shape) -> dict[str, int]:
    return dict(zip(("hidden", "output"), shape.lanes, strict=True))


def _packed(options: Options, board: Board, shape: Shape) -> dict[str, int] | None:
    """What the network takes, of this run or an earlier one's file; None if it is not to be built."""
    path = options.folder / "area" / f"{board.name}: {shape.name}.json"
    if not path.exists():
        if not options.builds:
            return None
        from lifline.boards.synthesis import write_design
        from lifline.boards.toolchain import find

        with tempfile.TemporaryDirectory(prefix="lifline-area-") as folder:
            design = write_design(
                shape.network(), board, _lanes(shape), board.clocks_mhz[0], Path(folder)
            )
            design.synthesise(find("yosys"))
            used = design.area(find(board.family.nextpnr))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(used))
        print(f"{path.stem}: {used}", flush=True)
    content: dict[str, int] = json.loads(path.read_text())
    return content


def _fit(built: list[tuple[Logic, dict[str, int]]], area: Area) -> Area:
    """The coefficients that these builds have, with those of `area` for what they have none of."""
    luts = np.array([used["luts"] for _, used in built], float)
    factors = np.array([[getattr(logic, name) for name in COEFFICIENTS] for logic, _ in built])
    rest = luts - [logic.scores for logic, _ in built]
    solution, _ = nnls(factors / luts[:, None], rest / luts)  # none is less than 0
    ffs = np.array([used["ffs"] for _, used in built], float)
    values = dict(zip(COEFFICIENTS, solution.tolist(), strict=True))
    return dataclasses.replace(area, **values, ffs=float((ffs / luts).mean()))


def _text(area: Area) -> str:
    values = dataclasses.asdict(area)
    return f"Area({', '.join(f'{name}={value:.{0 if value > 99 else 2}f}' for name, value in values.items())})"
