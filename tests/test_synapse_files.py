"""Damaged files of networks with convolutions and sparse synapses: one clear line, never a traceback."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import LIF, Convolution, Network, NetworkError, Population, Projection, Sparse
from lifline.files import read_npz, write_npz


def network() -> Network:
    rng = np.random.default_rng(1)
    kernel = Convolution(rng.integers(-9, 9, (2, 3, 2, 4)), (1, 2), 1, 1, 2, [[0, 1, 2], [1, 1, 0]])
    target = kernel.output_shape((4, 5, 4))
    return Network(
        (4, 5, 4),
        [Population("map", target, LIF(200, 9)), Population("out", 3, LIF(200, 9))],
        [
            Projection("input", "map", kernel),
            Projection("map", "out", Sparse([0, 5, 7], [2, 0, 1], [3, -4, 5], [1, 0, 2], 4)),
        ],
        "out",
        input_bits=3,
    )


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    path = tmp_path_factory.mktemp("files") / "n.npz"
    network().save(path)
    assert Network.load(path) == network()
    return read_npz(path)


def written(path: Path, content: dict[str, np.ndarray], header: dict[str, Any]) -> Path:
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    write_npz(path, content | {"header": text})
    return path


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("input_bits",), 9, "network: input_bits must be in 1 … 8, not 9"),
        (("input_bits",), None, "network: input_bits must be an integer, not None"),
        (("inputs",), [4, 5], "network: inputs must be an integer or (height, width, channels), not (4, 5)"),
        (("inputs",), [4, 5, 3], "projection 'input -> map': Convolution: weights are for 4 channels"),
        (("inputs",), 80, "projection 'input -> map': Convolution: its source must have a shape"),
        (("inputs",), [40, 5, 4], "projection 'input -> map': Convolution: of the shape (40, 5, 4) it makes"),
        (("projections", 0, "synapses", "stride"), [1, 2, 3], "Convolution: stride must be one integer or (y, x)"),
        (("projections", 0, "synapses", "stride"), {"y": 1}, "Convolution: stride must be an integer, not {'y': 1}"),
        (("projections", 0, "synapses", "padding"), [0, -1], "Convolution: padding must be in 0 … 32767, not -1"),
        (("projections", 0, "synapses", "padding"), [9, 9], "Convolution: of the shape (4, 5, 4) it makes"),
        (("projections", 0, "synapses", "groups"), 0, "Convolution: groups must be in 1 … 2147483647, not 0"),
        (("projections", 0, "synapses", "groups"), 3, "Convolution: groups must divide the channels out, 4, not 3"),
        (("projections", 0, "synapses", "kind"), "Conv", "the kind 'Conv' is unknown, known are"),
        (("projections", 1, "synapses", "source_shape"), [1], "Sparse has no field 'source_shape'"),
    ],
)  # fmt: skip
def test_what_a_header_says_wrong(
    place: tuple[Any, ...], value: Any, message: str, content: dict[str, np.ndarray], tmp_path: Path
) -> None:
    header = json.loads(content["header"].tobytes())
    at = header
    for name in place[:-1]:
        at = at[name]
    at[place[-1]] = value
    with pytest.raises(NetworkError) as caught:
        Network.load(written(tmp_path / "n.npz", content, header))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("projections.0.weights", np.ones((2, 3, 4), int), "Convolution: weights must have the shape"),
        ("projections.0.weights", np.ones((0, 3, 2, 4), int), "Convolution: weights must not be empty"),
        ("projections.0.weights", np.full((2, 3, 2, 4), 999), "Convolution: weights must be in -128 … 127"),
        ("projections.0.weights", np.ones((2, 3, 2, 4)), "Convolution: weights must be integers"),
        ("projections.0.delays", np.ones((2, 2), int), "Convolution: delays must be one integer or have"),
        ("projections.0.delays", np.ones(1, int), "Convolution: delays must be one integer or have"),
        ("projections.1.sources", np.array([0, 5]), "Sparse: targets must have the shape of sources, (2,)"),
        ("projections.1.sources", np.array([0, 5, 999]), "Sparse: sources must be in 0 … "),
        ("projections.1.targets", np.array([0, 5, 2**40]), "Sparse: targets must be in 0 … 2147483646"),
        ("projections.1.delays", np.array([0]), "Sparse: delays must have the shape of sources, (3,), not (1,)"),
    ],
)  # fmt: skip
def test_what_arrays_hold_wrong(
    name: str, array: np.ndarray, message: str, content: dict[str, np.ndarray], tmp_path: Path
) -> None:
    write_npz(tmp_path / "n.npz", content | {name: array})
    with pytest.raises(NetworkError) as caught:
        Network.load(tmp_path / "n.npz")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_headers_changed_at_random(content: dict[str, np.ndarray], tmp_path: Path) -> None:
    print("seed 2")
    rng = np.random.default_rng(2)
    values = [
        None,
        -1,
        0,
        1,
        2,
        3,
        2**31,
        10**30,
        1.5,
        "x",
        True,
        [],
        [1],
        [1, 2],
        [1, 2, 3],
        {},
        {"a": 1},
    ]
    refused = 0
    for _ in range(400):
        header = copy.deepcopy(json.loads(content["header"].tobytes()))
        change(rng, header, values)
        path = written(tmp_path / "n.npz", content, header)
        try:
            loaded = Network.load(path)
        except NetworkError as error:
            assert "\n" not in str(error)  # noqa: PT017
            refused += 1
        else:
            loaded.summary()
    assert refused > 200


def change(rng: np.random.Generator, at: Any, values: list[Any]) -> None:
    """Replace a value somewhere in a header, or leave it out."""
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = keys[int(rng.integers(len(keys)))]
        inner = at[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.8:
            at = inner
            continue
        if rng.random() < 0.1 and isinstance(at, dict):
            del at[key]
        else:
            at[key] = values[int(rng.integers(len(values)))]
        return
