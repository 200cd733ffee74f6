"""``lifline import``: files in, networks and reports out, and one line for what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest

from lifline import Network
from lifline.app.main import main

from .test_nir import affine, chain, lif


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.nir"
    nir.write(path, chain(affine(), lif()))
    return path


def refused(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> str:
    before = sorted(folder.iterdir())
    assert main(["import", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert sorted(folder.iterdir()) == before
    return captured.err


def test_a_file_becomes_a_network_and_a_page(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(8)
    spikes = (rng.random((6, 20, 2)) < 0.5).astype(np.uint8)
    np.savez(tmp_path / "spikes.npz", spikes=spikes, labels=np.arange(6) % 2)
    out, page = tmp_path / "network.npz", tmp_path / "report.html"
    arguments = [
        str(model),
        "-o",
        str(out),
        "--dt",
        "1e-3",
        "--calibrate",
        str(tmp_path / "spikes.npz"),
    ]
    assert main(["import", *arguments, "--report", str(page), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [n["became"] for n in result["nodes"]][2] == "population 'n1' of 2 neurons"
    assert result["calibration"]["unexplained"] == 0
    assert Network.load(out).output == "n1"
    assert "Float against integer" in page.read_text()
    assert "is there already" in refused(capsys, tmp_path, *arguments)
    assert main(["import", *arguments, "--force", "--weight-bits", "auto", "--finetune", "1"]) == 0
    assert "fine-tuned for 1 epochs" in capsys.readouterr().out


def test_bad_files_are_one_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["-o", str(tmp_path / "network.npz")]
    whole = model.read_bytes()
    damaged = tmp_path / "damaged.nir"
    damaged.write_bytes(whole[: len(whole) // 2])
    assert "not a NIR graph" in refused(capsys, tmp_path, str(damaged), *out)
    assert "no such file" in refused(capsys, tmp_path, str(tmp_path / "none.nir"), *out)
    assert "needs dt" in refused(capsys, tmp_path, str(model), *out)
    assert "shorter than dt" in refused(capsys, tmp_path, str(model), *out, "--dt", "1")
    nan = tmp_path / "nan.nir"
    nir.write(nan, chain(nir.Affine(np.full((2, 2), np.nan), np.zeros(2)), lif()))
    assert "'n0' (Affine): weight holds a NaN" in refused(
        capsys, tmp_path, str(nan), *out, "--dt", "1e-3"
    )


def test_unknown_nodes_and_dangling_edges(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["-o", str(tmp_path / "network.npz"), "--dt", "1e-3"]
    with h5py.File(model, "r+") as file:
        del file["node/nodes/n1/type"]
        file["node/nodes/n1/type"] = "Astrocyte"
    assert "'n1' is of the kind 'Astrocyte'" in refused(capsys, tmp_path, str(model), *out)
    nir.write(model, chain(affine(), lif()))
    with h5py.File(model, "r+") as file:
        edges = [(b"input", b"n0"), (b"n0", b"nobody")]
        del file["node/edges"]
        file["node/edges"] = np.array(edges, dtype="S")
    assert "there is no node 'nobody'" in refused(capsys, tmp_path, str(model), *out)
