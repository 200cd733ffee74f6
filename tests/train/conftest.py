"""What the tests of training share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lifline.files import write_npz


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two classes: the second input fires 3 ticks after the first, or before it, among noise."""
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, count in (("train", 120), ("test", 40)):
        labels = np.arange(count) % 2
        spikes = (rng.random((count, 16, 3)) < 0.03).astype(np.uint8)
        first = rng.integers(1, 8, count)
        spikes[np.arange(count), first, labels] = 1
        spikes[np.arange(count), first + 3, 1 - labels] = 1
        write_npz(folder / f"{name}.npz", {"spikes": spikes, "labels": labels.astype(np.int64)})
    return folder
