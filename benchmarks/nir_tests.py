"""The graphs of NIR's own tests (test_architectures, test_readwrite, test_ir), of nirtorch's, and of the NIR paper.

They are built as there, of the same arguments in the same order, and have the names of the tests.  Time constants are
of seconds and delays of tenths, so that a tick is 0.1 s.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nir
import numpy as np

from lifline.errors import InputError

from .measure import SEED

_DT = {"dt": 0.1}


def _numbers() -> np.random.Generator:
    return np.random.default_rng(SEED)


def _affine(inputs: int, outputs: int) -> nir.Affine:
    rng = _numbers()
    return nir.Affine(rng.standard_normal((outputs, inputs)), rng.standard_normal(outputs))


def _linear(inputs: int, outputs: int) -> nir.Linear:
    return nir.Linear(_numbers().standard_normal((outputs, inputs)))


def _lif(tau: list[float], threshold: list[float], v_leak: float = 0.0) -> nir.LIF:
    ones = np.ones(len(tau))
    return nir.LIF(np.array(tau), ones, v_leak * ones, np.array(threshold), 0 * ones)


def _input(*shape: int) -> nir.Input:
    return nir.Input(np.array(shape))


def _output(*shape: int) -> nir.Output:
    return nir.Output(np.array(shape))


def _joined(nodes: dict[str, Any], edges: str) -> nir.NIRGraph:
    """A graph with edges as in "a-b b-c"."""
    return nir.NIRGraph(nodes, [tuple(edge.split("-")) for edge in edges.split()])


def _listed(*nodes: Any) -> nir.NIRGraph:
    return nir.NIRGraph.from_list(*nodes)


def _branches(inputs: int, outputs: int) -> dict[str, nir.NIRGraph]:
    delay = nir.Delay(np.array([0.5, 0.1, 0.2]))
    return {
        "branch_1": _listed(
            _affine(inputs, 3), delay, _lif([10, 20, 30], [1, 2, 3]), _affine(3, outputs)
        ),
        "branch_2": _listed(_affine(inputs, 2), _lif([10, 20], [1, 2]), _affine(2, outputs)),
    }


def _split(junction: Any) -> nir.NIRGraph:
    nodes = {
        "pre_split": _listed(_affine(2, 3), _lif([10, 20, 30], [1, 2, 3])),
        "branch_1": _listed(_affine(3, 2), _lif([10, 20], [1, 2])),
        "branch_2": _listed(_affine(3, 2), _lif([15, 5], [1, 1])),
        "junction": junction,
    }
    return _joined(nodes, "pre_split-branch_1 pre_split-branch_2 branch_1-junction branch_2-junction")


def _residual() -> nir.NIRGraph:
    nodes = {
        "a": _affine(2, 2),
        "b": _lif([10, 20], [1, 2]),
        "c": _affine(2, 2),
        "d": _lif([10, 20], [1, 2]),
        "e": _affine(2, 2),
        "f": _lif([15, 5], [1, 1]),
    }
    return _joined(nodes, "a-b b-c c-d d-e a-e e-f")


def _complex() -> nir.NIRGraph:
    weights, zeros = np.array([[1, 3], [2, 3], [1, 4]]).T, np.zeros(2)
    nodes = {
        "a": nir.Affine(np.array([[1], [2], [3]]), np.array([[0, 0, 0]])),
        "b": _lif([10, 20, 30], [1, 2, 3]),
        "c": _lif([5, 20, 1], [1, 1, 1]),
        "d": nir.Affine(weights, zeros),
        "e": nir.Affine(weights, zeros),
        "f": nir.Affine(np.array([[1, 3], [1, 4]]), zeros),
    }
    return _joined(nodes, "a-b a-c b-d c-d c-e d-f e-f")


def _recurrent(first: bool) -> nir.NIRGraph:
    integrator = nir.I(_numbers().standard_normal(2))
    if first:
        nodes = {
            "input": _input(2),
            "affine": _affine(2, 2),
            "integrator": integrator,
            "output": _output(2),
        }
        return _joined(nodes, "input-affine affine-integrator integrator-affine integrator-output")
    nodes = {"a1": _affine(2, 2), "a2": _affine(2, 2), "integrator": integrator, "a3": _affine(2, 2)}
    return _joined(nodes, "a1-a2 a2-integrator integrator-a2 integrator-a3")


def _nested() -> nir.NIRGraph:
    inner = _joined(
        {"a": _input(2), "b": nir.Delay(np.ones(2)), "c": _output(2)},
        "a-b b-c",
    )
    nodes = {"a": nir.I(np.ones(2)), "b": inner, "c": _output(2)}
    return _joined(nodes, "a-b b-a")


def _nested_delay() -> nir.NIRGraph:
    inner = _joined(
        {
            "input": _input(3), "integrator": nir.I(_numbers().standard_normal(3)),
            "delay": nir.Delay(_numbers().standard_normal(3)), "output": nir.Output(None),
        },
        "input-integrator integrator-delay delay-integrator integrator-output",
    )  # fmt: skip
    return _joined({"affine": _affine(3, 3), "inner": inner}, "affine-inner")


def _itself() -> nir.NIRGraph:
    return _joined(
        {"input": _input(2), "a": _affine(2, 2), "output": nir.Output(None)}, "input-a a-a a-output"
    )


def _pool(kind: Any) -> nir.NIRGraph:
    pair = np.array([2, 2])
    return _listed(_input(2, 10, 10), kind(pair, pair, 0 * pair), _output(2, 5, 5))


def _conv() -> nir.NIRGraph:
    rng = _numbers()
    weights = rng.standard_normal((1, 2, 3, 3))
    return _listed(nir.Conv2d((100, 100), weights, 1, 0, 1, 1, rng.standard_normal(1)))


def _conv_same() -> nir.NIRGraph:
    layer = nir.Conv2d((3, 3), np.ones((1, 3, 3)), 1, "same", 1, 1, np.zeros(9))
    return nir.NIRGraph.from_list(
        layer, nir.LI(np.array([0.9, 0.8, 0.7]), np.ones(3), np.zeros(3)), type_check=False
    )


def graphs() -> Iterator[tuple[str, str, Callable[[], Any], dict[str, Any]]]:
    """Whose, the test's name, a function that gives the graph, and what from_nir is told."""
    ones, twos, threes = np.ones(3), np.full(3, 2.0), np.full(3, 3.0)
    flat = nir.Flatten({"input": np.array([2, 3])}, 0, 1)
    tests: dict[str, Callable[[], Any]] = {
        "sequential": lambda: _branches(2, 2)["branch_1"],
        "recurrent_on_first_node": lambda: _recurrent(True),
        "recurrent_on_second_node": lambda: _recurrent(False),
        "two_independent_branches": lambda: nir.NIRGraph(_branches(2, 2), []),
        "two_independent_branches_merging": lambda: _joined(
            {**_branches(2, 3), "junction": _lif([5, 2, 1], [1, 1, 1])},
            "branch_1-junction branch_2-junction",
        ),
        "merge_and_split_single_output": lambda: _split(
            nir.Affine(np.array([[2, 0], [1, 3], [4, 1]]), np.array([0, 1]))
        ),
        "merge_and_split_different_output_type": lambda: _split(_affine(2, 2)),
        "residual": _residual,
        "complex": _complex,
        "simple": _itself,
        "nested": _nested,
        "nested (test_ir)": _nested_delay,
        "conv1d_2": _conv,
        "conv2d_same": _conv_same,
        "integrator": lambda: _listed(_affine(2, 2), nir.I(np.ones(2))),
        "integrate_and_fire": lambda: _listed(
            _affine(2, 2), nir.IF(np.ones(2), np.zeros(2), np.ones(2))
        ),
        "leaky_integrator": lambda: _listed(_affine(2, 3), nir.LI(ones, ones, ones)),
        "linear": lambda: _listed(_linear(2, 3), nir.LI(ones, ones, ones)),
        "leaky_integrator_and_fire": lambda: _listed(
            _affine(2, 3), nir.LIF(ones, ones, ones, 0 * ones, threes)
        ),
        "current_based_leaky_integrator": lambda: _listed(
            _affine(2, 3), nir.CubaLI(ones, twos, ones, ones, w_in=twos)
        ),
        "current_based_leaky_integrator_and_fire": lambda: _listed(
            _affine(2, 3), nir.CubaLIF(ones, twos, ones, ones, 0 * ones, threes, w_in=twos)
        ),
        "scale": lambda: _listed(_input(3), nir.Scale(np.array([1, 2, 3])), _output(3)),
        "simple_with_read_write": lambda: _listed(_input(3), _affine(3, 3), _output(3)),
        "delay": lambda: _listed(_input(3), nir.Delay(np.array([1, 2, 3])), _output(3)),
        "threshold": lambda: _listed(_input(3), nir.Threshold(np.array([1, 2, 3])), _output(3)),
        "flatten": lambda: _listed(_input(2, 3), flat, _output(6)),
        "sum_pool_2d": lambda: _pool(nir.SumPool2d),
        "avg_pool_2d": lambda: _pool(nir.AvgPool2d),
    }
    for name, make in tests.items():
        yield "NIR's tests", name, make, _DT
    linear = _linear(2, 2)
    loop = {"input": _input(2), "linear1": linear, "linear2": linear, "output": _output(2)}
    of_nirtorch: dict[str, Callable[[], Any]] = {
        "map_sequential_graph": lambda: _listed(*[_linear(2, 2) for _ in range(4)]),
        "map_nested_subgraph_default": lambda: _listed(_listed(_listed(_linear(3, 2)))),
        "map_subgraph_with_state": lambda: _listed(
            _listed(nir.LI(1 + _numbers().random(1), np.ones(1), np.zeros(1)))
        ),
        "map_leaky_stateful_graph_sequential_modules": lambda: _listed(
            *[nir.LI(np.ones(1), np.ones(1), np.zeros(1)) for _ in range(2)]
        ),
        "map_recursive_graph_two_nodes": lambda: _joined(
            loop, "linear1-linear2 linear2-linear1 input-linear1 linear2-output"
        ),
    }
    for name, make in of_nirtorch.items():
        yield "nirtorch's tests", name, make, _DT
    folder = Path(os.environ.get("LIFLINE_DATA", "")) / "nir"
    if not folder.is_dir():
        raise InputError("set $LIFLINE_DATA to the folder that has the data sets, with nir/ among them")
    rnn = {"dt": 1e-4, "loop_delay": 1}
    for file, given in {
        "lif_norse": {"dt": 1e-4},
        "lif_rockpool": {"producer": "rockpool", "dt": 1e-4},
        "cnn_sinabs": {"producer": "sinabs", "input_bits": 2},
        "braille_noDelay_bias_zero": {**rnn, "reset": "zero"},
        "braille_noDelay_noBias_subtract": {**rnn, "reset": "subtract"},
    }.items():
        yield "the NIR paper", f"{file}.nir", lambda file=file: folder / f"{file}.nir", given
