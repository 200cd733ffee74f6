"""Loaders against files written byte by byte, damaged ones, and, marked `data`, the publishers' own."""

from __future__ import annotations

import gzip
import io
import struct
import time
import tracemalloc
import wave
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from lifline import InputError
from lifline.train import datasets


def refused(load: Callable[..., object], *arguments: object, **options: object) -> str:
    """The one line with which a loader refuses its files."""
    with pytest.raises(InputError) as caught:
        load(*arguments, **options)
    message = str(caught.value)
    assert message.isprintable()  # so it is one line
    return message


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def wav(samples: np.ndarray, *, rate: int = 8000, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((channels, samples.dtype.itemsize, rate, 0, "NONE", ""))
        writer.writeframes(samples.tobytes())
    return file.getvalue()


def event(x: int, y: int, polarity: int, time: int) -> bytes:
    return (x << 32 | y << 24 | polarity << 23 | time).to_bytes(5, "big")


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def write_zip(path: Path, files: Mapping[str, bytes]) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path.read_bytes()


class TestFolder:
    def test_data_comes_before_the_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(tmp_path, {"here/x": b"", "root/mnist/x": b""})
        monkeypatch.setenv("LIFLINE_DATA", str(tmp_path / "root"))
        assert datasets.folder_of("mnist") == tmp_path / "root" / "mnist"
        assert datasets.folder_of("mnist", tmp_path / "here") == tmp_path / "here"
        monkeypatch.delenv("LIFLINE_DATA")
        assert datasets.folder_of("mnist", str(tmp_path / "here")) == tmp_path / "here"

    @pytest.mark.parametrize(
        ("task", "load", "publisher"),
        [
            ("mnist", datasets.mnist, "http://yann.lecun.com/exdb/mnist/"),
            ("fsdd", datasets.fsdd, "https://github.com/Jakobovski/free-spoken-digit-dataset"),
            ("nmnist", datasets.nmnist, "https://www.garrickorchard.com/datasets/n-mnist"),
        ],
    )
    def test_what_is_missing_is_named_with_its_publisher(
        self,
        task: str,
        load: Callable[..., object],
        publisher: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.delenv("LIFLINE_DATA", raising=False)
        no_folder_given = refused(load)
        monkeypatch.setenv("LIFLINE_DATA", str(tmp_path))
        no_folder = refused(load)
        (tmp_path / task).mkdir()
        no_file = refused(load)
        assert f"the data of '{task}'" in no_folder_given
        assert no_folder.startswith(f"{tmp_path / task}: no such folder")
        assert no_file.startswith(str(tmp_path / task))
        for message in (no_folder_given, no_folder, no_file):
            assert "--data DIR" in message
            assert "LIFLINE_DATA" in message
            assert publisher in message


IMAGES = np.random.default_rng(1).integers(0, 256, (3, 28, 28), np.uint8)
LABELS = np.array([7, 0, 9], np.uint8)


class TestMnist:
    FILES: ClassVar = {
        "train-images-idx3-ubyte": idx(IMAGES),
        "train-labels-idx1-ubyte": idx(LABELS),
        "t10k-images-idx3-ubyte.gz": gzip.compress(idx(IMAGES[:2])),
        "t10k-labels-idx1-ubyte.gz": gzip.compress(idx(LABELS[:2])),
    }

    def test_compressed_or_not(self, tmp_path: Path) -> None:
        write(tmp_path, self.FILES)
        train, test = datasets.mnist(tmp_path)
        assert (train.images == IMAGES).all()
        assert (test.images == IMAGES[:2]).all()
        assert train.labels.tolist() == [7, 0, 9]
        assert test.labels.tolist() == [7, 0]
        assert (train.images.dtype, train.labels.dtype) == (np.uint8, np.int64)
        assert train.images.flags.writeable

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            (
                "train-images-idx3-ubyte",
                idx(LABELS) + bytes(16),
                "magic number 0x00000801, must be 0x00000803 (unsigned bytes, 3 dimensions)",
            ),
            ("train-labels-idx1-ubyte", b"\0\0\x0d\1" + idx(LABELS)[4:], "magic number 0x00000d01"),
            ("train-labels-idx1-ubyte", idx(LABELS)[:7], "7 bytes, too short for an idx file's header"),
            (
                "train-images-idx3-ubyte",
                idx(IMAGES)[:-1],
                "2351 bytes of data, its header says 2352; fetch it again",
            ),
            (
                "train-labels-idx1-ubyte",
                idx(LABELS) + b"\0",
                "holds more than the 3 bytes of data that its header says",
            ),
            ("train-images-idx3-ubyte", idx(IMAGES[:, :20]), "images of 20×28, must be 28×28"),
            (
                "train-labels-idx1-ubyte",
                idx(LABELS[:2]),
                "2 labels for 3 images in train-images-idx3-ubyte",
            ),
            ("train-labels-idx1-ubyte", idx(LABELS + 1), "holds label 10, must be 0 … 9"),
            (
                "t10k-images-idx3-ubyte.gz",
                gzip.compress(idx(IMAGES[:2]), mtime=0)[:-9],
                "cannot be read: Compressed file ended",
            ),
            ("t10k-labels-idx1-ubyte.gz", idx(LABELS), "cannot be read: Not a gzipped file"),
            (
                "t10k-labels-idx1-ubyte.gz",
                gzip.compress(idx(LABELS[:2]), mtime=0)[:-8] + bytes(8),
                "cannot be read: CRC check failed",
            ),
        ],
    )
    def test_damaged(self, name: str, content: bytes, message: str, tmp_path: Path) -> None:
        write(tmp_path, self.FILES | {name: content})
        assert refused(datasets.mnist, tmp_path).startswith(f"{tmp_path / name}: {message}")

    @pytest.mark.parametrize("name", FILES)
    def test_missing(self, name: str, tmp_path: Path) -> None:
        write(tmp_path, self.FILES)
        (tmp_path / name).unlink()
        expected = f"{tmp_path / name.removesuffix('.gz')}[.gz]: no such file"
        assert refused(datasets.mnist, tmp_path).startswith(expected)

    def test_a_bomb(self, tmp_path: Path) -> None:
        """A few bytes that gzip makes gigabytes of: no more is read than the header says, and that is limited."""
        name = "t10k-labels-idx1-ubyte.gz"
        for header, message in (
            (bytes(8), "magic number 0x00000000, must be 0x00000801 (unsigned bytes, 1 dimensions)"),
            (
                b"\0\0\x08\x01\0\0\0\x09",
                "holds more than the 9 bytes of data that its header says; fetch it again",
            ),
            (
                b"\0\0\x08\x01\xff\0\0\0",
                "more than 128 MiB, twice the largest of MNIST; fetch it again",
            ),
        ):
            write(tmp_path, self.FILES | {name: gzip.compress(header + bytes(1 << 28))})
            tracemalloc.start()
            began = time.process_time()
            assert refused(datasets.mnist, tmp_path).endswith(message)
            assert time.process_time() - began < 1
            assert tracemalloc.get_traced_memory()[1] < 10e6
            tracemalloc.stop()

    def test_other_data_of_the_same_sizes_is_not_mnist(self, tmp_path: Path) -> None:
        labels = np.zeros(10_000, np.uint8)
        write(tmp_path, self.FILES | {"t10k-labels-idx1-ubyte": idx(labels)})
        (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((10_000, 28, 28), np.uint8)))
        message = refused(datasets.mnist, tmp_path)
        assert message.startswith(f"{tmp_path / 't10k-images-idx3-ubyte'}: SHA-256 of its content is ")
        assert "MNIST's is 0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7" in message
        assert datasets.mnist(tmp_path, check=False).test.labels.tolist() == labels.tolist()


