"""Conversion: random modules that must be exact, trained ones that lose a little, the NIR paper's own, round trips.

Beside what it prints it leaves ``convert-NAME.npz`` of each trained network, for ``lifline verify`` and ``build``.
"""

from __future__ import annotations

import contextlib
import copy
import io
import os
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nir
import numpy as np
from scipy import sparse

from lifline import golden
from lifline.convert import (
    Conversion,
    finetune,
    from_nir,
    from_norse,
    from_snntorch,
    to_nir,
)
from lifline.convert.agreement import classes
from lifline.convert.floats import simulate
from lifline.errors import InputError
from tests.convert import producers as exact
from tests.networks import random_network
from tests.shaped_networks import random_shaped_network

from . import producers
from .measure import SEED, Options, Result

BITS = (8, 6, 4)


def run(options: Options) -> Result:
    """All of it; with ``--quick`` a tenth of each."""
    warnings.filterwarnings("ignore", category=DeprecationWarning)  # of what the producers use
    rows: list[dict[str, Any]] = []
    with np.errstate(all="ignore"):
        rows += [
            _exact_rows(kind, 7 if options.quick else 70) for kind in ("dense", "conv", "recurrent")
        ]
        rows.append(_norse_row(10 if options.quick else 100))
        rows.append(_round_trips(20 if options.quick else 300))
        rows += _paper(options)
        rows += _trained(options)
    return Result(
        "Conversion: float against integer",
        rows,
        [
            "Differing spikes are explained where the float membrane lay within the rounding bound of the threshold, "
            "or where they follow from one that did; see docs/convert.md.",
        ],
    )


def _spikes(conversion: Conversion, values: np.ndarray) -> np.ndarray:
    recording = golden.simulate(conversion.network, conversion.inputs(values))
    return recording.spikes[conversion.network.output]


def _exact_rows(kind: str, count: int) -> dict[str, Any]:
    """snnTorch's own forward against the converted network, directly and by its exporter's NIR graph."""
    import torch
    from snntorch.export_nir import export_to_nir

    differing = by_nir = spikes = 0
    for seed in range(count):
        rng = np.random.default_rng([SEED, seed, len(kind)])
        module, shape = exact.snntorch_module(rng, kind, for_nir=True)
        values = exact.random_input(rng, shape)
        expected = exact.run_snntorch(module, values)
        differing += int(
            (_spikes(from_snntorch(module, shape, **exact.EXACT), values) != expected).sum()
        )
        with contextlib.redirect_stdout(io.StringIO()):  # it warns of what it leaves out by printing
            graph = export_to_nir(module, torch.zeros(1, *shape), ignore_dims=[0])
        conversion = from_nir(graph, producer="snntorch", **exact.EXACT)
        by_nir += int((_spikes(conversion, values) != expected).sum())
        spikes += expected.size
    return {
        "what": f"{count} random {kind} snnTorch modules", "compared": spikes, "differing": differing,
        "differing by NIR": by_nir,
    }  # fmt: skip


def _norse_row(count: int) -> dict[str, Any]:
    differing = spikes = 0
    for seed in range(count):
        rng = np.random.default_rng([SEED, seed])
        module, shape = exact.norse_module(rng)
        values = exact.random_input(rng, shape)
        expected = exact.run_norse(module, values)
        conversion = from_norse(module, shape, dt=0.001, **exact.EXACT)
        differing += int((_spikes(conversion, values) != expected).sum())
        spikes += expected.size
    return {"what": f"{count} random Norse modules", "compared": spikes, "differing": differing}


def _round_trips(count: int) -> dict[str, Any]:
    different = 0
    for seed in range(count):
        rng = np.random.default_rng([SEED, seed])
        network = (random_network if seed % 2 else random_shaped_network)(rng)
        whole = io.BytesIO()
        nir.write(whole, to_nir(network))
        different += from_nir(nir.read(whole, type_check=False)).network != network
    return {
        "what": f"{count} networks of all kinds to NIR and back",
        "compared": count,
        "differing": different,
    }


def _row(
    what: str, conversion: Conversion, values: np.ndarray, labels: np.ndarray | None
) -> dict[str, Any]:
    comparison = conversion.evaluate(values, labels)
    count = comparison.samples
    row: dict[str, Any] = {
        "what": what,
        "compared": sum(a.compared for a in comparison.populations if not a.analog),
        "differing": sum(a.differing for a in comparison.populations),
        "by rounding": sum(a.explained for a in comparison.populations),
        "following": sum(a.following for a in comparison.populations),
        "unexplained": comparison.unexplained,
        "same classes": f"{comparison.same_classes} of {count}",
    }
    if comparison.float_correct is not None and comparison.integer_correct is not None:
        row["float accuracy"] = f"{comparison.float_correct / count:.2%}"
        row["integer accuracy"] = f"{comparison.integer_correct / count:.2%}"
    return row


