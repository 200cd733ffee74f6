"""``.nir`` files that are damaged, lead elsewhere, or would take the memory of many: one line, and nothing left."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from lifline.app.main import main

from .test_nir import affine, chain, lif

WEIGHT, BIAS = "node/nodes/n0/weight", "node/nodes/n0/bias"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    nir.write("model.nir", chain(affine(), lif()))
    return Path("model.nir")


def answer(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    """What the command says of ``model.nir``, on one line, and whether it was right; at most some seconds pass."""
    before, began = sorted(os.listdir()), time.monotonic()
    status = main(["import", "model.nir", "-o", "o.npz", "--dt", "1e-3", *options])
    assert time.monotonic() - began < 10
    error = capsys.readouterr().err
    assert "mistake in lifline" not in error
    if status:
        assert (status, error.count("\n")) == (2, 1), error
        assert sorted(os.listdir()) == before
    return status, error


def replaced(file: h5py.File, name: str, **dataset: Any) -> None:
    del file[name]
    file.create_dataset(name, **dataset)


def huge(file: h5py.File) -> None:
    replaced(file, WEIGHT, shape=(2**20, 2**20), chunks=(1, 1024), dtype="f8")


def zeros(file: h5py.File) -> None:
    replaced(file, WEIGHT, shape=(2, 2**29), chunks=(2, 2**20), dtype="f8", compression="gzip")


def raw(file: h5py.File) -> None:
    Path("other.bin").write_bytes(bytes(64))
    replaced(file, WEIGHT, shape=(2, 2), dtype="f8", external=[("other.bin", 0, 32)])


def virtual(file: h5py.File) -> None:
    with h5py.File("other.h5", "w") as other:
        other["w"] = np.ones((2, 2))
    layout = h5py.VirtualLayout((2, 2), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "w", (2, 2))
    del file[WEIGHT]
    file.create_virtual_dataset(WEIGHT, layout)


def external(file: h5py.File) -> None:
    with h5py.File("other.h5", "w") as other:
        other["w"] = np.ones((2, 2))
    del file[WEIGHT]
    file[WEIGHT] = h5py.ExternalLink("other.h5", "/w")


def soft(file: h5py.File) -> None:
    del file[WEIGHT]
    file[WEIGHT] = h5py.SoftLink(f"/{WEIGHT}")


def cycle(file: h5py.File) -> None:
    file["node/nodes/loop"] = file["node/nodes"]


def deep(file: h5py.File) -> None:
    group = file["node/nodes"]
    for _ in range(70):
        group = group.create_group("g")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (huge, "its arrays would take more than 8,192.0 GiB of memory, the limit is 2 GiB"),
        (zeros, "its arrays would take more than 8.0 GiB of memory, the limit is 2 GiB"),
        (raw, f"'{WEIGHT}' is kept in another file: write the graph anew with nir.write"),
        (virtual, f"'{WEIGHT}' is kept in another file"),
        (external, f"'{WEIGHT}' is a link to another place or file"),
        (soft, f"'{WEIGHT}' is a link to another place or file"),
        (cycle, "'node/nodes/loop' is there twice"),
        (deep, "lies more than 64 groups deep"),
    ],
)
def test_what_leads_elsewhere_or_is_too_large(
    change: Callable[[h5py.File], None], message: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(model, "r+") as file:
        change(file)
    status, error = answer(capsys)
    assert status == 2
    assert error.startswith("lifline: model.nir: ")
    assert message in error


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (WEIGHT, np.ones((2, 2), complex), "weight is no number"),
        (WEIGHT, np.zeros((0, 2)), "weight is no number"),
        (BIAS, "x", "bias is no number: x"),
        (BIAS, np.zeros(3), "its bias has 3 values, must have 2, one an output"),
        ("node/nodes/input/shape", np.array([np.nan]), "its shape is [nan], must be positive integers"),
        ("node/nodes/input/shape", "x", "must be positive integers"),
        ("node/nodes/input/shape", np.array([2**30, 2**30]), "has more than 16,777,216 elements"),
        ("node/nodes/input/shape", np.array([-2]), "must be positive integers"),
    ],
)
def test_a_field_that_nir_does_not_have(
    field: str, value: Any, message: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(model, "r+") as file:
        del file[field]
        file[field] = value
    status, error = answer(capsys)
    assert status == 2
    assert message in error


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "option", [("--scale", "1e300"), ("--scale", "1e-300"), ("--dt", "1e308"), ("--margin", "100")]
)
def test_an_option_at_its_end(
    option: tuple[str, str], model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(capsys, *option)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("spikes", "labels", "message"),
    [
        (np.full((4, 5, 2), np.inf), None, "integer"),
        (np.zeros((4, 0, 2), np.uint8), None, "give at least one sample and one tick"),
        (np.zeros((0, 5, 2), np.uint8), None, "give at least one sample and one tick"),
        (np.zeros((4, 5, 2), np.uint8), np.full(4, 2**64 - 1, np.uint64), "is not a class"),
    ],
)
def test_calibration_that_is_none(
    spikes: np.ndarray, labels: Any, message: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("c.npz", spikes=spikes, **({} if labels is None else {"labels": labels}))
    status, error = answer(capsys, "--calibrate", "c.npz")
    assert status == 2
    assert message in error


def test_flipped_bits(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file with some other bytes, or cut: another network, or one line."""
    good = model.read_bytes()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        damaged = bytearray(good)
        for _ in range(int(rng.integers(1, 12))):
            damaged[int(rng.integers(len(damaged)))] = int(rng.integers(256))
        if seed % 6 == 0:
            damaged = damaged[: int(rng.integers(len(damaged)))]
        model.write_bytes(damaged)
        print("seed", seed, *answer(capsys))
        Path("o.npz").unlink(missing_ok=True)
