"""The line to a board that damages frames: 20,000 samples over it, none of them wrong.

A small network on the virtual board.  Of all frames, both ways, 1 % have one bit flipped, 1 % are lost, 1 % come
twice and 1 % are cut.  Each answer is compared with the golden model's; its cycles with the cycle model's.
"""

from __future__ import annotations

import time

import numpy as np

from lifline import golden, rtl
from lifline.boards import Device, Faults
from lifline.boards.device import BAUD
from lifline.boards.line import FaultyLine, SerialLine
from lifline.boards.virtual import VirtualBoard
from lifline.network import INPUT

from .inputs import feed_forward, independent
from .measure import SEED, Options, Result

SAMPLES, TICKS, INPUTS, NEURONS, LANES = 20_000, 8, 64, 10, 8
ACTIVITY = 0.15
RATE = 0.01


def run(options: Options) -> Result:
    samples = 300 if options.quick else SAMPLES
    rng = np.random.default_rng(SEED)
    network = feed_forward(rng, INPUTS, NEURONS)
    spikes = independent(rng, ACTIVITY, samples, TICKS, INPUTS)
    expected = golden.simulate(network, spikes)
    cycles = rtl.cycles(network, LANES, {INPUT: spikes, **expected.spikes})
    rows = []
    with VirtualBoard(network, lanes=LANES) as board:
        for name, faults in (
            ("none", Faults()),
            ("1 % each", Faults(flip=RATE, drop=RATE, duplicate=RATE, cut=RATE, seed=SEED)),
        ):
            line = FaultyLine(SerialLine(board.port, BAUD, 20), faults)
            with Device(line, network, timeout=20) as device:
                begun = time.monotonic()
                found = device.run(spikes)
                seconds = time.monotonic() - begun
                counters = device.counters()
            output = network.output
            wrong = (
                (found.classes != expected.classes)
                | (found.cycles != cycles)
                | (found.spikes[output] != expected.spikes[output]).any(axis=(1, 2))
            )
            assert not wrong.any(), f"{int(wrong.sum())} samples are wrong"
            rows.append(
                {
                    "damage": name,
                    "samples": samples,
                    "wrong": int(wrong.sum()),
                    "frames": line.frames,
                    **line.done,
                    "sent again": counters.host.resent,
                    "asked again": counters.host.asked_again,
                    "samples/s": samples / seconds,
                }
            )
    return Result("A line that damages frames", rows)
