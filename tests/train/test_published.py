"""Data sets as their publishers give them."""

from __future__ import annotations

import time

import numpy as np
import pytest

from lifline.train import datasets


def test_digits() -> None:
    digits = datasets.digits()
    assert digits.images.shape == (1797, 8, 8)
    assert digits.images.dtype == np.uint8
    assert (digits.images.min(), digits.images.max()) == (0, 16)
    assert np.bincount(digits.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


@pytest.mark.data
class TestPublished:
    """The real files; each is loaded in a few seconds at most."""

    def test_mnist(self) -> None:
        start = time.process_time()
        train, test = datasets.mnist()
        assert time.process_time() - start < 2
        assert train.images.shape == (60_000, 28, 28)
        assert test.images.shape == (10_000, 28, 28)
        train_counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
        assert np.bincount(train.labels).tolist() == train_counts
        test_counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
        assert np.bincount(test.labels).tolist() == test_counts

    def test_fsdd(self) -> None:
        start = time.process_time()
        clips = datasets.fsdd()
        assert time.process_time() - start < 3
        keys = set(
            zip(clips.labels.tolist(), clips.speakers.tolist(), clips.indices.tolist(), strict=True)
        )
        speakers = ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]
        assert keys == {(d, s, i) for d in range(10) for s in speakers for i in range(50)}
        train, test = clips.split()
        assert (train.sum(), test.sum()) == (2700, 300)
        assert np.bincount(clips.labels[test]).tolist() == [30] * 10
        for speaker in speakers:
            train, test = clips.split(speaker)
            assert (train.sum(), test.sum()) == (2500, 500)

    def test_nmnist(self) -> None:
        start = time.process_time()
        train, test = datasets.nmnist()
        assert time.process_time() - start < 3
        assert (len(train.events), len(test.events)) == (1000, 100)
        assert np.bincount(train.labels).tolist() == [97, 116, 99, 93, 105, 92, 94, 117, 87, 100]
        assert np.bincount(test.labels).tolist() == [8, 14, 8, 11, 14, 7, 10, 15, 2, 11]
        for events in train.events + test.events:
            assert (np.diff(events["t"].astype(np.int64)) >= 0).all()
            assert events["t"][-1] < 400_000  # three saccades of 100 ms
