"""Spikes and labels of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lifline.files import write_npz
from lifline.train import datasets

from .test_datasets import refused


class TestArrays:
    SPIKES = np.random.default_rng(2).integers(0, 2, (4, 5, 3), np.uint8)
    LABELS = np.array([0, 2, 1, 2])

    def test_arrays(self, tmp_path: Path) -> None:
        write_npz(tmp_path / "train.npz", {"spikes": self.SPIKES, "labels": self.LABELS})
        np.savez(tmp_path / "test.npz", spikes=self.SPIKES[:1, :2] > 0, labels=self.LABELS[:1])
        train, test = datasets.arrays(tmp_path)
        assert (train.spikes == self.SPIKES).all()
        assert train.labels.tolist() == self.LABELS.tolist()
        assert (test.spikes == self.SPIKES[:1, :2]).all()
        assert (test.spikes.dtype, test.labels.dtype) == (np.uint8, np.int64)

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"spikes": SPIKES + 1}, "spikes: value 2 at "),
            ({"spikes": SPIKES[0]}, "labels: int64(4,), must be integers of shape (1,)"),
            (
                {"spikes": SPIKES[:0], "labels": LABELS[:0]},
                "spikes: shape is (0, 5, 3); give at least ",
            ),
            ({"spikes": SPIKES[..., :2]}, "spikes: shape is (4, 5, 2), must be (ticks, 3) or "),
            ({"labels": LABELS[:3]}, "labels: int64(3,), must be integers of shape (4,)"),
            ({"labels": LABELS - 1}, "labels: holds -1, must be 0 or more"),
            ({"labels": LABELS / 2}, "labels: float64(4,), must be integers"),
        ],
    )
    def test_refused(self, changed: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
        whole = {"spikes": self.SPIKES, "labels": self.LABELS}
        write_npz(tmp_path / "train.npz", whole)
        write_npz(tmp_path / "test.npz", whole | changed)
        assert refused(datasets.arrays, tmp_path).startswith(f"{tmp_path / 'test.npz'}: {message}")

    def test_missing(self, tmp_path: Path) -> None:
        assert refused(datasets.arrays, tmp_path) == f"{tmp_path / 'train.npz'}: no such file"
        write_npz(tmp_path / "train.npz", {"spikes": self.SPIKES})
        assert refused(datasets.arrays, tmp_path).startswith(
            f"{tmp_path / 'train.npz'}: no array 'labels'"
        )
