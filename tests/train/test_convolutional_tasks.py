"""The tasks of feature maps: how they number their inputs, what they build, and a training of each on little data."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifline import Convolution, InputError, Network, golden
from lifline.files import read_npz
from lifline.train import Data, DelayedConv2d, Samples, fit, to_network
from lifline.train.tasks import fsdd, fsdd_conv, mnist, mnist_conv, nmnist, nmnist_conv, run_task
from lifline.train.tasks.convolutional import Maps

RNG = np.random.default_rng(0)


def parts(values: np.ndarray, labels: np.ndarray) -> Data:
    samples = Samples(values, labels.astype(np.int64))
    return Data(samples, Samples(values[:0], labels[:0]), samples)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """As MNIST's files: a bright square in one of ten places."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name, count in (("train", 60), ("t10k", 20)):
        labels = np.arange(count, dtype=np.uint8) % 10
        pictures = np.zeros((count, 28, 28), np.uint8)
        for picture, label in zip(pictures, labels, strict=True):
            y, x = 4 + 12 * (label // 5), 2 + 5 * (label % 5)
            picture[y : y + 5, x : x + 4] = 200
        (folder / f"{name}-images-idx3-ubyte").write_bytes(idx(pictures))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
    return folder


@pytest.mark.parametrize(("ticks", "shrink"), [(1, 1), (3, 2)])
def test_digits_by_feature_maps(images: Path, tmp_path: Path, ticks: int, shrink: int) -> None:
    record = run_task(
        "mnist_conv", tmp_path / "out", data=images, maps="4c5s2 6c3s2", ticks=ticks, shrink=shrink,
        epochs=6, batch=10, shift=0.0, turn=0.0, learning_rate=0.01, warn=lambda line: None,
    )  # fmt: skip
    side = 28 // shrink
    assert record[
        "network"
    ] == f"{side}×{side}×1-{side // 2}×{side // 2}×4-{side // 4 + side // 2 % 2}" + (
        f"×{side // 4 + side // 2 % 2}×6-10"
    )
    network = Network.load(tmp_path / "out" / "network.npz")
    assert network.input_bits == 4
    assert all(isinstance(p.synapses, Convolution) for p in network.projections[:2])
    test = read_npz(tmp_path / "out" / "test.npz")
    assert test["spikes"].shape == (20, ticks, side * side)
    assert test["spikes"][:, 1:].sum() == 0  # the image is there in the first tick
    assert test["spikes"].max() == 200 * 16 // 255
    expected = golden.simulate(network, test["spikes"])
    assert record["test_accuracy"] == (expected.classes == test["labels"]).mean()
    assert record["test_accuracy"] > 0.5


def test_an_image_that_is_shrunk_is_its_squares_means() -> None:
    values = RNG.random((3, 28, 28)).astype(np.float32)
    settings = mnist_conv.MNISTConvSettings(shrink=2, input_bits=8)
    found = mnist_conv.encode(values, settings).reshape(3, 14, 14)
    square = values[1, 6:8, 10:12].mean(dtype=np.float32)
    assert found[1, 3, 5] == int(square * np.float32(256))
    with pytest.raises(InputError, match="'shrink' must divide the 28 pixels"):
        mnist_conv.MNISTConvSettings(shrink=3)


def test_camera_events_by_feature_maps() -> None:
    """Of each label events in another corner."""
    labels = np.arange(40) % 4
    spikes = np.zeros((40, 6, 34, 34, 2), np.uint8)
    for sample, label in zip(spikes, labels, strict=True):
        y, x = 17 * (label // 2), 17 * (label % 2)
        sample[:, y : y + 17, x : x + 17] = RNG.random((6, 17, 17, 2)) < 0.1
    values = spikes.reshape(40, 6, -1)
    settings = nmnist_conv.NMNISTConvSettings(
        maps="4c5s2 6c5s2", ticks=6, epochs=6, batch=10, learning_rate=0.01, shift=1
    )
    data = parts(values, labels)
    model = nmnist_conv.build(settings, data)
    assert [model.population(name).shape for name in model.names[:2]] == [(17, 17, 4), (9, 9, 6)]
    training = fit(
        model, data, settings, warn=lambda line: None,
        vary=lambda v, rng: nmnist_conv.vary(v, settings, rng),
    )  # fmt: skip
    expected = golden.simulate(to_network(training.model), values)
    assert (expected.classes == labels).mean() > 0.6
    calm = nmnist_conv.NMNISTConvSettings(shift=0, drop=0.0)
    np.testing.assert_array_equal(nmnist_conv.vary(values, calm, RNG), values)


def test_channels_of_the_camera_are_its_polarities(monkeypatch: pytest.MonkeyPatch) -> None:
    event = np.zeros(1, nmnist_conv.datasets.EVENT)
    event["x"], event["y"], event["p"], event["t"] = 20, 7, 1, 65_000
    part = nmnist_conv.datasets.Recordings([event], np.zeros(1, np.int64))
    both = nmnist_conv.datasets.Dataset(part, part)
    monkeypatch.setattr(nmnist_conv.datasets, "nmnist", lambda folder: both)
    for cells in (1, 2, 3):
        data = nmnist_conv.load(nmnist_conv.NMNISTConvSettings(cells=cells, ticks=10), None)
        side = -(-34 // cells)
        maps = data.test.values.reshape(10, side, side, 2)
        assert np.argwhere(maps).tolist() == [[2, 7 // cells, 20 // cells, 1]]
        spikes = nmnist.shifted(data.test.values.reshape(1, 10, side, side, 2), 1, RNG)
        assert spikes.shape == (1, 10, side, side, 2)


def test_spoken_digits_by_feature_maps_with_learned_delays() -> None:
    """A tone that rises, or falls, or stays."""
    labels = np.arange(30) % 3
    values = np.zeros((30, fsdd.FRAMES, fsdd.CHANNELS), np.float32)
    for clip, label in zip(values, labels, strict=True):
        start = RNG.integers(10, 20)
        for t in range(12):
            clip[t, start + (0, t, -t)[label] // 2] = 0.9
    settings = fsdd_conv.FSDDConvSettings(
        maps="4c5s2", hidden=12, ticks=16, max_delay=6, epochs=6, batch=10, vary=0.0, learning_rate=0.01
    )
    data = parts(values, labels)
    model = fsdd_conv.build(settings, data)
    first = model.projections[0][2]
    assert isinstance(first, DelayedConv2d)
    assert first.target == (1, 20, 4)
    training = fit(
        model, data, settings, warn=lambda line: None,
        encode=lambda v: fsdd_conv.encode(v, settings),
    )  # fmt: skip
    network = to_network(training.model)
    spikes = fsdd_conv.encode(values, settings)
    assert spikes.shape == (30, 16, 80)
    levels = spikes.reshape(30, 16, 40, 2)
    np.testing.assert_array_equal(levels[..., 1], values[:, :16] > fsdd.LEVELS[1])
    recording = golden.simulate(network, spikes)
    activity = training.model(spikes)
    for name, membrane in recording.membrane.items():
        np.testing.assert_array_equal(activity.membrane[name].numpy(), membrane)
    exported = network.projections[0].synapses
    assert isinstance(exported, Convolution)
    assert exported.delay_per_position
    assert 0 < exported.delay_range[1] <= 6


@pytest.mark.parametrize(
    ("text", "layers"),
    [("16c5s2 32c3", [(16, 5, 2, 1), (32, 3, 1, 1)]), ("8c3p2,4c1", [(8, 3, 1, 2), (4, 1, 1, 1)])],
)
def test_layers_are_written_as_text(text: str, layers: list[Any]) -> None:
    settings = mnist_conv.MNISTConvSettings(maps=text)
    assert settings.layers == [Maps(*layer) for layer in layers]
    model = mnist_conv.build(settings, parts(np.zeros((1, 28, 28)), np.zeros(1)))
    assert len(model.names) == 3
    random = mnist_conv.MNISTConvSettings(maps=text, delays="random", max_delay=2, ticks=4)
    delays = mnist_conv.build(random, parts(np.zeros((1, 28, 28)), np.zeros(1))).projections[0][2]
    assert delays.rounded_delays().max() <= 2


@pytest.mark.parametrize("text", ["", "16", "16c", "0c3", "16c3s0", "16x3"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="setting 'maps' must"):
        mnist_conv.MNISTConvSettings(maps=text)


def test_deformed_images_stay_images() -> None:
    values = RNG.random((4, 28, 28)).astype(np.float32)
    found = mnist.deform(values, mnist_conv.MNISTConvSettings(), RNG)
    assert (found.shape, found.dtype) == (values.shape, np.float32)
    assert found.min() >= 0
    assert found.max() <= 1
