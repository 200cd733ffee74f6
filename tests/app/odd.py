"""Values, arrays and files that are nearly right: for tests of what refuses them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from lifline.files import read_npz, write_npz

Rng = np.random.Generator


def pick(rng: Rng, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def odd_value(rng: Rng, value: Any) -> Any:
    """Something else, of another type or size, in the place of a value of JSON."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        name = pick(rng, list(value))
        changed = dict(value)
        if rng.random() < 0.2:
            del changed[name]
        else:
            changed[name] = odd_value(rng, value[name])
        return changed
    if isinstance(value, list) and value and rng.random() < 0.7:
        index = int(rng.integers(len(value)))
        return [*value[:index], odd_value(rng, value[index]), *value[index + 1 :]]
    return pick(
        rng,
        [
            None,
            True,
            0,
            -1,
            2**31,
            10**40,
            0.5,
            1e400,
            float("nan"),
            "",
            "input",
            "x" * 500,
            [],
            [[]],
            {},
            {"a": [1]},
        ],
    )


def odd_array(rng: Rng, array: np.ndarray) -> np.ndarray:
    """An array of another shape, type or other values."""
    kind = int(rng.integers(7))
    if kind == 0:
        return array.astype(
            pick(rng, [np.float64, np.complex64, np.int8, np.uint64, bool, "S3", "U2", "M8[s]"])
        )
    if kind == 1:
        return array.reshape(-1)
    if kind == 2:
        return array[..., : int(rng.integers(3))]
    if kind == 3:
        return np.zeros(pick(rng, [(), (0,), (1, 0, 3), (2, 2, 2, 2)]), array.dtype)
    if kind == 4:
        changed = array.copy()
        changed.reshape(-1)[: int(rng.integers(1, 4))] = pick(rng, [0, 1, 2, 127])
        return changed
    if kind == 5:
        return np.full(array.shape, pick(rng, [2**63, 2**64 - 1]), np.uint64)
    return np.full(array.shape, pick(rng, [-1, -(2**63), 2**31]), np.int64)


def odd_bytes(rng: Rng, content: bytes) -> bytes:
    """A file that was cut, or of which some bytes are others."""
    if rng.random() < 0.3:
        return content[: int(rng.integers(len(content)))]
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 20))):
        changed[int(rng.integers(len(changed)))] = int(rng.integers(256))
    return bytes(changed)


def odd_npz(rng: Rng, path: Path) -> None:
    """Make a good file an odd one."""
    if rng.random() < 0.25:
        path.write_bytes(odd_bytes(rng, path.read_bytes()))
        return
    arrays = read_npz(path)
    name = pick(rng, list(arrays))
    if name == "header" and rng.random() < 0.9:
        text = json.dumps(odd_value(rng, json.loads(arrays["header"].tobytes())))
        arrays["header"] = np.frombuffer(text.encode(), np.uint8)
    elif rng.random() < 0.15:
        del arrays[name]
    else:
        with np.errstate(all="ignore"):
            arrays[name] = odd_array(rng, arrays[name])
    write_npz(path, arrays)


def odd_json(rng: Rng, path: Path) -> None:
    """Make a good JSON file an odd one."""
    text = json.dumps(odd_value(rng, json.loads(path.read_text()))).encode()
    path.write_bytes(text if rng.random() < 0.9 else odd_bytes(rng, text))


def odd_h5(rng: Rng, path: Path) -> None:
    """Make a good HDF5 file an odd one: bytes, or a dataset, a group or a link."""
    if rng.random() < 0.25:
        path.write_bytes(odd_bytes(rng, path.read_bytes()))
        return
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        name = pick(rng, names)
        item = file[name]
        array = item[()] if isinstance(item, h5py.Dataset) else None
        del file[name]
        kind = rng.random()
        if kind < 0.15:
            return
        if kind < 0.3:
            file[name] = pick(
                rng, [h5py.SoftLink("/node"), h5py.ExternalLink("odd.npz", "/x"), file["/"]]
            )
        elif kind < 0.4:
            shape = pick(rng, [(2**40,), (2**20, 2**20)])
            file.create_dataset(name, shape, chunks=(64,) * len(shape), dtype="f4")
        elif isinstance(array, np.ndarray) and array.dtype.kind in "iuf" and kind < 0.8:
            with np.errstate(all="ignore"):
                values = odd_array(rng, array)
            file[name] = values if values.dtype.kind not in "UM" else values.astype("S")
        else:
            file[name] = pick(
                rng, ["", "LIF", "NIRGraph", "same", -1, 0, 2.5, np.nan, 2**62, np.full(2, 1e300)]
            )
