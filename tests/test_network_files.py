"""Networks in files: what is kept, what is refused, and how."""

from __future__ import annotations

import dataclasses
import itertools
import json
import pickle
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import LIF, InputError, Network, NetworkError, Population, Projection
from lifline.files import read_npz, write_npz

from .networks import random_network
from .test_network import network


def test_save_and_load(tmp_path: Path) -> None:
    for seed in range(20):
        net = random_network(np.random.default_rng(seed))
        net = dataclasses.replace(net, name=f"seed {seed} …", metadata={"seed": seed, "é": [1, None]})
        net.save(tmp_path / "one.npz")
        loaded = Network.load(tmp_path / "one.npz")
        assert loaded == net, f"seed {seed}"
        loaded.save(tmp_path / "two.npz")
        assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes(), (
            f"seed {seed}"
        )


def test_file_holds_plain_integers(tmp_path: Path) -> None:
    network(name="n").save(tmp_path / "n.npz")
    arrays = dict(np.load(tmp_path / "n.npz", allow_pickle=False))
    assert {name: array.dtype.str for name, array in arrays.items()} == {
        "header": "|u1",
        "populations.0.beta": "<i4",
        "populations.0.threshold": "<i4",
        "populations.0.bias": "<i4",
        "projections.0.weights": "<i2",
        "projections.0.delays": "|u1",
    }
    assert json.loads(arrays["header"].tobytes())["format"] == "lifline-network-2"


def test_save_where_no_folder_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write there: No such file or directory"):
        network().save(tmp_path / "none" / "n.npz")


def changed(tmp_path: Path, header: dict[str, Any] | None = None, **arrays: Any) -> Path:
    """A network file of which some header fields or arrays are changed (None: left out)."""
    network().save(tmp_path / "n.npz")
    content = read_npz(tmp_path / "n.npz")
    fields = json.loads(content["header"].tobytes()) | (header or {})
    fields = {name: value for name, value in fields.items() if value is not None}
    content["header"] = np.frombuffer(json.dumps(fields).encode(), np.uint8)
    content |= {name.replace("_", ".", 2): value for name, value in arrays.items()}
    write_npz(tmp_path / "n.npz", {name: value for name, value in content.items() if value is not None})
    return tmp_path / "n.npz"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"header": {"format": "lifline-network-9"}},
            "its format is 'lifline-network-9', this lifline reads",
        ),
        ({"header": {"inputs": None}}, "not a whole lifline network: 'inputs' is missing"),
        ({"header": {"inputs": "3"}}, "network: inputs must be an integer, not '3'"),
        ({"header": {"inputs": 2}}, "projection 'input -> p': weights have the shape (3, 2)"),
        ({"header": {"populations": 3}}, "not a lifline network: its header is damaged"),
        ({"header": {"populations": [{}]}}, "not a whole lifline network: 'neuron' is missing"),
        (
            {"header": {"populations": [{"name": "p", "size": 2, "neuron": {"kind": "Odd"}}]}},
            "population 'p': populations.0: the kind 'Odd' is unknown, known are Izhikevich, LIF",
        ),
        (
            {"header": {"populations": [{"name": "p", "size": 2, "neuron": {"kind": "LIF", "x": 1}}]}},
            "population 'p': populations.0: LIF has no field 'x'",
        ),
        ({"header": {"projections": [3]}}, "not a lifline network: its header is damaged"),
        ({"header": {"output": ["p"]}}, "network: output must be the name of a population"),
        ({"populations_0_beta": None}, "not a whole lifline network: 'populations.0.beta' is missing"),
        (
            {"projections_0_delays": None},
            "not a whole lifline network: 'projections.0.delays' is missing",
        ),
        (
            {"populations_0_beta": np.array([0.5, 1])},
            "population 'p': LIF: beta must be integers, not float64",
        ),
        ({"populations_0_beta": np.array([1, 300])}, "beta must be in 0 … 256, not 300 at (1,)"),
        (
            {"populations_0_bias": np.array([1, 2, 3])},
            "bias must be one integer or have the shape (2,)",
        ),
        ({"projections_0_weights": np.full((3, 2), 999)}, "weights must be in -128 … 127, not 999"),
        ({"projections_0_weights": np.array("abc")}, "weights must be integers, not <U3"),
    ],
)
def test_a_file_that_breaks_the_contract(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = changed(tmp_path, **changes)
    with pytest.raises(NetworkError) as caught:
        Network.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_size_that_claims_gigabytes(tmp_path: Path) -> None:
    populations = [
        {
            "name": "p",
            "size": 2**31 - 1,
            "neuron": {"kind": "LIF", "beta": "array", "threshold": "array", "reset": "zero"},
        }
    ]
    path = changed(tmp_path, header={"populations": populations}, populations_0_beta=np.array(1))
    with pytest.raises(NetworkError, match="beta must be one integer or have the shape"):
        Network.load(path)


@pytest.mark.parametrize(
    "header", [b"", b"{", b"[]", b"3", b"\xff\xfe", b'{"format": 1}', b"[" * 100_000], ids=range(7)
)
def test_damaged_header(tmp_path: Path, header: bytes) -> None:
    write_npz(tmp_path / "n.npz", {"header": np.frombuffer(header, np.uint8)})
    with pytest.raises(NetworkError, match=r"n\.npz: (not a|its format is)"):
        Network.load(tmp_path / "n.npz")


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"n\.npz: no such file"):
        Network.load(tmp_path / "n.npz")
    np.savez(tmp_path / "n.npz", spikes=np.zeros(3))
    with pytest.raises(
        NetworkError, match=r"n\.npz: not a lifline network: it holds no array 'header'"
    ):
        Network.load(tmp_path / "n.npz")
    (tmp_path / "n.npz").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(NetworkError, match=r"n\.npz: not an \.npz file, or damaged"):
        Network.load(tmp_path / "n.npz")


