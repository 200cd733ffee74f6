"""Files: written whole or not at all, read without ever running them, one clear line when damaged."""

from __future__ import annotations

import errno
import io
import os
import pickle
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import lifline.files
from lifline import InputError, Network, NetworkError
from lifline.files import atomic_write, check_spikes, read_npz, write_npz


def npy(array: np.ndarray, **options: bool) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def test_round_trip(tmp_path: Path) -> None:
    arrays = {
        "a.b": np.arange(6, dtype=np.int32).reshape(2, 3),
        "scalar": np.array(7),
        "empty": np.zeros((0, 4), np.uint8),
        "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    }
    write_npz(tmp_path / "x.npz", arrays)
    for read in (read_npz(tmp_path / "x.npz"), dict(np.load(tmp_path / "x.npz"))):
        assert list(read) == list(arrays)
        for name, array in arrays.items():
            assert read[name].dtype == array.dtype
            assert np.array_equal(read[name], array)


def test_numpy_files_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "plain.npz", spikes=np.ones((2, 3), np.uint8))
    np.savez_compressed(tmp_path / "packed.npz", spikes=np.ones((2, 3), np.uint8))
    for name in ("plain.npz", "packed.npz"):
        assert np.array_equal(read_npz(tmp_path / name)["spikes"], np.ones((2, 3)))


def test_same_arrays_same_bytes(tmp_path: Path) -> None:
    for name in ("one.npz", "two.npz"):
        write_npz(tmp_path / name, {"a": np.arange(100), "b": np.zeros(5, np.uint8)})
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "x.npz"
    target.write_bytes(b"old")

    def write_half() -> None:
        with atomic_write(target) as file:
            file.write(b"new")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_half()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x.npz"]


def test_write_follows_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0o027)
    try:
        write_npz(tmp_path / "x.npz", {"a": np.zeros(1)})
    finally:
        os.umask(umask)
    assert (tmp_path / "x.npz").stat().st_mode & 0o777 == 0o640


def test_write_where_no_folder_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none/x\.npz: cannot write there: No such file or directory"):
        write_npz(tmp_path / "none" / "x.npz", {"a": np.zeros(1)})


def test_write_over_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.npz").mkdir()
    with pytest.raises(InputError, match=r"x\.npz: cannot write there: Is a directory"):
        write_npz(tmp_path / "x.npz", {"a": np.zeros(1)})
    assert os.listdir(tmp_path) == ["x.npz"]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.npz: no such file"):
        read_npz(tmp_path / "x.npz")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Is a directory; write it with"):
        read_npz(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"not a zip file at all",
        pickle.dumps({"spikes": 1}),
        npy(np.zeros(3)),  # an .npy where an .npz is due
    ],
    ids=["empty", "zip magic", "text", "pickle", "npy"],
)
def test_foreign_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.npz: not an \.npz file, or damaged; write it with"):
        read_npz(tmp_path / "x.npz")


def test_a_zip_of_other_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as file:
        file.writestr("readme.txt", "hello")
    with pytest.raises(InputError, match=r"member 'readme\.txt' is not a NumPy array"):
        read_npz(tmp_path / "x.npz")


class Touch:
    """What a hostile pickle does when it is loaded: it runs a command."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_pickle_is_never_loaded(tmp_path: Path) -> None:
    hostile = np.array([Touch(tmp_path / "run")], dtype=object)
    archive(tmp_path / "x.npz", a=npy(hostile, allow_pickle=True))
    with pytest.raises(InputError, match=r"holds Python objects \(pickle\), which lifline never loads"):
        read_npz(tmp_path / "x.npz")
    assert not (tmp_path / "run").exists()


def header(shape: str) -> bytes:
    text = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize("shape", ["(1099511627776,)", "(2147483647, 2147483647, 2147483647)", "(25,)"])
def test_a_header_that_claims_more_than_the_file_holds(tmp_path: Path, shape: str) -> None:
    archive(tmp_path / "x.npz", a=header(shape) + bytes(32))
    with pytest.raises(InputError, match=r"array 'a\.npy' is shorter than its header says"):
        read_npz(tmp_path / "x.npz")


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", header("(1,")[:40], header("'x'"), header("(1)\n  )") + bytes(8)]
)
def test_a_damaged_header(tmp_path: Path, content: bytes) -> None:
    archive(tmp_path / "x.npz", a=content)
    with pytest.raises(InputError, match=r"x\.npz: .*(not a NumPy array|damaged)"):
        read_npz(tmp_path / "x.npz")


def test_a_file_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_npz(tmp_path / "bomb.npz", {"a": np.zeros(1 << 20)})  # a few KiB of file, 8 MiB of zeros
    monkeypatch.setattr(lifline.files, "MAX_BYTES", 1 << 20)
    message = r"would take 0\.0 GiB of memory, more than the limit of 0\.000976562 GiB; split the file"
    with pytest.raises(InputError, match=message):
        read_npz(tmp_path / "bomb.npz")


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_a_network_counts_as_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: type
) -> None:
    """Whatever integers a file holds, a network keeps 8 bytes of each."""
    write_npz(tmp_path / "network.npz", {"header": np.zeros(1 << 17, dtype)})
    monkeypatch.setattr(lifline.network, "MAX_NETWORK_BYTES", (1 << 20) - 1)
    with pytest.raises(NetworkError, match=r"network\.npz: its arrays would take 0\.0 GiB of memory"):
        Network.load(tmp_path / "network.npz")


#: Reads a file with the memory that a process may have limited; says how much it took.
MEASURED = """
import resource, sys, time
import lifline.files
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.perf_counter()
try:
    lifline.files.read_npz(sys.argv[1])
