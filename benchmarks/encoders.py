"""The circuits of the encoders, in Verilator, against their Python twins: every spike of 10,000 samples each."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from lifline.encoders import Encoder, Latency, Rate, SendOnDelta, Threshold
from lifline.errors import LiflineError
from lifline.rtl import memory
from lifline.rtl.encoders import EncoderCircuit, make
from lifline.rtl.layout import address_bits
from lifline.rtl.verilog import verilog_text
from lifline.sim.tools import find_verilator

from .measure import SEED, Options, Result

SAMPLES, QUICK = 10_000, 20
SERIES_TICKS = 12

#: In 1/256, how often either side waits in the run with stalls.
STALL = 100


def encoders(rng: np.random.Generator) -> list[tuple[Encoder, int]]:
    """Encoder and channels of each row."""
    return [
        (Rate(10), 16),
        (Rate(20, seed=25033, value_bits=12), 1),
        (Rate(10), 784),
        (Latency(16, threshold=20), 16),
        (Latency(100, value_bits=10), 3),
        (SendOnDelta(12), 16),
        (SendOnDelta(rng.integers(0, 255, 7)), 7),
        (Threshold(127), 16),
        (Threshold(rng.integers(0, 2**16, 5), value_bits=16), 5),
    ]


def run(options: Options) -> Result:
    rng = np.random.default_rng(SEED)
    samples = QUICK if options.quick else SAMPLES
    rows = []
    for encoder, channels in encoders(rng)[:: 3 if options.quick else 1]:
        start = time.perf_counter()
        values = random_values(rng, encoder, samples, channels)
        expected = encoder.encode(values)
        _, ticks, inputs = expected.shape
        circuit = make(encoder, inputs)
        row = {"encoder": repr(encoder), "channels": channels, "ticks": ticks, "samples": len(values)}
        with TemporaryDirectory(prefix="lifline-") as folder:
            program = compiled(circuit, Path(folder))
            for stall in (0, STALL):
                spikes, cycles = simulated(program, circuit, values, expected.shape, stall)
                if not np.array_equal(spikes, expected):
                    raise LiflineError(f"{encoder}: the circuit's spikes are not those of its twin")
                if not stall:
                    if (cycles != circuit.cycles(ticks)).any():
                        raise LiflineError(
                            f"{encoder}: {cycles.max()} cycles, not {circuit.cycles(ticks)}"
                        )
                    row |= {"spikes": int(spikes.sum()), "cycles a sample": int(cycles[0])}
        rows.append(row | {"differing spikes": 0, "s": time.perf_counter() - start})
    return Result(
        "Encoders in gateware against their Python twins",
        rows,
        [
            "Verilator, all samples of a row one after another, once without stalls and once with stalls on both "
            f"sides in {STALL / 256:.0%} of the cycles, `clear` between samples.",
            "Cycles from the first value to the last marker, without stalls: as `EncoderCircuit.cycles` says.",
        ],
    )


def random_values(
    rng: np.random.Generator, encoder: Encoder, samples: int, channels: int
) -> np.ndarray:
    """Raw values as the encoder takes them; one in ten at an end of the range."""
    top = 2**encoder.value_bits - 1
    shape = (samples, channels) if encoder.frame_ticks else (samples, SERIES_TICKS, channels)
    values = rng.integers(0, top, shape, endpoint=True)
    return np.where(rng.random(shape) < 0.1, rng.choice([0, top], shape), values)


def compiled(circuit: EncoderCircuit, folder: Path) -> Path:
    """The circuit and its driver as a program in `folder`."""
    files = {
        "top.v": verilog_text(circuit),
        memory.VERILOG_NAME: memory.verilog(),
        **circuit.memory_files(),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    tool = find_verilator()
    command = [
        str(tool.executable), "--cc", "--exe", "--prefix", "Vtop", "--Mdir", "build", "-o", "encoders",
        "--timescale", "1ns/1ns", "--no-timing", "-Wno-fatal", "-Wno-lint", "--top-module", "the_design",
        "top.v", memory.VERILOG_NAME, str(Path(__file__).with_suffix(".cpp")),
    ]  # fmt: skip
    settings = [f"{name}={value}" for name, value in tool.variables.items()]
    make_command = [tool.make, "-s", "-C", "build", "-f", "Vtop.mk", "OPT_FAST=-O2", *settings]
    for step in (command, make_command):
        done = subprocess.run(
            step,
            cwd=folder,
            env={**os.environ, **tool.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise LiflineError(f"{circuit.encoder}: {done.stderr.strip() or done.stdout.strip()}")
    return folder / "build" / "encoders"


def simulated(
    program: Path, circuit: EncoderCircuit, values: np.ndarray, shape: tuple[int, ...], stall: int
) -> tuple[np.ndarray, np.ndarray]:
    """The spikes, of the `shape` that is expected, and the cycles of each sample."""
    samples, ticks, inputs = shape
    bits = circuit.encoder.value_bits
    frames = values.reshape(samples, -1, circuit.channels)
    words = np.full((*frames.shape[:2], circuit.channels + 1), 1 << bits, "<u4")
    words[:, :, :-1] = frames
    folder = program.parent.parent
    head = np.array([samples, words[0].size, ticks], "<i4")
    (folder / "frames").write_bytes(head.tobytes() + words.tobytes())
    subprocess.run(
        [str(program), "frames", "events", str(bits), str(address_bits(inputs)), str(stall)],
        cwd=folder,
        check=True,
    )
    events = np.fromfile(folder / "events", "<u4")
    ends = np.flatnonzero(events == 0xFFFFFFFF)
    cycles = events[ends + 1].astype(np.int64)
    kept = np.ones(len(events), bool)
    kept[ends] = kept[ends + 1] = False
    events = events[kept]
    markers = events >> address_bits(inputs) & 1
    tick = np.cumsum(markers) - markers  # over all samples, each of which gave all of its ticks
    spikes = np.zeros((samples * ticks, inputs), np.uint8)
    np.add.at(spikes, (tick[markers == 0], events[markers == 0]), 1)
    return spikes.reshape(shape), cycles