def test_damaged_files_give_one_error_and_no_other(tmp_path: Path) -> None:
    """Cut at every length, and struck at random places: the network, or one NetworkError."""
    net = network()
    path = tmp_path / "n.npz"
    net.save(path)
    content = path.read_bytes()
    print("seed 2026")
    rng = np.random.default_rng(2026)

    def struck() -> bytes:
        damaged = bytearray(content)
        for position in rng.integers(0, len(content), size=rng.integers(1, 4)):
            damaged[position] = rng.integers(256)
        return bytes(damaged)

    cut = (content[:length] for length in range(len(content)))
    refused = 0
    for damaged in itertools.chain(cut, (struck() for _ in range(2000))):
        path.write_bytes(damaged)
        try:
            assert Network.load(path) == net  # the damage hit nothing that is read
        except NetworkError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017 -- most raise, a few need not
            refused += 1
    assert refused > len(content)


def test_twenty_million_neurons_are_refused_by_their_headers(tmp_path: Path) -> None:
    """Without reading an array: in less than a second, and some megabytes."""
    small = Network(
        1, [Population("p", 3, LIF(5, 9))], [Projection("input", "p", np.ones((1, 3), int))], "p"
    )
    small.save(tmp_path / "n.npz")
    arrays, size = read_npz(tmp_path / "n.npz"), 20_000_000
    header = json.loads(arrays["header"].tobytes())
    header["populations"][0]["size"] = size
    for name, array in arrays.items():
        if name != "header":
            arrays[name] = np.broadcast_to(array[..., :1], (*array.shape[:-1], size))
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    write_npz(tmp_path / "n.npz", arrays)
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(
        NetworkError, match=r"would take 0\.7 GiB of memory, more than the limit of 0\.5 GiB"
    ):
        Network.load(tmp_path / "n.npz")
    assert time.process_time() - began < 1
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10e6
