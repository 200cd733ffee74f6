"""Reading ``.nir`` files, which are HDF5.

A small HDF5 file can hold terabytes of zeros, lead to other files, or to itself without end.  NIR's own files do none
of that, so what does is refused before anything is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from lifline.errors import MissingExtra
from lifline.files import MAX_BYTES, check_regular

from .maps import ConversionError

try:
    import h5py
    import nir
except ImportError as error:  # pragma: no cover - the extra is installed where tests run
    raise MissingExtra("nir", "convert") from error

#: Groups within groups, and groups and datasets in all: more than any graph has.
_DEEPEST, _MOST = 64, 100_000


def read(path: str | os.PathLike[str]) -> nir.NIRGraph:
    """Read a ``.nir`` file; its types are checked by :func:`lifline.convert.nir_reader.to_graph`, not by nir.

    Raises
    ------
    InputError
        If there is no such file, or it holds no graph.
    """
    path = os.fspath(path)
    check_regular(path)
    try:
        with h5py.File(path, "r") as file:
            _check(file)
        graph = nir.read(path, type_check=False)
    except ConversionError as error:
        raise ConversionError(f"{path}: {error}") from None
    except Exception as error:  # h5py and nir raise whatever they come upon
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConversionError(
            f"{path}: not a NIR graph that nir {nir.version} can read: {what}"
        ) from None
    if not isinstance(graph, nir.NIRGraph):
        raise ConversionError(f"{path}: holds a {type(graph).__name__}, not a graph")
    return graph


def _check(file: h5py.File) -> None:
    """Refuse what leads elsewhere, is too large, or is of a kind that nir does not know, of which it says nothing."""
    needed = 0
    unknown: list[tuple[str, str]] = []
    for name, item in _items(file):
        if not isinstance(item, h5py.Dataset):
            continue
        if item.is_virtual or item.external:
            raise ConversionError(
                f"'{name}' is kept in another file: write the graph anew with nir.write"
            )
        needed += item.size * item.dtype.itemsize if item.size else 0
        if needed > MAX_BYTES:
            raise ConversionError(
                f"its arrays would take more than {needed / 2**30:,.1f} GiB of memory, the limit is "
                f"{MAX_BYTES / 2**30:g} GiB"
            )
        if name.rpartition("/")[2] == "type" and "/metadata/" not in name:
            value = item[()]
            kind = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
            if not isinstance(getattr(nir, kind, None), type):
                node = name.removesuffix("/type").replace("node/nodes/", "").replace("/nodes/", ".")
                unknown.append((node, kind))
    if unknown:
        node, kind = unknown[0]
        raise ConversionError(
            f"node '{node}' is of the kind {kind[:100]!r}, which nir {nir.version} does not have: replace it"
        )


def _items(file: h5py.File) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """Everything in the file, by its path from the root: each once, or the file is refused."""
    seen = {h5py.h5o.get_info(file.id).addr}
    waiting: list[tuple[str, h5py.Group, int]] = [("", file, 1)]
    while waiting:
        prefix, group, depth = waiting.pop()
        if depth > _DEEPEST:
            raise ConversionError(f"'{prefix[:60]}…' lies more than {_DEEPEST} groups deep")
        for key in group:
            name = f"{prefix}{key}"
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise ConversionError(
                    f"'{name}' is a link to another place or file: write the graph anew with nir.write"
                )
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen or len(seen) >= _MOST:
                what = "is there twice" if address in seen else f"is one of more than {_MOST:,} items"
                raise ConversionError(f"'{name}' {what}: write the graph anew with nir.write")
            seen.add(address)
            yield name, item
            if isinstance(item, h5py.Group):
                waiting.append((f"{name}/", item, depth + 1))
