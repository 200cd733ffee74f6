"""Files of the compiled driver ``batch.cpp``: the design's constants, the samples, the results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lifline.network import Network
from lifline.rtl.layout import address_bits

from .learned import LearnedBank
from .results import Raw
from .trace import Trace


def header(
    traces: Sequence[Trace],
    network: Network,
    learned: Sequence[LearnedBank] | None = None,
    *,
    rewarded: bool = False,
) -> str:
    """The constants of a design, as a C++ header.

    Parameters
    ----------
    traces : sequence of Trace
    network : Network
    learned : sequence of LearnedBank, optional
        Where the design can learn.
    rewarded : bool
        Whether it needs a signal at the end of each sample.
    """
    taps = " ".join(
        # Verilator writes a double underscore as ___05F, from the left.
        f'TAP("{trace.name}", {f"trace_{trace.name}__".replace("__", "___05F")}, {trace.groups}, {trace.word_bytes})'
        for trace in traces
    )
    return (
        f"#define LIFLINE_INPUTS {network.inputs}\n"
        f"#define LIFLINE_INPUT_MARKER (uint64_t{{1}} << {address_bits(network.inputs)})\n"
        f"#define LIFLINE_INPUT_VALUE {address_bits(network.inputs) + 1 if network.input_bits > 1 else 0}\n"
        f"#define LIFLINE_OUTPUT_MARKER (1u << {address_bits(network.size(network.output))})\n"
        f"#define LIFLINE_TAPS(TAP) {taps}\n"
        + _learning(learned)
        + "#define LIFLINE_REWARDED\n" * rewarded
    )


def _learning(learned: Sequence[LearnedBank] | None) -> str:
    if learned is None:
        return "#define LIFLINE_LEARNED(BANK)\n"
    banks = " ".join(
        f"BANK({f'learned_{bank.name}__'.replace('__', '___05F')}, {bank.words}, {bank.word_bytes})"
        for bank in learned
    )
    return f"#define LIFLINE_LEARNS\n#define LIFLINE_LEARNED(BANK) {banks}\n"


def write(
    path: Path,
    spikes: np.ndarray,
    patience: int,
    learned: Sequence[LearnedBank] = (),
    learns: Sequence[bool] | None = None,
    rewards: Sequence[int] | None = None,
) -> None:
    """Write samples, (samples, ticks, inputs), for the driver, which of them are learned from, and their rewards."""
    samples, ticks, _ = spikes.shape
    head = np.array([samples, ticks, patience], "<i8")
    more = b"" if learns is None else bytes(learns)
    more += b"" if rewards is None else np.asarray(rewards).astype("<i2").tobytes()
    more += b"".join(bank.initial().tobytes() for bank in learned)
    path.write_bytes(head.tobytes() + spikes.astype(np.uint8).tobytes() + more)


def read(
    path: Path, traces: Sequence[Trace], learned: Sequence[LearnedBank], runs: int, ticks: int
) -> Raw:
    """Read what the driver wrote."""
    data = np.fromfile(path, np.uint8)
    begun, events, clock_cycles, nanoseconds, problem = data[:40].view("<i8").tolist()
    offset = 40

    def take(dtype: str, *shape: int) -> np.ndarray:
        nonlocal offset
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        offset += size
        return data[offset - size : offset].view(dtype).reshape(shape)

    return Raw(
        cycles=take("<i8", begun),
        counts=take("<i8", begun, len(traces)),
        events=take("<i8", events, 3),
        words={t.name: take("u1", runs, ticks, t.groups, t.word_bytes) for t in traces},
        learned={b.name: take("u1", runs, b.words, b.word_bytes) for b in learned},
        problem=take("u1", problem).tobytes().decode() or None,
        clock_cycles=clock_cycles,
        seconds=nanoseconds / 1e9,
    )