def _paper(options: Options) -> Iterator[dict[str, Any]]:
    """The graphs of the NIR paper (J. E. Pedersen et al., Nature Communications 15, 8122, 2024)."""
    folder = Path(os.environ.get("LIFLINE_DATA", ""))
    if not (folder / "nir").is_dir():
        raise InputError("set $LIFLINE_DATA to the folder that has the data sets, with nir/ among them")
    for csv in ("lif_norse.csv", "lif_snntorch.csv"):
        table = np.loadtxt(folder / "nir" / csv, delimiter=",")
        values = table[None, :, :1].astype(np.uint8)
        conversion = from_nir(folder / "nir" / "lif_norse.nir", dt=1e-4, calibrate=values)
        differing = int((_spikes(conversion, values)[0, :, 0] != table[:, 2]).sum())
        yield {
            "what": f"lif_norse.nir, 8 bits, against {csv}",
            "compared": len(table),
            "differing": differing,
        }
    rng = np.random.default_rng(SEED)
    inputs = (rng.random((20 if options.quick else 200, 100, 12)) < 0.2).astype(np.uint8)
    for name, reset in (("bias_zero", "zero"), ("noBias_subtract", "subtract")):
        path = folder / "nir" / f"braille_noDelay_{name}.nir"
        for bits in (16, 8):
            conversion = from_nir(
                path, dt=1e-4, reset=reset, loop_delay=1, calibrate=inputs[:20], weight_bits=bits, scale="neuron",
                name=f"braille_{reset}",
            )  # fmt: skip
            conversion.network.save(options.folder / f"convert-braille-{reset}-{bits}.npz")
            yield _row(f"braille_noDelay_{name}.nir, {bits} bits", conversion, inputs, None)
    values, labels = nmnist(folder / "nmnist" / "nmnist-subset.zip", 4 if options.quick else 100)
    for bits in (8, 4):
        conversion = from_nir(
            folder / "nir" / "cnn_sinabs.nir", reset="subtract", calibrate=values[::5], labels=labels[::5],
            weight_bits=bits, scale="population" if bits == 8 else "neuron", name=f"cnn_sinabs_{bits}",
        )  # fmt: skip
        conversion.network.save(options.folder / f"convert-cnn-{bits}.npz")
        yield _row(f"cnn_sinabs.nir on N-MNIST, {bits} bits", conversion, values, labels)


def nmnist(path: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Event counts of 1 ms windows, uint8 (samples, 300, 2, 34, 34), and labels of the test recordings."""
    frames, labels = [], []
    with zipfile.ZipFile(path) as archive:
        names = sorted(n for n in archive.namelist() if "Test/" in n and n.endswith(".bin"))
        for name in names[:: max(1, len(names) // count)][:count]:
            raw = np.frombuffer(archive.read(name), np.uint8).reshape(-1, 5).astype(np.int64)
            ms = ((raw[:, 2] & 127) << 16 | raw[:, 3] << 8 | raw[:, 4]) // 1000
            counts = np.zeros((300, 2, 34, 34), np.uint8)
            kept = ms < 300
            np.add.at(counts, (ms[kept], (raw[:, 2] >> 7)[kept], raw[kept, 1], raw[kept, 0]), 1)
            frames.append(counts)
            labels.append(int(Path(name).parent.name))
    return np.stack(frames), np.array(labels)


def _disturbed(conversion: Conversion, values: np.ndarray) -> str:
    """How many classes stay where all weights of the float network are off by 0.1 %, on average."""
    spikes, floats = conversion.inputs(values), conversion.floats
    chosen = classes(floats, simulate(floats, spikes))
    same = []
    for seed in range(4):
        rng = np.random.default_rng([SEED, seed])
        other = copy.copy(floats)
        other.projections = [copy.copy(p) for p in floats.projections]
        for projection in other.projections:
            projection.weights = projection.weights.copy()
            numbers = (
                projection.weights.data if sparse.issparse(projection.weights) else projection.weights
            )
            numbers *= 1 + 0.001 * rng.standard_normal(numbers.shape)
        same.append(int((classes(other, simulate(other, spikes)) == chosen).sum()))
    return f"{np.mean(same):g} of {len(values)}"


def _trained(options: Options) -> Iterator[dict[str, Any]]:
    quick = options.quick
    for trained in (
        producers.digits(False, quick), producers.digits(True, quick), producers.mnist(quick), producers.fsdd(quick),
        producers.fsdd(quick, chaotic=True),
    ):  # fmt: skip
        for bits in BITS:
            conversion = trained.convert(
                trained.module, trained.shape, calibrate=trained.calibration,
                labels=trained.calibration_labels, weight_bits=bits,
            )  # fmt: skip
            name = trained.name.partition(" 64" if "digits" in trained.name else ",")[0]
            name = name.lower().replace(", ", "-").replace(" ", "-")
            conversion.network.save(options.folder / f"convert-{name}-{bits}.npz")
            row = _row(f"{trained.name}, {bits} bits", conversion, trained.test, trained.labels)
            row["producer's accuracy"] = f"{trained.accuracy:.2%}"
            if bits == BITS[0]:
                row["same classes, weights off by 0.1 %"] = _disturbed(conversion, trained.test[:300])
            yield row
            if trained.training is not None:
                tuned = finetune(conversion, *trained.training, epochs=2)
                tuned.network.save(options.folder / f"convert-{name}-{bits}-tuned.npz")
                recording = golden.simulate(tuned.network, trained.test)
                correct = float((recording.classes == trained.labels).mean())
                yield {
                    "what": f"{trained.name}, {bits} bits, fine-tuned for 2 epochs",
                    "integer accuracy": f"{correct:.2%}",
                    "producer's accuracy": f"{trained.accuracy:.2%}",
                }
