"""Event data sets through tonic: read as tonic reads them, binned into maps, learned from; nothing is fetched."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from lifline import InputError, Network
from lifline.train import datasets
from lifline.train.tasks import find, run_task

#: Of Poker-DVS, whose folders tonic calls by suits.
SUITS = ("cl", "he", "di", "sp")


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """Poker-DVS as tonic stores it, made up: of each suit events around another corner of the sensor."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "save_to"
    for part, count in (("pips_train", 8), ("pips_test", 5)):
        for index, suit in enumerate(SUITS):
            place = folder / "POKERDVS" / part / suit
            place.mkdir(parents=True)
            for number in range(count):
                x, y = rng.integers(0, 12, (2, 60)) + 20 * np.array(divmod(index, 2))[:, None]
                t, p = np.sort(rng.integers(0, 9000, 60)), rng.integers(0, 2, 60)
                np.save(place / f"{number}.npy", np.stack([t, x, y, p], axis=1))
        with tarfile.open(folder / "POKERDVS" / f"{part}.tar.gz", "w:gz"):
            pass
    return folder


def test_recordings_are_those_that_tonic_reads(cards: Path) -> None:
    train, test = datasets.tonic("POKERDVS", cards)
    assert train.size == (35, 35)
    assert np.bincount(train.labels).tolist() == [8] * 4
    assert np.bincount(test.labels).tolist() == [5] * 4
    stored = np.load(cards / "POKERDVS" / "pips_test" / "di" / "3.npy")
    found = test.events[np.flatnonzero(test.labels == SUITS.index("di"))[3]]
    for field, column in zip(("t", "x", "y", "p"), stored.T, strict=True):
        np.testing.assert_array_equal(found[field], column)


def test_the_task_bins_and_learns_them(cards: Path, tmp_path: Path) -> None:
    result = run_task(
        "events", tmp_path / "out", data=cards, dataset="POKERDVS", maps="4c5s2", epochs=15, ticks=5,
        learning_rate=0.01, cells=3, batch=8, shift=0, warn=lambda line: None,
    )  # fmt: skip
    assert result["network"] == "12×12×2-6×6×4-4"
    assert result["test_accuracy"] > 0.9
    assert Network.load(tmp_path / "out" / "network.npz").input_shape == (12, 12, 2)
    task = find("events")
    settings = type(task.settings)(dataset="POKERDVS", ticks=5, cells=3)  # type: ignore[call-arg]
    values = task.load(settings, cards).test.values
    events = datasets.tonic("POKERDVS", cards).test.events[0]
    counts = np.zeros(values.shape[1:], np.int64)
    tick = (events["t"] - events["t"].min()) * 5 // (np.ptp(events["t"]) + 1)
    np.add.at(counts, (tick, events["y"] // 3, events["x"] // 3, events["p"]), 1)
    np.testing.assert_array_equal(values[0], counts > 0)


def test_what_is_not_there_is_named_and_not_fetched(cards: Path, tmp_path: Path) -> None:
    (cards / "POKERDVS" / "pips_test.tar.gz").unlink()
    with pytest.raises(InputError, match=r"does not hold all of POKERDVS; fetch it with tonic"):
        datasets.tonic("POKERDVS", cards)
    with pytest.raises(InputError, match="NMNIST; fetch it with"):
        datasets.tonic("NMNIST", tmp_path)
    with pytest.raises(InputError, match=r"no data set of a camera called 'SHD'; it has .*NMNIST"):
        datasets.tonic("SHD", tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        datasets.tonic("NMNIST", tmp_path / "nowhere")