SOUND = np.array([0, 1, -1, 32767, -32768], np.int16)


class TestFsdd:
    FILES: ClassVar = {
        "recordings/9_theo_4.wav": wav(SOUND),
        "recordings/9_theo_10.wav": wav(SOUND[:2]),
        "recordings/0_george_5.wav": wav(SOUND[2:]),
        "recordings/9_george_0.wav": wav(SOUND[::-1]),
        "README.md": b"not a recording",
    }

    @pytest.mark.parametrize("top", ["", "free-spoken-digit-dataset-1.0.10/"])
    @pytest.mark.parametrize("packed", [True, False])
    def test_folder_and_zip(self, top: str, packed: bool, tmp_path: Path) -> None:
        files = {top + name: content for name, content in self.FILES.items()}
        files["__MACOSX/recordings/._0_george_5.wav"] = b"what macOS leaves in zip files"
        if packed:
            write_zip(tmp_path / "any name.zip", files)
        else:
            write(tmp_path, files)
        clips = datasets.fsdd(tmp_path)
        assert [samples.tolist() for samples in clips.samples] == [
            SOUND[2:].tolist(),
            SOUND[::-1].tolist(),
            SOUND.tolist(),
            SOUND[:2].tolist(),
        ]
        assert clips.labels.tolist() == [0, 9, 9, 9]
        assert clips.speakers.tolist() == ["george", "george", "theo", "theo"]
        assert clips.indices.tolist() == [5, 0, 4, 10]
        assert clips.rate == 8000
        assert clips.samples[0].dtype == np.int16
        assert clips.samples[0].flags.writeable

    def test_flat_folder(self, tmp_path: Path) -> None:
        write(tmp_path, {Path(name).name: content for name, content in self.FILES.items()})
        assert datasets.fsdd(tmp_path).labels.tolist() == [0, 9, 9, 9]

    def test_splits(self, tmp_path: Path) -> None:
        write(tmp_path, self.FILES)
        clips = datasets.fsdd(tmp_path)
        train, test = clips.split()
        assert test.tolist() == [False, True, True, False]
        assert train.tolist() == [True, False, False, True]
        train, test = clips.split("george")
        assert test.tolist() == [True, True, False, False]
        assert train.tolist() == [False, False, True, True]
        assert (
            refused(clips.split, "nobody") == "speaker 'nobody' is not in the data, only george, theo"
        )

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (wav(SOUND, rate=16000), "1 × 16 bits at 16000 Hz, must be 1 × 16 bits (mono) at 8000 Hz"),
            (wav(SOUND[:4], channels=2), "2 × 16 bits at 8000 Hz"),
            (wav(SOUND.astype(np.uint8)), "1 × 8 bits at 8000 Hz"),
            (wav(SOUND[:0]), "holds no samples"),
            (
                wav(SOUND).replace(b"data\x0a", b"data\x09"),
                "its data are 9 bytes, no whole number of samples",
            ),
            (wav(SOUND)[:-3], "cut short: 3 samples, its header says 5"),
            (wav(SOUND)[:30], "not a wav file of plain samples, or damaged: cut short"),
            (wav(SOUND)[:36], "not a wav file of plain samples, or damaged: fmt chunk and/or data"),
            (b"", "not a wav file of plain samples, or damaged: cut short"),
            (
                b"OggS" + wav(SOUND)[4:],
                "not a wav file of plain samples, or damaged: file does not start",
            ),
            (
                wav(SOUND).replace(b"\x10\0\0\0\1\0", b"\x10\0\0\0\3\0"),  # floating-point samples
                "not a wav file of plain samples, or damaged: unknown format: 3",
            ),
            (
                wav(SOUND).replace(b"fmt \x10\0", b"fmt \0\x10"),
                "not a wav file of plain samples, or damaged: ",
            ),
        ],
    )
    @pytest.mark.parametrize("packed", [True, False])
    def test_damaged(self, content: bytes, message: str, packed: bool, tmp_path: Path) -> None:
        name = "recordings/1_theo_2.wav"
        if packed:
            write_zip(tmp_path / "fsdd.zip", self.FILES | {name: content})
            where = f"{tmp_path / 'fsdd.zip'}: '{name}'"
        else:
            write(tmp_path, self.FILES | {name: content})
            where = str(tmp_path / name)
        assert refused(datasets.fsdd, tmp_path).startswith(f"{where}: {message}")

    @pytest.mark.parametrize("name", ["11_theo_2.wav", "1_theo.wav", "one_theo_2.wav", "1_theo_b.wav"])
    def test_names(self, name: str, tmp_path: Path) -> None:
        write(tmp_path, self.FILES | {f"recordings/{name}": wav(SOUND)})
        expected = f"{tmp_path / 'recordings' / name}: its name must be DIGIT_SPEAKER_INDEX.wav"
        assert refused(datasets.fsdd, tmp_path).startswith(expected)

    def test_an_index_beyond_64_bits(self, tmp_path: Path) -> None:
        write(tmp_path, self.FILES | {f"recordings/1_theo_{2**64}.wav": wav(SOUND)})
        assert "its name must be DIGIT_SPEAKER_INDEX.wav" in refused(datasets.fsdd, tmp_path)

    def test_a_bomb(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(datasets.folder, "_MOST_BYTES", 1 << 20)
        write_zip(tmp_path / "fsdd.zip", {"recordings/1_theo_2.wav": bytes((1 << 20) + 1)})
        assert "damaged: it is longer than 1 MiB" in refused(datasets.fsdd, tmp_path)

    def test_the_same_recording_twice(self, tmp_path: Path) -> None:
        write_zip(tmp_path / "a.zip", self.FILES)
        write_zip(tmp_path / "b.zip", {"recordings/9_theo_4.wav": wav(SOUND)})
        message = refused(datasets.fsdd, tmp_path)
        assert message.startswith(f"{tmp_path / 'b.zip'}: 'recordings/9_theo_4.wav': there is another")

    def test_damaged_zip(self, tmp_path: Path) -> None:
        path = tmp_path / "fsdd.zip"
        whole = write_zip(path, self.FILES)
        path.write_bytes(whole[: len(whole) // 2])
        assert refused(datasets.fsdd, tmp_path).startswith(f"{path}: not a zip file, or damaged")
        path.write_bytes(b"<html>404</html>")
        assert refused(datasets.fsdd, tmp_path).startswith(f"{path}: not a zip file, or damaged")
        first = next(iter(self.FILES))
        within = whole.index(first.encode()) + len(first) + 10
        path.write_bytes(whole[:within] + bytes([whole[within] ^ 255]) + whole[within + 1 :])
        assert refused(datasets.fsdd, tmp_path).startswith(f"{path}: '{first}': not a zip file, or dam")


class TestNmnist:
    FILES: ClassVar = {
        "Train/3/00002.bin": event(33, 0, 1, 70_000) + event(0, 33, 0, (1 << 23) - 1),
        "Train/3/00001.bin": event(1, 2, 1, 3),
        "Train/0/00009.bin": event(4, 5, 0, 6),
        "Test/7/00001.bin": event(7, 8, 1, 9),
    }

    @pytest.mark.parametrize("layout", ["folders", "one zip", "two zips"])
    def test_folder_and_zips(self, layout: str, tmp_path: Path) -> None:
        if layout == "folders":
            write(tmp_path, self.FILES)
        elif layout == "one zip":
            write_zip(tmp_path / "nmnist-subset.zip", self.FILES)
        else:
            for part in ("Train", "Test"):
                files = {name: self.FILES[name] for name in self.FILES if name.startswith(part)}
                write_zip(tmp_path / f"{part}.zip", files)
        train, test = datasets.nmnist(tmp_path)
        assert [recording.tolist() for recording in train.events] == [
            [(4, 5, 0, 6)],
            [(1, 2, 1, 3)],
            [(33, 0, 1, 70_000), (0, 33, 0, (1 << 23) - 1)],
        ]
        assert train.labels.tolist() == [0, 3, 3]
        assert [recording.tolist() for recording in test.events] == [[(7, 8, 1, 9)]]
        assert test.labels.tolist() == [7]
        assert train.events[0].dtype == np.dtype([("x", "u1"), ("y", "u1"), ("p", "u1"), ("t", "<u4")])
        assert train.events[0].flags.writeable

    def test_row_240_puts_the_times_forward(self, tmp_path: Path) -> None:
        overflow = event(0, 240, 0, 0)
        recording = event(1, 1, 0, 8000) + overflow + event(2, 2, 1, 5) + overflow * 2
        write(tmp_path, self.FILES | {"Test/7/00001.bin": recording + event(3, 3, 0, 7)})
        events = datasets.nmnist(tmp_path).test.events[0]
        assert events.tolist() == [(1, 1, 0, 8000), (2, 2, 1, 8192 + 5), (3, 3, 0, 3 * 8192 + 7)]

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("Test/7/2.bin", event(1, 2, 0, 3) + b"\0\0", "7 bytes, must be whole events of 5 bytes"),
            ("Test/7/2.bin", b"", "0 bytes, must be whole events of 5 bytes"),
            (
                "Train/3/7.bin",
                event(1, 2, 0, 3) + event(34, 2, 0, 3),
                "event 1 is at (34, 2), must be on 34×34 pixels",
            ),
            ("Train/3/7.bin", event(2, 34, 0, 3), "event 0 is at (2, 34), must be on 34×34 pixels"),
            ("Train/ten/7.bin", event(1, 2, 0, 3), "its folder must be the digit that it shows"),
        ],
    )
    def test_damaged(self, name: str, content: bytes, message: str, tmp_path: Path) -> None:
        write(tmp_path, self.FILES | {name: content})
        assert refused(datasets.nmnist, tmp_path).startswith(f"{tmp_path / name}: {message}")

    def test_half_of_it(self, tmp_path: Path) -> None:
        write_zip(tmp_path / "Train.zip", {"Train/3/00001.bin": event(1, 2, 1, 3)})
        message = refused(datasets.nmnist, tmp_path)
        assert message.startswith(f"{tmp_path}: no Test/LABEL/ID.bin, loose or in a zip (Test.zip)")

    def test_the_same_recording_twice(self, tmp_path: Path) -> None:
        for name in ("Train.zip", "copy.zip"):
            write_zip(tmp_path / name, self.FILES)
        assert "there is another recording of that name" in refused(datasets.nmnist, tmp_path)
