"""Encoders: the gateware gives the spikes of its Python twin, and in the cycles that it says."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from amaranth.sim import Simulator

from lifline.encoders import Encoder, Latency, Rate, SendOnDelta, Threshold
from lifline.errors import InputError
from lifline.rtl.encoders import FrameEncoder, make

from .streams import exchange

PER_CHANNEL = np.array([0, 3, 100, 254, 17])

CASES = pytest.mark.parametrize(
    ("encoder", "channels"),
    [
        (Rate(7), 5),
        (Rate(9, seed=65535), 1),
        (Rate(0, seed=0), 4),
        (Rate(5, value_bits=16), 3),
        (Rate(5, value_bits=1, seed=25033), 2),
        (Latency(6), 5),
        (Latency(1), 2),
        (Latency(11, threshold=100, value_bits=7), 8),
        (Latency(40, value_bits=4), 1),
        (SendOnDelta(30), 4),
        (SendOnDelta(0, value_bits=3), 1),
        (SendOnDelta(PER_CHANNEL), 5),
        (SendOnDelta(2**16 - 1, value_bits=16), 2),
        (Threshold(100), 6),
        (Threshold(PER_CHANNEL), 5),
        (Threshold(0, value_bits=1), 1),
    ],
    ids=repr,
)


def frames_of(encoder: Encoder, channels: int, rng: np.random.Generator) -> np.ndarray:
    """A sample's frames; some values at the ends of the range."""
    top = 2**encoder.value_bits - 1
    frames = 1 if encoder.frame_ticks else 6
    values = rng.integers(0, top, (frames, channels), endpoint=True)
    return np.where(rng.random(values.shape) < 0.2, rng.choice([0, top], values.shape), values)


def payloads(frames: np.ndarray) -> list[dict[str, int]]:
    marker = {"value": 0, "marker": 1}
    return [
        word for frame in frames for word in [*({"value": int(v), "marker": 0} for v in frame), marker]
    ]


def spikes_of(taken: list, ticks: int, inputs: int) -> np.ndarray:
    spikes = np.zeros((ticks, inputs), np.uint8)
    tick = 0
    for _, event in taken:
        if event["marker"]:
            tick += 1
        else:
            assert not spikes[tick, event["address"]], "an input spiked twice in a tick"
            spikes[tick, event["address"]] = 1
    assert tick == ticks
    return spikes


def expected_of(encoder: Encoder, frames: np.ndarray) -> np.ndarray:
    return encoder.encode(frames if encoder.frame_ticks else frames[None])[0]


@pytest.mark.parametrize("stall", [None, 1])
@CASES
def test_same_spikes_as_the_twin(encoder: Encoder, channels: int, stall: int | None) -> None:
    rng = np.random.default_rng(channels if stall is None else stall)
    for _ in range(2):
        frames = frames_of(encoder, channels, rng)
        expected = expected_of(encoder, frames)
        ticks, inputs = expected.shape
        dut = make(encoder, inputs)
        cycles = (dut.cycles(ticks) + 20) * (1 if stall is None else 8)
        accepted, taken = exchange(
            dut, send={"i": payloads(frames)}, receive=["o"], cycles=cycles, stall=stall
        )
        assert np.array_equal(spikes_of(taken["o"], ticks, inputs), expected)
        if stall is None:
            markers = [cycle for cycle, event in taken["o"] if event["marker"]]
            assert markers[-1] - accepted["i"][0] == dut.cycles(ticks)
            assert set(np.diff(markers)) <= {channels + 1 + FrameEncoder.LATENCY}


@CASES
def test_clear_starts_a_new_sample(encoder: Encoder, channels: int) -> None:
    """`clear` at any moment of a sample: the next one is as if it were the first."""
    rng = np.random.default_rng(5)
    frames = frames_of(encoder, channels, rng)
    expected = expected_of(encoder, frames)
    inputs = expected.shape[1]
    for moment in (3, 11, 24):
        dut = make(encoder, inputs)
        words = payloads(frames_of(encoder, channels, rng))
        sent: list[int] = []

        async def bench(ctx, dut=dut, words=words, moment=moment, sent=sent):
            cut, spikes, tick, index = words[:], np.zeros_like(expected), 0, 0
            for cycle in range(600):
                if cycle == moment:
                    cut, index, tick = payloads(frames), 0, 0
                    spikes[:] = 0
                ctx.set(dut.clear, cycle == moment)
                offer = index < len(cut) and cycle != moment
                ctx.set(dut.i.valid, offer)
                if offer:
                    ctx.set(dut.i.payload.value, cut[index]["value"])
                    ctx.set(dut.i.payload.marker, cut[index]["marker"])
                ctx.set(dut.o.ready, cycle != moment)
                index += offer and ctx.get(dut.i.ready)
                if cycle != moment and ctx.get(dut.o.valid) and tick < len(expected):
                    if ctx.get(dut.o.payload.marker):
                        tick += 1
                    else:
                        spikes[tick, ctx.get(dut.o.payload.address)] = 1
                await ctx.tick()
            assert tick == len(expected)
            assert np.array_equal(spikes, expected)
            sent.append(index)

        _simulate(dut, bench)
        assert sent == [len(words)]


def _simulate(dut, bench) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        simulator.run()


@pytest.mark.parametrize("stall", [None, 4])
@pytest.mark.parametrize("length", [0, 2, 6, 9])
def test_a_frame_of_another_length_is_filled_or_cut(length: int, stall: int | None) -> None:
    dut = make(Threshold(10), 4)
    rng = np.random.default_rng(length)
    frames = [rng.integers(0, 255, length), rng.integers(0, 255, 4)]
    seen = []
    _, taken = exchange(
        dut,
        send={"i": [word for frame in frames for word in payloads(frame[None])]},
        receive=["o"],
        cycles=200,
        stall=stall,
        each_cycle=lambda ctx, cycle: seen.append(ctx.get(dut.misfit)),
    )
    whole = np.zeros((1, 2, 4), np.int64)
    for tick, frame in enumerate(frames):
        whole[0, tick, : min(4, len(frame))] = frame[:4]
    assert np.array_equal(spikes_of(taken["o"], 2, 4), Threshold(10).encode(whole)[0])
    assert (seen[0], seen[-1]) == (0, 1)


def test_send_on_delta_needs_an_even_number_of_inputs() -> None:
    with pytest.raises(InputError, match="the network has 7 inputs, which are not as many on as off"):
        make(SendOnDelta(3), 7)


def test_a_kind_without_a_circuit_is_named() -> None:
    class Odd(Encoder):
        value_bits = 8

    try:
        with pytest.raises(TypeError, match="the encoder Odd has no circuit"):
            make(Odd(), 3)
    finally:
        del Encoder.kinds["Odd"]