except lifline.InputError as error:
    print(error)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("bomb", ["array", "header"])
def test_a_bomb_is_refused_at_once(tmp_path: Path, bomb: str) -> None:
    """Gigabytes of zeros in a small file cost neither time nor memory, be they an array's or its header's."""
    path, size = tmp_path / "bomb.npz", 3 << 30
    entry = zipfile.ZipInfo("spikes.npy")
    entry.compress_type = zipfile.ZIP_DEFLATED
    start = header(f"({size},)").replace(b"<i8", b"|u1")
    if bomb == "header":
        start = b"\x93NUMPY\x02\x00" + size.to_bytes(4, "little")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(entry, start + bytes(1 << 20))
    content = bytearray(path.read_bytes())  # its directory claims more than there is, as a bomb's holds
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = (size + 128).to_bytes(4, "little")
    path.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path)], capture_output=True, text=True, check=True
    )
    message, measured = done.stdout.splitlines()
    if bomb == "array":
        assert message.endswith("take 3.0 GiB of memory, more than the limit of 2 GiB; split the file")
    else:
        assert message == f"{path}: member 'spikes.npy' is not a NumPy array"
    seconds, kib = map(float, measured.split())
    assert seconds < 1
    assert kib < 200_000


@pytest.mark.parametrize("names", [("a", "a"), ("a.npy", "a")])
@pytest.mark.filterwarnings("ignore:Duplicate name")  # of zipfile, as it writes
def test_two_arrays_of_one_name(tmp_path: Path, names: tuple[str, str]) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as file:
        for number, name in enumerate(names):
            file.writestr(name, npy(np.array([number])))
    with pytest.raises(InputError, match=r"x\.npz: holds two arrays 'a'; remove one"):
        read_npz(tmp_path / "x.npz")


def test_a_header_of_python_2_is_read_without_a_warning(tmp_path: Path) -> None:
    archive(tmp_path / "x.npz", a=header("(2L,)") + np.array([5, 6]).tobytes())
    assert read_npz(tmp_path / "x.npz")["a"].tolist() == [5, 6]


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npz")
    with pytest.raises(InputError, match=r"x\.npz: not a regular file; copy what it gives into one"):
        read_npz(tmp_path / "x.npz")


def test_a_symbolic_link_is_kept(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link.npz").symlink_to(tmp_path / "there" / "real.npz")
    for value in (1, 2):  # the first makes the file, the second replaces it
        write_npz(tmp_path / "link.npz", {"a": np.array(value)})
        assert (tmp_path / "link.npz").is_symlink()
        assert read_npz(tmp_path / "there" / "real.npz")["a"] == value
    assert os.listdir(tmp_path / "there") == ["real.npz"]


def test_a_named_pipe_is_written_to(tmp_path: Path) -> None:
    """As a device is: it is there afterwards, and what came out of it is the whole file."""
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE) as reader:
        write_npz(tmp_path / "pipe", {"a": np.arange(100)})
        assert reader.stdout is not None
        content = reader.stdout.read()
    write_npz(tmp_path / "file", {"a": np.arange(100)})
    assert content == (tmp_path / "file").read_bytes()
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_devices_are_written_to() -> None:
    write_npz("/dev/null", {"a": np.arange(100)})
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(InputError, match=r"^/dev/full: cannot write there: No space left on device$"):
        write_npz("/dev/full", {"a": np.arange(100)})
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_full_disk_is_said_with_the_file(tmp_path: Path) -> None:
    def fill() -> None:
        with atomic_write(tmp_path / "x.npz"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=r"x\.npz: cannot write there: No space left on device$"):
        fill()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("spikes", "message"),
    [
        (np.zeros((4, 2), int), r"shape is \(4, 2\), must be \(ticks, 3\) or \(samples, ticks, 3\)"),
        (np.zeros(3, int), r"shape is \(3,\)"),
        (np.zeros((1, 1, 1, 3), int), r"shape is \(1, 1, 1, 3\)"),
        (np.zeros((4, 3)), r"dtype is float64, must be an integer type \(uint8, 0 or 1\)"),
        (np.zeros((4, 3), "U1"), r"dtype is <U1"),
        (np.array([[0, 1, 2]]), r"value 2 at \(0, 2\), must be 0 or 1"),
        (np.array([[[0, 1, 1]], [[0, -1, 1]]]), r"value -1 at \(1, 0, 1\), must be 0 or 1"),
    ],
)
def test_spikes_are_checked(spikes: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=f"^here: {message}"):
        check_spikes(spikes, 3, where="here")


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64, np.uint64])
def test_spikes_of_any_integer_type(dtype: type) -> None:
    checked = check_spikes(np.array([[0, 1, 1]], dtype), 3)
    assert checked.dtype == np.uint8
    assert np.array_equal(checked, [[0, 1, 1]])
